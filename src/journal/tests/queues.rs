//! Queues: one for each tab, batches for each spreadsheet, and rows whose place is not configured any
//! more.

use each_engine::each_engine;
use serde_json::json;

use crate::chat::event::Happening;
use crate::chat::route::{Routes, UNKNOWN};
use crate::journal::tests::engine::Place;
use crate::journal::tests::{
    HOUR_MS, LIMITS, LOG, NOW, PLAN, SHEET, accept_all, assigned, book, chats, check_identity,
    drafted, event, look, one_tab, open_batch, sealed, to,
};
use crate::journal::{Batch, BookId, Journal};

const OTHER: &str = "2spreadsheet";
const NORTH: &str = "+919000000001";
const SOUTH: &str = "+919000000002";
const ELSE: &str = "+919000000009";

/// North has a tab beside the default's, South a spreadsheet of its own.
fn branches() -> Routes {
    let by_number = vec![
        ("919000000001".to_owned(), to(SHEET, "North")),
        ("919000000002".to_owned(), to(OTHER, LOG)),
    ];
    Routes::new(to(SHEET, LOG), by_number)
}

fn open_with(place: &Place, routes: Routes) -> Journal {
    place.open_with(LIMITS, routes)
}

async fn accept(journal: &Journal, chat: &str, waba: &str) {
    let body = json!({ "chatId": chat, "customerPhone": "+9198", "wabaNumber": waba });
    drop(journal.accept(event(Happening::Unassigned, body), NOW).await.unwrap());
}

async fn assign(journal: &Journal, chat: &str) {
    drop(journal.accept(assigned(chat, "Dr. Meera"), NOW).await.unwrap());
}

/// A batch that has left: the log's title, and the chats of its rows and of its handovers.
type Left = (Option<String>, Vec<String>, Vec<String>);

/// Everything of a spreadsheet in batches: the log tab of each, its rows and its handovers.
async fn drained(place: &Place, journal: &Journal, book: BookId, rows_max: usize) -> Vec<Left> {
    let mut batches = Vec::new();
    loop {
        let draft = drafted(journal, book, rows_max).await;
        if draft.rows() == 0 {
            return batches;
        }
        let title = draft.title().map(str::to_owned);
        let batch = journal.seal(draft, PLAN.into(), None, NOW).await.unwrap().unwrap();
        let owned = |rows| chats(rows).into_iter().map(str::to_owned).collect();
        batches.push((title, owned(batch.entries()), owned(batch.handovers())));
        journal.written(batch).await.unwrap();
        check_identity(place, journal);
    }
}

/// A batch as it left; no title where it has no rows of a log.
fn batch(title: &str, rows: &[&str], handovers: &[&str]) -> Left {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    let title = Some(title).filter(|title| !title.is_empty());
    (title.map(str::to_owned), owned(rows), owned(handovers))
}

fn second(journal: &Journal) -> BookId {
    journal.books()[1].1
}

#[each_engine]
async fn rows_go_to_the_tab_of_their_number_and_never_two_tabs_in_one_batch(place: Place) {
    let journal = open_with(&place, branches());
    let ids: Vec<String> = journal.books().into_iter().map(|(id, _)| id).collect();
    assert_eq!(ids, [SHEET, OTHER]);
    for (chat, waba) in [
        ("a", ELSE),
        ("n1", NORTH),
        ("s1", SOUTH),
        ("b", ELSE),
        ("n2", "91 9000 000 001"),
        ("s2", SOUTH),
        ("c", ""),
    ] {
        accept(&journal, chat, waba).await;
    }
    check_identity(&place, &journal);
    assert_eq!(journal.work(second(&journal)).pending, 2);
    let first = drained(&place, &journal, book(&journal), 10).await;
    assert_eq!(first, [batch(LOG, &["a", "b", "c"], &[]), batch("North", &["n1", "n2"], &[])]);
    let other = drained(&place, &journal, second(&journal), 10).await;
    assert_eq!(other, [batch(LOG, &["s1", "s2"], &[])]);
}

