//! A database that went back in time: no number is given twice, and what may be in the sheet is looked up.

use each_engine::each_engine;

use crate::journal::tests::engine::Place;
use crate::journal::tests::{NOW, accept_all, book, chats, check_identity, commit, sealed};
use crate::journal::{Error, Journal};

/// The database loses the last of its rows, and what it knew of their numbers.
async fn goes_back(place: &Place, journal: &Journal, rows: u64) {
    let (queue, next) = (1, journal.tally().next_number);
    let other = place.beside();
    let forget = move |transaction: &mut crate::journal::transaction::Transaction<'_>| {
        let gone = (next - rows..next).map(|number| (queue, number));
        transaction.change().rows_gone.extend(gone);
        let tally = transaction.tally();
        tally.next_number -= rows;
        tally.accepted -= rows;
        tally.next_batch = 1;
        let work = transaction.counters.work_mut(transaction.shared.routing.books()[0].1);
        work.pending -= rows;
        Ok::<_, Error>(())
    };
    commit(&other, forget).await.unwrap();
}

#[each_engine]
async fn no_number_is_given_twice_where_the_database_forgot_some(place: Place) {
    let journal = place.open();
    accept_all(&journal, &["a", "b", "c"]).await;
    goes_back(&place, &journal, 2).await;
    accept_all(&journal, &["d"]).await;
    let draft = journal.draft(book(&journal), 10, NOW).await.unwrap();
    let numbers: Vec<u64> = draft.entries().iter().map(|row| row.event_id.number).collect();
    assert_eq!((numbers, chats(draft.entries())), (vec![1, 4], vec!["a", "d"]));
    let warnings = journal.warnings().join("; ");
    assert!(warnings.contains("events 2 to 3 were acknowledged and are not in it"), "{warnings}");
}

#[each_engine]
async fn what_is_pending_then_is_doubtful_and_what_comes_later_is_not(place: Place) {
    let journal = place.open();
    accept_all(&journal, &["a", "b", "c"]).await;
    assert!(!journal.draft(book(&journal), 10, NOW).await.unwrap().is_doubtful());
    goes_back(&place, &journal, 1).await;
    accept_all(&journal, &["d"]).await;
    let draft = journal.draft(book(&journal), 10, NOW).await.unwrap();
    assert!(draft.is_doubtful());
    // Two of the three stand in the sheet.
    journal.found_written(draft, vec![1, 2]).await.unwrap();
    let draft = journal.draft(book(&journal), 10, NOW).await.unwrap();
    assert_eq!(chats(draft.entries()), ["d"]);
    assert!(!draft.is_doubtful());
    assert_eq!(journal.tally().written, 2);
    journal.written(sealed(&journal, 10).await).await.unwrap();
    check_identity(&place, &journal);
}
