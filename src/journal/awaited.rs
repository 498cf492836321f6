//! Rows that wait for their customer's name, and who is asked for it.
//!
//! Kept in memory only. After a crash nothing is awaited, and the row goes as it is.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};

use crate::chat::digest::Digest;
use crate::chat::text::Personal;
use crate::chat::time::UnixMs;
use crate::journal::counters::BookId;
use crate::journal::store::QueueId;

/// Longest that a row waits for a name.
const NAME_WAIT_MAX: Duration = Duration::from_secs(2);
/// Most lookups that may wait; beyond it rows go without a name.
const LOOKUPS_MAX: usize = 1_024;

/// A row that lacks its customer's name.
#[derive(Clone, Debug)]
pub struct Unnamed {
    /// Of the event.
    pub number: u64,
    /// DoubleTick's id of the customer.
    pub customer_id: Personal,
    /// Nobody waits for the name any more after this.
    pub until: UnixMs,
    /// Where it waits to be written.
    pub(in crate::journal) queue: QueueId,
    pub(in crate::journal) book: BookId,
    /// The number under which the chat waits: of the drop that began it, which may be an earlier one.
    pub(in crate::journal) wait: u64,
    /// What its customer is known by.
    pub(in crate::journal) keys: Vec<Digest>,
}

/// Nobody waits for a name any more after this.
pub(in crate::journal) fn until(now: UnixMs) -> UnixMs {
    now.plus_ms(i64::try_from(NAME_WAIT_MAX.as_millis()).unwrap_or_default())
}

/// Who is asked for names, and which rows wait.
#[derive(Debug, Default)]
pub(in crate::journal) struct Names {
    asked: Mutex<Option<mpsc::Sender<Unnamed>>>,
    /// By number: of which spreadsheet, and until when.
    awaited: Mutex<BTreeMap<u64, (BookId, UnixMs)>>,
    answered: Notify,
}

impl Names {
    /// From now on tells of rows that lack a name.
    pub(in crate::journal) fn look_up(&self) -> mpsc::Receiver<Unnamed> {
        let (asked, unnamed) = mpsc::channel(LOOKUPS_MAX);
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = Some(asked);
        unnamed
    }

    /// Resolves when a row need not wait any more.
    pub(in crate::journal) async fn answered(&self) {
        self.answered.notified().await;
    }

    /// Whether anybody looks names up.
    pub(in crate::journal) fn are_looked_up(&self) -> bool {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// These rows are about to be committed and wait for their names.
    pub(in crate::journal) fn wait(&self, unnamed: &[Unnamed]) {
        let awaited = |row: &Unnamed| (row.number, (row.book, row.until));
        self.lock().extend(unnamed.iter().map(awaited));
    }

    /// Asks for the names of rows that are committed. One that nobody can be asked for waits no more.
    pub(in crate::journal) fn ask(&self, unnamed: impl Iterator<Item = Unnamed>) {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        for unnamed in unnamed {
            let number = unnamed.number;
            if asked.as_ref().is_none_or(|asked| asked.try_send(unnamed).is_err()) {
                self.give_up(number);
            }
        }
    }

    /// This row waits no more.
    pub(in crate::journal) fn give_up(&self, number: u64) {
        self.lock().remove(&number);
        self.answered.notify_one();
    }

    /// The first row of a spreadsheet that still waits at `now`, and until when.
    pub(in crate::journal) fn first_awaited(
        &self,
        book: BookId,
        now: UnixMs,
    ) -> Option<(u64, UnixMs)> {
        let mut awaited = self.lock();
        awaited.retain(|_, (_, until)| *until > now && until.since_ms(now) <= 10_000);
        let first = awaited.iter().find(|(_, (of, _))| *of == book);
        first.map(|(number, (_, until))| (*number, *until))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, (BookId, UnixMs)>> {
        self.awaited.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
