//! The loop, step by step beside the stand-in: the sheet may change while a batch waits.

use std::sync::Arc;
use std::time::{Duration, Instant};

use fake_google::{FakeGoogle, Fault};

use crate::chat::event::{ChatEvent, Happening};
use crate::chat::fields::Fields;
use crate::chat::memory::Rules;
use crate::chat::time::UnixMs;
use crate::forwarder::{Forwarder, Next, Options};
use crate::journal::{Journal, Limits};
use crate::sheets::Client;
use crate::sheets::token::Token;
use crate::status::Status;

const NOW: UnixMs = UnixMs(1_780_000_000_000);
const TAB: &str = "Unassigned chats";

struct Bench {
    google: FakeGoogle,
    journal: Journal,
    forwarder: Forwarder,
    _dir: tempfile::TempDir,
}

impl Bench {
    /// A forwarder that has found its tab.
    async fn new() -> Self {
        drop(rustls::crypto::ring::default_provider().install_default());
        let (google, dir) = (FakeGoogle::start(), tempfile::tempdir().unwrap());
        let rules = Rules { resend_window_ms: 1_000, retention_ms: 1_000_000 };
        let limits = Limits { pending_rows_max: 100, rules };
        let journal = Journal::open(dir.path(), limits).unwrap();
        let token = Token::new(&google.key_json().into()).await.unwrap();
        let status = Arc::new(Status::default());
        let (url, id) = (google.url().parse().unwrap(), google.spreadsheet_id());
        let client = Client::new(&url, &id, token, Arc::clone(&status)).unwrap();
        let options = Options {
            name: "default".to_owned(),
            sheet_name: TAB.into(),
            time_zone: None,
            writes_per_minute_max: 50,
            now: || NOW,
        };
        let client = Arc::new(client);
        let made = Forwarder::new(journal.clone(), client, status, options).await;
        let mut bench = Self { google, journal, forwarder: made.unwrap(), _dir: dir };
        bench.steps().await;
        assert!(bench.forwarder.layout.is_some());
        bench
    }

    async fn accept(&self, chat: &str) {
        let body = serde_json::json!({ "chatId": chat, "customerPhone": "+9198" });
        let fields = Fields::of(&body).unwrap();
        let event = ChatEvent::read(Happening::Unassigned, &fields, NOW).unwrap();
        drop(self.journal.accept(event, NOW).await.unwrap());
    }

    /// Steps until there is nothing to do but wait; gives that.
    async fn steps(&mut self) -> Next {
        loop {
            match self.forwarder.step().await {
                Next::Step => {}
                next => return next,
            }
        }
    }

    /// The chats under our header, and that nothing stands under the staff's.
    fn chats(&self) -> Vec<String> {
        let notes = self.google.column(TAB, "Notes");
        assert!(notes.iter().all(String::is_empty), "{:?}", self.google.rows(TAB));
        self.google.column(TAB, "Chat ID")
    }
}

#[tokio::test]
async fn a_batch_is_not_planned_by_an_old_layout() {
    let mut bench = Bench::new().await;
    bench.google.staff().insert_column(TAB, 0, "Notes");
    let old = Instant::now().checked_sub(Duration::from_secs(3_600)).unwrap();
    bench.forwarder.layout.as_mut().unwrap().1 = old;
    bench.accept("chat_1").await;
    assert_eq!(bench.steps().await, Next::Idle);
    assert_eq!(bench.chats(), ["chat_1"]);
}

#[tokio::test]
async fn a_parked_batch_follows_the_columns() {
    let mut bench = Bench::new().await;
    bench.accept("chat_1").await;
    bench.google.staff().protect(TAB);
    assert!(matches!(bench.steps().await, Next::Wait(_)));
    bench.google.staff().unprotect(TAB);
    bench.google.staff().insert_column(TAB, 0, "Notes");
    assert_eq!(bench.steps().await, Next::Idle);
    assert_eq!(bench.chats(), ["chat_1"]);
}

#[tokio::test]
async fn a_batch_in_unknown_words_is_looked_for_before_it_is_sent_anew() {
    let mut bench = Bench::new().await;
    bench.accept("chat_1").await;
    bench.google.fail_next_write(Fault::LoseAnswer);
    assert!(matches!(bench.steps().await, Next::Wait(_)));
    bench.forwarder.held.as_mut().unwrap().forget_plan();
    assert_eq!(bench.steps().await, Next::Idle);
    assert_eq!(bench.chats(), ["chat_1"]);
}

#[tokio::test]
async fn where_markers_are_not_trusted_the_event_ids_tell() {
    let mut bench = Bench::new().await;
    bench.journal.note_fact("marker_fences", false).await.unwrap();
    bench.accept("chat_1").await;
    bench.google.fail_next_write(Fault::LoseAnswer);
    bench.accept("chat_2").await;
    // Not sent again before the first send can have no effect any more.
    let Next::Wait(_) = bench.steps().await else { panic!("no wait") };
    let Next::Wait(wait) = bench.steps().await else { panic!("no wait") };
    assert!(wait > Duration::from_secs(180), "{wait:?}");
    bench.google.staff().insert_column(TAB, 0, "Notes");
    bench.google.staff().rename_tab(TAB, "Renamed");
    bench.forwarder.held.as_mut().unwrap().doubt_is_over();
    assert_eq!(bench.steps().await, Next::Idle);
    assert_eq!(bench.google.column("Renamed", "Chat ID"), ["chat_1", "chat_2"]);
    assert_eq!(bench.google.markers("dts.batch"), []);
}
