//! Who waits: kept through restarts and failures, bounded, and forgotten in time.

use each_engine::each_engine;
use serde_json::json;

use crate::chat::board::{Board, LINES_MAX};
use crate::chat::event::Happening;
use crate::chat::time::UnixMs;
use crate::journal::accept::waits::WAITS_MAX;
use crate::journal::tests::accepting::joined;
use crate::journal::tests::engine::Place;
use crate::journal::tests::{
    HOUR_MS, LIMITS, NOW, PLAN, accept_all, assigned, book, check_identity, commit, drafted, event,
    fill_waits, look, one_tab, unassigned,
};
use crate::journal::{Error, Journal, Limits, Look, Standing};

/// The board as it is at this moment.
async fn board_at(journal: &Journal, now: UnixMs) -> Board {
    let look = look(book(journal));
    commit(journal, move |transaction| transaction.board(&look, now)).await.unwrap()
}

async fn board(journal: &Journal) -> Vec<String> {
    let board = board_at(journal, NOW).await;
    assert_eq!(board.waiting, board.lines.len() as u64);
    board.lines.iter().map(|line| line.entry.chat_id.reveal().to_owned()).collect()
}

async fn close(journal: &Journal, phone: &str) {
    let body = json!({ "from": phone, "closeConversation": true });
    drop(journal.accept(event(Happening::Closed, body), NOW).await.unwrap());
}

#[each_engine]
async fn who_waits_is_known_again_after_a_restart_and_a_power_cut(place: Place) {
    let journal = place.open();
    accept_all(&journal, &["a", "b", "c"]).await;
    drop(journal.accept(assigned("b", "Dr. Meera"), NOW).await.unwrap());
    assert_eq!(board(&journal).await, ["a", "c"]);
    let cut = place.cut();
    assert_eq!(board(&cut.open()).await, ["a", "c"]);
    drop(journal);
    let journal = place.open();
    assert_eq!(board(&journal).await, ["a", "c"]);
    // What is known of them is, too: an assignment and a closing find them.
    drop(journal.accept(assigned("a", "Dr. Meera"), NOW).await.unwrap());
    assert_eq!(board(&journal).await, ["c"]);
    close(&journal, "+91 98765 43210").await;
    assert_eq!(board(&journal).await, Vec::<String>::new());
    check_identity(&place, &journal);
}

#[each_engine]
async fn a_transaction_that_fails_leaves_everyone_who_waited(place: Place) {
    let journal = place.open();
    accept_all(&journal, &["a", "b"]).await;
    let failed: Result<(), _> = commit(&journal, |transaction| {
        for number in [1, 2] {
            let wait = transaction.wait_numbered(number)?.unwrap();
            transaction.drop_wait(&wait);
        }
        transaction.read()?;
        Err(Error::Busy)
    })
    .await;
    assert!(failed.is_err());
    assert_eq!(board(&journal).await, ["a", "b"]);
    // The index in memory is as it was: both are found by their chat.
    drop(journal.accept(assigned("b", "Dr. Meera"), NOW).await.unwrap());
    assert_eq!(board(&journal).await, ["a"]);
    assert_eq!(journal.tally().handovers, 1);
    check_identity(&place, &journal);
}

#[each_engine]
async fn what_another_process_replays_is_on_the_board_of_the_service(place: Place) {
    let journal = place.open();
    accept_all(&journal, &["a"]).await;
    let beside = place.beside();
    accept_all(&beside, &["b"]).await;
    drop(beside.accept(assigned("a", "Dr. Meera"), NOW).await.unwrap());
    drop(beside);
    assert_eq!(board(&journal).await, ["b"]);
    drop(journal.accept(assigned("b", "Dr. Meera"), NOW).await.unwrap());
    assert_eq!(board(&journal).await, Vec::<String>::new());
    check_identity(&place, &journal);
}

#[each_engine]
async fn every_change_of_the_board_is_told(place: Place) {
    let journal = place.open();
    let changes = || journal.work(book(&journal)).board_changes;
    let mut last = changes();
    let mut has_changed = || {
        let before = std::mem::replace(&mut last, changes());
        last > before
    };
    accept_all(&journal, &["a"]).await;
    assert!(has_changed());
    let again = journal.accept(unassigned("a"), NOW).await.unwrap();
    assert_eq!(again.standing(), Standing::Duplicate);
    drop(journal.accept(assigned("z", "Dr. Meera"), NOW).await.unwrap());
    assert!(!has_changed(), "neither is on the board");
    drop(journal.accept(assigned("a", "Dr. Meera"), NOW).await.unwrap());
    assert!(has_changed());
}