#[each_engine]
async fn each_tab_keeps_its_order_and_the_oldest_row_goes_first(place: Place) {
    let journal = open_with(&place, branches());
    for (chat, waba) in [("n1", NORTH), ("a", ELSE), ("n2", NORTH), ("b", ELSE), ("n3", NORTH)] {
        accept(&journal, chat, waba).await;
    }
    let batches = drained(&place, &journal, book(&journal), 2).await;
    let expected = [
        batch("North", &["n1", "n2"], &[]),
        batch(LOG, &["a", "b"], &[]),
        batch("North", &["n3"], &[]),
    ];
    assert_eq!(batches, expected);
}

#[each_engine]
async fn handovers_travel_along_to_the_spreadsheet_of_the_wait(place: Place) {
    let journal = open_with(&place, branches());
    for (chat, waba) in [("a", ELSE), ("n1", NORTH), ("s1", SOUTH)] {
        accept(&journal, chat, waba).await;
        assign(&journal, chat).await;
    }
    check_identity(&place, &journal);
    let first = drained(&place, &journal, book(&journal), 10).await;
    assert_eq!(first, [batch(LOG, &["a"], &["a", "n1"]), batch("North", &["n1"], &[])]);
    let other = drained(&place, &journal, second(&journal), 10).await;
    assert_eq!(other, [batch(LOG, &["s1"], &["s1"])]);
    assert_eq!(journal.tally().handovers_written, 3);
}

#[each_engine]
async fn handovers_alone_are_a_batch_and_may_be_left_out(place: Place) {
    let journal = place.open();
    accept(&journal, "a", ELSE).await;
    drop(drained(&place, &journal, book(&journal), 10).await);
    assign(&journal, "a").await;
    let without = drafted(&journal, book(&journal), 10).await.first(10, 0);
    assert_eq!(without.rows(), 0);
    assert_eq!(drained(&place, &journal, book(&journal), 10).await, [batch("", &[], &["a"])]);
}

#[each_engine]
async fn a_batch_counts_handovers_among_its_rows(place: Place) {
    let journal = place.open();
    for chat in ["a", "b", "c"] {
        accept(&journal, chat, ELSE).await;
        assign(&journal, chat).await;
    }
    let expected = [batch(LOG, &["a", "b", "c"], &["a"]), batch("", &[], &["b", "c"])];
    assert_eq!(drained(&place, &journal, book(&journal), 4).await, expected);
}

#[each_engine]
async fn one_spreadsheets_open_batch_does_not_hold_up_the_others(place: Place) {
    let journal = open_with(&place, branches());
    accept(&journal, "a", ELSE).await;
    accept(&journal, "s1", SOUTH).await;
    let stuck = sealed(&journal, 10).await;
    assert_eq!(drained(&place, &journal, second(&journal), 10).await, [batch(LOG, &["s1"], &[])]);
    assert!(journal.open_batch(second(&journal)).await.unwrap().is_none());
    assert!(journal.open_batch(book(&journal)).await.unwrap().is_some());
    assert_eq!(journal.busy_books(second(&journal)), 2);
    journal.written(stuck).await.unwrap();
    assert_eq!(journal.busy_books(second(&journal)), 1);
}

#[each_engine]
async fn rows_of_a_place_that_is_not_configured_any_more_are_routed_anew(place: Place) {
    let journal = open_with(&place, branches());
    for (chat, waba) in [("a", ELSE), ("n1", NORTH), ("s1", SOUTH), ("b", ELSE)] {
        accept(&journal, chat, waba).await;
    }
    assign(&journal, "s1").await;
    let draft = drafted(&journal, second(&journal), 10).await;
    // Under way to a spreadsheet that is not configured any more: it stays until it is settled.
    let former = second(&journal);
    let _left = journal.seal(draft, PLAN.into(), None, NOW).await.unwrap().unwrap();
    drop(journal);
    let journal = open_with(&place, Routes::new(to(SHEET, "Everything"), Vec::new()));
    assert_eq!(journal.former_books().await.unwrap(), [(OTHER.to_owned(), former)]);
    let work = journal.work(book(&journal));
    assert_eq!((work.waiting, work.pending), (3, 3), "the board shows all who wait");
    let under_way = journal.open_batch(former).await.unwrap().unwrap();
    journal.release(under_way).await.unwrap();
    assert_eq!(journal.former_books().await.unwrap(), []);
    check_identity(&place, &journal);
    let all = drained(&place, &journal, book(&journal), 10).await;
    assert_eq!(all, [batch("Everything", &["a", "n1", "s1", "b"], &["s1"])]);
    let tally = journal.tally();
    assert_eq!((tally.accepted, tally.written, tally.handovers_written), (4, 4, 1));
}

