//! Rows that wait for their customer's name, and who is asked for it.
//!
//! That a row waits is committed with it, so that whichever process writes rows honours it. The process
//! that took the event asks for the name; where it is gone, the row goes without when its time is over.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};

use crate::chat::digest::Digest;
use crate::chat::text::Personal;
use crate::chat::time::UnixMs;
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
    /// Nobody waits for the name any more after this, by the journal's clock.
    pub until: UnixMs,
    /// Where it waits to be written.
    pub(in crate::journal) queue: QueueId,
    /// The number under which the chat waits: of the drop that began it, which may be an earlier one.
    pub(in crate::journal) wait: u64,
    /// What its customer is known by.
    pub(in crate::journal) keys: Vec<Digest>,
}

/// Nobody waits for a name any more after this.
pub(in crate::journal) fn until(now: UnixMs) -> UnixMs {
    now.plus_ms(NAME_WAIT_MAX.as_millis().try_into().unwrap_or_default())
}

/// How long a row that waits until then still does; `None` when it does not. One that would wait for longer
/// than any does was noted before the clock was set back.
pub(in crate::journal) fn left(until: UnixMs, now: UnixMs) -> Option<Duration> {
    let left = Duration::from_millis(until.since_ms(now).try_into().ok()?);
    (!left.is_zero() && left <= 5 * NAME_WAIT_MAX).then_some(left)
}

/// A place among those that are asked for; let go of where the row is not kept.
pub(in crate::journal) type Seat = mpsc::OwnedPermit<Unnamed>;

/// Who is asked for names.
#[derive(Debug, Default)]
pub(in crate::journal) struct Names {
    asked: Mutex<Option<mpsc::Sender<Unnamed>>>,
    answered: Notify,
}

impl Names {
    /// From now on tells of rows that lack a name.
    pub(in crate::journal) fn look_up(&self) -> mpsc::Receiver<Unnamed> {
        let (asked, unnamed) = mpsc::channel(LOOKUPS_MAX);
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = Some(asked);
        unnamed
    }

    /// A place for one more; `None` where nobody looks names up, or too many wait for it.
    pub(in crate::journal) fn seat(&self) -> Option<Seat> {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone();
        asked?.try_reserve_owned().ok()
    }

    /// Resolves when a row need not wait any more.
    pub(in crate::journal) async fn answered(&self) {
        self.answered.notified().await;
    }

    /// A row need not wait any more.
    pub(in crate::journal) fn answer(&self) {
        self.answered.notify_one();
    }
}
