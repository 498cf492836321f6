//! Processes that share a journal and disagree about the time: the store's clock counts.

use std::time::{Duration, Instant};

use each_engine::each_engine;
use serde_json::json;

use crate::chat::event::Happening;
use crate::chat::time::UnixMs;
use crate::journal::clock::{Moment, Reading};
use crate::journal::tests::engine::Place;
use crate::journal::tests::{
    HOUR_MS, LIMITS, NOW, PLAN, accept_all, assigned, book, drafted, event, look, unassigned,
};
use crate::journal::{Ceiling, Journal, Standing};

/// Two processes at one place, and how to set the clock that counts.
fn shared(place: &Place) -> (Journal, Journal) {
    place.set_clock(NOW);
    (place.open(), place.beside())
}

/// What the clock of the second machine says: it is an hour ahead.
const AHEAD: UnixMs = UnixMs(NOW.0 + HOUR_MS);

#[each_engine]
async fn a_resend_that_another_machine_takes_is_recognised_though_its_clock_is_an_hour_ahead(
    place: Place,
) {
    let (first, second) = shared(&place);
    accept_all(&first, &["a"]).await;
    let again = second.accept(unassigned("a"), AHEAD).await.unwrap();
    assert_eq!(again.standing(), Standing::Duplicate);
}

/// The resend window is two minutes, and the clock that counts says that they are over.
#[each_engine]
async fn the_same_body_is_a_new_event_after_the_window_though_the_clocks_of_machines_stand_still(
    place: Place,
) {
    let (first, second) = shared(&place);
    accept_all(&first, &["a"]).await;
    // And a minute, for what an event waits for its transaction is taken off.
    place.set_clock(NOW.plus_ms(LIMITS.rules.resend_window_ms + 60_000));
    let again = second.accept(unassigned("a"), NOW).await.unwrap();
    assert_eq!(again.standing(), Standing::Accepted);
}

/// So it is dated, but for what it waited for its transaction: that is less than a minute, and an hour no
/// machine is ahead.
#[track_caller]
fn check_dated(dated: UnixMs, expected: UnixMs) {
    let waited_ms = expected.since_ms(dated);
    assert!((0..60_000).contains(&waited_ms), "{waited_ms} ms before that");
}

#[each_engine]
async fn events_rows_batches_and_boards_are_dated_by_the_clock_of_the_store(place: Place) {
    let (first, second) = shared(&place);
    drop(second.accept(unassigned("a"), AHEAD).await.unwrap());
    second.keep_unrecognised(b"{}".to_vec(), None, AHEAD).await.unwrap();
    check_dated(first.unrecognised().await.unwrap()[0].received_at, NOW);
    place.set_clock(NOW.plus_ms(5_000));
    let (later, book) = (NOW.plus_ms(5_000), book(&second));
    let draft = drafted(&second, book, 9).await;
    let batch = second.seal(draft, PLAN.into(), Some(look(book)), AHEAD).await.unwrap().unwrap();
    check_dated(batch.entries()[0].unassigned_at, NOW);
    assert_eq!(batch.sealed_at(), later);
    assert_eq!(batch.board().unwrap().at, later);
    check_dated(later, second.clock(AHEAD));
    // As old as it is, whatever the clock of the one who asks says.
    let oldest = second.oldest_pending(AHEAD).await.unwrap().unwrap();
    check_dated(oldest, AHEAD.plus_ms(-5_000));
}

/// What a machine remembers is not taken for news of an hour later.
#[each_engine]
async fn an_agent_is_known_whichever_machine_heard_of_the_assignment(place: Place) {
    let (first, second) = shared(&place);
    drop(second.accept(assigned("a", "Dr. Meera"), AHEAD).await.unwrap());
    accept_all(&first, &["a"]).await;
    let draft = drafted(&first, book(&first), 9).await;
    assert_eq!(draft.entries()[0].previous_agent.reveal(), "Dr. Meera");
    // And a closing ends a wait that began by the other clock.
    let closing = json!({ "from": "+919876543210", "closeConversation": true });
    drop(first.accept(event(Happening::Closed, closing), NOW).await.unwrap());
    assert_eq!(first.waiting(), 0);
}

#[test]
fn what_waited_for_its_transaction_is_dated_back_by_how_long_it_waited() {
    let at = Instant::now();
    let reading = Reading { clock: NOW, at: at + Duration::from_secs(20) };
    assert_eq!(reading.time_of(Moment::Asked(AHEAD, at)), NOW.plus_ms(-20_000));
    assert_eq!(reading.time_of(Moment::Asked(AHEAD, at + Duration::from_secs(30))), NOW);
    assert_eq!(reading.time_of(Moment::Dated(AHEAD)), AHEAD);
}

#[each_engine]
async fn machines_together_never_take_more_turns_than_the_ceiling_whatever_their_clocks_say(
    place: Place,
) {
    let (first, second) = shared(&place);
    let ceiling = Ceiling { writes_max: 10, window_ms: 60_500, turn_ms: 500 };
    let mut taken = 0;
    for _ in 0..10 {
        for (journal, now) in [(&first, NOW), (&second, AHEAD)] {
            taken += usize::from(journal.take_turn(ceiling, now).await.unwrap().is_none());
        }
    }
    assert_eq!(taken, 10);
    let wait = first.take_turn(ceiling, NOW).await.unwrap();
    assert_eq!(wait, Some(Duration::from_secs(61)));
    assert_eq!(second.take_turn(ceiling, AHEAD).await.unwrap(), wait);
    place.set_clock(NOW.plus_ms(61_000));
    assert_eq!(second.take_turn(ceiling, AHEAD).await.unwrap(), None);
}
