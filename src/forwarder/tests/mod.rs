//! What the forwarder decides, and what it does step by step.

mod board;
mod edges;
mod fencing;
mod formats;
mod former;
mod picking;
mod refused;
mod stepping;
mod summary;
mod tabs;
mod waiting;

use std::cell::Cell;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fake_google::FakeGoogle;
use serde_json::{Value, json};

use crate::chat::event::{ChatEvent, Happening};
use crate::chat::fields::Fields;
use crate::chat::memory::Rules;
use crate::chat::route::{Destination, Routes};
use crate::chat::time::UnixMs;
use crate::forwarder::pace::Pace;
use crate::forwarder::{BoardOptions, Forwarder, Next, Options};
use crate::journal::{Journal, Limits};
use crate::sheets::token::Token;
use crate::sheets::{Client, Shading};
use crate::status::Status;

/// 2026-05-28, in the evening in India.
const NOW: UnixMs = UnixMs(1_780_000_000_000);
const MINUTE_MS: i64 = 60_000;
/// Longest that a write gathers rows while the minute's first half of 50 is not used up.
const GATHER_MAX: Duration = Duration::from_millis(125);
const TAB: &str = "Unassigned chats";
const BOARD: &str = "Unattended now";
const HANDOVERS: &str = "Handovers";

thread_local! {
    /// Milliseconds since NOW. A test is one thread, and so has a clock of its own.
    static CLOCK: Cell<i64> = const { Cell::new(0) };
}

fn now() -> UnixMs {
    NOW.plus_ms(CLOCK.get())
}

fn pass(milliseconds: i64) {
    CLOCK.set(CLOCK.get() + milliseconds);
}

struct Bench {
    google: FakeGoogle,
    journal: Journal,
    forwarder: Forwarder,
    dir: tempfile::TempDir,
}

impl Bench {
    /// A forwarder that has found its tabs and written its first board.
    async fn new() -> Self {
        let mut bench = Self::on(FakeGoogle::start(), TAB).await;
        bench.steps().await;
        assert!(bench.forwarder.seen.is_some());
        bench
    }

    /// A forwarder that has not looked yet.
    async fn on(google: FakeGoogle, title: &str) -> Self {
        drop(rustls::crypto::ring::default_provider().install_default());
        let dir = tempfile::tempdir().unwrap();
        let rules = Rules { resend_window_ms: 1_000, retention_ms: 30 * 24 * 60 * MINUTE_MS };
        let limits = Limits { pending_rows_max: 100, rules };
        let place = Destination { spreadsheet: google.spreadsheet_id(), title: title.into() };
        let journal = Journal::open(dir.path(), limits, Routes::new(place, Vec::new())).unwrap();
        let token = Token::new(&google.key_json().into()).await.unwrap();
        let status = Arc::new(Status::default());
        let (url, id) = (google.url().parse().unwrap(), google.spreadsheet_id());
        let client = Client::new(&url, &id, token, Arc::clone(&status)).unwrap();
        let options = Options {
            name: "default".to_owned(),
            book: journal.books()[0].1,
            log_titles: vec![title.into()],
            handovers_title: HANDOVERS.into(),
            board: BoardOptions {
                title: BOARD.into(),
                hours_max: 24,
                wait_max_minutes: None,
                shading: Shading { warn_minutes: 15, alert_minutes: 60 },
            },
            summary_title: None,
            time_zone: None,
            writes_per_minute_max: 50,
            now,
        };
        let (client, pace) = (Arc::new(client), Pace::new(50, Vec::new()));
        let pace = Arc::new(Mutex::new(pace));
        let made = Forwarder::new(journal.clone(), client, status, pace, options).await;
        Self { google, journal, forwarder: made.unwrap(), dir }
    }

    async fn hear(&self, happening: Happening, body: Value) {
        let fields = Fields::of(&body).unwrap();
        let event = ChatEvent::read(happening, &fields, now()).unwrap();
        drop(self.journal.accept(event, now()).await.unwrap());
    }

    async fn accept(&self, chat: &str) {
        self.hear(Happening::Unassigned, json!({ "chatId": chat, "customerPhone": "+9198" })).await;
    }

    async fn assign(&self, chat: &str) {
        let body = json!({ "chatId": chat, "assignedUserName": "Asha" });
        self.hear(Happening::Assigned, body).await;
    }

    /// Steps until there is nothing to do but wait, longer than a write gathers; gives that.
    async fn steps(&mut self) -> Next {
        for _ in 0..100 {
            let next = self.forwarder.step().await;
            match next {
                Next::Step => {}
                Next::Wait(wait) if self.forwarder.held.is_none() && wait <= GATHER_MAX => {
                    pass(i64::try_from(wait.as_millis()).unwrap());
                }
                next => return next,
            }
        }
        panic!("it never comes to rest");
    }

    /// The chats under our header, and that nothing stands under the staff's.
    fn chats(&self) -> Vec<String> {
        let notes = self.google.column(TAB, "Notes");
        assert!(notes.iter().all(String::is_empty), "{:?}", self.google.rows(TAB));
        self.google.column(TAB, "Chat ID")
    }

    /// The sentence above the board.
    fn headline(&self) -> String {
        self.google.rows(BOARD).first().map(|row| row.concat()).unwrap_or_default()
    }

    /// What is read of the sheet next is read now.
    fn look_again(&mut self) {
        self.forwarder.seen = None;
    }
}
