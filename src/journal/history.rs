//! History that went backwards: the database is as it was some time ago, by a restore, or because another machine
//! took over that had not been told everything.
//!
//! A process knows which numbers it gave. Where the database knows less, the numbers go on from the highest, so
//! that no event and no batch ever has the number of another; and what is pending by then is doubtful: its row
//! may be in the sheet already, and is looked up there by its Event ID before it is sealed. What was acknowledged
//! in between and is gone cannot be brought back from here: that is said as an error.

use crate::journal::Error;
use crate::journal::counters::Counters;
use crate::journal::store::Read;
use crate::journal::transaction::Transaction;

/// The name of the number below which pending rows are doubtful.
const DOUBTFUL_BEFORE: &str = "doubtful_before";
/// What the warning is about.
const ABOUT: &str = "history";

/// At the beginning of a transaction: raises the counters to what this process has acknowledged.
pub(super) fn go_on(transaction: &mut Transaction<'_>, (number, batch): (u64, u64)) {
    let Counters { tally, .. } = &transaction.counters;
    let (found, is_behind) =
        (tally.next_number, tally.next_number < number || tally.next_batch < batch);
    if !is_behind {
        return;
    }
    let tally = transaction.tally();
    tally.next_number = tally.next_number.max(number);
    tally.next_batch = tally.next_batch.max(batch);
    let before = tally.next_number.cast_signed();
    transaction.change().meta.push((DOUBTFUL_BEFORE.to_owned(), before));
    let sentence = format!(
        "the database went back in time: events {found} to {} were acknowledged and are not in it; rows that \
         are not in the sheet either are lost: compare with DoubleTick, and see who restored the database or \
         whether its standby is synchronous",
        before - 1
    );
    log::error!("{sentence}");
    transaction.shared.conditions.warn(ABOUT, Some(sentence));
}

/// Below which number pending rows may be in the sheet already; 0 where none may.
pub(super) fn doubtful_before(store: &dyn Read) -> Result<u64, Error> {
    Ok(store.meta(DOUBTFUL_BEFORE)?.unwrap_or_default().cast_unsigned())
}
