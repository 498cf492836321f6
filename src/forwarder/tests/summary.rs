//! The summary says what happened, is written when nothing else is to be, and never stops a row.

use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use fake_google::{FakeGoogle, Fault, Refusal};
use serde_json::json;

use crate::chat::event::{ChatEvent, Happening};
use crate::chat::fields::Fields;
use crate::forwarder::Next;
use crate::forwarder::tests::{BOARD, Bench, MINUTE_MS, TAB, now, pass};
use crate::sheets::Purpose;

const SUMMARY: &str = "Summary";

impl Bench {
    /// A forwarder that has written its first board and its first summary.
    async fn summarising() -> Self {
        Self::summarising_on(FakeGoogle::start()).await
    }

    async fn summarising_on(google: FakeGoogle) -> Self {
        let mut bench = Self::on(google, TAB).await;
        bench.forwarder.options.summary_title = Some(SUMMARY.into());
        assert_eq!(bench.steps().await, Next::Idle);
        bench
    }

    /// What stands below one of the summary's labels, from the top.
    fn list(&self, title: &str, label: &str) -> Vec<String> {
        let rows = self.google.rows(title);
        let at = rows[1].iter().position(|text| text == label).unwrap();
        rows[2..].iter().map(|row| row.get(at).cloned().unwrap_or_default()).collect()
    }

    fn today(&self, label: &str) -> String {
        self.list(SUMMARY, label)[30].clone()
    }

    fn summaries(&self) -> u64 {
        self.forwarder.status.google_calls.of(("summary", "ok"))
    }

    /// After ten minutes, whatever kept it from being written.
    async fn later(&mut self) -> Next {
        pass(10 * MINUTE_MS);
        self.forwarder.barred.lift(Purpose::Summary);
        self.look_again();
        self.steps().await
    }

    /// A chat is dropped and taken.
    async fn turn(&mut self, chat: &str) {
        self.accept(chat).await;
        pass(7 * MINUTE_MS);
        self.assign(chat).await;
    }
}

#[tokio::test]
async fn it_says_what_happened_and_has_its_charts() {
    let mut bench = Bench::summarising().await;
    assert_eq!(bench.today("Dropped"), "0");
    bench.turn("chat_1").await;
    bench.assign("chat_2").await;
    bench.accept("chat_2").await;
    assert_eq!(bench.later().await, Next::Idle);
    let today = ["Day", "Dropped", "Taken", "Closed", "Median wait (minutes)"];
    assert_eq!(today.map(|label| bench.today(label)), ["Fri 29 May", "2", "1", "0", "7"]);
    assert_eq!(bench.list(SUMMARY, "Day")[0], "Wed 29 Apr");
    assert_eq!(bench.list(SUMMARY, "Agent")[..3], ["Asha", "(not known)", ""]);
    assert_eq!(bench.list(SUMMARY, "They dropped")[..3], ["1", "1", ""]);
    assert_eq!(bench.list(SUMMARY, "They took")[..3], ["1", "0", ""]);
    assert_eq!(bench.list(SUMMARY, "Hour")[..2], ["00:00", "01:00"]);
    let headline = bench.google.row(SUMMARY, 0).concat();
    assert!(headline.ends_with("updated 02:13, 29 May"), "{headline}");
    let titles: Vec<_> = bench.google.charts(SUMMARY);
    let titles: Vec<_> = titles.iter().map(|chart| chart["spec"]["title"].as_str()).collect();
    assert_eq!(titles, [Some("Chats dropped a day"), Some("Median wait a day")]);
    assert_eq!(
        bench.google.tabs().first().map(String::as_str),
        Some(BOARD),
        "the board comes first"
    );
    assert!(bench.forwarder.open_ticket.is_none());
    assert_eq!(bench.journal.fenced().await.unwrap(), Vec::<i32>::new());
    assert_eq!(bench.google.invalid_requests(), Vec::<String>::new());
}

#[tokio::test]
async fn it_is_written_at_most_every_ten_minutes_and_only_when_it_changed() {
    let mut bench = Bench::summarising().await;
    let mut written = Vec::new();
    for second in (0..7_200).step_by(20) {
        // For an hour a chat is dropped every five minutes, and then nothing happens.
        if second < 3_600 && second % 300 == 0 {
            bench.accept(&format!("chat_{second}")).await;
        }
        let before = bench.summaries();
        bench.steps().await;
        if bench.summaries() > before {
            written.push(second);
        }
        pass(20_000);
    }
    assert!((5..=7).contains(&written.len()), "{written:?}");
    assert!(written.windows(2).all(|pair| pair[1] - pair[0] >= 600), "{written:?}");
    assert!(written.iter().all(|second| *second <= 4_200), "{written:?}");
    assert_eq!(bench.today("Dropped"), "12");
    pass(24 * 60 * MINUTE_MS);
    bench.steps().await;
    assert_eq!((bench.today("Dropped"), bench.today("Day")), ("0".into(), "Sat 30 May".into()));
}

