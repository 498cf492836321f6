//! What the journal has to be asked for by those who show it, and never waited for long: a database that is
//! away must not keep health, metrics and page from saying so.

use std::time::Duration;

use tokio::time::timeout;

use crate::chat::time::UnixMs;
use crate::http::Shared;
use crate::journal::Error;

/// Longest that an answer of the journal is waited for.
const ANSWER_TIME_MAX: Duration = Duration::from_millis(400);

/// What the journal says.
#[derive(Clone, Copy, Debug)]
pub(in crate::http) enum Kept {
    Known {
        /// When the oldest pending row came; `None` where none is pending.
        oldest_pending: Option<UnixMs>,
        /// On how many machines what was acknowledged is.
        copies: u32,
    },
    /// Nothing within the time.
    Late,
    /// It cannot be read.
    Failed,
}

impl Kept {
    /// Asks for it.
    pub(in crate::http) async fn ask(shared: &Shared, now: UnixMs) -> Self {
        let asked = async {
            let oldest_pending = shared.journal.oldest_pending(now).await?;
            let copies = shared.journal.copies().await?;
            Ok::<_, Error>(Self::Known { oldest_pending, copies })
        };
        match soon(asked).await {
            Some(Ok(known)) => known,
            Some(Err(_)) => Self::Failed,
            None => Self::Late,
        }
    }

    /// The age of the oldest pending row in seconds, 0 where none is pending; `None` where it is not known.
    pub(in crate::http) fn oldest_pending_s(&self, now: UnixMs) -> Option<i64> {
        let Self::Known { oldest_pending, .. } = self else { return None };
        Some(oldest_pending.map_or(0, |oldest| (now.since_ms(oldest) / 1_000).max(0)))
    }

    /// On how many machines what was acknowledged is, where that is known.
    pub(in crate::http) fn copies(&self) -> Option<u32> {
        match self {
            Self::Known { copies, .. } => Some(*copies),
            Self::Late | Self::Failed => None,
        }
    }
}

/// What comes of it, if it comes soon.
pub(in crate::http) async fn soon<T>(answer: impl Future<Output = T>) -> Option<T> {
    timeout(ANSWER_TIME_MAX, answer).await.ok()
}
