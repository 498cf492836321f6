//! What the service says of itself: the sheet's state, counters and the acknowledgement histogram.
//!
//! Written where things happen, read by health, metrics and the operator's page. Names no part, so that the
//! parts need not know each other in order to be seen together. Holds no personal data: a state's
//! sentence is ours, never Google's or a patient's words.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crate::histogram::Histogram;

/// The state of a sheet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SheetState {
    /// Not reached yet since the start.
    Connecting,
    /// The last call went through.
    Delivering,
    /// The last call did not go through; it is tried again by itself.
    Retrying(String),
    /// A human must act; the sentence says what to do. It is tried again by itself.
    Parked(String),
}

impl SheetState {
    /// The state as one word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Delivering => "delivering",
            Self::Retrying(_) => "retrying",
            Self::Parked(_) => "parked",
        }
    }

    /// The state that another instance called by this word, with its sentence.
    pub fn named(word: &str, sentence: String) -> Self {
        match word {
            "delivering" => Self::Delivering,
            "retrying" => Self::Retrying(sentence),
            "parked" => Self::Parked(sentence),
            _ => Self::Connecting,
        }
    }

    /// How much it wants attention: a broken sheet before one that is only slow to be reached.
    fn severity(&self) -> u8 {
        match self {
            Self::Delivering => 0,
            Self::Connecting => 1,
            Self::Retrying(_) => 2,
            Self::Parked(_) => 3,
        }
    }

    /// What to say of it to an operator.
    pub fn sentence(&self) -> &str {
        match self {
            Self::Connecting => "not yet reached the spreadsheet",
            Self::Delivering => "rows are being written",
            Self::Retrying(sentence) | Self::Parked(sentence) => sentence,
        }
    }
}

/// How it goes with asking DoubleTick who waits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AskingState {
    /// It is not asked.
    #[default]
    Off,
    /// No list was read yet since the start.
    Starting,
    /// The last list was read to its end.
    Asking,
    /// The last list was not; it is tried again by itself.
    Failing(String),
    /// DoubleTick's answers make no sense; it is tried again after an hour.
    Silent(String),
}

impl AskingState {
    /// The state as one word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Starting => "starting",
            Self::Asking => "asking",
            Self::Failing(_) => "failing",
            Self::Silent(_) => "silent",
        }
    }

    /// The state that another instance called by this word, with its sentence.
    pub fn named(word: &str, sentence: String) -> Self {
        match word {
            "starting" => Self::Starting,
            "asking" => Self::Asking,
            "failing" => Self::Failing(sentence),
            "silent" => Self::Silent(sentence),
            _ => Self::Off,
        }
    }

    /// What is wrong; `None` where nothing is.
    pub fn trouble(&self) -> Option<&str> {
        match self {
            Self::Off | Self::Starting | Self::Asking => None,
            Self::Failing(sentence) | Self::Silent(sentence) => Some(sentence),
        }
    }

    /// What to say of it to an operator.
    pub fn sentence(&self) -> &str {
        match self {
            Self::Off => {
                "DoubleTick is not asked who waits: that takes DOUBLETICK_API_KEY, and ASK_MINUTES above 0"
            }
            Self::Starting => "DoubleTick's list of who waits is being read",
            Self::Asking => "DoubleTick is asked regularly who waits",
            Self::Failing(sentence) | Self::Silent(sentence) => sentence,
        }
    }
}

/// One of the processes that share a journal, as it was last heard of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// The first letters of what it is called.
    pub id: String,
    /// Which version it is.
    pub version: String,
    /// When it started, in milliseconds since 1970 by its own clock.
    pub started_at_ms: i64,
    /// How long ago it was heard of.
    pub silent_ms: i64,
    /// Whether it is the one that writes rows.
    pub forwards: bool,
    /// Whether it is this process.
    pub is_self: bool,
}

/// What is known of a spreadsheet since it was last looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The name of the zone in which times are written.
    pub time_zone: String,
    /// Google's id of the board's tab, where there is one.
    pub board_tab: Option<i32>,
}

/// What the service says of itself.
#[derive(Debug, Default)]
pub struct Status {
    forwards: AtomicBool,
    /// When they were noted, and who they are.
    instances: Mutex<Option<(Instant, Vec<Instance>)>>,
    sheets: Mutex<BTreeMap<String, SheetState>>,
    warnings: Mutex<BTreeMap<String, String>>,
    places: Mutex<BTreeMap<String, Place>>,
    alarm: Mutex<Option<String>>,
    asking: Mutex<AskingState>,
    /// Requests that were refused, by reason.
    pub refused: Counters<&'static str>,
    /// Events that we do not act on, by family.
    pub ignored: Counters<&'static str>,
    /// Lookups of customers' names, by how they ended.
    pub lookups: Counters<&'static str>,
    /// Calls to Google, by what they were and how they ended.
    pub google_calls: Counters<(&'static str, &'static str)>,
    /// How long acknowledgements took, from the first byte read to the answer.
    pub acks: Histogram,
}

