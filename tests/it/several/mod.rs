//! Several instances on one database: what one of them loses the others have, and rows are written by one.
//!
//! Real PostgreSQL, the real binary, a proxy that goes on to the next instance where a connection is refused.
//! Every test ends with the same account: nothing lost, nothing doubled, in order, never over the ceiling of
//! writes, and the counters add up on every instance.

mod failing_over;
mod going_back;
pub(crate) mod group;
mod handing_over;
mod killing;
mod seeing;
mod settings;
mod standby;
