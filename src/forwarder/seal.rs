//! What goes into the next batch: pending rows, and the board as it is.

use std::time::{Duration, Instant};

use crate::chat::board::LINES_MAX;
use crate::chat::time::UnixMs;
use crate::forwarder::held::Held;
use crate::forwarder::pick::{Measure, pick};
use crate::forwarder::seen::Seen;
use crate::forwarder::{BATCH_BYTES_MAX, BATCH_ROWS_MAX, Forwarder, Next};
use crate::journal::{Draft, Error, Look, Work};
use crate::sheets::cells::bytes_of;
use crate::sheets::zone::time_zone;
use crate::sheets::{LINE_BYTES, Layout, Needs, Plan, Purpose, TabLayout, Traces, Trouble};
use crate::status::AskingState;

/// What a row is taken to be on the wire before one was written: a short one.
pub(super) const ROW_BYTES: usize = 700;
/// What a blank cell is on the wire.
const BLANK_BYTES: usize = 3;
/// How long to wait where of what is pending nothing can go now.
const NOTHING_CAN_GO: Duration = Duration::from_secs(1);
/// How many cells Google allows a workbook; from nine tenths on we say so.
const CELLS_MAX: u64 = 20_000_000;
const CELLS_WARN: u64 = CELLS_MAX / 10 * 9;