/// What happened since the start, counted by kind.
#[derive(Debug)]
pub struct Counters<K>(Mutex<BTreeMap<K, u64>>);

impl<K> Default for Counters<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Copy + Ord> Counters<K> {
    /// Counts one of this kind; gives how many there are now.
    pub fn add(&self, kind: K) -> u64 {
        let mut counts = locked(&self.0);
        let count = counts.entry(kind).or_default();
        *count += 1;
        *count
    }

    /// How many of this kind there were.
    pub fn of(&self, kind: K) -> u64 {
        locked(&self.0).get(&kind).copied().unwrap_or_default()
    }

    /// All kinds that there were.
    pub fn all(&self) -> BTreeMap<K, u64> {
        locked(&self.0).clone()
    }
}

impl Status {
    /// The state of the spreadsheet that is worst off.
    pub fn sheet(&self) -> SheetState {
        let worst = locked(&self.sheets).values().max_by_key(|state| state.severity()).cloned();
        worst.unwrap_or(SheetState::Connecting)
    }

    /// The state of the spreadsheet of this name.
    pub fn state(&self, name: &str) -> Option<SheetState> {
        locked(&self.sheets).get(name).cloned()
    }

    /// The state of each spreadsheet, by its name.
    pub fn sheets(&self) -> Vec<(String, SheetState)> {
        locked(&self.sheets).iter().map(|(name, state)| (name.clone(), state.clone())).collect()
    }

    /// Notes a spreadsheet's state; true where it differs from before.
    pub fn set_sheet(&self, name: &str, state: SheetState) -> bool {
        let before = locked(&self.sheets).insert(name.to_owned(), state.clone());
        before != Some(state)
    }

    /// Takes over what the process that writes the rows says of each spreadsheet, and of no other: its name,
    /// its state, and what will have to be mended.
    pub fn follow(&self, said: Vec<(String, SheetState, Option<String>)>) {
        let states = said.iter().map(|(name, state, _)| (name.clone(), state.clone())).collect();
        let warning = |(name, _, warning): (String, _, Option<String>)| Some((name, warning?));
        *locked(&self.warnings) = said.into_iter().filter_map(warning).collect();
        *locked(&self.sheets) = states;
    }

    /// Notes what will have to be mended in a spreadsheet, a sentence; `None` when there is nothing.
    /// True where it differs from before.
    pub fn set_warning(&self, name: &str, warning: Option<String>) -> bool {
        let mut warnings = locked(&self.warnings);
        let before = match &warning {
            Some(sentence) => warnings.insert(name.to_owned(), sentence.clone()),
            None => warnings.remove(name),
        };
        before != warning
    }

    /// What will have to be mended in any spreadsheet, one sentence of them.
    pub fn any_warning(&self) -> Option<String> {
        locked(&self.warnings).values().next().cloned()
    }

    /// What will have to be mended in a spreadsheet.
    pub fn warning(&self, name: &str) -> Option<String> {
        locked(&self.warnings).get(name).cloned()
    }

    /// What is known of the spreadsheet of this name; `None` where this process has not seen it yet.
    pub fn place(&self, name: &str) -> Option<Place> {
        locked(&self.places).get(name).cloned()
    }

    /// Notes what is known of a spreadsheet.
    pub fn set_place(&self, name: &str, place: Place) {
        locked(&self.places).insert(name.to_owned(), place);
    }

    /// Whether this process writes the rows. It may be another's turn where several share a journal.
    pub fn forwards(&self) -> bool {
        self.forwards.load(Ordering::Relaxed)
    }

    /// Notes whether this process writes the rows.
    pub fn set_forwards(&self, forwards: bool) {
        self.forwards.store(forwards, Ordering::Relaxed);
    }

    /// The processes that share the journal; none where only one can.
    pub fn instances(&self) -> Vec<Instance> {
        let Some((noted, mut instances)) = locked(&self.instances).clone() else {
            return Vec::new();
        };
        // Nothing is heard of anybody while the database is away.
        let since_ms = i64::try_from(noted.elapsed().as_millis()).unwrap_or(i64::MAX);
        for instance in &mut instances {
            instance.silent_ms = instance.silent_ms.saturating_add(since_ms);
        }
        instances
    }

    /// Notes which processes share the journal.
    pub fn set_instances(&self, instances: Vec<Instance>) {
        *locked(&self.instances) = Some((Instant::now(), instances));
    }

    /// How it goes with asking DoubleTick who waits.
    pub fn asking(&self) -> AskingState {
        locked(&self.asking).clone()
    }

    /// Notes how that goes; gives how it went before.
    pub fn set_asking(&self, state: AskingState) -> AskingState {
        std::mem::replace(&mut *locked(&self.asking), state)
    }

    /// Why the alarm is on, in one sentence; `None` where it is off.
    pub fn alarm(&self) -> Option<String> {
        locked(&self.alarm).clone()
    }

    /// Notes whether the alarm is on, and why.
    pub fn set_alarm(&self, sentence: Option<String>) {
        *locked(&self.alarm) = sentence;
    }
}

/// A panic elsewhere leaves the numbers as they were; they are still worth reading.
fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
