//! What goes into the next batch: pending rows, and the board as it is.

use std::time::{Duration, Instant};

use crate::chat::board::LINES_MAX;
use crate::chat::time::UnixMs;
use crate::forwarder::held::Held;
use crate::forwarder::pick::{Measure, pick};
use crate::forwarder::tab::Seen;
use crate::forwarder::{BATCH_BYTES_MAX, BATCH_ROWS_MAX, Forwarder, Next};
use crate::journal::{Draft, Error, Look, Work};
use crate::sheets::rows::{bytes_of, time_zone};
use crate::sheets::{LINE_BYTES, Layout, Needs, Plan, Purpose, TabLayout, Traces};

/// How old the board may become while nothing happens: it is looked whether it is time once a minute, and
/// then it is to be written every four, not every five.
const BOARD_AGE_MAX_MS: i64 = 4 * 60_000 - 15_000;
/// How long a change of the board that no row brings along may wait for others: names looked up.
const BOARD_PAUSE_MS: i64 = 5_000;
/// How old the board may become while one full batch follows the other.
const BOARD_AGE_MAX_BUSY_MS: i64 = 20_000;
/// How long a tab that cannot be written is left alone.
const BARRED: Duration = Duration::from_secs(60);
/// What a row is taken to be on the wire before one was written: a short one.
pub(super) const ROW_BYTES: usize = 1_600;
/// Google allows 10,000,000 cells a workbook; from here on we say so.
const CELLS_WARN: u64 = 9_000_000;
const CELLS_MAX: u64 = 10_000_000;

/// What is known of the board that stands in the sheet.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct BoardDrawn {
    /// When it was last written; `None` since the start.
    at: Option<UnixMs>,
    /// The changes that it shows.
    changes: u64,
    /// Those that the one under way will show.
    changes_sealed: u64,
    /// The one under way landed in columns that had moved.
    is_spoilt: bool,
    barred_until: Option<Instant>,
}

impl BoardDrawn {
    /// The batch that it went along with, as it was at this time, is written.
    pub(super) fn is_written(&mut self, at: UnixMs) {
        let is_spoilt = std::mem::take(&mut self.is_spoilt);
        (self.at, self.changes) = ((!is_spoilt).then_some(at), self.changes_sealed);
    }

    /// It is to be written anew soon: it may have landed in the wrong columns.
    pub(super) fn spoil(&mut self) {
        self.is_spoilt = true;
    }

    /// Something keeps it from being written; the rows go on without it.
    pub(super) fn bar(&mut self) {
        self.barred_until = Some(Instant::now() + BARRED);
    }

    /// It was not what kept a batch from being written.
    pub(super) fn unbar(&mut self) {
        self.barred_until = None;
    }

    fn is_barred(&self) -> bool {
        self.barred_until.is_some_and(|until| Instant::now() < until)
    }

    /// Whether it is to be written even without rows.
    fn is_due(&self, changes: u64, now: UnixMs) -> bool {
        let Some(at) = self.at else { return !self.is_barred() };
        let age_ms = now.since_ms(at).abs();
        let is_due = match changes == self.changes {
            true => age_ms >= BOARD_AGE_MAX_MS,
            false => age_ms >= BOARD_PAUSE_MS,
        };
        is_due && !self.is_barred()
    }

    /// When a change that no row brings along is to be written, where there is one.
    pub(super) fn due_in(&self, changes: u64, now: UnixMs) -> Option<Duration> {
        let at = self.at.filter(|_| changes != self.changes)?;
        let left_ms = BOARD_PAUSE_MS - now.since_ms(at).abs();
        Some(Duration::from_millis(left_ms.max(0).unsigned_abs()))
    }

    /// Whether it was written so lately that it is not to be written within the minute.
    pub(super) fn is_at_rest(&self, now: UnixMs) -> bool {
        self.at.is_some_and(|at| now.since_ms(at).abs() < BOARD_AGE_MAX_MS - 60_000)
    }

    /// Whether it goes along with rows after which others are still pending.
    fn is_old(&self, now: UnixMs) -> bool {
        self.at.is_none_or(|at| now.since_ms(at).abs() >= BOARD_AGE_MAX_BUSY_MS)
    }
}