impl Forwarder {
    /// Seals what is to be written next and sends it.
    pub(super) async fn seal(&mut self) -> Result<Next, Error> {
        let Some(seen) = &self.seen else { return Ok(Next::Step) };
        let (now, instant) = (self.now(), Instant::now());
        let work = self.journal.work(self.options.book);
        let may_draw = seen.layout.tab(Purpose::Board).is_some()
            && !self.barred.holds(Purpose::Board, instant);
        let board_is_due = may_draw
            && self.board.is_due(work.board_changes, now)
            && (work.pending > 0 || self.own_writes.has_room(now));
        if work.pending == 0 && self.barred.log_was_refused() {
            // No row is there any more to try it with.
            self.barred.lift(Purpose::Log);
            self.succeeded();
            return Ok(Next::Step);
        }
        if work.pending == 0 && !board_is_due {
            if std::mem::take(&mut self.is_unpurged) {
                self.journal.purge().await?;
            }
            return if self.pruning.is_due() {
                Ok(self.prune().await)
            } else {
                self.summarise().await
            };
        }
        let log_is_barred = self.barred.holds(Purpose::Log, instant);
        if log_is_barred && !board_is_due {
            return Ok(Next::Wait(NOTHING_CAN_GO));
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
        let is_urgent = board_is_due || (may_draw && self.board.is_old(now));
        let log_is_tried = self.barred.log_was_refused() && !log_is_barred;
        let room_for_board = !log_is_tried && (is_urgent || (may_draw && !is_full));
        let (draft, title) = self.draft(work, room_for_board, now).await?;
        if draft.rows() == 0 && !board_is_due {
            return Ok(match self.journal.awaits_name(self.options.book, now).await? {
                Some(wait) => Next::WaitForName(wait),
                // A tab is lacking, or another process added what is pending.
                None if work.pending > 0 => Next::Wait(NOTHING_CAN_GO),
                None => Next::Idle,
            });
        }
        let takes_all = work.pending <= draft.rows() as u64;
        let with_board = room_for_board && (is_urgent || takes_all);
        self.seal_draft((draft, title), with_board, work, now).await
    }

    async fn seal_draft(
        &mut self,
        (draft, title): (Draft, Option<String>),
        with_board: bool,
        work: Work,
        now: UnixMs,
    ) -> Result<Next, Error> {
        let Some(Seen { layout, .. }) = &self.seen else { return Ok(Next::Step) };
        let handovers = !draft.handovers().is_empty();
        let formats = self.formats.go_along(Instant::now());
        let needs = Needs { log: title.as_deref(), handovers, board: with_board, formats };
        let Some(plan) = Plan::new(layout, needs, self.traces().await?) else {
            // The tab of another month, or one that has gone since.
            self.late_title = title;
            return Ok(self.survey().await);
        };
        if title != self.late_title {
            self.late_title = None;
        }
        if draft.is_doubtful() {
            match self.found_in(layout, &plan, &draft).await {
                Ok(found) if found.is_empty() => {}
                Ok(found) => {
                    let rows = found.len();
                    self.journal.found_written(draft, found).await?;
                    log::warn!(rows; "rows that the database held as pending stand in the sheet: counted");
                    return Ok(Next::Step);
                }
                Err(trouble) => return Ok(Next::Wait(self.troubled(trouble))),
            }
        }
        let look = with_board.then(|| Look {
            book: self.options.book,
            age_max_ms: i64::from(self.options.board.hours_max) * 3_600_000,
            wait_max_ms: self.options.board.wait_max_minutes.map(|max| i64::from(max) * 60_000),
            remarks: self.remarks(layout, work.pending.saturating_sub(draft.rows() as u64)),
        });
        match self.journal.seal(draft, plan.to_text(), look, now).await? {
            Some(batch) => {
                let entries = batch.entries().iter().chain(batch.handovers());
                let bytes: usize = entries.map(bytes_of).sum();
                let average = bytes.checked_div(batch.rows());
                self.row_bytes = average.map_or(self.row_bytes, |bytes| bytes + self.bytes_more());
                Ok(self.advance(Held::sealed(batch, plan)).await)
            }
            None => Ok(Next::Step),
        }
    }

    /// The numbers of those rows of a draft that stand in the tabs where they are to go.
    async fn found_in(
        &self,
        layout: &Layout,
        plan: &Plan,
        draft: &Draft,
    ) -> Result<Vec<u64>, Trouble> {
        let mut found = Vec::new();
        let rows = [(Purpose::Log, draft.entries()), (Purpose::Handovers, draft.handovers())];
        for (purpose, entries) in rows.into_iter().filter(|(_, entries)| !entries.is_empty()) {
            let sheet_id = plan.sheet_id(purpose);
            if let Some(tab) = sheet_id.and_then(|id| layout.by_id(purpose, id)) {
                found.extend(self.sheets.held_of(tab, entries).await?);
            }
        }
        Ok(found)
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
        let zone_name = self.seen.as_ref().map_or("UTC", |seen| &seen.layout.time_zone);
        let zone = time_zone(zone_name);
        let rows_max = match self.barred.holds(Purpose::Log, Instant::now()) {
            true => 0,
            false => self.suspect.map_or(BATCH_ROWS_MAX, |suspect| suspect.rows_max),
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

    /// Bytes that a row takes besides its own cells: blank ones, in columns of people's own between ours.
    fn bytes_more(&self) -> usize {
        let tabs = self.seen.iter().flat_map(|seen| &seen.layout.tabs);
        tabs.map(TabLayout::between).max().unwrap_or(0) * BLANK_BYTES
    }

    /// Whether there is no tab for handovers, or one that cannot be written.
    pub(super) fn handovers_are_barred(&self) -> bool {
        let has_tab =
            self.seen.as_ref().is_some_and(|seen| seen.layout.tab(Purpose::Handovers).is_some());
        !has_tab
            || self.barred.log_was_refused()
            || self.barred.holds(Purpose::Handovers, Instant::now())
    }

    pub(super) async fn traces(&self) -> Result<Traces, Error> {
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
        remarks.extend(layout.table_advice());
        remarks.extend(fullness(layout.cells));
        let is_asked = self.status.asking() == AskingState::Asking;
        if tally.assigned_at().is_none() && tally.accepted > 0 && !is_asked {
            remarks.push(format!(
                "tick CHAT_ASSIGNED_TO_AGENT in DoubleTick: until then a line leaves only after {} h",
                self.options.board.hours_max
            ));
        }
        remarks
    }
}

/// A sentence from when on the workbook is nearly full.
pub(super) fn fullness(cells: u64) -> Option<String> {
    (cells >= CELLS_WARN).then(|| {
        let percent = cells * 100 / CELLS_MAX;
        format!("the workbook is {percent} % full: move old rows to another file")
    })
}