#[each_engine]
async fn what_another_process_commits_changes_the_board_only_where_it_is_to_look_different(
    place: Place,
) {
    let journal = place.open();
    accept_all(&journal, &["a"]).await;
    let beside = place.beside();
    let changes = async || {
        journal.refresh().await.unwrap();
        journal.work(book(&journal)).board_changes
    };
    let before = changes().await;
    drop(beside.accept(assigned("z", "Dr. Meera"), NOW).await.unwrap());
    beside.keep_unrecognised(b"{}".to_vec(), None, NOW).await.unwrap();
    assert_eq!(changes().await, before, "nothing of it is on the board");
    drop(beside.accept(assigned("a", "Dr. Meera"), NOW).await.unwrap());
    assert!(changes().await > before);
    drop(beside);
    let after = changes().await;
    drop(journal);
    let journal = place.open();
    assert_eq!(journal.work(book(&journal)).board_changes, after);
}

#[each_engine]
async fn a_batch_tells_which_changes_its_board_shows(place: Place) {
    let journal = place.open();
    accept_all(&journal, &["a", "b"]).await;
    let book = book(&journal);
    let draft = drafted(&journal, book, 9).await;
    // The lines are too old, and leave the board as it is drawn.
    let later = NOW.plus_ms(25 * HOUR_MS);
    let sealed = journal.seal(draft, PLAN.into(), Some(look(book)), later).await.unwrap().unwrap();
    let changes = journal.work(book).board_changes;
    assert_eq!(sealed.board_changes(), changes);
    drop(journal);
    let journal = place.open();
    assert_eq!(journal.open_batch(book).await.unwrap().unwrap().board_changes(), changes);
}

#[each_engine]
async fn where_no_assignment_is_ever_heard_of_lines_leave_after_their_time(place: Place) {
    let journal = place.open();
    accept_all(&journal, &["a", "b"]).await;
    let later = NOW.plus_ms(HOUR_MS);
    drop(journal.accept(unassigned("c"), later).await.unwrap());
    let day = NOW.plus_ms(24 * HOUR_MS);
    assert_eq!(board_at(&journal, day).await.waiting, 3);
    let past = board_at(&journal, day.plus_ms(1)).await;
    assert_eq!((past.waiting, past.lines.len()), (1, 1));
    assert_eq!(journal.tally().handovers, 0, "nobody took them");
    check_identity(&place, &journal);
}

#[each_engine]
async fn where_assignments_are_heard_of_whoever_waits_stays_on_the_board(place: Place) {
    let journal = place.open();
    accept_all(&journal, &["a", "b"]).await;
    drop(journal.accept(assigned("b", "Dr. Meera"), NOW).await.unwrap());
    drop(journal);
    let journal = place.open();
    let board = board_at(&journal, NOW.plus_ms(10 * 24 * HOUR_MS)).await;
    assert_eq!((board.waiting, board.lines[0].entry.chat_id.reveal()), (1, "a"));
}

#[each_engine]
async fn more_than_the_board_has_lines_for_are_counted_all_the_same(place: Place) {
    let limits = Limits { pending_rows_max: 10_000, ..LIMITS };
    let journal = place.open_with(limits, one_tab());
    let mut all = Vec::new();
    for number in 0..LINES_MAX + 20 {
        let body = json!({ "chatId": format!("chat {number}"), "customerPhone": "+9198" });
        all.push(Box::pin(journal.accept(event(Happening::Unassigned, body), NOW)));
    }
    for receipt in joined(all).await {
        receipt.map(drop).unwrap();
    }
    let board = board_at(&journal, NOW).await;
    assert_eq!((board.waiting, board.lines.len()), (LINES_MAX as u64 + 20, LINES_MAX));
    assert_eq!(board.lines[0].entry.chat_id.reveal(), "chat 0");
    check_identity(&place, &journal);
}

#[each_engine]
async fn those_who_waited_longest_stand_first(place: Place) {
    let journal = place.open();
    for (chat, at) in [("b", "2026-11-22T05:00:00Z"), ("a", "2026-11-22T04:00:00Z")] {
        let body = json!({ "chatId": chat, "customerPhone": "+9198", "timestamp": at });
        drop(journal.accept(event(Happening::Unassigned, body), NOW).await.unwrap());
    }
    assert_eq!(board(&journal).await, ["a", "b"]);
}

#[each_engine]
async fn beyond_the_bound_the_board_says_that_it_is_not_complete(place: Place) {
    let journal = place.open();
    accept_all(&journal, &["a"]).await;
    // As many as may be, made directly; only their names count.
    fill_waits(&journal).await;
    drop(journal);
    let journal = place.open();
    let before = place.rows()["waiting"];
    assert_eq!(before, WAITS_MAX);
    accept_all(&journal, &["one more"]).await;
    assert_eq!(place.rows()["waiting"], before);
    assert_eq!(journal.tally().pending(), 2, "its row is written all the same");
    let board = board_at(&journal, NOW).await;
    assert!(board.remarks.concat().contains("NOT COMPLETE"), "{:?}", board.remarks);
    assert_eq!(board.lines.len(), LINES_MAX);
    check_identity(&place, &journal);
}

