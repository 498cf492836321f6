//! The log's columns: their labels, their keys in the sheet's metadata, and how each is dressed.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// One column of the log tab.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Column {
    /// When the chat lost its agent: the only cell that is not text.
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
}

/// The pattern under which people see the time.
pub const TIME_PATTERN: &str = "yyyy-mm-dd hh:mm:ss";

impl Column {
    /// All of them, in the order in which a new tab gets them.
    pub const ALL: [Self; 9] = [
        Self::UnassignedAt,
        Self::CustomerName,
        Self::CustomerPhone,
        Self::PreviousAgent,
        Self::AgentPhone,
        Self::WabaNumber,
        Self::Chat,
        Self::ChatId,
        Self::EventId,
    ];

    /// What the header row says when we make it. People may rename it.
    pub fn label(self) -> &'static str {
        match self {
            Self::UnassignedAt => "Unassigned at",
            Self::CustomerName => "Customer name",
            Self::CustomerPhone => "Customer phone",
            Self::PreviousAgent => "Previous agent",
            Self::AgentPhone => "Agent phone",
            Self::WabaNumber => "WABA number",
            Self::Chat => "Chat",
            Self::ChatId => "Chat ID",
            Self::EventId => "Event ID",
        }
    }

    /// What the column's metadata says: never changes, whatever people do to the header.
    pub fn key(self) -> &'static str {
        match self {
            Self::UnassignedAt => "unassigned_at",
            Self::CustomerName => "customer_name",
            Self::CustomerPhone => "customer_phone",
            Self::PreviousAgent => "previous_agent",
            Self::AgentPhone => "agent_phone",
            Self::WabaNumber => "waba_number",
            Self::Chat => "chat",
            Self::ChatId => "chat_id",
            Self::EventId => "event_id",
        }
    }

    /// The column whose metadata says this.
    pub fn of_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|column| column.key() == key)
    }

    /// The column that a header cell of this text stands for, whatever its capitals.
    pub fn of_label(label: &str) -> Option<Self> {
        let label = label.trim();
        Self::ALL.into_iter().find(|column| column.label().eq_ignore_ascii_case(label))
    }

    /// The number format of the column's cells: whatever is not a time is text, whatever it contains.
    pub fn number_format(self) -> Value {
        match self {
            Self::UnassignedAt => json!({ "type": "DATE_TIME", "pattern": TIME_PATTERN }),
            _ => json!({ "type": "TEXT" }),
        }
    }

    /// Width of a new column, in pixels.
    pub fn width_px(self) -> u32 {
        match self {
            Self::UnassignedAt | Self::CustomerName | Self::PreviousAgent => 160,
            Self::CustomerPhone | Self::AgentPhone | Self::WabaNumber => 135,
            Self::Chat => 90,
            Self::ChatId | Self::EventId => 150,
        }
    }
}
