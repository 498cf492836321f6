//! The directory: asks DoubleTick who a customer is, where no event has told us; and makes our other questions
//! about chats.
//!
//! ```text
//! Directory (this file)   looks customers' names up
//!   ├─ chats              who has no agent, and who has a chat
//!   └─ caller             makes the calls, at the pace of all who ask
//! ```
//!
//! Works after the acknowledgement and before the row is sealed, a few lookups at a time, each with a
//! short time limit. Whatever goes wrong leaves the cell blank: the row waits two seconds at most, and
//! the journal sees to that, not we. A name found is remembered with the customer, so one lookup
//! serves all their chats; one not found is not asked for again for a while.

mod caller;
mod chats;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

pub(crate) use crate::directory::caller::{CallFault, Caller};
pub(crate) use crate::directory::chats::ListFault;

use crate::chat::text::Personal;
use crate::chat::time::UnixMs;
use crate::journal::{Journal, Unnamed};
use crate::status::Status;

/// Lookups under way at once; DoubleTick publishes no limit.
const LOOKUPS_MAX: usize = 4;
/// A row waits two seconds at most, so an answer that comes later is of no use to it.
const TIMEOUT: Duration = Duration::from_millis(1_800);
/// How long a customer without a name is not asked for again.
const NAMELESS_FOR: Duration = Duration::from_secs(600);
/// How many of them are remembered; beyond it all are asked for again.
const NAMELESS_MAX: usize = 10_000;

#[derive(Debug)]
pub(crate) struct Directory {
    asker: Arc<Asker>,
    journal: Journal,
    now: fn() -> UnixMs,
    nameless: HashMap<Personal, Instant>,
}

#[derive(Debug)]
struct Asker {
    caller: Arc<Caller>,
    status: Arc<Status>,
}

impl Directory {
    pub(crate) fn new(
        caller: Arc<Caller>,
        journal: Journal,
        status: Arc<Status>,
        now: fn() -> UnixMs,
    ) -> Self {
        let asker = Arc::new(Asker { caller, status });
        Self { asker, journal, now, nameless: HashMap::new() }
    }

    /// Answers everyone who lacks a name. Ends only with the journal.
    pub(crate) async fn run(mut self, mut unnamed: mpsc::Receiver<Unnamed>) {
        let mut under_way = JoinSet::new();
        loop {
            tokio::select! {
                asked = unnamed.recv(), if under_way.len() < LOOKUPS_MAX => match asked {
                    Some(asked) if self.is_worth_asking(&asked) => {
                        let asker = Arc::clone(&self.asker);
                        under_way.spawn(async move {
                            let answer = asker.name_of(&asked.customer_id).await;
                            (asked, answer)
                        });
                    }
                    Some(asked) => self.answer(asked, None).await,
                    None => return,
                },
                Some(done) = under_way.join_next(), if !under_way.is_empty() => {
                    if let Ok((asked, answer)) = done {
                        if matches!(answer, Answer::Nameless) {
                            self.note_nameless(asked.customer_id.clone());
                        }
                        self.answer(asked, answer.name()).await;
                    }
                }
            }
        }
    }

    fn is_worth_asking(&self, asked: &Unnamed) -> bool {
        let lately = self.nameless.get(&asked.customer_id);
        asked.until > self.journal.clock((self.now)())
            && lately.is_none_or(|at| at.elapsed() > NAMELESS_FOR)
    }

    fn note_nameless(&mut self, customer_id: Personal) {
        if self.nameless.len() >= NAMELESS_MAX {
            self.nameless.clear();
        }
        self.nameless.insert(customer_id, Instant::now());
    }

    async fn answer(&self, asked: Unnamed, name: Option<Personal>) {
        if let Err(error) = self.journal.name(asked, name, (self.now)()).await {
            log::warn!("cannot note a customer's name, the row goes without: {error}");
        }
    }
}

/// What came of asking.
enum Answer {
    Named(Personal),
    /// DoubleTick knows no name.
    Nameless,
    /// It could not be asked: that says nothing of the customer, and the next row asks again.
    Failed,
}

impl Answer {
    fn name(self) -> Option<Personal> {
        match self {
            Self::Named(name) => Some(name),
            Self::Nameless | Self::Failed => None,
        }
    }
}

impl Asker {
    async fn name_of(&self, customer_id: &Personal) -> Answer {
        let query = [("customerId", customer_id.reveal())];
        let answer = self.caller.get(&["customer", "details"], &query, TIMEOUT).await;
        let (outcome, answer) = match answer {
            Ok(body) => match name_in(&body) {
                Some(name) => ("named", Answer::Named(name)),
                None => ("nameless", Answer::Nameless),
            },
            Err(CallFault::Status(404)) => ("nameless", Answer::Nameless),
            Err(CallFault::Key) => ("key_refused", Answer::Failed),
            Err(CallFault::Pause | CallFault::Status(_)) => ("refused", Answer::Failed),
            Err(CallFault::NoAnswer | CallFault::Senseless) => ("no_answer", Answer::Failed),
        };
        self.status.lookups.add(outcome);
        answer
    }
}

/// The name in an answer: `{"customer":{"name":…}}`.
fn name_in(body: &[u8]) -> Option<Personal> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let name = Personal::new(body.pointer("/customer/name")?.as_str()?);
    (!name.is_blank()).then_some(name)
}
