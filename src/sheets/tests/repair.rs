//! Rows that landed while a column was being moved come to stand where they belong, and nothing of
//! people's is lost.

use fake_google::FakeGoogle;

use crate::chat::entry::{Entry, Found};
use crate::chat::text::Personal;
use crate::sheets::tests::{
    ALL, HANDOVERS, LOG_ONLY, TAB, TRACES, all_wanted, client, entry, handover, in_shape, marker,
    rows_of, wanted,
};
use crate::sheets::{Astray, Client, Content, Delivery, Layout, Plan, Purpose};

const HEADERS: [&str; 10] = [
    "Unassigned at",
    "Customer name",
    "Customer phone",
    "Previous agent",
    "Agent phone",
    "WABA number",
    "Status",
    "Chat",
    "Chat ID",
    "Event ID",
];

/// A row of what each of our columns shows.
fn expected(number: u64) -> [String; 10] {
    [
        "2026-11-22 12:00:00",
        "Asha Rao",
        "+919876543210",
        "Dr. Meera",
        "919812345678",
        "918000000001",
        "Waiting",
        "Open chat",
        "chat-1",
        &format!("abc234-{number}"),
    ]
    .map(str::to_owned)
}

/// Under each of our headers, what stands in the row of that number (from 0).
fn shown(google: &FakeGoogle, row: usize) -> [String; 10] {
    HEADERS.map(|header| google.column(TAB, header).get(row).cloned().unwrap_or_default())
}

/// Repairs until nothing is astray any more; gives how many rows are missing.
async fn repair(client: &Client, layout: &Layout, entries: &[Entry]) -> usize {
    let tab = layout.log(TAB).unwrap();
    for _ in 0..3 {
        let astray = client.astray(tab, &layout.time_zone, entries, Some(1)).await.unwrap();
        if astray.rows == 0 {
            return astray.missing;
        }
        client.put_right(astray, None).await.unwrap();
    }
    panic!("rewritten again and again");
}

/// A row of before, then rows that were planned before people did this; put right afterwards.
async fn repaired_after(change: impl FnOnce(&FakeGoogle)) -> FakeGoogle {
    let google = FakeGoogle::start();
    let client = client(&google).await;
    let layout = in_shape(&client, &wanted()).await;
    let plan = Plan::new(&layout, LOG_ONLY, TRACES).unwrap();
    let before = crate::sheets::Marker::new(1, "0123456789abcdef", 1);
    drop(client.deliver(&plan, &before, rows_of(&[entry(1)])).await);
    google.staff().set_cell(TAB, 1, 6, "Done");
    change(&google);
    let entries = [entry(2), entry(3)];
    let delivery = client.deliver(&plan, &marker(), rows_of(&entries)).await;
    assert!(matches!(delivery, Delivery::Written(_)), "{delivery:?}");
    let layout = in_shape(&client, &wanted()).await;
    assert_eq!(repair(&client, &layout, &entries).await, 0);
    assert_eq!(google.invalid_requests(), Vec::<String>::new());
    google
}

#[track_caller]
fn check(google: &FakeGoogle) {
    let mut first = expected(1);
    first[6] = "Done".to_owned();
    assert_eq!(shown(google, 0), first, "the row of before is not touched");
    assert_eq!(shown(google, 1), expected(2));
    assert_eq!(shown(google, 2), expected(3));
    assert_eq!(google.rows(TAB).len(), 4);
}

#[tokio::test]
async fn a_column_inserted_before_among_or_behind_ours_is_empty_again() {
    for at in [0, 1, 5, 6, 7, 9, 10] {
        let google = repaired_after(|google| google.staff().insert_column(TAB, at, "Doctor")).await;
        check(&google);
        assert_eq!(google.column(TAB, "Doctor"), ["", "", ""], "inserted at {at}");
    }
}

#[tokio::test]
async fn a_column_that_was_moved_takes_its_cells_along() {
    for (from, to) in [(0, 9), (9, 0), (2, 3), (6, 0), (0, 6), (8, 4)] {
        check(&repaired_after(|google| google.staff().move_column(TAB, from, to)).await);
    }
}

