//! The columns of our tabs: their labels, their keys in the sheet's metadata, and how each is dressed.

use serde::{Deserialize, Serialize};

/// A tab of ours, by what it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// One row an unassignment, for ever.
    Log,
    /// One row for each wait that ended.
    Handovers,
    /// Who waits now: written as a whole.
    Board,
    /// The last days at a glance: written as a whole.
    Summary,
}

impl Purpose {
    /// Its columns, in the order in which a new tab gets them.
    pub fn columns(self) -> &'static [Column] {
        match self {
            Self::Log => &[
                Column::UnassignedAt,
                Column::CustomerName,
                Column::CustomerPhone,
                Column::PreviousAgent,
                Column::AgentPhone,
                Column::WabaNumber,
                Column::Status,
                Column::Chat,
                Column::ChatId,
                Column::EventId,
            ],
            Self::Handovers => &[
                Column::CustomerName,
                Column::CustomerPhone,
                Column::PreviousAgent,
                Column::TakenBy,
                Column::UnassignedAt,
                Column::TakenAt,
                Column::Waited,
                Column::WabaNumber,
                Column::EventId,
            ],
            Self::Board => &[
                Column::Waiting,
                Column::UnassignedAt,
                Column::CustomerName,
                Column::CustomerPhone,
                Column::PreviousAgent,
                Column::AgentPhone,
                Column::WabaNumber,
                Column::Drops,
                Column::Chat,
            ],
            Self::Summary => &[
                Column::Day,
                Column::DayDropped,
                Column::DayTaken,
                Column::DayClosed,
                Column::DayMedian,
                Column::DayLongest,
                Column::Agent,
                Column::AgentDropped,
                Column::AgentTaken,
                Column::AgentMedian,
                Column::Hour,
                Column::HourDropped,
            ],
        }
    }

    /// How the tab's metadata begins: what it is for, and the version of its columns.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Log => "log.2",
            Self::Handovers => "handovers.1",
            Self::Board => "board.1",
            Self::Summary => "summary.1",
        }
    }

    /// What it is called in a sentence.
    pub fn name(self) -> &'static str {
        match self {
            Self::Log => "log tab",
            Self::Handovers => "handovers tab",
            Self::Board => "board",
            Self::Summary => "summary",
        }
    }

    /// Whether rows never wait for its tab: it is made, and written, when nothing else is to be.
    pub(super) fn can_wait(self) -> bool {
        self == Self::Summary
    }

    /// The row of the labels, from 0: above those of the board and the summary stands a sentence.
    pub(super) const fn header_row(self) -> u32 {
        match self {
            Self::Board | Self::Summary => 1,
            Self::Log | Self::Handovers => 0,
        }
    }
}

/// One column of a tab of ours. The order is that of their metadata ids: only ever add at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Column {
    /// When the chat lost its agent.
    UnassignedAt,
    /// Who waits.
    CustomerName,
    /// Where to reach them.
    CustomerPhone,
    /// Who had the chat.
    PreviousAgent,
    /// That agent's phone.
    AgentPhone,
    /// The clinic's number.
    WabaNumber,
    /// The words `Open chat`, linked.
    Chat,
    /// DoubleTick's id of the chat.
    ChatId,
    /// Ours: for audit, and to find a row again where markers cannot be trusted.
    EventId,
    /// People's: a row begins with the first choice of a dropdown.
    Status,
    /// How long so far, by a formula.
    Waiting,
    /// How often the chat was dropped in the last day.
    Drops,
    /// Who took the chat.
    TakenBy,
    /// When.
    TakenAt,
    /// How long the patient had waited by then, in minutes.
    Waited,
    /// A day of the summary, and what happened on it.
    Day,
    /// Chats that lost their agent.
    DayDropped,
    /// Chats that got one while they waited.
    DayTaken,
    /// Conversations closed while they waited.
    DayClosed,
    /// Of the waits that ended then, in minutes.
    DayMedian,
    /// The same.
    DayLongest,
    /// An agent of the last days, and what they did.
    Agent,
    /// Chats that they lost.
    AgentDropped,
    /// Chats that they took.
    AgentTaken,
    /// How long chats had waited that they had lost, in minutes.
    AgentMedian,
    /// An hour of the day.
    Hour,
    /// Chats that lost their agent in it.
    HourDropped,
}

/// How a cell shows its number, in Google's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct NumberFormat {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pattern: Option<&'static str>,
}

impl NumberFormat {
    /// Whether cells of it hold texts.
    pub(super) fn is_text(self) -> bool {
        self.kind == "TEXT"
    }
}

/// The pattern under which people see a time.
pub const TIME_PATTERN: &str = "yyyy-mm-dd hh:mm:ss";
/// What the Status column offers; a new row has the first.
pub const STATUSES: [&str; 4] = ["Waiting", "Called back", "Reassigned", "Done"];

