//! The domain: what a body says, what we know of a chat, and what becomes of it.
//!
//! Pure functions over values: no I/O, no clock, and no name of any other module. Everything about
//! DoubleTick's payloads is here ([`recognise`], [`event`]) and so is every rule about people's
//! chats ([`memory`], [`customer`]). What is stored and when is the journal's business.

pub mod text;
pub mod time;
pub mod digest;
pub mod fields;
pub mod event;
pub mod recognise;
pub mod entry;
pub mod waiting;
pub mod board;
pub mod counted;
pub mod summary;
pub mod hours;
pub mod route;
pub mod customer;
pub mod memory;
pub mod conversation;
pub mod listing;
#[cfg(test)]
mod tests;