#[tokio::test]
async fn what_people_keep_in_columns_of_their_own_stays() {
    let google = repaired_after(|google| {
        let staff = google.staff();
        staff.insert_column(TAB, 3, "Doctor");
        staff.set_cell(TAB, 1, 3, "Waiting");
        staff.insert_column(TAB, 0, "Notes");
        staff.set_cell(TAB, 1, 0, "Asha Rao");
    })
    .await;
    check(&google);
    assert_eq!(google.column(TAB, "Doctor"), ["Waiting", "", ""]);
    assert_eq!(google.column(TAB, "Notes"), ["Asha Rao", "", ""]);
}

#[tokio::test]
async fn rows_that_people_deleted_are_missing_and_nothing_else_happens() {
    let google = FakeGoogle::start();
    let client = client(&google).await;
    let layout = in_shape(&client, &wanted()).await;
    let plan = Plan::new(&layout, LOG_ONLY, TRACES).unwrap();
    let entries = [entry(1), entry(2), entry(3)];
    drop(client.deliver(&plan, &marker(), rows_of(&entries)).await);
    google.staff().delete_row(TAB, 2);
    let writes = google.writes();
    assert_eq!(repair(&client, &layout, &entries).await, 1);
    assert_eq!(google.writes(), writes);
    assert_eq!(google.column(TAB, "Event ID"), ["abc234-1", "abc234-3"]);
}

#[tokio::test]
async fn rows_are_found_wherever_they_were_sorted_to() {
    let google = repaired_after(|google| google.staff().insert_column(TAB, 2, "Doctor")).await;
    google.staff().sort(TAB, 0);
    check(&google);
}

/// Staff may have set it before the row was put right.
#[tokio::test]
async fn a_status_that_people_set_is_kept() {
    let google = FakeGoogle::start();
    let client = client(&google).await;
    let layout = in_shape(&client, &wanted()).await;
    let plan = Plan::new(&layout, LOG_ONLY, TRACES).unwrap();
    // All that is left of ours moves by one, the Status stays in its place.
    google.staff().move_column(TAB, 8, 9);
    drop(client.deliver(&plan, &marker(), rows_of(&[entry(1)])).await);
    google.staff().set_cell(TAB, 1, 6, "Called back");
    let layout = in_shape(&client, &wanted()).await;
    repair(&client, &layout, &[entry(1)]).await;
    let mut row = expected(1);
    row[6] = "Called back".to_owned();
    assert_eq!(shown(&google, 0), row);
}

/// What stands in a column of ours and is none of our values was written there by people, after the
/// row had come to stand well: it is theirs now.
#[tokio::test]
async fn what_people_wrote_over_our_cells_is_not_written_back() {
    let google = FakeGoogle::start();
    let client = client(&google).await;
    let layout = in_shape(&client, &wanted()).await;
    let plan = Plan::new(&layout, LOG_ONLY, TRACES).unwrap();
    let mut unnamed = entry(1);
    unnamed.customer_name = Personal::default();
    drop(client.deliver(&plan, &marker(), rows_of(std::slice::from_ref(&unnamed))).await);
    google.staff().set_cell(TAB, 1, 1, "Asha, the teacher");
    google.staff().set_cell(TAB, 1, 2, "98765 43210");
    google.staff().set_cell(TAB, 1, 6, "on holiday");
    google.staff().insert_column(TAB, 0, "Notes");
    let before = google.rows(TAB);
    let layout = in_shape(&client, &wanted()).await;
    repair(&client, &layout, &[unnamed]).await;
    assert_eq!(google.rows(TAB), before);
}

