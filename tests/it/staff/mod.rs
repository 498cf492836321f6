//! Staff own the sheet: whatever they do to it meanwhile, rows land whole, and nothing of theirs is lost.

mod member;
mod window;

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use fake_google::FakeGoogle;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::harness::{Clinic, LOG_TAB, Service, http};
use crate::staff::member::{EVERY_HABIT, HABITS_THAT_MOVE_NO_COLUMN, Habit, Member};

const APPEND: &str = "appendCells";
const COLUMN_KEY: &str = "dts.column";

/// What each of our columns holds of an event, by the column's key.
type Cells = BTreeMap<&'static str, String>;

/// The nth event, in which no two cells of a row are alike, and its row.
fn event(n: usize) -> (Value, Cells) {
    let at_ms = 1_704_067_200_000 + 1_000 * i64::try_from(n).unwrap();
    let zone = TimeZone::get("Asia/Kolkata").unwrap();
    let at = Timestamp::from_millisecond(at_ms).unwrap().to_zoned(zone);
    let (name, phone) = (format!("Patient {n}"), format!("+9191{n:08}"));
    let (agent, agent_phone) = (format!("Agent {}", n % 7), format!("+9198{:08}", n % 7));
    let (waba, chat) = (format!("+9190{:08}", n % 3), format!("chat_{n}"));
    let event = json!({
        "chatId": chat, "customerName": name, "customerPhone": phone, "wabaNumber": waba,
        "previousAgentName": agent, "previousAgentPhone": agent_phone, "unassignedAt": at_ms,
        "dtCustomerId": format!("customer_{n}"),
    });
    let cells = [
        ("unassigned_at", at.strftime("%Y-%m-%d %H:%M:%S").to_string()),
        ("customer_name", name),
        ("customer_phone", phone),
        ("previous_agent", agent),
        ("agent_phone", agent_phone),
        ("waba_number", waba),
        ("chat", "Open chat".to_owned()),
        ("chat_id", chat),
    ];
    (event, cells.into())
}

/// Posts these events over so many connections; gives the row of each, by its Event ID.
async fn post_all(
    service: &Service,
    events: Range<usize>,
    connections: usize,
) -> HashMap<String, Cells> {
    let (next, end) = (Arc::new(AtomicUsize::new(events.start)), events.end);
    let mut posting = tokio::task::JoinSet::new();
    for _ in 0..connections {
        let (next, webhook) = (Arc::clone(&next), service.webhook());
        posting.spawn(async move {
            let (client, mut taken) = (http(), Vec::new());
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= end {
                    return taken;
                }
                let (event, mut cells) = event(n);
                let answer = client.post(&webhook).body(event.to_string()).send().await.unwrap();
                let answer: Value = answer.json().await.unwrap();
                let id = answer["event_id"].as_str().unwrap().to_owned();
                cells.insert("event_id", id.clone());
                taken.push((id, cells));
            }
        });
    }
    posting.join_all().await.into_iter().flatten().collect()
}

/// A log with this many rows, and the service, which has nothing to do.
async fn log_of(rows: usize) -> (Clinic, Service) {
    let clinic = Clinic::new();
    let service = clinic.open();
    for n in 0..rows {
        service.take(&event(n).0).await;
    }
    service.drained().await;
    (clinic, service)
}

/// Where our columns are on a tab, by their keys.
fn columns(google: &FakeGoogle, tab: &str) -> HashMap<String, usize> {
    let all = google.columns_with(COLUMN_KEY).into_iter();
    all.filter(|(title, ..)| title == tab).map(|(_, column, key)| (key, column)).collect()
}

/// The row, in our columns, is that of the nth event.
#[track_caller]
fn expect_event(google: &FakeGoogle, tab: &str, row: usize, n: usize) {
    let (columns, texts) = (columns(google, tab), google.row(tab, row));
    for (key, expected) in event(n).1 {
        assert_eq!(texts[columns[key]], expected, "`{key}` in row {row}: {texts:?}");
    }
}

/// The next event arrives, and its row stands whole below all others of the tab.
async fn expect_next_at_the_end(service: &Service, google: &FakeGoogle, tab: &str, n: usize) {
    let end = google.row_count(tab);
    service.take(&event(n).0).await;
    service.drained().await;
    assert_eq!(google.row_count(tab), end + 1);
    expect_event(google, tab, end, n);
}

#[tokio::test]
async fn rows_land_below_what_a_filter_hides() {
    let (clinic, service) = log_of(3).await;
    let staff = clinic.google.staff();
    staff.filter_out(LOG_TAB, columns(&clinic.google, LOG_TAB)["customer_name"], &["Patient 2"]);
    expect_next_at_the_end(&service, &clinic.google, LOG_TAB, 3).await;
    staff.basic_filter(LOG_TAB);
    expect_next_at_the_end(&service, &clinic.google, LOG_TAB, 4).await;
    staff.add_filter_view(LOG_TAB, "Only mine");
    expect_next_at_the_end(&service, &clinic.google, LOG_TAB, 5).await;
    (0..6).for_each(|n| expect_event(&clinic.google, LOG_TAB, n + 1, n));
}

