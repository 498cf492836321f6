//! How things are at one moment: gathered once, shown in several sections.

use crate::chat::time::UnixMs;
use crate::http::page::locked;
use crate::http::page::test_event::{self, TestEvent};
use crate::http::{MISDIRECTED, Shared, WRONG_ADDRESS};
use crate::journal::{SetAside, Tally};
use crate::operator::{Findings, MINUTES, Minute};
use crate::status::SheetState;

/// How many rows set aside the page lists; the export has all of them.
pub(super) const LISTED_MAX: usize = 20;

pub(super) struct View {
    pub(super) now: UnixMs,
    pub(super) tally: Tally,
    /// Rows set aside, of the log and of the handovers.
    pub(super) aside_rows: u64,
    /// Chats without an agent.
    pub(super) waiting: u64,
    /// When the oldest pending row came; `None` also where the journal does not answer.
    pub(super) oldest_pending: Option<UnixMs>,
    pub(super) is_answering: bool,
    /// Why no event can be taken.
    pub(super) condition: Option<String>,
    /// The worst state of any sheet, and each sheet's by its name.
    pub(super) sheet: SheetState,
    pub(super) sheets: Vec<(String, SheetState)>,
    /// What has to be mended, though rows are written.
    pub(super) warnings: Vec<String>,
    pub(super) alarm: Option<String>,
    pub(super) findings: Findings,
    pub(super) hour: [Minute; MINUTES],
    pub(super) last_write_at: Option<UnixMs>,
    pub(super) test_event: Option<TestEvent>,
    pub(super) set_aside: Vec<SetAside>,
}

/// Requests that nearly had the webhook's address, since the start.
fn misdirected(shared: &Shared) -> Option<String> {
    let count = shared.status.refused.of(WRONG_ADDRESS);
    (count > 0).then(|| format!("{MISDIRECTED} ({count} since the start)"))
}

impl View {
    pub(super) async fn gather(shared: &Shared) -> Self {
        let now = (shared.now)();
        test_event::look(shared).await;
        let oldest = shared.journal.oldest_pending(now).await;
        let tally = shared.journal.tally();
        let aside_rows = tally.set_aside + tally.handovers_set_aside;
        let set_aside = match aside_rows {
            0 => Vec::new(),
            _ => shared.journal.set_aside_after(0, LISTED_MAX).await.unwrap_or_default(),
        };
        let sheets = shared.status.sheets();
        let operator = &shared.page.operator;
        let (hour, last_write_at) = {
            let history = operator.history();
            (history.hour(now), history.last_write_at())
        };
        Self {
            now,
            tally,
            aside_rows,
            waiting: shared.journal.waiting(),
            is_answering: oldest.is_ok(),
            oldest_pending: oldest.unwrap_or_default(),
            condition: shared.journal.condition().map(|condition| condition.to_string()),
            sheet: shared.status.sheet(),
            warnings: sheets
                .iter()
                .filter_map(|(name, _)| shared.status.warning(name))
                .chain(shared.journal.warnings())
                .chain(misdirected(shared))
                .collect(),
            sheets,
            alarm: shared.status.alarm(),
            findings: operator.findings(),
            hour,
            last_write_at,
            test_event: locked(&shared.page.test_event).clone(),
            set_aside,
        }
    }

    /// Seconds since then; none below zero after the clock was set back.
    pub(super) fn seconds_since(&self, at: UnixMs) -> i64 {
        (self.now.since_ms(at) / 1_000).max(0)
    }

    /// Whether everything is set up: nothing is left to do before rows arrive by themselves.
    pub(super) fn is_set_up(&self) -> bool {
        self.tally.written > 0 && self.sheet == SheetState::Delivering
    }
}
