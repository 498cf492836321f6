//! Everything the stand-in knows, behind one lock.

use std::collections::{HashMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::book::Book;
use crate::errors::Refused;
use crate::faults::Script;
use crate::token::Tokens;
use crate::workload::Workload;

const MINUTE: Duration = Duration::from_secs(60);

/// One request as it was seen. Its authorization is not kept.
#[derive(Debug, Clone)]
pub struct Seen {
    pub method: String,
    /// Without the query.
    pub path: String,
    pub query: String,
    pub at: Instant,
    /// What was answered; none while it is not, and for ever if the connection was cut.
    pub status: Option<u16>,
    pub body_bytes: usize,
}

impl Seen {
    /// Whether this is a `batchUpdate`, the only write there is here.
    pub fn is_write(&self) -> bool {
        self.path.ends_with(":batchUpdate")
    }
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) url: String,
    pub(crate) client_email: String,
    pub(crate) spreadsheet_id: String,
    state: Mutex<State>,
    /// Told after every change of a spreadsheet.
    pub(crate) changed: Condvar,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) books: HashMap<String, Book>,
    pub(crate) tokens: Tokens,
    pub(crate) workload: Workload,
    pub(crate) script: Script,
    pub(crate) latency: Duration,
    /// Writes and reads a minute.
    pub(crate) quota: Option<(u32, u32)>,
    pub(crate) seen: Vec<Seen>,
    pub(crate) invalid: Vec<String>,
    pub(crate) in_flight: usize,
    pub(crate) in_flight_max: usize,
    recent_writes: VecDeque<Instant>,
    recent_reads: VecDeque<Instant>,
}

impl Shared {
    pub(crate) fn new(url: String, client_email: &str, spreadsheet_id: &str) -> Self {
        let mut state = State::default();
        let book = Book::new(spreadsheet_id, "Asia/Kolkata", client_email);
        state.books.insert(spreadsheet_id.to_owned(), book);
        Self {
            url,
            client_email: client_email.to_owned(),
            spreadsheet_id: spreadsheet_id.to_owned(),
            state: Mutex::new(state),
            changed: Condvar::new(),
        }
    }

    /// A test that panicked while holding the lock must not hide what the others say.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The book of that spreadsheet, which is there.
    pub(crate) fn book(&self, spreadsheet: &str) -> &Book {
        &self.books[spreadsheet]
    }

    /// Takes note of a request and says at which place.
    pub(crate) fn note(&mut self, seen: Seen) -> usize {
        if seen.is_write() {
            self.in_flight += 1;
            self.in_flight_max = self.in_flight_max.max(self.in_flight);
        }
        self.seen.push(seen);
        self.seen.len() - 1
    }

    /// Takes note of what came of it.
    pub(crate) fn note_end(&mut self, place: usize, status: Option<u16>) {
        let seen = &mut self.seen[place];
        seen.status = status;
        if seen.is_write() {
            self.in_flight -= 1;
        }
    }

    /// Counts a call, which may be one too many in the last minute. Calls that fail count too.
    pub(crate) fn count_call(&mut self, write: bool, now: Instant) -> Result<(), Refused> {
        let recent = if write { &mut self.recent_writes } else { &mut self.recent_reads };
        recent.push_back(now);
        while recent.front().is_some_and(|at| now.duration_since(*at) >= MINUTE) {
            recent.pop_front();
        }
        let Some((writes, reads)) = self.quota else { return Ok(()) };
        let limit = if write { writes } else { reads };
        if u32::try_from(recent.len()).is_ok_and(|count| count <= limit) {
            return Ok(());
        }
        Err(Refused::quota(if write { "Write" } else { "Read" }, limit))
    }

    pub(crate) fn writes_per_minute_max(&self) -> usize {
        let writes: Vec<Instant> =
            self.seen.iter().filter(|seen| seen.is_write()).map(|seen| seen.at).collect();
        let mut most = 0;
        let mut first = 0;
        for (last, at) in writes.iter().enumerate() {
            while at.duration_since(writes[first]) >= MINUTE {
                first += 1;
            }
            most = most.max(last + 1 - first);
        }
        most
    }
}