#[tokio::test]
async fn without_a_title_there_is_none() {
    let bench = Bench::new().await;
    assert!(!bench.google.tabs().iter().any(|tab| tab == SUMMARY), "{:?}", bench.google.tabs());
    assert_eq!(bench.summaries(), 0);
}

/// Its answer does not come for a long time; a row comes, and is in the sheet in a moment.
#[tokio::test]
async fn a_row_does_not_wait_for_the_answer_to_a_summary() {
    let mut bench = Bench::summarising().await;
    bench.turn("chat_1").await;
    bench.steps().await;
    pass(10 * MINUTE_MS);
    bench.forwarder.board.is_written(now(), board_changes(&bench));
    let ((told, left), (release, held)) = (channel(), channel::<()>());
    bench.google.before_next_write_with("updateCells", move |_| {
        told.send(()).unwrap();
        // Until the test is over.
        _ = held.recv_timeout(Duration::from_secs(60));
    });
    let journal = bench.journal.clone();
    let comes = async {
        tokio::task::spawn_blocking(move || left.recv_timeout(Duration::from_secs(20)))
            .await
            .unwrap()
            .expect("it leaves");
        let body = json!({ "chatId": "chat_2", "customerPhone": "+9198" });
        let fields = Fields::of(&body).unwrap();
        let event = ChatEvent::read(Happening::Unassigned, &fields, now()).unwrap();
        drop(journal.accept(event, now()).await.unwrap());
        Instant::now()
    };
    let (_, came) = tokio::join!(bench.forwarder.step(), comes);
    bench.steps().await;
    assert_eq!(bench.chats(), ["chat_1", "chat_2"]);
    assert!(came.elapsed() < Duration::from_secs(8), "{:?}", came.elapsed());
    assert!(bench.forwarder.open_ticket.is_none(), "rows do not wait for what became of it");
    // The next is written when the one before can come no more.
    drop(release);
    for _ in 0..2 {
        bench.later().await;
    }
    assert_eq!(bench.today("Dropped"), "2");
    assert_eq!(bench.journal.fenced().await.unwrap(), Vec::<i32>::new());
}

fn board_changes(bench: &Bench) -> u64 {
    bench.journal.work(bench.forwarder.options.book).board_changes
}

