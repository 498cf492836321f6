//! Tabs that people delete, move about in, or have taken the title of.

use std::time::Duration;

use fake_google::{FakeGoogle, Fault};

use crate::forwarder::Next;
use crate::forwarder::tests::{BOARD, Bench, HANDOVERS, MINUTE_MS, TAB, now, pass};

#[tokio::test]
async fn a_tab_that_people_delete_is_made_again() {
    for tab in [TAB, HANDOVERS, BOARD] {
        let mut bench = Bench::new().await;
        bench.google.staff().delete_tab(tab);
        bench.accept("chat_1").await;
        bench.assign("chat_1").await;
        assert_eq!(bench.steps().await, Next::Idle, "{tab}");
        assert_eq!(bench.chats(), ["chat_1"], "{tab}");
        assert_eq!(bench.google.column(HANDOVERS, "Taken by"), ["Asha"], "{tab}");
        assert!(bench.headline().starts_with("Nobody is waiting"), "{tab}");
        assert_eq!(bench.google.invalid_requests(), Vec::<String>::new());
    }
}

/// The layout was read a moment ago, and is wrong by the time of the write.
#[tokio::test]
async fn a_column_moved_in_the_moment_of_a_write_is_put_right() {
    for (from, to) in [(0, 9), (9, 0), (6, 1)] {
        let mut bench = Bench::new().await;
        bench.accept("chat_0").await;
        bench.steps().await;
        bench.google.staff().insert_column(TAB, 4, "Notes");
        bench.google.staff().move_column(TAB, from, to);
        bench.accept("chat_1").await;
        assert_eq!(bench.steps().await, Next::Idle);
        assert_eq!(bench.chats(), ["chat_0", "chat_1"]);
        assert_eq!(bench.google.column(TAB, "Status"), ["Waiting", "Waiting"]);
        assert_eq!(bench.google.column(TAB, "Customer phone"), ["+9198", "+9198"]);
        assert_eq!(bench.journal.tally().written, 2);
        // The board is written anew, since it may have landed in the wrong columns too.
        assert!(bench.headline().starts_with("2 patients waiting"));
    }
}

/// That another tab is to be made does not mean that the rows are gone.
#[tokio::test]
async fn a_moved_column_is_put_right_also_where_another_tab_was_deleted() {
    let mut bench = Bench::new().await;
    bench.google.staff().insert_column(TAB, 0, "Notes");
    bench.google.staff().delete_tab(HANDOVERS);
    bench.accept("chat_1").await;
    assert_eq!(bench.steps().await, Next::Idle);
    assert_eq!(bench.chats(), ["chat_1"]);
}

#[tokio::test]
async fn without_markers_a_row_is_looked_for_also_where_another_tab_was_deleted() {
    let mut bench = Bench::new().await;
    bench.journal.note_fact("marker_fences", false).await.unwrap();
    bench.accept("chat_1").await;
    bench.google.fail_next_write(Fault::LoseAnswer);
    let Next::Wait(_) = bench.steps().await else { panic!("no wait") };
    bench.google.staff().delete_tab(BOARD);
    bench.forwarder.held.as_mut().unwrap().doubt_is_over();
    assert_eq!(bench.steps().await, Next::Idle);
    assert_eq!(bench.chats(), ["chat_1"], "it was there already");
    assert_eq!(bench.journal.tally().written, 1);
}

/// Rests for as long as it takes, a few times.
async fn steps_on(bench: &mut Bench) {
    for _ in 0..6 {
        if bench.steps().await == Next::Idle {
            break;
        }
        pass(MINUTE_MS);
    }
}

#[tokio::test]
async fn rows_do_not_wait_for_a_board_that_cannot_be_made() {
    for title in [BOARD.to_owned(), BOARD.to_uppercase()] {
        let google = FakeGoogle::start();
        google.staff().add_tab(&title, &[&["Our list"], &["Invoice", "Amount"], &["1", "2"]]);
        let before = google.rows(&title);
        let mut bench = Bench::on(google, TAB).await;
        bench.accept("chat_1").await;
        steps_on(&mut bench).await;
        assert_eq!(bench.chats(), ["chat_1"], "{title}");
        assert_eq!(bench.google.rows(&title), before, "{title}");
    }
}

#[tokio::test]
async fn each_month_has_a_tab_of_its_own_and_late_rows_go_to_last_months() {
    let mut bench = Bench::on(FakeGoogle::start(), "Log {month}").await;
    bench.steps().await;
    bench.accept("chat_1").await;
    bench.steps().await;
    // A row of May that leaves in June, together with one of June.
    bench.accept("chat_2").await;
    let june = jiff::Timestamp::from_millisecond(now().0).unwrap();
    let june = "2026-05-31T18:30:00Z".parse::<jiff::Timestamp>().unwrap().duration_since(june);
    pass(i64::try_from(june.as_millis()).unwrap());
    bench.accept("chat_3").await;
    steps_on(&mut bench).await;
    assert_eq!(bench.google.column("Log 2026-05", "Chat ID"), ["chat_1", "chat_2"]);
    assert_eq!(bench.google.column("Log 2026-06", "Chat ID"), ["chat_3"]);
    assert_eq!(bench.google.invalid_requests(), Vec::<String>::new());
}

/// A layout that is too old is read anew before the next batch.
#[tokio::test]
async fn a_renamed_tab_is_followed() {
    let mut bench = Bench::new().await;
    bench.google.staff().rename_tab(TAB, "Waiting list");
    bench.google.staff().rename_tab(BOARD, "Now");
    bench.forwarder.seen.as_mut().unwrap().ages(Duration::from_secs(60));
    bench.accept("chat_1").await;
    assert_eq!(bench.steps().await, Next::Idle);
    assert_eq!(bench.google.column("Waiting list", "Chat ID"), ["chat_1"]);
    assert!(!bench.google.tabs().contains(&TAB.to_owned()));
    assert_eq!(bench.google.rows("Now").len(), 3);
}

#[tokio::test]
async fn a_deleted_column_is_not_written_any_more_and_does_not_come_back() {
    let mut bench = Bench::new().await;
    bench.google.staff().delete_column(TAB, 6);
    bench.look_again();
    bench.accept("chat_1").await;
    assert_eq!(bench.steps().await, Next::Idle);
    assert_eq!(bench.chats(), ["chat_1"]);
    assert!(!bench.google.rows(TAB)[0].contains(&"Status".to_owned()));
}

/// That somebody gave their tab another name is told by no metadata of ours.
#[tokio::test]
async fn a_title_that_is_free_again_is_taken_at_the_next_look() {
    let google = FakeGoogle::start();
    google.staff().add_tab(BOARD, &[&["Our list"], &["Invoice", "Amount"], &["1", "2"]]);
    let mut bench = Bench::on(google, TAB).await;
    bench.accept("chat_1").await;
    steps_on(&mut bench).await;
    let advice = bench.forwarder.status.warning("default").unwrap();
    assert!(advice.contains("BOARD_NAME"), "{advice}");
    bench.google.staff().rename_tab(BOARD, "Invoices");
    bench.forwarder.seen.as_mut().unwrap().ages(Duration::from_secs(60));
    bench.forwarder.written_at = None;
    bench.forwarder.idle().await;
    steps_on(&mut bench).await;
    assert!(bench.headline().starts_with("1 patient waiting"), "{}", bench.headline());
    assert_eq!(bench.forwarder.status.warning("default"), None);
}