impl Forwarder {
    /// Seals what is to be written next and sends it.
    pub(super) async fn seal(&mut self) -> Result<Next, Error> {
        let Some(seen) = &self.layout else { return Ok(Next::Step) };
        let layout = &seen.layout;
        let now = (self.options.now)();
        let work = self.journal.work(self.options.book);
        let has_board = layout.tab(Purpose::Board).is_some();
        let board_is_due = has_board
            && self.drawn.is_due(work.board_changes, now)
            && (work.pending > 0 || self.own_writes.has_room(now));
        if work.pending == 0 && self.log_barred_until.take().is_some() {
            // No row is there any more to try it with.
            self.succeeded();
            return Ok(Next::Step);
        }
        if work.pending == 0 && !board_is_due {
            if std::mem::take(&mut self.is_unpurged) {
                self.journal.purge().await?;
            }
            return Ok(if self.prune_is_due() { self.prune().await } else { Next::Idle });
        }
        let log_is_barred = self.log_barred_until.is_some_and(|until| Instant::now() < until);
        if log_is_barred && !board_is_due {
            return Ok(Next::Wait(BARRED / 60));
        }
        if !seen.is_fresh() {
            return Ok(self.survey().await);
        }
        let is_full = work.pending >= self.rows_that_fill();
        let wait_ms = self.wait_ms(now, is_full);
        if wait_ms > 0 {
            return Ok(Next::Wait(Duration::from_millis(wait_ms.unsigned_abs())));
        }
        // The board goes along with the last rows; while many batches follow each other, now and then.
        let may_draw = has_board && !self.drawn.is_barred();
        let is_urgent = board_is_due || (may_draw && self.drawn.is_old(now));
        // Tried again, the log is tried alone: then it is plain what a refusal is about.
        let log_is_tried = self.log_barred_until.is_some() && !log_is_barred;
        let room_for_board = !log_is_tried && (is_urgent || (may_draw && !is_full));
        let (draft, title) = self.draft(work, room_for_board, now).await?;
        if draft.rows() == 0 && !board_is_due {
            return Ok(match self.journal.awaits_name(self.options.book, now) {
                Some(wait) => Next::WaitForName(wait),
                // Of what is pending nothing can go now: a tab is lacking, or another process added it.
                None if work.pending > 0 => Next::Wait(BARRED / 60),
                None => Next::Idle,
            });
        }
        let takes_all = work.pending <= draft.rows() as u64;
        let with_board = !log_is_tried && (is_urgent || (room_for_board && takes_all));
        self.seal_draft((draft, title), with_board, work, now).await
    }

    async fn seal_draft(
        &mut self,
        (draft, title): (Draft, Option<String>),
        with_board: bool,
        work: Work,
        now: UnixMs,
    ) -> Result<Next, Error> {
        let Some(Seen { layout, .. }) = &self.layout else { return Ok(Next::Step) };
        let handovers = !draft.handovers().is_empty();
        let needs = Needs { log: title.as_deref(), handovers, board: with_board };
        let Some(plan) = Plan::new(layout, needs, self.traces().await?) else {
            // The tab of another month, or one that has gone since.
            self.late_title = title;
            return Ok(self.survey().await);
        };
        if title != self.late_title {
            self.late_title = None;
        }
        let look = with_board.then(|| Look {
            book: self.options.book,
            age_max_ms: i64::from(self.options.board.hours_max) * 3_600_000,
            remarks: self.remarks(layout, work.pending.saturating_sub(draft.rows() as u64)),
        });
        self.drawn.changes_sealed = work.board_changes;
        match self.journal.seal(draft, plan.to_text(), look, now).await? {
            Some(batch) => {
                let entries = batch.entries().iter().chain(batch.handovers());
                let bytes: usize = entries.map(bytes_of).sum();
                let average = bytes.checked_div(batch.rows());
                self.row_bytes = average.map_or(self.row_bytes, |bytes| bytes + self.bytes_more());
                Ok(self.advance(Held::sealed(batch)).await)
            }
            None => Ok(Next::Step),
        }
    }

    /// How many rows fill a batch, where they are as large as those of the last one: bytes bind long
    /// before rows do.
    fn rows_that_fill(&self) -> u64 {
        (BATCH_BYTES_MAX / self.row_bytes.max(1)).clamp(1, BATCH_ROWS_MAX) as u64
    }

