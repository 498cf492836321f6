//! The watch: observes the service every second, keeps the history of the last hour, and raises the alarm.

use std::sync::Arc;
use std::time::Duration;

use crate::alarm::{Alarm, Condition, Notice, Observation, Reason};
use crate::app::alarm_hook::AlarmHook;
use crate::app::clock;
use crate::causes::Causes;
use crate::chat::time::UnixMs;
use crate::journal::Journal;
use crate::operator::{Minute, Operator};
use crate::status::{SheetState, Status};

const LOOK_EVERY: Duration = Duration::from_secs(1);
/// After how many looks the alarm is considered again.
const ALARM_EVERY: u32 = 5;

#[derive(Debug)]
pub(super) struct Watch {
    pub(super) operator: Arc<Operator>,
    pub(super) status: Arc<Status>,
    pub(super) journal: Journal,
    pub(super) alarm: Alarm,
    pub(super) alarm_hook: Option<AlarmHook>,
    /// Whether this instance tells of alarms: the one that forwards, or did last.
    pub(super) is_speaker: bool,
}

impl Watch {
    /// Watches. Never ends.
    pub(super) async fn run(mut self) {
        let mut looks: u32 = 0;
        loop {
            let now = clock::now();
            let written = self.journal.tally().written;
            self.operator.history().sample(now, self.calls(), written);
            if looks.is_multiple_of(ALARM_EVERY) {
                self.look(now).await;
            }
            looks = looks.wrapping_add(1);
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// All calls to Google since the start.
    fn calls(&self) -> Minute {
        let mut total = Minute::default();
        for ((_, outcome), count) in self.status.google_calls.all() {
            total.calls += count;
            total.errors += if outcome == "ok" { 0 } else { count };
        }
        total
    }

    async fn look(&mut self, now: UnixMs) {
        let oldest_pending = self.journal.oldest_pending(now).await;
        let journal = match (self.journal.condition(), &oldest_pending) {
            (Some(condition), _) => Some(condition.to_string()),
            (None, Err(error)) => Some(format!("events are refused: {}", Causes(error))),
            (None, Ok(_)) => None,
        };
        let oldest_pending = oldest_pending.unwrap_or_default();
        let sheet = self.status.sheet();
        let observation = Observation {
            pending_rows: self.journal.tally().pending() + self.journal.tally().handovers_pending(),
            oldest_pending,
            journal,
            sheet: match &sheet {
                SheetState::Delivering => Condition::Delivering,
                SheetState::Connecting | SheetState::Retrying(_) => Condition::Waiting,
                SheetState::Parked(_) => Condition::Parked,
            },
            // Where rows are written and some are not, the warning says why.
            sentence: match sheet {
                SheetState::Delivering => self.status.any_warning(),
                _ => None,
            }
            .unwrap_or_else(|| sheet.sentence().to_owned()),
        };
        let word = self.alarm.observe(&observation, now);
        let age_ms = oldest_pending.map_or(0, |oldest| now.since_ms(oldest));
        self.status.set_alarm(self.alarm.is_on().then(|| observation.summary(age_ms)));
        if self.status.forwards() {
            self.is_speaker = true;
        } else if self.status.instances().iter().any(|other| other.forwards && !other.is_self) {
            self.is_speaker = false;
        }
        if let Some(word) = word.filter(|_| self.is_speaker) {
            self.say(word, observation.pending_rows);
        }
        if let Some(alarm_hook) = self.alarm_hook.as_mut().filter(|_| self.is_speaker) {
            alarm_hook.send(now).await;
        }
    }

    fn say(&mut self, word: Notice, pending_rows: u64) {
        let told = match word {
            // The forwarder has said so already.
            Notice::On(Reason::Parked, sentence) => Some(sentence),
            Notice::On(Reason::Overdue | Reason::Journal, sentence) => {
                log::error!(pending_rows; "{sentence}");
                Some(sentence)
            }
            Notice::Still(sentence) => {
                log::error!(pending_rows; "still: {sentence}");
                None
            }
            Notice::Off(sentence) => {
                log::info!("{sentence}");
                Some(sentence)
            }
        };
        if let (Some(alarm_hook), Some(sentence)) = (&mut self.alarm_hook, told) {
            alarm_hook.tell(sentence);
        }
    }
}