#[tokio::test]
async fn rows_land_below_hidden_ones() {
    let (clinic, service) = log_of(3).await;
    clinic.google.staff().hide_rows(LOG_TAB, 2..4);
    expect_next_at_the_end(&service, &clinic.google, LOG_TAB, 3).await;
    (0..4).for_each(|n| expect_event(&clinic.google, LOG_TAB, n + 1, n));
}

#[tokio::test]
async fn rows_land_below_sorted_ones() {
    let (clinic, service) = log_of(4).await;
    // The clinic's numbers take turns, so the fourth row goes up to the first.
    clinic.google.staff().sort(LOG_TAB, columns(&clinic.google, LOG_TAB)["waba_number"]);
    expect_next_at_the_end(&service, &clinic.google, LOG_TAB, 4).await;
    for (row, n) in [0, 3, 1, 2, 4].into_iter().enumerate() {
        expect_event(&clinic.google, LOG_TAB, row + 1, n);
    }
}

#[tokio::test]
async fn rows_land_under_renamed_headers_which_stay() {
    let (clinic, service) = log_of(1).await;
    let (at, staff) = (columns(&clinic.google, LOG_TAB), clinic.google.staff());
    // Each is called what the other was: a name says nothing.
    staff.rename_header(LOG_TAB, at["chat_id"], "Event ID");
    staff.rename_header(LOG_TAB, at["event_id"], "Chat ID");
    let header = clinic.google.row(LOG_TAB, 0);
    expect_next_at_the_end(&service, &clinic.google, LOG_TAB, 1).await;
    assert_eq!(clinic.google.row(LOG_TAB, 0), header);
}

#[tokio::test]
async fn deleted_rows_stay_deleted_and_the_next_lands_at_the_end() {
    let (clinic, service) = log_of(5).await;
    clinic.google.staff().delete_rows(LOG_TAB, &[1, 3, 5]);
    expect_next_at_the_end(&service, &clinic.google, LOG_TAB, 5).await;
    for (row, n) in [1, 3, 5].into_iter().enumerate() {
        expect_event(&clinic.google, LOG_TAB, row + 1, n);
    }
}

#[tokio::test]
async fn rows_follow_a_tab_that_is_renamed() {
    let (clinic, service) = log_of(2).await;
    clinic.google.staff().rename_tab(LOG_TAB, "Handover 'A'");
    let tabs = clinic.google.tabs();
    // Under the old title stands something of theirs now.
    clinic.google.staff().add_tab(LOG_TAB, &[&["Item", "Price"], &["Soap", "40"]]);
    expect_next_at_the_end(&service, &clinic.google, "Handover 'A'", 2).await;
    assert_eq!(clinic.google.rows(LOG_TAB), [["Item", "Price"], ["Soap", "40"]]);
    assert_eq!(clinic.google.tabs().len(), tabs.len() + 1);
}

#[tokio::test]
async fn a_duplicate_of_the_tab_gets_no_rows() {
    let (clinic, service) = log_of(2).await;
    let titles = [("With", true), ("Without", false)];
    for (n, (title, with_metadata)) in (2..).zip(titles) {
        clinic.google.staff().duplicate_tab(LOG_TAB, title, with_metadata);
        // Staff work on the duplicate, in which columns may be anywhere.
        clinic.google.staff().insert_column(title, 0, "Notes");
        let duplicate = clinic.google.rows(title);
        expect_next_at_the_end(&service, &clinic.google, LOG_TAB, n).await;
        assert_eq!(clinic.google.rows(title), duplicate);
    }
}

#[tokio::test]
async fn a_copy_of_the_spreadsheet_is_left_alone() {
    let (clinic, service) = log_of(2).await;
    let copies = [("with", true), ("without", false)];
    for (n, (id, with_metadata)) in (2..).zip(copies) {
        clinic.google.staff().copy_spreadsheet(id, with_metadata);
        let copy = clinic.google.open(id);
        copy.staff().move_column(LOG_TAB, 0, 4);
        let rows = copy.rows(LOG_TAB);
        expect_next_at_the_end(&service, &clinic.google, LOG_TAB, n).await;
        assert_eq!(copy.rows(LOG_TAB), rows);
    }
    let asked = clinic.google.requests();
    assert!(asked.iter().all(|seen| !seen.path.contains("/with")), "a copy was asked for");
}

