//! Which markers may go: pure.
//!
//! A marker matters as long as its batch could be sent again or an earlier send of it could still be
//! applied: until the batch is settled here and Google's 180 s are over. A journal brought back from
//! yesterday's backup sends a settled batch again, so a day is kept where there is room. There is
//! room for 30,000 characters a tab; a marker takes about 36 of them, and at 60 writes a minute a
//! day would be 86,400 markers. So beyond [`COUNT_MAX`] only the last [`AGE_MIN_S`] are sacred.
//! Under some markers a process that was stopped may still send something however late: those stay as long
//! as the journal says.

use std::ops::Range;

/// The newest are kept whatever their age.
pub const KEPT_MIN: usize = 64;
/// Kept where there is room, in seconds.
pub const AGE_KEPT_S: i64 = 24 * 3_600;
/// Kept in any case, in seconds: more than three times Google's own limit for one request.
pub const AGE_MIN_S: i64 = 600;
/// How many there is comfortably room for: 18,000 of 30,000 characters.
pub const COUNT_MAX: usize = 500;

/// A marker as found in the sheet: its id, and when its batch was sealed in seconds since 1970.
pub type SealedMarker = (i32, i64);

/// The ids that may be deleted now. `ours` are the ids that this journal has given; for another
/// deployment's only the day counts.
pub fn prunable(mut found: Vec<SealedMarker>, ours: &Range<i32>, now_s: i64) -> Vec<i32> {
    found.sort_by_key(|(_, sealed_at)| std::cmp::Reverse(*sealed_at));
    let crowded = found.len() > COUNT_MAX;
    let old = |(id, sealed_at): &SealedMarker| {
        let age = now_s.saturating_sub(*sealed_at);
        age > AGE_KEPT_S || (crowded && ours.contains(id) && age > AGE_MIN_S)
    };
    found.into_iter().skip(KEPT_MIN).filter(old).map(|(id, _)| id).collect()
}