/// The batch may be in the sheet already, so its rows stay with it until that is known.
#[each_engine]
async fn members_of_a_batch_under_way_stay_until_it_is_released(place: Place) {
    let journal = open_with(&place, branches());
    for (chat, waba) in [("n1", NORTH), ("n2", NORTH), ("n3", NORTH)] {
        accept(&journal, chat, waba).await;
    }
    let before = sealed(&journal, 2).await;
    drop(journal);
    let journal = open_with(&place, one_tab());
    check_identity(&place, &journal);
    let open = journal.open_batch(book(&journal)).await.unwrap().unwrap();
    assert_eq!(chats(open.entries()), ["n1", "n2"]);
    assert_eq!((open.digest(), open.marker_id()), (before.digest(), before.marker_id()));
    let rest = drafted(&journal, book(&journal), 10).await;
    assert_eq!((rest.title(), rest.rows()), (Some(LOG), 1));
    journal.release(open).await.unwrap();
    check_identity(&place, &journal);
    let all = drained(&place, &journal, book(&journal), 10).await;
    assert_eq!(all, [batch(LOG, &["n1", "n2", "n3"], &[])]);
}

fn face(batch: &Batch) -> (String, Vec<String>) {
    let rows = chats(batch.entries()).into_iter().map(str::to_owned).collect();
    (batch.digest().to_owned(), rows)
}

/// Rows that are routed anew into a queue of which a batch is under way do not become members of it: it
/// may be in the sheet already, and they are not.
#[each_engine]
async fn rows_routed_anew_never_slip_into_a_batch_that_is_under_way(place: Place) {
    let journal = open_with(&place, branches());
    for (chat, waba) in [("a", ELSE), ("n1", NORTH), ("b", ELSE), ("s1", SOUTH), ("c", ELSE)] {
        accept(&journal, chat, waba).await;
    }
    let sealed = sealed(&journal, 10).await;
    assert_eq!(chats(sealed.entries()), ["a", "b", "c"]);
    let before = face(&sealed);
    drop(journal);
    let journal = open_with(&place, one_tab());
    let open = journal.open_batch(book(&journal)).await.unwrap().unwrap();
    assert_eq!(face(&open), before, "a batch never changes once it is sealed");
    journal.written(open).await.unwrap();
    check_identity(&place, &journal);
    assert_eq!((journal.tally().written, journal.tally().pending()), (3, 2));
    let rest = drained(&place, &journal, book(&journal), 10).await;
    assert_eq!(rest, [batch(LOG, &["n1", "s1"], &[])]);
}

/// The same where the rows come from a batch that is released while another one is under way.
#[each_engine]
async fn released_rows_never_slip_into_another_spreadsheets_batch_that_is_under_way(place: Place) {
    let journal = open_with(&place, branches());
    for (chat, waba) in [("s1", SOUTH), ("n1", NORTH), ("s2", SOUTH)] {
        accept(&journal, chat, waba).await;
    }
    let north = sealed(&journal, 10).await;
    assert_eq!(chats(north.entries()), ["n1"]);
    let draft = drafted(&journal, second(&journal), 10).await;
    let south = face(&journal.seal(draft, PLAN.into(), None, NOW).await.unwrap().unwrap());
    drop(north);
    drop(journal);
    // North goes where South goes from now on.
    let by_number = vec![
        ("919000000001".to_owned(), to(OTHER, LOG)),
        ("919000000002".to_owned(), to(OTHER, LOG)),
    ];
    let journal = open_with(&place, Routes::new(to(SHEET, LOG), by_number));
    let north = journal.open_batch(book(&journal)).await.unwrap().unwrap();
    journal.release(north).await.unwrap();
    let open = journal.open_batch(second(&journal)).await.unwrap().unwrap();
    assert_eq!(face(&open), south, "a batch never changes once it is sealed");
    journal.written(open).await.unwrap();
    assert_eq!(journal.tally().written, 2);
    assert_eq!(drained(&place, &journal, second(&journal), 10).await, [batch(LOG, &["n1"], &[])]);
}