/// What cells of a column hold.
#[derive(Clone, Copy)]
enum Holds {
    Text,
    Time,
    Date,
    Duration,
    Number,
}

/// What is said of each column once and for all, in the order of the enum: what its metadata says, which
/// never changes; what the header says when we make it, which people may rename; the width of a new one in
/// pixels; what its cells hold.
const COLUMNS: [(Column, &str, &str, u32, Holds); 27] = [
    (Column::UnassignedAt, "unassigned_at", "Unassigned at", 160, Holds::Time),
    (Column::CustomerName, "customer_name", "Customer name", 160, Holds::Text),
    (Column::CustomerPhone, "customer_phone", "Customer phone", 135, Holds::Text),
    (Column::PreviousAgent, "previous_agent", "Previous agent", 160, Holds::Text),
    (Column::AgentPhone, "agent_phone", "Agent phone", 135, Holds::Text),
    (Column::WabaNumber, "waba_number", "WABA number", 135, Holds::Text),
    (Column::Chat, "chat", "Chat", 90, Holds::Text),
    (Column::ChatId, "chat_id", "Chat ID", 150, Holds::Text),
    (Column::EventId, "event_id", "Event ID", 150, Holds::Text),
    (Column::Status, "status", "Status", 120, Holds::Text),
    (Column::Waiting, "waiting", "Waiting", 90, Holds::Duration),
    (Column::Drops, "drops", "Dropped in 24 h", 120, Holds::Number),
    (Column::TakenBy, "taken_by", "Taken by", 160, Holds::Text),
    (Column::TakenAt, "taken_at", "Taken at", 160, Holds::Time),
    (Column::Waited, "waited", "Waited (minutes)", 135, Holds::Number),
    (Column::Day, "day", "Day", 90, Holds::Date),
    (Column::DayDropped, "day_dropped", "Dropped", 75, Holds::Number),
    (Column::DayTaken, "day_taken", "Taken", 75, Holds::Number),
    (Column::DayClosed, "day_closed", "Closed", 75, Holds::Number),
    (Column::DayMedian, "day_median", "Median wait (minutes)", 170, Holds::Number),
    (Column::DayLongest, "day_longest", "Longest wait (minutes)", 175, Holds::Number),
    (Column::Agent, "agent", "Agent", 160, Holds::Text),
    (Column::AgentDropped, "agent_dropped", "They dropped", 115, Holds::Number),
    (Column::AgentTaken, "agent_taken", "They took", 85, Holds::Number),
    (Column::AgentMedian, "agent_median", "Median wait of those", 165, Holds::Number),
    (Column::Hour, "hour", "Hour", 70, Holds::Text),
    (Column::HourDropped, "hour_dropped", "Dropped in that hour", 150, Holds::Number),
];

impl Column {
    /// What the header says when we make it. People may rename it.
    pub fn label(self) -> &'static str {
        COLUMNS[self as usize].2
    }

    /// Whether nobody else's list is likely to have a column of that label.
    pub fn is_told_by_its_label(self) -> bool {
        !matches!(
            self,
            Self::CustomerName
                | Self::CustomerPhone
                | Self::Status
                | Self::Chat
                | Self::Waiting
                | Self::Day
                | Self::DayTaken
                | Self::DayClosed
                | Self::Agent
                | Self::Hour
        )
    }

    /// What the column's metadata says: never changes, whatever people do to the header.
    pub fn key(self) -> &'static str {
        COLUMNS[self as usize].1
    }

    /// The column whose metadata says this.
    pub fn of_key(key: &str) -> Option<Self> {
        COLUMNS.iter().find(|column| column.1 == key).map(|column| column.0)
    }

    /// The column of such a tab that a header cell of this text stands for, whatever its capitals.
    pub fn of_label(purpose: Purpose, label: &str) -> Option<Self> {
        let label = label.trim();
        let mut columns = purpose.columns().iter().copied();
        columns.find(|column| column.label().eq_ignore_ascii_case(label))
    }

    /// How far its metadata's id is from its tab's.
    pub(super) fn id_offset(self) -> i32 {
        self as i32 + 1
    }

    /// The number format of the column's cells: whatever is not a number is text, whatever it contains.
    pub fn number_format(self) -> NumberFormat {
        let (kind, pattern) = match COLUMNS[self as usize].4 {
            Holds::Text => ("TEXT", None),
            Holds::Time => ("DATE_TIME", Some(TIME_PATTERN)),
            Holds::Date => ("DATE", Some("ddd d mmm")),
            Holds::Duration => ("TIME", Some("[h]:mm")),
            Holds::Number => ("NUMBER", Some("0")),
        };
        NumberFormat { kind, pattern }
    }

    /// Width of a new column, in pixels.
    pub fn width_px(self) -> u32 {
        COLUMNS[self as usize].3
    }
}
