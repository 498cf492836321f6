//! Columns that move in the very moment of a write, after we asked where they are and before Google wrote.

use fake_google::{FakeGoogle, Fault};

use crate::harness::{Clinic, LOG_TAB, Service};
use crate::staff::member::EVERY_HABIT;
use crate::staff::{
    APPEND, a_busy_day, columns, event, expect_event, expect_next_at_the_end, log_of,
};

const NOTES: &str = "Notes";

/// All rows are whole, and nothing of ours stands in the column that staff inserted.
#[track_caller]
fn expect_whole(google: &FakeGoogle, rows: usize) {
    (0..rows).for_each(|n| expect_event(google, LOG_TAB, n + 1, n));
    assert!(google.column(LOG_TAB, NOTES).iter().all(String::is_empty), "something in `{NOTES}`");
    assert_eq!(google.row_count(LOG_TAB), rows + 1);
}

/// Staff do this in the very middle of the write of the next event.
async fn write_while(
    (clinic, service): &(Clinic, Service),
    n: usize,
    staff_do: impl FnOnce(&FakeGoogle) + Send + 'static,
) {
    clinic.google.before_next_write_with(APPEND, staff_do);
    service.take(&event(n).0).await;
    service.drained().await;
}

#[tokio::test]
async fn a_column_inserted_between_two_writes_tears_no_row_apart() {
    let (clinic, service) = log_of(2).await;
    clinic.google.staff().insert_column(LOG_TAB, 3, NOTES);
    expect_next_at_the_end(&service, &clinic.google, LOG_TAB, 2).await;
    expect_whole(&clinic.google, 3);
}

#[tokio::test]
async fn a_column_inserted_in_the_very_moment_of_a_write_tears_no_row_apart() {
    let at_work = log_of(2).await;
    write_while(&at_work, 2, |google| google.staff().insert_column(LOG_TAB, 3, NOTES)).await;
    expect_whole(&at_work.0.google, 3);
    expect_next_at_the_end(&at_work.1, &at_work.0.google, LOG_TAB, 3).await;
    expect_whole(&at_work.0.google, 4);
}

#[tokio::test]
async fn a_column_moved_in_the_very_moment_of_a_write_tears_no_row_apart() {
    let at_work = log_of(2).await;
    write_while(&at_work, 2, |google| google.staff().move_column(LOG_TAB, 0, 5)).await;
    expect_whole(&at_work.0.google, 3);
}

#[tokio::test]
async fn a_column_moved_before_google_answers_tears_no_row_apart() {
    let (clinic, service) = log_of(2).await;
    clinic.google.after_next_write_with(APPEND, |google| {
        google.staff().insert_column(LOG_TAB, 0, NOTES);
    });
    expect_next_at_the_end(&service, &clinic.google, LOG_TAB, 2).await;
    expect_next_at_the_end(&service, &clinic.google, LOG_TAB, 3).await;
    expect_whole(&clinic.google, 4);
}

#[tokio::test]
async fn a_lost_answer_about_columns_that_moved_tears_no_row_apart() {
    let at_work = log_of(2).await;
    at_work.0.google.fail_next_write(Fault::LoseAnswer);
    write_while(&at_work, 2, |google| google.staff().insert_column(LOG_TAB, 0, NOTES)).await;
    expect_whole(&at_work.0.google, 3);
}

#[tokio::test]
async fn rows_sorted_before_we_learn_that_columns_moved_are_made_whole_where_they_are() {
    let at_work = log_of(4).await;
    at_work.0.google.after_next_write_with(APPEND, |google| {
        google.staff().sort(LOG_TAB, columns(google, LOG_TAB)["waba_number"]);
    });
    write_while(&at_work, 4, |google| google.staff().insert_column(LOG_TAB, 0, NOTES)).await;
    let google = &at_work.0.google;
    assert!(google.column(LOG_TAB, NOTES).iter().all(String::is_empty));
    let chats = columns(google, LOG_TAB)["chat_id"];
    let numbers = (1..6).map(|row| google.row(LOG_TAB, row)[chats].replace("chat_", ""));
    let mut numbers: Vec<usize> = numbers.map(|number| number.parse().unwrap()).collect();
    numbers.iter().enumerate().for_each(|(row, n)| expect_event(google, LOG_TAB, row + 1, *n));
    numbers.sort_unstable();
    assert_eq!(numbers, [0, 1, 2, 3, 4]);
}

#[tokio::test]
async fn a_column_deleted_in_the_very_moment_of_a_write_leaves_the_others_right() {
    let at_work = log_of(2).await;
    let (columns_before, staff) = (columns(&at_work.0.google, LOG_TAB), at_work.0.google.staff());
    // With a column of theirs on the right, a row that is planned too wide still fits.
    staff.insert_column(LOG_TAB, columns_before.len(), NOTES);
    let agent_phone = columns_before["agent_phone"];
    write_while(&at_work, 2, move |google| google.staff().delete_column(LOG_TAB, agent_phone))
        .await;
    let google = &at_work.0.google;
    let (columns, row) = (columns(google, LOG_TAB), google.row(LOG_TAB, 3));
    for (key, expected) in event(2).1.into_iter().filter(|(key, _)| *key != "agent_phone") {
        assert_eq!(row[columns[key]], expected, "`{key}`: {row:?}");
    }
    assert!(google.column(LOG_TAB, NOTES).iter().all(String::is_empty), "{row:?}");
    assert_eq!(google.row_count(LOG_TAB), 4);
}

#[tokio::test]
async fn a_google_that_does_not_tell_where_columns_were_stops_no_row() {
    let (clinic, service) = log_of(2).await;
    clinic.google.refuse_writes_with("updateDeveloperMetadata");
    expect_next_at_the_end(&service, &clinic.google, LOG_TAB, 2).await;
    clinic.google.staff().insert_column(LOG_TAB, 0, NOTES);
    expect_next_at_the_end(&service, &clinic.google, LOG_TAB, 3).await;
    expect_whole(&clinic.google, 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_rows_land_whole_while_staff_move_columns_in_the_middle_of_writes() {
    a_busy_day(23, EVERY_HABIT, 12, 840).await;
}
