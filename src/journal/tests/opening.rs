//! Opening: safely or not at all, and with all that was there.

use std::path::Path;

use each_engine::each_engine;

use crate::journal::tests::engine::Place;
use crate::journal::tests::{LIMITS, NOW, accept_all, book, dir, one_tab, open};
use crate::journal::{Ceiling, Journal, OpenError};

/// What opening this directory is refused with.
#[track_caller]
pub(in crate::journal) fn refused(dir: &Path) -> OpenError {
    match Journal::open(dir, LIMITS, one_tab()) {
        Ok(_) => panic!("the journal must not be opened"),
        Err(error) => error,
    }
}

/// Of SQLite alone: on a database any number of processes serve.
#[test]
fn a_directory_in_use_is_refused_and_free_afterwards() {
    let dir = dir();
    let journal = open(dir.path());
    let error = refused(dir.path());
    assert!(matches!(error, OpenError::InUse { .. }), "{error:?}");
    // The last handle keeps it.
    let clone = journal.clone();
    drop(journal);
    assert!(matches!(refused(dir.path()), OpenError::InUse { .. }));
    drop(clone);
    drop(open(dir.path()));
}

#[each_engine]
async fn the_counters_are_there_again_after_a_restart(place: Place) {
    let journal = place.open();
    accept_all(&journal, &["a", "b"]).await;
    journal.keep_unrecognised(b"{}".to_vec(), None, NOW).await.unwrap();
    let tally = journal.tally();
    drop(journal);
    let journal = place.open();
    assert_eq!(journal.tally(), tally);
    assert_eq!(journal.oldest_pending(NOW).await.unwrap(), Some(NOW));
}

#[each_engine]
async fn when_writes_left_survives_a_restart_and_only_the_window_is_kept(place: Place) {
    let journal = place.open();
    let ceiling = Ceiling { writes_max: 50, window_ms: 61_000, turn_ms: 0 };
    let take = async |journal: &Journal, now| journal.take_turn(ceiling, now).await.unwrap();
    for second in 0..5 {
        assert_eq!(take(&journal, NOW.plus_ms(second * 1_000)).await, None);
    }
    drop(journal);
    let journal = place.open();
    let expected: Vec<_> = (0..5).map(|second| NOW.plus_ms(second * 1_000)).collect();
    assert_eq!(journal.sent().await.unwrap(), expected);
    assert_eq!(take(&journal, NOW.plus_ms(63_000)).await, None);
    let expected = [2_000, 3_000, 4_000, 63_000].map(|later| NOW.plus_ms(later));
    assert_eq!(journal.sent().await.unwrap(), expected);
    // The clock was set back by an hour: what seems to be to come counts as if it left now, not for ever.
    let before = NOW.plus_ms(-3_600_000);
    assert_eq!(take(&journal, before).await, None);
    let latest = before.plus_ms(Ceiling::TURN_MAX_MS);
    let expected: Vec<_> = [before].into_iter().chain([latest; 4]).collect();
    assert_eq!(journal.sent().await.unwrap(), expected);
    let later = latest.plus_ms(61_001);
    assert_eq!(take(&journal, later).await, None);
    assert_eq!(journal.sent().await.unwrap(), [later]);
}

#[each_engine]
async fn the_ids_it_chose_stay_until_others_are_drawn(place: Place) {
    let journal = place.open();
    let book = book(&journal);
    let tab_id = async |journal: &Journal, name| journal.tab_id(book, name).await.unwrap();
    let tab = tab_id(&journal, "log A").await;
    let markers = journal.marker_ids().await.unwrap();
    assert!(tab > 0 && markers.start > 0 && markers.contains(&markers.start));
    let board = tab_id(&journal, "board A").await;
    assert_ne!(board, tab, "each tab has its own");
    drop(journal);
    let journal = place.open();
    assert_eq!(tab_id(&journal, "log A").await, tab);
    assert_eq!(journal.marker_ids().await.unwrap(), markers);
    journal.redraw_tab_id(book, "log A").await.unwrap();
    journal.redraw_marker_base().await.unwrap();
    assert_ne!(tab_id(&journal, "log A").await, tab);
    assert_eq!(tab_id(&journal, "board A").await, board, "the others stay");
    assert_ne!(journal.marker_ids().await.unwrap(), markers);
}

#[each_engine]
async fn what_the_live_check_found_out_is_known_while_the_service_runs(place: Place) {
    let journal = place.open();
    let facts = async || journal.facts(["marker_fences", "marker_readable"]).await.unwrap();
    assert_eq!(facts().await, [None, None]);
    for holds in [true, false] {
        let beside = place.beside();
        assert!(beside.is_beside());
        beside.note_fact("marker_fences", holds).await.unwrap();
        assert_eq!(facts().await, [Some(holds), None]);
    }
}
