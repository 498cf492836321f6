//! What was counted in a quarter of an hour, as it is stored.

use crate::chat::counted::{Agents, Counted, Quarter};
use crate::journal::condition::Conditions;
use crate::journal::counters::BookId;
use crate::journal::store::StoredQuarter;

/// What is stored of a quarter. What cannot be read of it is let go, so that it stops nobody.
pub(in crate::journal) fn counted(stored: &StoredQuarter, conditions: &Conditions) -> Counted {
    let agents = stored.agents.as_deref().map_or(Ok(Agents::default()), serde_json::from_slice);
    let counts = serde_json::from_slice(&stored.counts);
    if counts.is_err() || agents.is_err() {
        conditions.unreadable("a record of what was counted");
    }
    Counted { counts: counts.unwrap_or_default(), agents: agents.unwrap_or_default() }
}

/// A quarter as it is stored. Numbers, texts and lists of them always serialise.
pub(in crate::journal) fn stored(
    (book, quarter): (BookId, Quarter),
    counted: &Counted,
) -> StoredQuarter {
    let json = |json: serde_json::Result<Vec<u8>>| json.unwrap_or_default();
    let has_agents = !counted.agents.is_empty();
    let agents = has_agents.then(|| json(serde_json::to_vec(&counted.agents)));
    StoredQuarter { book, quarter, counts: json(serde_json::to_vec(&counted.counts)), agents }
}
