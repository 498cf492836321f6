//! How things are at one moment: gathered once, shown in several sections.

use crate::chat::time::UnixMs;
use crate::http::kept::{Kept, soon};
use crate::http::page::locked;
use crate::http::page::test_event::{self, TestEvent};
use crate::http::{self, MISDIRECTED, WRONG_ADDRESS};
use crate::journal::{SetAside, Tally};
use crate::operator::{Findings, MINUTES, Minute};
use crate::status::{AskingState, Instance, SheetState};

/// How many rows set aside the page lists; the export has all of them.
pub(super) const LISTED_MAX: usize = 20;

pub(super) struct View {
    pub(super) now: UnixMs,
    pub(super) tally: Tally,
    /// Rows set aside, of the log and of the handovers.
    pub(super) aside_rows: u64,
    /// Chats without an agent.
    pub(super) waiting: u64,
    /// Chats without an agent of which nothing was ever heard.
    pub(super) unheard: u64,
    /// How it goes with asking DoubleTick who waits.
    pub(super) asking: AskingState,
    /// Whether the journal said so just now.
    pub(super) kept: Kept,
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
    /// `None` where the journal is this process's alone.
    pub(super) shared: Option<Shared>,
}

/// A journal that several processes share.
pub(super) struct Shared {
    /// Where it is, in words.
    pub(super) place: String,
    /// On how many machines what was acknowledged is; `None` where it does not answer.
    pub(super) copies: Option<u32>,
    /// Those that are known, the one that forwards first, then the longest there.
    pub(super) instances: Vec<Instance>,
}

/// Requests that nearly had the webhook's address, since the start.
fn misdirected(shared: &http::Shared) -> Option<String> {
    let count = shared.status.refused.of(WRONG_ADDRESS);
    (count > 0).then(|| format!("{MISDIRECTED} ({count} since the start)"))
}

impl View {
    pub(super) async fn gather(shared: &http::Shared) -> Self {
        let now = (shared.now)();
        let kept = Kept::ask(shared, now).await;
        let is_known = matches!(kept, Kept::Known { .. });
        if is_known {
            soon(test_event::look(shared)).await;
        }
        let tally = shared.journal.tally();
        let aside_rows = tally.set_aside + tally.handovers_set_aside;
        let set_aside = match aside_rows {
            1.. if is_known => {
                let listed = soon(shared.journal.set_aside_after(0, LISTED_MAX)).await;
                listed.and_then(Result::ok).unwrap_or_default()
            }
            _ => Vec::new(),
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
            unheard: shared.journal.unheard(),
            asking: shared.status.asking(),
            kept,
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
            shared: shared.journal.is_shared().then(|| Shared::gather(shared, kept)),
        }
    }

    /// Seconds since then; none below zero after the clock was set back.
    pub(super) fn seconds_since(&self, at: UnixMs) -> i64 {
        (self.now.since_ms(at) / 1_000).max(0)
    }

    /// Whether everything is set up: nothing is left to do before rows arrive by themselves.
    pub(super) fn is_set_up(&self) -> bool {
        self.tally.written > 0 && self.sheet == SheetState::Delivering && !self.is_tried_only()
    }

    /// Whether nothing came but the test event.
    pub(super) fn is_tried_only(&self) -> bool {
        self.tally.accepted == 1 && self.tally.remembered == 0 && self.test_event.is_some()
    }
}

impl Shared {
    fn gather(shared: &http::Shared, kept: Kept) -> Self {
        let mut instances = shared.status.instances();
        instances.sort_by_key(|instance| (!instance.forwards, instance.started_at_ms));
        Self { place: shared.journal.place().to_owned(), copies: kept.copies(), instances }
    }
}
