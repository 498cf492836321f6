//! What an instance says of itself to the others, through the journal; and what they make of it.
//!
//! States and sentences of ours only: no personal data, no secret.

use serde::{Deserialize, Serialize};

use crate::chat::time::UnixMs;
use crate::journal::Fellow;
use crate::status::{Instance, SheetState, Status};

/// How old the owner's word may be before it is not shown as the state of things.
const FRESH_MS: i64 = 60_000;

/// What is said.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Report {
    version: String,
    started_at: i64,
    sheets: Vec<Sheet>,
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
    pub(super) fn of(status: &Status, started_at: UnixMs) -> Self {
        let sheet = |(name, state): (String, SheetState)| Sheet {
            state: state.word().to_owned(),
            detail: state.sentence().to_owned(),
            warning: status.warning(&name),
            name,
        };
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: started_at.0,
            sheets: status.sheets().into_iter().map(sheet).collect(),
        }
    }

    pub(super) fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Notes who is there; and where another instance forwards, what it says of the spreadsheets.
    pub(super) fn note(fellows: &[Fellow], status: &Status) {
        // Another version may say more or less: what is not understood is left out.
        let read =
            |fellow: &Fellow| -> Self { serde_json::from_str(&fellow.report).unwrap_or_default() };
        let instances = fellows.iter().map(|fellow| {
            let Self { version, started_at, .. } = read(fellow);
            Instance {
                id: fellow.id.chars().take(6).collect(),
                version,
                started_at_ms: started_at,
                silent_ms: fellow.silent_ms,
                forwards: fellow.forwards,
                is_self: fellow.is_self,
            }
        });
        status.set_instances(instances.collect());
        let Some(owner) = fellows.iter().find(|fellow| fellow.forwards && !fellow.is_self) else {
            return;
        };
        if owner.silent_ms > FRESH_MS {
            return;
        }
        for Sheet { name, state, detail, warning } in read(owner).sheets {
            status.set_sheet(&name, SheetState::named(&state, detail));
            status.set_warning(&name, warning);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fellow(report: String, forwards: bool, is_self: bool) -> Fellow {
        Fellow { id: "0123456789abcdef".into(), silent_ms: 100, report, forwards, is_self }
    }

    #[test]
    fn what_the_owner_says_of_the_sheets_is_seen_on_every_instance() {
        let owner = Status::default();
        owner.set_sheet("default", SheetState::Parked("share the sheet".into()));
        owner.set_warning("default", Some("it is nearly full".into()));
        let report = Report::of(&owner, UnixMs(5)).to_json();
        let here = Status::default();
        here.set_sheet("default", SheetState::Connecting);
        Report::note(&[fellow(report, true, false), fellow(String::new(), false, true)], &here);
        assert_eq!(here.state("default"), Some(SheetState::Parked("share the sheet".into())));
        assert_eq!(here.warning("default").as_deref(), Some("it is nearly full"));
        assert_eq!(here.instances().len(), 2);
    }

    #[test]
    fn the_owner_shows_what_it_sees_itself() {
        let here = Status::default();
        here.set_sheet("default", SheetState::Delivering);
        let old = Status::default();
        old.set_sheet("default", SheetState::Parked("of before".into()));
        Report::note(&[fellow(Report::of(&old, UnixMs(5)).to_json(), true, true)], &here);
        assert_eq!(here.state("default"), Some(SheetState::Delivering));
    }
}
