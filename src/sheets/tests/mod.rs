//! What Google's answers mean, what is sent to it, and what a stand-in for it makes of both.

mod client;
mod layout;
mod markers;
mod rows;
mod token;
mod verdict;

use std::sync::Arc;

use fake_google::FakeGoogle;
use reqwest::Url;
use secrecy::SecretString;

use crate::chat::entry::{Entry, EventId};
use crate::chat::text::Personal;
use crate::chat::time::UnixMs;
use crate::sheets::token::Token;
use crate::sheets::{Client, Layout, Survey, Wanted};
use crate::status::Status;

/// 2026-11-22 at noon in India: the serial number 46348.5.
const NOON: UnixMs = UnixMs(1_795_329_000_000);
const TAB: &str = "Unassigned chats";

fn wanted() -> Wanted {
    Wanted { title: TAB.into(), tab_id: 777, time_zone: None }
}

fn entry(number: u64) -> Entry {
    Entry {
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
    for _ in 0..3 {
        match client.survey(&wanted()).await.expect("the spreadsheet is in order") {
            Survey::Ready(layout) => return layout,
            Survey::Mend(mend) => client.mend(mend).await.expect("it can be mended"),
        }
    }
    panic!("mended again and again, and still not in shape")
}

fn token_requests(google: &FakeGoogle) -> usize {
    google.requests().iter().filter(|seen| seen.path == "/token").count()
}
