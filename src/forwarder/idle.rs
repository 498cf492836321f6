//! Keeping an eye on the spreadsheet while nothing is to be written, with hardly a call.

use std::time::Duration;

use crate::forwarder::Forwarder;
use crate::sheets::{Survey, Trouble};

/// How often the spreadsheet is looked at while nothing is written, of Google's 60 reads a minute; less
/// often where there are so many spreadsheets that they would use up half of them.
const LOOK_EVERY: Duration = Duration::from_secs(60);
const READS_APART: Duration = Duration::from_secs(2);
/// How old a survey becomes meanwhile.
const SURVEY_EVERY: Duration = Duration::from_secs(120);
/// How often it is looked whether another process has added rows.
const REFRESH_EVERY: Duration = Duration::from_secs(8);

impl Forwarder {
    /// Waits for something to write, and keeps an eye on the spreadsheet meanwhile.
    pub(super) async fn idle(&mut self) {
        // Marked as seen before looking, so that an event in between is not missed.
        let book = self.options.book;
        let mut changes = self.changes.clone();
        let work = changes.borrow_and_update().work(book);
        if work.pending > 0 {
            return;
        }
        // A row does not wait for the look: it is dropped half-way, it only reads.
        // Whatever else is counted wakes nobody here.
        let changed = async {
            let changed = changes.wait_for(|counters| counters.work(book) != work).await;
            changed.map(drop)
        };
        let found = tokio::select! {
            changed = changed => {
                if changed.is_err() {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                return;
            }
            found = self.rest(work.board_changes) => found,
        };
        match found {
            None => {}
            Some(Ok(Survey::Ready(_))) => self.succeeded(),
            Some(Ok(Survey::Setup(_))) => self.seen = None,
            Some(Err(trouble)) => {
                let wait = self.troubled(trouble);
                tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    _ = self.changes.changed() => {}
                }
            }
        }
    }

    /// Rests until it is time to look again, and does; or until the board is due.
    async fn rest(&mut self, board_changes: u64) -> Option<Result<Survey, Trouble>> {
        let books = u32::try_from(self.journal.books().len()).unwrap_or(u32::MAX);
        let every = LOOK_EVERY.max(READS_APART.saturating_mul(books));
        loop {
            let seen_at = self.seen.as_ref().and_then(|seen| seen.at);
            let seen_at = seen_at.map(|at| at.max(self.written_at.unwrap_or(at)));
            let left = seen_at.map_or(Duration::ZERO, |at| every.saturating_sub(at.elapsed()));
            if left.is_zero() {
                break;
            }
            let board_in = self.board.due_in(board_changes, self.now());
            // Due and not written: there was no room for it, or it is barred.
            let board_in = board_in.map(|wait| wait.max(Duration::from_secs(1)));
            if let Some(wait) = board_in.filter(|wait| *wait <= left.min(REFRESH_EVERY)) {
                tokio::time::sleep(wait).await;
                return None;
            }
            tokio::time::sleep(left.min(REFRESH_EVERY)).await;
            // Another process may have added rows: the watchers are told then.
            drop(self.journal.refresh().await);
        }
        let is_at_rest = self.board.is_at_rest(self.now());
        Some(self.look_with(if is_at_rest { SURVEY_EVERY } else { Duration::MAX }).await)
    }
}
