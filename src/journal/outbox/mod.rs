//! The way out: pending rows are drafted, sealed into batches, and settled; or set aside, and tried again.

pub(in crate::journal) mod batch;
pub(in crate::journal) mod draft;
pub mod export;
pub(in crate::journal) mod set_aside;
mod ids;
mod seal;
mod settle;
pub(in crate::journal) mod turn;
