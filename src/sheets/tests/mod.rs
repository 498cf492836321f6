//! What Google's answers mean, what is sent to it, and what a stand-in for it makes of both.

mod board;
mod client;
mod formats;
mod landing;
mod layout;
mod markers;
mod quota;
mod repair;
mod rows;
mod tables;
mod tabs;
mod token;
mod verdict;
mod workload;

use std::sync::Arc;

use fake_google::FakeGoogle;
use reqwest::Url;
use secrecy::SecretString;

use crate::chat::board::{Board, Line};
use crate::chat::entry::{Entry, EventId, Handover};
use crate::chat::text::Personal;
use crate::chat::time::UnixMs;
use crate::sheets::token::Token;
use crate::sheets::{
    Client, Content, Layout, Marker, Needs, Purpose, Shading, Survey, Traces, Wanted, WantedTab,
};
use crate::status::Status;

/// 2026-11-22 at noon in India: the serial number 46348.5.
const NOON: UnixMs = UnixMs(1_795_329_000_000);
const TAB: &str = "Unassigned chats";

const BOARD: &str = "Unattended now";
const HANDOVERS: &str = "Handovers";
const SHADING: Shading = Shading { warn_minutes: 15, alert_minutes: 60 };
const TRACES: Traces = Traces { marker: true, positions: true };
/// The log's rows, and nothing else.
const LOG_ONLY: Needs<'static> =
    Needs { log: Some(TAB), handovers: false, board: false, formats: true };
const ALL: Needs<'static> = Needs { log: Some(TAB), handovers: true, board: true, formats: true };

fn wanted_tab(purpose: Purpose, title: &str, tab_id: i32) -> WantedTab {
    WantedTab { purpose, title: title.into(), tab_id }
}

/// The log alone.
fn wanted() -> Wanted {
    Wanted { tabs: vec![wanted_tab(Purpose::Log, TAB, 777)], time_zone: None }
}

/// The log, the handovers and the board.
fn all_wanted() -> Wanted {
    let mut all = wanted();
    all.tabs.push(wanted_tab(Purpose::Handovers, HANDOVERS, 1_777));
    all.tabs.push(wanted_tab(Purpose::Board, BOARD, 2_777));
    all
}

fn rows_of(log: &[Entry]) -> Content<'_> {
    Content { log, handovers: &[], board: None }
}

fn marker() -> Marker {
    Marker::new(1_620_000_007, "0123456789abcdef", 1_795_329_000)
}

/// The entry's wait, ended after so many minutes by this agent; closed where none is named.
fn handover(number: u64, minutes: i64, agent: &str) -> Entry {
    let handover = Handover {
        taken_at: NOON.plus_ms(minutes * 60_000),
        agent: Personal::new(agent),
        is_closed: agent.is_empty(),
        found: None,
    };
    Entry { handover: Some(handover), ..entry(number) }
}

/// Who has been waiting at noon, for so many minutes each.
fn board(minutes: &[i64]) -> Board {
    let line = |(number, minutes): (u64, &i64)| Line {
        entry: Entry { unassigned_at: NOON.plus_ms(-minutes * 60_000), ..entry(number) },
        drops: 1,
    };
    let lines = (1..).zip(minutes).map(line).collect();
    Board { at: NOON, waiting: minutes.len() as u64, lines, remarks: Vec::new() }
}

fn entry(number: u64) -> Entry {
    Entry {
        handover: None,
        found: None,
        event_id: EventId { tag: "abc234".into(), number },
        unassigned_at: NOON,
        customer_name: Personal::new("Asha Rao"),
        customer_phone: Personal::new("+919876543210"),
        previous_agent: Personal::new("Dr. Meera"),
        agent_phone: Personal::new("919812345678"),
        waba_number: Personal::new("918000000001"),
        chat_id: Personal::new("chat-1"),
    }
}

async fn token(google: &FakeGoogle) -> Token {
    // Another test may have been the first to install it.
    drop(rustls::crypto::ring::default_provider().install_default());
    Token::new(&SecretString::from(google.key_json())).await.expect("the key is complete")
}

async fn client_at(api: &str, google: &FakeGoogle) -> Client {
    let api = Url::parse(api).expect("an address");
    let status = Arc::new(Status::default());
    Client::new(&api, &google.spreadsheet_id(), token(google).await, status).expect("TLS set up")
}

async fn client(google: &FakeGoogle) -> Client {
    client_at(&google.url(), google).await
}

/// Looks and mends until the tab is there.
async fn provisioned(client: &Client) -> Layout {
    in_shape(client, &wanted()).await
}

async fn in_shape(client: &Client, wanted: &Wanted) -> Layout {
    for _ in 0..5 {
        match client.survey(wanted, SHADING).await.expect("the spreadsheet is in order") {
            Survey::Ready(layout) => return layout,
            Survey::Setup(setup) => client.set_up(setup).await.expect("it can be mended"),
        }
    }
    panic!("mended again and again, and still not in shape")
}

fn token_requests(google: &FakeGoogle) -> usize {
    google.requests().iter().filter(|seen| seen.path == "/token").count()
}