#[tokio::test]
async fn handovers_are_put_right_too() {
    let google = FakeGoogle::start();
    let client = client(&google).await;
    let layout = in_shape(&client, &all_wanted()).await;
    let needs = crate::sheets::Needs { log: None, handovers: true, board: false, formats: true };
    let plan = Plan::new(&layout, needs, TRACES).unwrap();
    google.staff().move_column(HANDOVERS, 8, 0);
    google.staff().insert_column(HANDOVERS, 4, "Remark");
    let handovers = [handover(1, 5, "Bala"), handover(2, 90, "")];
    let content = Content { handovers: &handovers, ..rows_of(&[]) };
    drop(client.deliver(&plan, &marker(), content).await);
    let layout = in_shape(&client, &all_wanted()).await;
    let tab = layout.tab(Purpose::Handovers).unwrap();
    let first = client.astray(tab, &layout.time_zone, &handovers, Some(1)).await.unwrap();
    assert_eq!((first.rows, first.missing), (2, 0));
    client.put_right(first, None).await.unwrap();
    let again = client.astray(tab, &layout.time_zone, &handovers, Some(1)).await.unwrap();
    assert_eq!(again, Astray::default());
    assert_eq!(google.column(HANDOVERS, "Event ID"), ["abc234-1", "abc234-2"]);
    assert_eq!(google.column(HANDOVERS, "Taken by"), ["Bala", "closed"]);
    assert_eq!(google.column(HANDOVERS, "Waited (minutes)"), ["5", "90"]);
    assert_eq!(google.column(HANDOVERS, "Remark"), ["", ""]);
    assert!(Plan::new(&layout, ALL, TRACES).is_some());
}

/// Google allows 60 reads a minute: a tab of many columns must not use them up for one deleted row.
#[tokio::test]
async fn a_missing_row_in_a_wide_tab_costs_few_reads() {
    let google = FakeGoogle::start();
    let client = client(&google).await;
    in_shape(&client, &wanted()).await;
    for at in 10..80 {
        google.staff().insert_column(TAB, at, "theirs");
    }
    let layout = in_shape(&client, &wanted()).await;
    let before = google.requests().len();
    let missing = repair(&client, &layout, &[entry(1)]).await;
    assert_eq!(missing, 1);
    let calls = google.requests().len() - before;
    assert!(calls <= 15, "{calls} calls");
}

#[tokio::test]
async fn rows_scattered_by_a_sort_cost_few_reads() {
    let google = FakeGoogle::start();
    let client = client(&google).await;
    let layout = in_shape(&client, &wanted()).await;
    let plan = Plan::new(&layout, LOG_ONLY, TRACES).unwrap();
    let entries: Vec<Entry> = (1..=160).map(entry).collect();
    drop(client.deliver(&plan, &marker(), rows_of(&entries)).await);
    let every_other: Vec<Entry> = entries.into_iter().step_by(2).collect();
    let before = google.requests().len();
    repair(&client, &layout, &every_other).await;
    let calls = google.requests().len() - before;
    assert!(calls <= 15, "{calls} calls");
}

/// The note of a time goes along with it, and none stays behind.
#[tokio::test]
async fn a_note_is_put_right_with_its_cell() {
    let google = FakeGoogle::start();
    let client = client(&google).await;
    let layout = in_shape(&client, &wanted()).await;
    let plan = Plan::new(&layout, LOG_ONLY, TRACES).unwrap();
    google.staff().move_column(TAB, 0, 3);
    let at = crate::sheets::tests::NOON;
    let entries = [Entry { found: Some(Found { after: at, before: at }), ..entry(2) }];
    let delivery = client.deliver(&plan, &marker(), rows_of(&entries)).await;
    assert!(matches!(delivery, Delivery::Written(_)), "{delivery:?}");
    let layout = in_shape(&client, &wanted()).await;
    assert_eq!(repair(&client, &layout, &entries).await, 0);
    let noted = (0..10).filter(|column| google.cell(TAB, 1, *column)["note"].is_string());
    let header = google.rows(TAB).remove(0);
    let noted: Vec<String> = noted.map(|column| header[column].clone()).collect();
    assert_eq!(noted, ["Unassigned at"]);
    assert_eq!(google.invalid_requests(), Vec::<String>::new());
}