#[each_engine]
async fn who_was_taken_is_forgotten_after_a_day_and_who_waits_is_not(place: Place) {
    let journal = place.open();
    accept_all(&journal, &["a", "b"]).await;
    drop(journal.accept(assigned("a", "Dr. Meera"), NOW).await.unwrap());
    let day = NOW.plus_ms(24 * HOUR_MS);
    journal.sweep(day).await.unwrap();
    assert_eq!(place.rows()["waiting"], 2);
    journal.sweep(day.plus_ms(1)).await.unwrap();
    assert_eq!(place.rows()["waiting"], 1);
    assert_eq!(board(&journal).await, ["b"]);
    journal.sweep(NOW.plus_ms(LIMITS.rules.retention_ms + 1)).await.unwrap();
    assert_eq!(place.rows()["waiting"], 0, "nothing was heard of it for all of the retention");
    check_identity(&place, &journal);
}

#[each_engine]
async fn a_patient_who_is_forgotten_leaves_the_board(place: Place) {
    let journal = place.open();
    accept_all(&journal, &["a", "b"]).await;
    let body = json!({ "chatId": "c", "customerPhone": "+919000000000" });
    drop(journal.accept(event(Happening::Unassigned, body), NOW).await.unwrap());
    drop(journal.accept(assigned("b", "Dr. Meera"), NOW).await.unwrap());
    let forgotten = journal.forget("919876543210").await.unwrap();
    assert!(forgotten.records >= 1, "{forgotten:?}");
    assert_eq!(board(&journal).await, ["c"]);
    check_identity(&place, &journal);
    // Nothing is left that an assignment could end.
    drop(journal.accept(assigned("a", "Dr. Meera"), NOW).await.unwrap());
    assert_eq!(journal.tally().handovers, 1);
}

#[each_engine]
async fn a_board_is_sealed_with_its_batch_and_taken_up_again_as_it_was(place: Place) {
    let journal = place.open();
    accept_all(&journal, &["a", "b"]).await;
    let book = book(&journal);
    let look = Look { remarks: vec!["BEHIND".into()], ..look(book) };
    let draft = drafted(&journal, book, 1).await;
    let batch = journal.seal(draft, PLAN.into(), Some(look), NOW).await.unwrap().unwrap();
    let board = batch.board().unwrap();
    assert_eq!((board.waiting, board.at, &board.remarks[..]), (2, NOW, &["BEHIND".to_owned()][..]));
    let shown = serde_json::to_string(board).unwrap();
    drop(journal.accept(assigned("a", "Dr. Meera"), NOW).await.unwrap());
    drop(journal);
    let journal = place.open();
    let found = journal.open_batch(book).await.unwrap().unwrap();
    assert_eq!(serde_json::to_string(found.board().unwrap()).unwrap(), shown);
}

#[each_engine]
async fn since_when_they_wait_is_known_and_when_it_was_told_also_after_a_crash(place: Place) {
    let journal = place.open();
    let book = book(&journal);
    assert_eq!(journal.waits_told(book).await.unwrap(), None);
    accept_all(&journal, &["a", "b", "c"]).await;
    drop(journal.accept(assigned("b", "Dr. Meera"), NOW).await.unwrap());
    assert_eq!(journal.waits_began(book).await.unwrap(), [NOW; 2]);
    for told in [Some(NOW), Some(NOW.plus_ms(HOUR_MS)), None] {
        journal.note_waits_told(book, told).await.unwrap();
        assert_eq!(place.beside().waits_told(book).await.unwrap(), told);
    }
    journal.note_waits_told(book, Some(NOW)).await.unwrap();
    drop(journal);
    assert_eq!(place.open().waits_told(book).await.unwrap(), Some(NOW));
}

/// A name is found while the row waits for it: the board shows it too.
#[each_engine]
async fn a_name_that_was_looked_up_is_on_the_board(place: Place) {
    let journal = place.open();
    let mut asked = journal.unnamed();
    let body = json!({ "chatId": "a", "customerPhone": "+9198", "dtCustomerId": "7" });
    drop(journal.accept(event(Happening::Unassigned, body), NOW).await.unwrap());
    let unnamed = asked.recv().await.unwrap();
    let name = crate::chat::text::Personal::new("Asha");
    journal.name(unnamed, Some(name.clone()), NOW).await.unwrap();
    assert_eq!(board_at(&journal, NOW).await.lines[0].entry.customer_name, name);
}

/// Only how often a chat is dropped is kept of a wait that is over: its row is in the sheet.
#[each_engine]
async fn nothing_personal_is_kept_of_a_wait_that_is_over(place: Place) {
    const MARKED: &str = "Zzyzx Marked-Name";
    let journal = place.open();
    let body = json!({ "chatId": "a", "customerName": MARKED });
    drop(journal.accept(event(Happening::Unassigned, body), NOW).await.unwrap());
    drop(journal.accept(assigned("a", "Dr. Meera"), NOW).await.unwrap());
    let draft = drafted(&journal, book(&journal), 9).await;
    let batch = journal.seal(draft, PLAN.into(), None, NOW).await.unwrap().unwrap();
    journal.written(batch).await.unwrap();
    journal.purge().await.unwrap();
    assert!(!place.holds(MARKED));
}
