//! What was committed though the answer was lost, and is done again: it has happened once.

use each_engine::each_engine;

use crate::journal::tests::engine::Place;
use crate::journal::tests::{
    NOW, PLAN, accept_all, book, check_identity, drafted, open_batch, sealed,
};
use crate::journal::{Batch, Error, Journal, Unsettled};

/// Does something to a batch of two rows, of which nobody hears that it was done, and then does it again.
async fn done_twice(
    place: &Place,
    once: impl AsyncFn(&Journal, Batch) -> Result<(), Unsettled>,
) -> Journal {
    let journal = place.open();
    accept_all(&journal, &["a", "b", "c"]).await;
    let batch = sealed(&journal, 2).await;
    place.lose_answers(true);
    let Unsettled { batch, .. } = once(&journal, batch).await.unwrap_err();
    place.lose_answers(false);
    once(&journal, batch).await.unwrap();
    assert!(open_batch(&journal).await.is_none());
    check_identity(place, &journal);
    journal
}

#[each_engine]
async fn rows_are_counted_as_written_once_though_that_had_to_be_said_twice(place: Place) {
    let journal = done_twice(&place, async |journal, batch| journal.written(batch).await).await;
    assert_eq!((journal.tally().written, journal.tally().pending()), (2, 1));
}

#[each_engine]
async fn rows_are_set_aside_once_though_that_had_to_be_said_twice(place: Place) {
    let set_aside = async |journal: &Journal, batch| {
        journal.set_aside(batch, "for a reason".to_owned(), NOW).await
    };
    let journal = done_twice(&place, set_aside).await;
    assert_eq!((journal.tally().set_aside, journal.tally().pending()), (2, 1));
    assert_eq!(journal.set_aside_after(0, 9).await.unwrap().len(), 2);
}

#[each_engine]
async fn rows_are_pending_once_though_their_release_had_to_be_said_twice(place: Place) {
    let journal = done_twice(&place, async |journal, batch| journal.release(batch).await).await;
    assert_eq!(journal.tally().pending(), 3);
    assert_eq!(sealed(&journal, 9).await.entries().len(), 3);
}

#[each_engine]
async fn a_batch_whose_seal_nobody_heard_of_is_taken_up_and_none_is_sealed_beside_it(place: Place) {
    let journal = &place.open();
    accept_all(journal, &["a", "b"]).await;
    let draft = drafted(journal, book(journal), 1).await;
    place.lose_answers(true);
    journal.seal(draft, PLAN.into(), None, NOW).await.unwrap_err();
    place.lose_answers(false);
    let draft = drafted(journal, book(journal), 1).await;
    let again = journal.seal(draft, PLAN.into(), None, NOW).await.unwrap_err();
    assert!(matches!(again, Error::BatchOpen), "{again:?}");
    let batch = open_batch(journal).await.unwrap();
    assert_eq!(batch.entries().len(), 1);
    journal.written(batch).await.unwrap();
    assert_eq!((journal.tally().written, journal.tally().pending()), (1, 1));
    check_identity(&place, journal);
}