/// `replay` beside the running service must not move what the service serves.
#[each_engine]
async fn whoever_opens_it_beside_the_service_routes_nothing_anew(place: Place) {
    let journal = open_with(&place, branches());
    accept(&journal, "s1", SOUTH).await;
    let beside = place.beside();
    drop(beside);
    journal.refresh().await.unwrap();
    check_identity(&place, &journal);
    assert_eq!(drained(&place, &journal, second(&journal), 10).await, [batch(LOG, &["s1"], &[])]);
}

#[each_engine]
async fn the_oldest_pending_row_is_told_whichever_spreadsheet_it_is_for(place: Place) {
    let journal = open_with(&place, branches());
    let at = |hours: i64| NOW.plus_ms(hours * HOUR_MS);
    for (chat, waba, hours) in [("s1", SOUTH, 0), ("n1", NORTH, 1), ("a", ELSE, 2)] {
        let body = json!({ "chatId": chat, "customerPhone": "+9198", "wabaNumber": waba });
        drop(journal.accept(event(Happening::Unassigned, body), at(hours)).await.unwrap());
    }
    assert_eq!(journal.oldest_pending(NOW).await.unwrap(), Some(at(0)));
}

#[each_engine]
async fn each_spreadsheet_has_its_own_board(place: Place) {
    let journal = open_with(&place, branches());
    for (chat, waba) in [("a", ELSE), ("n1", NORTH), ("s1", SOUTH)] {
        accept(&journal, chat, waba).await;
    }
    for (book, expected) in [(book(&journal), &["a", "n1"][..]), (second(&journal), &["s1"])] {
        let draft = drafted(&journal, book, 0).await;
        let sealed =
            journal.seal(draft, PLAN.into(), Some(look(book)), NOW).await.unwrap().unwrap();
        let board = sealed.board().unwrap();
        let lines = board.lines.iter().map(|line| line.entry.chat_id.reveal());
        assert_eq!(lines.collect::<Vec<_>>(), expected);
        assert_eq!(board.waiting, expected.len() as u64);
        journal.written(sealed).await.unwrap();
    }
}

/// The setting is missing for one start: what was sealed for the spreadsheet may be in it already.
#[each_engine]
async fn a_start_that_does_not_know_the_spreadsheet_leaves_its_batch_alone_and_takes_events(
    place: Place,
) {
    let journal = place.open();
    accept_all(&journal, &["a"]).await;
    let digest = sealed(&journal, 10).await.digest().to_owned();
    drop(journal);
    let unknown = Routes::new(to(UNKNOWN, LOG), Vec::new());
    let journal = place.open_with(LIMITS, unknown);
    accept_all(&journal, &["b"]).await;
    // Who waited since before is looked after meanwhile: the handover is a row, too.
    drop(journal.accept(assigned("a", "Asha"), NOW).await.unwrap());
    drop(journal);
    let journal = place.open();
    check_identity(&place, &journal);
    let batch = open_batch(&journal).await.expect("it is under way");
    assert_eq!((batch.digest(), chats(batch.entries())), (digest.as_str(), vec!["a"]));
    journal.written(batch).await.unwrap();
    let next = sealed(&journal, 10).await;
    assert_eq!((chats(next.entries()), chats(next.handovers())), (vec!["b"], vec!["a"]));
    journal.written(next).await.unwrap();
    check_identity(&place, &journal);
}
