//! Where a batch's cells came to stand, as Google's own answer tells.

use fake_google::{FakeGoogle, Fault, Refusal};

use crate::sheets::tests::{
    ALL, BOARD, HANDOVERS, LOG_ONLY, TAB, TRACES, all_wanted, board, client, entry, handover,
    in_shape, marker, rows_of, wanted,
};
use crate::sheets::{Client, Content, Delivery, Landing, Layout, Plan, Refused, Traces};

async fn ready(google: &FakeGoogle) -> (Client, Layout) {
    let client = client(google).await;
    let layout = in_shape(&client, &wanted()).await;
    (client, layout)
}

/// What a send says that was planned before people did this.
async fn landed_after(change: impl FnOnce(&FakeGoogle)) -> (FakeGoogle, Landing) {
    let google = FakeGoogle::start();
    let (client, layout) = ready(&google).await;
    let plan = Plan::new(&layout, LOG_ONLY, TRACES).unwrap();
    change(&google);
    match client.deliver(&plan, &marker(), rows_of(&[entry(1)])).await {
        Delivery::Written(landing) => (google, landing),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn where_no_column_moved_the_rows_are_in_place() {
    let (_, landing) = landed_after(|_| ()).await;
    assert_eq!(landing, Landing::InPlace);
    // What people do beside our columns, and to words and rows, moves none of ours.
    let (google, landing) = landed_after(|google| {
        let staff = google.staff();
        staff.rename_header(TAB, 2, "Telefon");
        staff.insert_column(TAB, 10, "Doctor");
        staff.rename_tab(TAB, "Renamed");
        staff.basic_filter("Renamed");
    })
    .await;
    assert_eq!(landing, Landing::InPlace);
    assert_eq!(google.column("Renamed", "Event ID"), ["abc234-1"]);
}

#[tokio::test]
async fn a_column_that_was_moved_inserted_or_deleted_in_between_is_told_of() {
    for at in [0, 4, 9] {
        let (_, landing) =
            landed_after(|google| google.staff().insert_column(TAB, at, "Doctor")).await;
        assert_eq!(landing, Landing::Elsewhere, "inserted at {at}");
    }
    for (from, to) in [(0, 9), (9, 0), (3, 4)] {
        let (_, landing) = landed_after(|google| google.staff().move_column(TAB, from, to)).await;
        assert_eq!(landing, Landing::Elsewhere, "moved from {from} to {to}");
    }
    let (_, landing) = landed_after(|google| {
        google.staff().insert_column(TAB, 10, "Doctor");
        google.staff().delete_column(TAB, 3);
    })
    .await;
    assert_eq!(landing, Landing::Elsewhere);
}

#[tokio::test]
async fn each_tab_of_the_batch_counts_and_no_other() {
    for (tab, needs, expected) in [
        (TAB, ALL, Landing::Elsewhere),
        (HANDOVERS, ALL, Landing::Elsewhere),
        (BOARD, ALL, Landing::Elsewhere),
        (HANDOVERS, LOG_ONLY, Landing::InPlace),
        (BOARD, LOG_ONLY, Landing::InPlace),
    ] {
        let google = FakeGoogle::start();
        let client = client(&google).await;
        let layout = in_shape(&client, &all_wanted()).await;
        let plan = Plan::new(&layout, needs, TRACES).unwrap();
        google.staff().insert_column(tab, 0, "Doctor");
        let (log, handovers, board) = ([entry(1)], [handover(2, 5, "Bala")], board(&[10]));
        let all = Content { log: &log, handovers: &handovers, board: Some(&board) };
        let content = if needs.board { all } else { rows_of(&log) };
        let delivery = client.deliver(&plan, &marker(), content).await;
        assert_eq!(delivery, Delivery::Written(expected), "{tab}, {needs:?}");
    }
}

#[tokio::test]
async fn the_columns_of_a_copy_of_the_tab_are_nothing_to_us() {
    let google = FakeGoogle::start();
    let client = client(&google).await;
    let mut wanted = all_wanted();
    wanted.tabs.push(crate::sheets::tests::wanted_tab(crate::sheets::Purpose::Log, "Copy", 9_777));
    let layout = in_shape(&client, &wanted).await;
    google.staff().insert_column("Copy", 0, "Doctor");
    let plan = Plan::new(&layout, LOG_ONLY, TRACES).unwrap();
    let delivery = client.deliver(&plan, &marker(), rows_of(&[entry(1)])).await;
    assert_eq!(delivery, Delivery::Written(Landing::InPlace));
}

#[tokio::test]
async fn where_the_answer_was_lost_or_nobody_asked_it_is_not_known() {
    let google = FakeGoogle::start();
    let (client, layout) = ready(&google).await;
    let plan = Plan::new(&layout, LOG_ONLY, TRACES).unwrap();
    google.fail_next_write(Fault::LoseAnswer);
    drop(client.deliver(&plan, &marker(), rows_of(&[entry(1)])).await);
    let again = client.deliver(&plan, &marker(), rows_of(&[entry(1)])).await;
    assert_eq!(again, Delivery::Written(Landing::Unknown));

    let traces = Traces { marker: true, positions: false };
    let plan = Plan::new(&layout, LOG_ONLY, traces).unwrap();
    let other = crate::sheets::Marker::new(4_711, "0123456789abcdef", 1);
    let delivery = client.deliver(&plan, &other, rows_of(&[entry(2)])).await;
    assert_eq!(delivery, Delivery::Written(Landing::Unknown));
    assert_eq!(google.column(TAB, "Event ID"), ["abc234-1", "abc234-2"]);
}

#[tokio::test]
async fn a_google_that_does_not_tell_positions_says_so_and_nothing_is_applied() {
    let google = FakeGoogle::start();
    let (client, layout) = ready(&google).await;
    let plan = Plan::new(&layout, LOG_ONLY, TRACES).unwrap();
    let refusal = r#"{"error":{"code":400,"message":
        "Invalid requests[1].updateDeveloperMetadata: At least one field must change."}}"#;
    google.fail_next_write(Fault::Refuse(Refusal::Custom(400, refusal.to_owned())));
    let delivery = client.deliver(&plan, &marker(), rows_of(&[entry(1)])).await;
    assert_eq!(delivery, Delivery::Refused(Refused::PositionsUntold));
    assert_eq!(client.holds_marker(&marker()).await, Ok(false));
}