#[tokio::test]
async fn a_lost_answer_or_a_refusal_leaves_nothing_wrong_behind() {
    for fault in [
        Fault::LoseAnswer,
        Fault::ApplyLate(Duration::from_secs(1)),
        Fault::RefuseAfterApplying(503),
        Fault::Refuse(Refusal::Unavailable503),
        Fault::Refuse(Refusal::Expired401),
        Fault::GarbledOk,
        Fault::HalfBody,
    ] {
        let mut bench = Bench::summarising().await;
        bench.turn("chat_1").await;
        bench.steps().await;
        let said = format!("{fault:?}");
        bench.later().await;
        // It was written with that, or is with the next.
        bench.turn("chat_2").await;
        bench.steps().await;
        pass(10 * MINUTE_MS);
        bench.forwarder.board.is_written(now(), board_changes(&bench));
        bench.look_again();
        assert_eq!(bench.forwarder.step().await, Next::Step, "{said}: it looks");
        bench.google.fail_next_write(fault);
        bench.forwarder.step().await;
        bench.accept("chat_3").await;
        bench.steps().await;
        assert_eq!(bench.chats(), ["chat_1", "chat_2", "chat_3"], "{said}");
        for _ in 0..3 {
            bench.later().await;
        }
        assert_eq!(
            (bench.today("Dropped"), bench.today("Taken")),
            ("3".into(), "2".into()),
            "{said}"
        );
        assert!(bench.forwarder.open_ticket.is_none(), "{said}");
        assert_eq!(bench.journal.fenced().await.unwrap(), Vec::<i32>::new(), "{said}");
        assert_eq!(bench.google.invalid_requests(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn people_may_rename_it_move_it_and_move_about_in_it() {
    let mut bench = Bench::summarising().await;
    let staff = bench.google.staff();
    staff.rename_tab(SUMMARY, "Woche");
    staff.move_tab("Woche", 0);
    staff.insert_column("Woche", 1, "Notes");
    staff.set_cell("Woche", 1, 1, "Notes");
    staff.set_cell("Woche", 5, 1, "ours");
    staff.delete_column("Woche", 4);
    bench.turn("chat_1").await;
    bench.later().await;
    assert_eq!(bench.list("Woche", "Dropped")[30], "1");
    assert_eq!(bench.list("Woche", "Median wait (minutes)")[30], "7");
    assert_eq!(bench.list("Woche", "Notes")[3], "ours");
    assert!(!bench.google.tabs().iter().any(|tab| tab == SUMMARY));
    let series = &bench.google.charts("Woche")[0]["spec"]["basicChart"]["series"][0];
    let range = &series["series"]["sourceRange"]["sources"][0];
    assert_eq!(range["startColumnIndex"], 2, "the chart followed its column");
    assert_eq!(bench.google.invalid_requests(), Vec::<String>::new());
}

#[tokio::test]
async fn deleted_it_is_made_again_and_its_charts_alone_are_not() {
    let mut bench = Bench::summarising().await;
    bench.turn("chat_1").await;
    bench.google.staff().delete_charts(SUMMARY);
    bench.later().await;
    assert_eq!(bench.today("Dropped"), "1");
    assert_eq!(bench.google.charts(SUMMARY).len(), 0);
    bench.google.staff().delete_tab(SUMMARY);
    bench.accept("chat_2").await;
    bench.look_again();
    bench.steps().await;
    assert_eq!(bench.chats(), ["chat_1", "chat_2"]);
    assert_eq!(bench.today("Dropped"), "2", "at once");
    assert_eq!(bench.google.charts(SUMMARY).len(), 2);
    assert_eq!(bench.google.invalid_requests(), Vec::<String>::new());
}

/// Rows go first, also where it is to be made.
#[tokio::test]
async fn it_is_made_when_no_row_waits() {
    let mut bench = Bench::on(FakeGoogle::start(), TAB).await;
    bench.forwarder.options.summary_title = Some(SUMMARY.into());
    bench.accept("chat_1").await;
    let (told, first) = channel();
    bench.google.before_next_write_with("addChart", move |google| {
        told.send(google.row_count(TAB)).unwrap();
    });
    bench.steps().await;
    assert_eq!(first.try_recv(), Ok(2), "the header and the row");
    assert_eq!(bench.google.charts(SUMMARY).len(), 2);
}

#[tokio::test]
async fn a_tab_of_its_title_is_taken_where_it_is_empty_and_left_alone_where_it_is_not() {
    let google = FakeGoogle::start();
    google.staff().add_tab(SUMMARY, &[]);
    let bench = Bench::summarising_on(google).await;
    assert_eq!((bench.today("Dropped"), bench.google.charts(SUMMARY).len()), ("0".into(), 2));

    let google = FakeGoogle::start();
    google.staff().add_tab(SUMMARY, &[&["Turnover"], &["7"]]);
    let mut bench = Bench::summarising_on(google).await;
    bench.accept("chat_1").await;
    bench.steps().await;
    assert_eq!(bench.chats(), ["chat_1"]);
    assert_eq!(bench.google.rows(SUMMARY), [["Turnover"], ["7"]]);
    let warning = bench.forwarder.status.warning("default").unwrap();
    assert!(warning.contains("SUMMARY_NAME"), "{warning}");
    bench.google.staff().rename_tab(SUMMARY, "Finance");
    for _ in 0..2 {
        bench.later().await;
    }
    assert_eq!(bench.today("Dropped"), "1");
    assert_eq!(bench.forwarder.status.warning("default"), None);
    assert_eq!(bench.google.invalid_requests(), Vec::<String>::new());
}

#[tokio::test]
async fn protected_it_stops_nothing_and_is_named() {
    let mut bench = Bench::summarising().await;
    bench.google.staff().protect(SUMMARY);
    bench.turn("chat_1").await;
    bench.later().await;
    let warning = bench.forwarder.status.warning("default").unwrap();
    assert!(warning.contains("the summary `Summary` cannot be written"), "{warning}");
    assert_eq!(bench.forwarder.status.sheet().word(), "delivering");
    bench.accept("chat_2").await;
    bench.steps().await;
    assert_eq!(bench.chats(), ["chat_1", "chat_2"]);
    bench.google.staff().unprotect(SUMMARY);
    for _ in 0..2 {
        bench.later().await;
    }
    assert_eq!(bench.today("Dropped"), "2");
    assert_eq!(bench.forwarder.status.warning("default"), None);
}

#[tokio::test]
async fn where_the_charts_are_refused_there_is_no_summary_and_all_else_goes_on() {
    let google = FakeGoogle::start();
    google.refuse_writes_with("addChart");
    let mut bench = Bench::summarising_on(google).await;
    bench.accept("chat_1").await;
    bench.steps().await;
    assert_eq!(bench.chats(), ["chat_1"]);
    assert!(bench.headline().starts_with("1 patient waiting"), "{}", bench.headline());
    assert!(!bench.google.tabs().iter().any(|tab| tab == SUMMARY));
}

/// A zone that nobody here knows is UTC, as for the other tabs.
#[tokio::test]
async fn where_the_zone_is_not_known_days_are_those_of_utc() {
    let google = FakeGoogle::start();
    google.add_spreadsheet("elsewhere", "Mars/Olympus");
    let mut bench = Bench::summarising_on(google.open("elsewhere")).await;
    bench.accept("chat_1").await;
    bench.later().await;
    assert_eq!((bench.today("Day"), bench.today("Dropped")), ("Thu 28 May".into(), "1".into()));
    let hours = bench.list(SUMMARY, "Dropped in that hour");
    assert_eq!(hours[20], "1");
}