#[tokio::test]
async fn what_staff_put_beside_and_below_our_rows_stays() {
    let (clinic, service) = log_of(2).await;
    let (google, staff) = (&clinic.google, clinic.google.staff());
    let own = google.row(LOG_TAB, 0).len();
    staff.insert_column(LOG_TAB, own, "Remarks");
    staff.insert_column(LOG_TAB, own + 1, "Called");
    staff.set_cell(LOG_TAB, 1, own, "call after five");
    staff.set_checkboxes(LOG_TAB, 1..3, own + 1);
    staff.tick(LOG_TAB, 2, own + 1);
    staff.set_note(LOG_TAB, 1, 1, "speaks Tamil");
    staff.paint(LOG_TAB, 1..2, 0..own, (255, 242, 204));
    // Well below the last row, where the next rows would go in time.
    staff.set_cell(LOG_TAB, 5, own, "end of Monday");
    let cells = || -> Vec<Value> {
        let all = (0..6).flat_map(|row| (0..own + 2).map(move |column| (row, column)));
        all.map(|(row, column)| google.cell(LOG_TAB, row, column)).collect()
    };
    let before = cells();
    for n in 2..5 {
        expect_next_at_the_end(&service, google, LOG_TAB, n).await;
    }
    assert_eq!(cells(), before);
    assert!(
        (6..9).all(|row| google.row(LOG_TAB, row).len() <= own),
        "our rows end with our columns"
    );
}

/// Google's menus suggest to everybody to make a table of what they see.
#[tokio::test]
async fn rows_land_below_a_table_and_the_board_says_how_to_undo_it() {
    const ADVICE: &str = "Revert to unformatted data";
    let (clinic, service) = log_of(3).await;
    let (google, staff) = (&clinic.google, clinic.google.staff());
    staff.make_table(LOG_TAB, "Waiting_list", true);
    google.typed_columns_take_no_formats(true);
    expect_next_at_the_end(&service, google, LOG_TAB, 3).await;
    drop(service);
    let service = clinic.open();
    expect_next_at_the_end(&service, google, LOG_TAB, 4).await;
    clinic.wait_for_headline(ADVICE).await;
    assert_eq!(service.wait_for_sheet("delivering").await, "rows are being written");
    assert_eq!(service.log().matches(ADVICE).count(), 1, "{}", service.log());
    let check = clinic.run(&["check"]);
    assert!(check.stdout.contains(ADVICE), "{}", check.stdout);
    staff.revert_tables(LOG_TAB);
    google.typed_columns_take_no_formats(false);
    assert!(!clinic.run(&["check"]).stdout.contains(ADVICE));
    expect_next_at_the_end(&service, google, LOG_TAB, 5).await;
    (0..6).for_each(|n| expect_event(google, LOG_TAB, n + 1, n));
}

/// Google's doing, which no write of ours can undo: what is turned on is a row of the table's own.
#[tokio::test]
async fn a_footer_takes_the_last_row_and_the_next_lands_below_it() {
    let (clinic, service) = log_of(3).await;
    clinic.google.staff().make_table(LOG_TAB, "Waiting_list", false);
    clinic.google.staff().turn_footer_on(LOG_TAB);
    expect_next_at_the_end(&service, &clinic.google, LOG_TAB, 3).await;
    assert_eq!(clinic.google.row(LOG_TAB, 3)[0], "Total");
}

/// Events come in bursts while staff are at work: between writes, and in the very middle of them.
async fn a_busy_day(seed: u64, habits: &'static [Habit], bursts: usize, burst: usize) {
    let clinic = Clinic::new().with("MAX_WRITES_PER_MINUTE", "60");
    let service = clinic.open();
    service.wait_for_sheet("delivering").await;
    let member = Member::new(seed, habits, &clinic.google, LOG_TAB);
    let member = Arc::new(Mutex::new(member));
    let at_work = |times: usize| {
        let member = Arc::clone(&member);
        move |google: &FakeGoogle| {
            // One person does one thing after the other, wherever the call comes from.
            (0..times).for_each(|_| member.lock().unwrap().act(google));
        }
    };
    let mut sent = HashMap::new();
    for n in 0..bursts {
        for _ in 0..2 {
            clinic.google.before_next_write_with(APPEND, at_work(3));
            clinic.google.after_next_write_with(APPEND, at_work(3));
        }
        let (google, work) = (clinic.google.clone(), at_work(12));
        let working = tokio::task::spawn_blocking(move || work(&google));
        let (taken, worked) =
            tokio::join!(post_all(&service, n * burst..(n + 1) * burst, 32), working);
        worked.unwrap();
        sent.extend(taken);
        service.drained().await;
    }
    assert_eq!(sent.len(), bursts * burst);
    let member = member.lock().unwrap();
    member.expect_all(&clinic.google, &sent);
    let (deleted, marked) = member.traces();
    assert!(deleted > 0 && marked > 20, "staff hardly did anything: {deleted}, {marked}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_rows_land_whole_while_staff_do_what_they_like() {
    a_busy_day(11, HABITS_THAT_MOVE_NO_COLUMN, 12, 840).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn columns_that_staff_moved_overnight_are_found_in_the_morning() {
    let clinic = Clinic::new();
    let mut service = clinic.open();
    service.wait_for_sheet("delivering").await;
    let mut member = Member::new(5, EVERY_HABIT, &clinic.google, LOG_TAB);
    let mut sent = HashMap::new();
    for day in 0..6 {
        sent.extend(post_all(&service, day * 50..(day + 1) * 50, 8).await);
        service.drained().await;
        member.expect_all(&clinic.google, &sent);
        service.kill();
        (0..25).for_each(|_| member.act(&clinic.google));
        service = clinic.open();
    }
}
