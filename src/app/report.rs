//! What an instance says of itself to the others, through the journal; and what they make of it.
//!
//! States and sentences of ours only: no personal data, no secret.

use serde::{Deserialize, Serialize};

use crate::chat::time::UnixMs;
use crate::journal::Fellow;
use crate::operator::{History, Minute, Told};
use crate::status::{AskingState, Instance, SheetState, Status};

/// How old the owner's word may be before it is not shown as the state of things.
const FRESH_MS: i64 = 60_000;

/// What is said.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Report {
    version: String,
    started_at: i64,
    sheets: Vec<Sheet>,
    asking: String,
    asking_detail: String,
    last_write_at: Option<i64>,
    /// Minutes since 1970, calls to Google in each, and how many of those failed.
    calls: Vec<(i64, u64, u64)>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Sheet {
    name: String,
    state: String,
    detail: String,
    warning: Option<String>,
}

impl Report {
    pub(super) fn of(status: &Status, history: &History, started_at: UnixMs) -> Self {
        let sheet = |(name, state): (String, SheetState)| Sheet {
            state: state.word().to_owned(),
            detail: state.sentence().to_owned(),
            warning: status.warning(&name),
            name,
        };
        let (told, asking) = (history.told(), status.asking());
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: started_at.0,
            sheets: status.sheets().into_iter().map(sheet).collect(),
            asking: asking.word().to_owned(),
            asking_detail: asking.sentence().to_owned(),
            last_write_at: told.last_write_at.map(|at| at.0),
            calls: told.minutes.iter().map(|(at, of)| (*at, of.calls, of.errors)).collect(),
        }
    }

    fn told(&self) -> Told {
        let minute = |(at, calls, errors): &(i64, u64, u64)| {
            let (calls, errors) = (*calls, *errors);
            (*at, Minute { calls, errors })
        };
        Told {
            minutes: self.calls.iter().map(minute).collect(),
            last_write_at: self.last_write_at.map(UnixMs),
        }
    }

    pub(super) fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Notes who is there, and what calls they made; and where another instance forwards, what it says of the
    /// spreadsheets.
    pub(super) fn note(fellows: &[Fellow], status: &Status, history: &mut History) {
        // Another version may say more or less: what is not understood is left out.
        let read =
            |fellow: &Fellow| serde_json::from_str::<Self>(&fellow.report).unwrap_or_default();
        let reports: Vec<(&Fellow, Self)> = fellows.iter().map(|one| (one, read(one))).collect();
        let instances = reports.iter().map(|(fellow, report)| Instance {
            id: fellow.id.chars().take(6).collect(),
            version: report.version.clone(),
            started_at_ms: report.started_at,
            silent_ms: fellow.silent_ms,
            forwards: fellow.forwards,
            is_self: fellow.is_self,
        });
        status.set_instances(instances.collect());
        let others = reports.iter().filter(|(fellow, _)| !fellow.is_self);
        history.note_others(others.map(|(_, report)| report.told()).collect());
        let owner = reports.into_iter().find(|(fellow, _)| fellow.forwards && !fellow.is_self);
        let Some((fellow, report)) = owner else { return };
        if fellow.silent_ms > FRESH_MS {
            return;
        }
        let said = report.sheets.into_iter().map(|Sheet { name, state, detail, warning }| {
            (name, SheetState::named(&state, detail), warning)
        });
        status.follow(said.collect());
        status.set_asking(AskingState::named(&report.asking, report.asking_detail));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operator::MINUTES;

    fn fellow(report: String, forwards: bool, is_self: bool) -> Fellow {
        Fellow { id: "0123456789abcdef".into(), silent_ms: 100, report, forwards, is_self }
    }

    fn said(status: &Status, history: &History) -> String {
        Report::of(status, history, UnixMs(5)).to_json()
    }

    #[test]
    fn what_the_owner_says_of_the_sheets_is_seen_on_every_instance() {
        let owner = Status::default();
        owner.set_sheet("default", SheetState::Parked("share the sheet".into()));
        owner.set_warning("default", Some("it is nearly full".into()));
        owner.set_asking(AskingState::Failing("it did not answer".into()));
        let report = said(&owner, &History::default());
        let here = Status::default();
        here.set_sheet("default", SheetState::Connecting);
        here.set_sheet("spreadsheet 2", SheetState::Parked("of a route that is gone".into()));
        let fellows = [fellow(report, true, false), fellow(String::new(), false, true)];
        Report::note(&fellows, &here, &mut History::default());
        let parked = SheetState::Parked("share the sheet".into());
        assert_eq!(here.sheets(), [("default".to_owned(), parked)]);
        assert_eq!(here.warning("default").as_deref(), Some("it is nearly full"));
        assert_eq!(here.asking(), AskingState::Failing("it did not answer".into()));
        assert_eq!(here.instances().len(), 2);
    }

    #[test]
    fn the_owner_shows_what_it_sees_itself() {
        let here = Status::default();
        here.set_sheet("default", SheetState::Delivering);
        let old = Status::default();
        old.set_sheet("default", SheetState::Parked("of before".into()));
        let report = said(&old, &History::default());
        Report::note(&[fellow(report, true, true)], &here, &mut History::default());
        assert_eq!(here.state("default"), Some(SheetState::Delivering));
    }

    #[test]
    fn the_calls_of_the_last_hour_are_those_of_all_instances() {
        const NOW: UnixMs = UnixMs(1_782_901_800_000);
        let calls = |calls, errors| Minute { calls, errors };
        let mut there = History::default();
        there.sample(NOW.plus_ms(-60_000), calls(5, 1), 1);
        there.sample(NOW, calls(7, 1), 2);
        let mut here = History::default();
        here.sample(NOW, calls(1, 1), 2);
        let fellows = [
            fellow(said(&Status::default(), &there), true, false),
            fellow(said(&Status::default(), &here), false, true),
        ];
        for _ in 0..2 {
            Report::note(&fellows, &Status::default(), &mut here);
            assert_eq!(here.hour(NOW)[MINUTES - 2..], [calls(5, 1), calls(3, 1)]);
        }
        assert_eq!(here.last_write_at(), Some(NOW));
    }
}
