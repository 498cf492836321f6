//! `cargo bench -- backlog`: a million rows that wait, and how fast they go when they may.
//!
//! Fills a journal through its own door, 1,024 events at a time, and tells whether the last hundred
//! thousand went in as fast as the first; starts the service on it and tells when it is ready and what
//! memory it takes; then drains it through JSON and HTTP into the stand-in for Google, in one process
//! and without the quota, and tells the rows a second. `BENCH_ROWS` (default 1,000,000) is how many.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use doubletick_sheets::app::clock::now;
use doubletick_sheets::chat::memory::Rules;
use doubletick_sheets::chat::recognise::{Recognised, recognise};
use doubletick_sheets::chat::route::{Destination, Routes};
use doubletick_sheets::forwarder::pace::Pace;
use doubletick_sheets::forwarder::{BoardOptions, Forwarder, Options};
use doubletick_sheets::journal::{Journal, Limits};
use doubletick_sheets::sheets::token::Token;
use doubletick_sheets::sheets::{Client, Shading};
use doubletick_sheets::status::Status;
use fake_google::FakeGoogle;
use serde_json::json;

use crate::server::{Kind, Running};

const TAB: &str = "Unassigned chats";
const TOGETHER: u64 = 1_024;
const STEP: u64 = 100_000;

/// All of it, with so many rows.
#[tokio::main]
pub(crate) async fn run(rows: u64) {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    fill(dir.path(), rows).await;
    let google = FakeGoogle::start();
    google.outage(true);
    let started = Instant::now();
    let service = Running::start_on(Kind::Service, &google, dir.path());
    service.wait_until_ready();
    println!("ready {} ms after the start, {rows} rows pending", started.elapsed().as_millis());
    std::thread::sleep(Duration::from_secs(2));
    println!("{:.1} MB resident at most, two seconds later", service.peak_mb());
    drop(service);
    google.heal();
    drain(dir.path(), &google, rows).await;
}

fn journal(dir: &Path) -> Journal {
    let rules = Rules { resend_window_ms: 120_000, retention_ms: 30 * 86_400_000 };
    let spreadsheet = "1FakeqX9vT0mYd3LkR7sWc2HnB5gJpZ8uEaKoVtMiQrS".to_owned();
    let place = Destination { spreadsheet, title: TAB.to_owned() };
    let limits = Limits { pending_rows_max: u64::MAX >> 2, rules };
    Journal::open(dir, limits, Routes::new(place, Vec::new())).unwrap()
}

async fn fill(dir: &Path, rows: u64) {
    let journal = journal(dir);
    let (mut next, mut rates) = (0, Vec::new());
    while next < rows {
        let started = Instant::now();
        let end = (next + STEP).min(rows);
        while next < end {
            let mut accepting = tokio::task::JoinSet::new();
            for number in next..(next + TOGETHER).min(end) {
                let journal = journal.clone();
                accepting.spawn(async move { accept(&journal, number).await });
            }
            accepting.join_all().await;
            next = (next + TOGETHER).min(end);
        }
        rates.push(f64::from(u32::try_from(STEP).unwrap()) / started.elapsed().as_secs_f64());
    }
    let (first, last) = (rates[0], rates[rates.len() - 1]);
    println!(
        "accepted {first:.0} rows/s in the first hundred thousand, {last:.0} in the last ({:.2})",
        last / first
    );
}

async fn accept(journal: &Journal, number: u64) {
    let body = json!({
        "chatId": format!("chat_{number}"), "customerPhone": "+919111222333",
        "wabaNumber": "+919000000000", "dtCustomerId": format!("customer_{number}"),
    });
    let Recognised::Event(event) = recognise(&body, None, now()) else { panic!("no event") };
    drop(journal.accept(*event, now()).await.unwrap());
}

async fn drain(dir: &Path, google: &FakeGoogle, rows: u64) {
    rustls::crypto::ring::default_provider().install_default().unwrap();
    let journal = journal(dir);
    let token = Token::new(&google.key_json().into()).await.unwrap();
    let status = Arc::new(Status::default());
    let (url, id) = (google.url().parse().unwrap(), google.spreadsheet_id());
    let client = Arc::new(Client::new(&url, &id, token, Arc::clone(&status)).unwrap());
    let options = Options {
        name: "default".to_owned(),
        book: journal.books()[0].1,
        log_titles: vec![TAB.to_owned()],
        handovers_title: "Handovers".to_owned(),
        board: BoardOptions {
            title: "Unattended now".to_owned(),
            hours_max: 24,
            wait_max_minutes: None,
            shading: Shading { warn_minutes: 15, alert_minutes: 60 },
        },
        summary_title: None,
        time_zone: None,
        writes_per_minute_max: u32::MAX,
        now,
    };
    let pace = Arc::new(Mutex::new(Pace::new(u32::MAX, Vec::new())));
    let forwarder = Forwarder::new(journal.clone(), client, status, pace, options).await.unwrap();
    let started = Instant::now();
    let mut counters = journal.watch();
    // The last of them gather for more.
    let most = rows * 9 / 10;
    let drained = async {
        counters.wait_for(|counters| counters.tally.written >= most).await.unwrap();
    };
    forwarder.run(drained).await;
    let seconds = started.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let rate = most as f64 / seconds;
    println!("drained {rate:.0} rows/s in {} writes", google.writes());
}
