//! Names that are being looked up: a row waits for its customer's name, and never for long.
//!
//! The wait is kept in memory only. After a crash nothing is awaited, and the row goes as it is. A name is
//! asked for after the commit: before it, the number may still become another patient's.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};

use crate::chat::digest::Digest;
use crate::chat::memory::CustomerMemory;
use crate::chat::text::Personal;
use crate::chat::time::UnixMs;
use crate::journal::page::Page;
use crate::journal::{BookId, Error, Journal};

/// Longest that a row waits for a name.
const NAME_WAIT_MAX: Duration = Duration::from_secs(2);
/// Most lookups that may wait; beyond it rows go without a name.
const WAITING_MAX: usize = 1_024;

/// A row that lacks its customer's name.
#[derive(Clone, Debug)]
pub struct Unnamed {
    /// Of the event.
    pub number: u64,
    /// Where its row goes.
    book: BookId,
    /// DoubleTick's id of the customer.
    pub customer_id: Personal,
    /// Nobody waits for the name any more after this.
    pub until: UnixMs,
    /// The number under which the chat waits: of the drop that began it, which may be an earlier one.
    wait: u64,
    keys: Vec<Digest>,
}

impl Unnamed {
    /// A row about to be committed.
    pub(super) fn new(
        book: BookId,
        (number, wait): (u64, u64),
        customer_id: &Personal,
        keys: &[Digest],
        now: UnixMs,
    ) -> Self {
        let until = now.plus_ms(i64::try_from(NAME_WAIT_MAX.as_millis()).unwrap_or_default());
        Self { number, book, customer_id: customer_id.clone(), until, wait, keys: keys.to_vec() }
    }
}

/// Who is asked for names, and which rows wait.
#[derive(Debug, Default)]
pub(super) struct Names {
    asked: Mutex<Option<mpsc::Sender<Unnamed>>>,
    awaited: Mutex<BTreeMap<u64, (BookId, UnixMs)>>,
    answered: Notify,
}

impl Names {
    /// Whether anybody looks names up.
    pub(super) fn are_looked_up(&self) -> bool {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// These rows are about to be committed and wait for their names.
    pub(super) fn wait(&self, unnamed: &[Unnamed]) {
        let awaited = unnamed.iter().map(|one| (one.number, (one.book, one.until)));
        self.lock().extend(awaited);
    }

    /// Asks for the names of rows that are committed. One that nobody can be asked for waits no more.
    pub(super) fn ask(&self, unnamed: impl Iterator<Item = Unnamed>) {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        for unnamed in unnamed {
            let number = unnamed.number;
            if asked.as_ref().is_none_or(|asked| asked.try_send(unnamed).is_err()) {
                self.give_up(number);
            }
        }
    }

    /// This row waits no more.
    pub(super) fn give_up(&self, number: u64) {
        self.lock().remove(&number);
        self.answered.notify_one();
    }

    /// The first row of a spreadsheet that still waits at `now`, and until when.
    pub(super) fn first_awaited(&self, book: BookId, now: UnixMs) -> Option<(u64, UnixMs)> {
        let mut awaited = self.lock();
        awaited.retain(|_, (_, until)| *until > now && until.since_ms(now) <= 10_000);
        let mut here = awaited.iter().filter(|(_, (place, _))| *place == book);
        here.next().map(|(number, (_, until))| (*number, *until))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, (BookId, UnixMs)>> {
        self.awaited.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Journal {
    /// From now on tells of rows that lack a name; each is to be answered by [`Journal::name`].
    pub fn unnamed(&self) -> mpsc::Receiver<Unnamed> {
        let (asked, unnamed) = mpsc::channel(WAITING_MAX);
        *self.0.names.asked.lock().unwrap_or_else(PoisonError::into_inner) = Some(asked);
        unnamed
    }

    /// How long the oldest pending row of a spreadsheet may still wait for its name; `None` when it
    /// does not.
    pub fn awaits_name(&self, book: BookId, now: UnixMs) -> Option<Duration> {
        let (_, until) = self.0.names.first_awaited(book, now)?;
        Some(Duration::from_millis(until.since_ms(now).max(0).unsigned_abs()))
    }

    /// Gives a row its customer's name, or `None` to let it go without; remembers the name.
    ///
    /// A row that is in a batch already stays as it is.
    ///
    /// # Errors
    /// When the database does not answer; the row goes without.
    pub async fn name(
        &self,
        unnamed: Unnamed,
        name: Option<Personal>,
        now: UnixMs,
    ) -> Result<(), Arc<Error>> {
        let number = unnamed.number;
        let named = match name.filter(|name| !name.is_blank()) {
            Some(name) => {
                let work = move |page: &mut Page<'_>| {
                    if !page.has_room {
                        return Ok(());
                    }
                    page.name_entry(number, &name)?;
                    page.name_wait(unnamed.wait, &name)?;
                    let (known, home) = page.recall::<CustomerMemory>(&unnamed.keys)?;
                    page.remember(&unnamed.keys, home, &known.named(&name), now)
                };
                self.0.writer.commit(work).await
            }
            None => Ok(()),
        };
        self.0.names.give_up(number);
        named
    }

    /// Resolves when a row that waited for its name need not wait any more.
    pub async fn name_answered(&self) {
        self.0.names.answered.notified().await;
    }
}
