//! What happened at the clinic of the demo in the weeks before, so that the summary has something to show.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::morning::CLINIC;

const DAY_MS: i64 = 86_400_000;
const HOUR_MS: i64 = 3_600_000;
const MINUTE_MS: i64 = 60_000;
const DAYS: i64 = 31;
const AGENTS: [&str; 4] = ["Asha Nair", "John Doe", "Meera Iyer", "Ravi Kumar"];
/// Hours of UTC in which chats are dropped: most about the changes of shifts in India.
const HOURS: [i64; 9] = [3, 5, 8, 8, 9, 13, 14, 14, 15];

/// Tells the webhook all of it at once.
pub(crate) async fn weeks(webhook: &str) -> anyhow::Result<()> {
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(20)).build()?;
    for event in events() {
        client.post(webhook).body(event.to_string()).send().await?.error_for_status()?;
    }
    Ok(())
}

/// Chats that were dropped, less on Sundays, and after a while taken or closed.
fn events() -> Vec<Value> {
    let mut chance = fastrand::Rng::with_seed(17);
    let today = Timestamp::now().as_millisecond() / DAY_MS;
    let mut events = Vec::new();
    for ago in (1..=DAYS).rev() {
        let day = today - ago;
        let is_sunday = (day + 4).rem_euclid(7) == 0;
        for n in 0..chance.i64(if is_sunday { 0..3 } else { 3..9 }) {
            let (chat, patient) = (format!("past_{day}_{n}"), format!("+9191{day:05}{n:03}"));
            let hour = HOURS[chance.usize(..HOURS.len())];
            let at = day * DAY_MS + hour * HOUR_MS + chance.i64(0..HOUR_MS);
            let end = at + chance.i64(1..if ago % 9 == 0 { 150 } else { 45 }) * MINUTE_MS;
            let agent = AGENTS[chance.usize(..AGENTS.len())];
            events.push(json!({
                "chatId": chat, "customerPhone": patient, "wabaNumber": CLINIC,
                "previousAgentName": AGENTS[chance.usize(..AGENTS.len())], "timestamp": at,
            }));
            events.push(match chance.u8(..5) {
                0 => json!({
                    "from": patient, "to": CLINIC, "closeConversation": true, "timestamp": end,
                }),
                _ => json!({
                    "chatId": chat, "customerPhone": patient, "assignedUserId": "user",
                    "assignedUserName": agent, "message": {}, "timestamp": end,
                }),
            });
        }
    }
    events
}
