//! Processes that share a journal and disagree about the time: the store's clock counts.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::chat::digest::Digest;
use crate::chat::event::Happening;
use crate::chat::time::UnixMs;
use crate::journal::clock::{Moment, Reading};
use crate::journal::condition::Conditions;
use crate::journal::counters::Counters;
use crate::journal::opening::Engine;
use crate::journal::origin::Origin;
use crate::journal::store::sqlite::{self, Opened};
use crate::journal::store::{
    Changes, Extent, Fault, Keys, Loaded, Places, QueueId, Read, Remembered, Row, Span, Store,
    StoredAside, StoredBatch, StoredWait, Unrecognised,
};
use crate::journal::tests::{
    HOUR_MS, LIMITS, NOW, PLAN, accept_all, assigned, book, dir, drafted, event, look, one_tab,
    unassigned,
};
use crate::journal::{BookId, Ceiling, Journal, Standing};

/// A store with a clock of its own, as one that several machines share has.
struct Timed<S> {
    store: S,
    clock: Arc<AtomicI64>,
}

impl<S: Store> Read for Timed<S> {
    fn clock(&self) -> Result<Option<UnixMs>, Fault> {
        Ok(Some(UnixMs(self.clock.load(Ordering::SeqCst))))
    }

    fn origin(&self) -> Result<Origin, Fault> {
        self.store.read().origin()
    }

    fn counters(&self) -> Result<Counters, Fault> {
        self.store.read().counters()
    }

    fn meta(&self, name: &str) -> Result<Option<i64>, Fault> {
        self.store.read().meta(name)
    }

    fn places(&self) -> Result<Places, Fault> {
        self.store.read().places()
    }

    fn head(&self, queue: QueueId) -> Result<Option<(u64, UnixMs)>, Fault> {
        self.store.read().head(queue)
    }

    fn rows(&self, span: Span, rows_max: usize) -> Result<Vec<Row>, Fault> {
        self.store.read().rows(span, rows_max)
    }

    fn extent(&self, span: Span) -> Result<Extent, Fault> {
        self.store.read().extent(span)
    }

    fn batches(&self) -> Result<Vec<StoredBatch>, Fault> {
        self.store.read().batches()
    }

    fn board(&self, book: BookId, lines_max: usize) -> Result<Vec<StoredWait>, Fault> {
        self.store.read().board(book, lines_max)
    }

    fn awaited(&self, book: BookId) -> Result<Vec<(u64, UnixMs)>, Fault> {
        self.store.read().awaited(book)
    }

    fn aside(&self, after: u64, rows_max: usize) -> Result<Vec<StoredAside>, Fault> {
        self.store.read().aside(after, rows_max)
    }

    fn unrecognised(&self) -> Result<Vec<Unrecognised>, Fault> {
        self.store.read().unrecognised()
    }

    fn waits(&self, after: u64, waits_max: usize) -> Result<Vec<StoredWait>, Fault> {
        self.store.read().waits(after, waits_max)
    }

    fn records(
        &self,
        after: Option<Digest>,
        records_max: usize,
    ) -> Result<Vec<(Digest, Remembered)>, Fault> {
        self.store.read().records(after, records_max)
    }

    fn sent(&self) -> Result<Vec<UnixMs>, Fault> {
        self.store.read().sent()
    }

    fn verify(&self) -> Result<(), Fault> {
        self.store.read().verify()
    }

    fn copy_into(&self, file: &Path) -> Result<(), Fault> {
        self.store.read().copy_into(file)
    }
}

impl<S: Store> Store for Timed<S> {
    fn read(&self) -> &dyn Read {
        self
    }

    fn begin(&mut self) -> Result<bool, Fault> {
        self.store.begin()
    }

    fn load(&mut self, keys: &Keys) -> Result<Loaded, Fault> {
        self.store.load(keys)
    }

    fn write(&mut self, changes: Changes) -> Result<(), Fault> {
        self.store.write(changes)
    }

    fn add_batch(&mut self, batch: &StoredBatch) -> Result<(), Fault> {
        self.store.add_batch(batch)
    }

    fn end_batch(&mut self, number: u64) -> Result<(), Fault> {
        self.store.end_batch(number)
    }

    fn delete_rows(&mut self, span: Span) -> Result<u64, Fault> {
        self.store.delete_rows(span)
    }

    fn commit(&mut self) -> Result<(), Fault> {
        self.store.commit()
    }

    fn roll_back(&mut self, why: Option<&Fault>) {
        self.store.roll_back(why);
    }

    fn has_room(&self) -> bool {
        self.store.has_room()
    }

    fn purge(&mut self) {
        self.store.purge();
    }

    fn tidy_up(&mut self, is_drained: bool) -> Option<Duration> {
        self.store.tidy_up(is_drained)
    }
}

/// Journals over one store, and its clock.
struct Shared {
    clock: Arc<AtomicI64>,
    first: Journal,
    second: Journal,
    _dir: tempfile::TempDir,
}

fn shared() -> Shared {
    let (dir, clock) = (dir(), Arc::new(AtomicI64::new(NOW.0)));
    let open = |beside| {
        let conditions = Arc::new(Conditions::new(&dir.path().display().to_string()));
        let Opened { store, reader, hold } = sqlite::open(dir.path(), beside, &conditions).unwrap();
        let store = Box::new(Timed { store, clock: Arc::clone(&clock) });
        let engine = Engine { store, reader: Box::new(reader), hold, instance: None };
        Journal::over(engine, LIMITS, one_tab(), conditions).unwrap()
    };
    let (first, second) = (open(false), open(true));
    Shared { clock, first, second, _dir: dir }
}

/// What the clock of the second machine says: it is an hour ahead.
const AHEAD: UnixMs = UnixMs(NOW.0 + HOUR_MS);

#[tokio::test]
async fn a_resend_that_another_machine_takes_is_recognised_though_its_clock_is_an_hour_ahead() {
    let Shared { first, second, .. } = shared();
    accept_all(&first, &["a"]).await;
    let again = second.accept(unassigned("a"), AHEAD).await.unwrap();
    assert_eq!(again.standing(), Standing::Duplicate);
}

/// The resend window is two minutes, and the clock that counts says that they are over.
#[tokio::test]
async fn the_same_body_is_a_new_event_after_the_window_though_the_clocks_of_machines_stand_still() {
    let Shared { clock, first, second, .. } = shared();
    accept_all(&first, &["a"]).await;
    clock.fetch_add(LIMITS.rules.resend_window_ms, Ordering::SeqCst);
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

#[tokio::test]
async fn events_rows_batches_and_boards_are_dated_by_the_clock_of_the_store() {
    let Shared { clock, first, second, .. } = shared();
    drop(second.accept(unassigned("a"), AHEAD).await.unwrap());
    second.keep_unrecognised(b"{}".to_vec(), None, AHEAD).await.unwrap();
    check_dated(first.unrecognised().await.unwrap()[0].received_at, NOW);
    clock.fetch_add(5_000, Ordering::SeqCst);
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
#[tokio::test]
async fn an_agent_is_known_whichever_machine_heard_of_the_assignment() {
    let Shared { first, second, .. } = shared();
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

#[tokio::test]
async fn machines_together_never_take_more_turns_than_the_ceiling_whatever_their_clocks_say() {
    let Shared { clock, first, second, .. } = shared();
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
    clock.fetch_add(61_000, Ordering::SeqCst);
    assert_eq!(second.take_turn(ceiling, AHEAD).await.unwrap(), None);
}
