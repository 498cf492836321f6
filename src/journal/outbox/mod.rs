//! The way out: pending rows are drafted, sealed into batches, and settled; or set aside, and tried again.

pub(in crate::journal) mod batch;
pub(in crate::journal) mod draft;
pub mod export;
pub(in crate::journal) mod set_aside;
mod ids;
mod seal;
mod settle;
pub(in crate::journal) mod ticket;
pub(in crate::journal) mod turn;

/// The id of the marker of a batch or ticket of this number: 31 bits, and positive, for 147 million of one
/// base.
fn marker_id(base: i64, number: u64) -> i32 {
    i32::try_from(base + number.cast_signed()).unwrap_or(i32::MAX)
}