    /// The rows that go together, and the title of the log tab that they are for.
    async fn draft(
        &self,
        work: Work,
        room_for_board: bool,
        now: UnixMs,
    ) -> Result<(Draft, Option<String>), Error> {
        let zone_name = self.layout.as_ref().map_or("UTC", |seen| &seen.layout.time_zone);
        let zone = time_zone(zone_name);
        let rows_max = match self.log_barred_until {
            Some(until) if Instant::now() < until => 0,
            _ => self.suspect.map_or(BATCH_ROWS_MAX, |suspect| suspect.rows_max),
        };
        let lines = match room_for_board {
            true => LINES_MAX.min(usize::try_from(work.waiting).unwrap_or(usize::MAX)),
            false => 0,
        };
        let bytes_max = BATCH_BYTES_MAX - lines * LINE_BYTES;
        let (bytes_more, with_handovers) = (self.bytes_more(), !self.handovers_are_barred());
        let measure = Measure { rows_max, bytes_max, bytes_more, with_handovers };
        // Rows that are a little shorter than those of the last batch still fill this one.
        let fill = usize::try_from(self.rows_that_fill()).unwrap_or(rows_max);
        let draft =
            self.journal.draft(self.options.book, rows_max.min(fill * 5 / 4 + 1), now).await?;
        let picked = pick(draft.title(), draft.entries(), draft.handovers(), &measure, &zone);
        Ok((draft.first(picked.log, picked.handovers), picked.title))
    }

    /// Bytes that a row takes besides its own cells.
    fn bytes_more(&self) -> usize {
        let tabs = self.layout.iter().flat_map(|seen| &seen.layout.tabs);
        tabs.map(TabLayout::bytes_prepared).max().unwrap_or(0)
    }

    /// Whether there is no tab for handovers, or one that cannot be written.
    pub(super) fn handovers_are_barred(&self) -> bool {
        let has_tab =
            self.layout.as_ref().is_some_and(|seen| seen.layout.tab(Purpose::Handovers).is_some());
        !has_tab
            || self.log_barred_until.is_some()
            || self.handovers_barred_until.is_some_and(|until| Instant::now() < until)
    }

    async fn traces(&self) -> Result<Traces, Error> {
        let facts = self.journal.facts(["marker_fences", "marker_readable"]).await?;
        Ok(Traces {
            marker: !facts.contains(&Some(false)) && !self.markers_full,
            positions: !self.positions_untold,
        })
    }

    /// What the board's reader must know before relying on it.
    fn remarks(&self, layout: &Layout, rows_left: u64) -> Vec<String> {
        let tally = self.journal.tally();
        let mut remarks = Vec::new();
        remarks.extend(self.status.alarm().map(|alarm| format!("ALARM: {alarm}")));
        if rows_left > 0 {
            remarks.push(format!("BEHIND: {rows_left} rows are still to be written"));
        }
        if tally.set_aside + tally.handovers_set_aside > 0 {
            let count = tally.set_aside + tally.handovers_set_aside;
            remarks.push(format!("{count} rows were refused by Google and set aside"));
        }
        if let Some(warning) = fullness(layout.cells) {
            remarks.push(warning);
        }
        if tally.assigned_at().is_none() && tally.accepted > 0 {
            remarks.push(format!(
                "tick CHAT_ASSIGNED_TO_AGENT in DoubleTick: until then a line leaves only after {} h",
                self.options.board.hours_max
            ));
        }
        remarks
    }

    /// One of a batch's tabs cannot be written, this one where Google says so: the others go on without it
    /// for a while. Where it does not say, they are left out one by one until it is plain.
    pub(super) fn part_is_refused(&mut self, plan: &Plan, by: Option<Purpose>, advice: &str) {
        let Some(by) = by.or_else(|| self.leave_out(plan)) else { return };
        let title = self.layout.as_ref().and_then(|seen| {
            let tab = seen.layout.by_id(by, plan.sheet_id(by)?)?;
            Some(format!(" `{}`", tab.title))
        });
        let sentence =
            format!("the {}{} cannot be written: {advice}", by.name(), title.unwrap_or_default());
        match by {
            Purpose::Board => {
                self.drawn.bar();
                self.warn_of(Some(sentence));
            }
            Purpose::Handovers => {
                self.handovers_barred_until = Some(Instant::now() + BARRED);
                self.warn_of(Some(sentence));
            }
            Purpose::Log => {
                // What was blamed before it was plain is well.
                self.drawn.unbar();
                self.handovers_barred_until = None;
                self.warn_of(None);
                self.log_barred_until = Some(Instant::now() + self.park(sentence));
            }
        }
    }

    /// The first of a batch's tabs that can be done without, which is then left out for a while.
    pub(super) fn leave_out(&mut self, plan: &Plan) -> Option<Purpose> {
        if plan.has_board() {
            self.drawn.bar();
            return Some(Purpose::Board);
        }
        plan.has_handovers().then(|| {
            self.handovers_barred_until = Some(Instant::now() + BARRED);
            Purpose::Handovers
        })
    }
}

/// A sentence from when on the workbook is nearly full.
pub(super) fn fullness(cells: u64) -> Option<String> {
    (cells >= CELLS_WARN).then(|| {
        let percent = cells * 100 / CELLS_MAX;
        format!("the workbook is {percent} % full: move old rows to another file")
    })
}
