//! Every unassigned DoubleTick chat becomes exactly one row in a Google Sheet.

pub mod chat;
pub mod journal;
pub mod sheets;
pub mod forwarder;
pub mod http;
pub mod status;
pub mod causes;
