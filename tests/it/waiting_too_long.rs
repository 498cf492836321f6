//! Patients who wait too long are told of: once, again every hour, and once when it is over, whoever tells it.

use std::time::{Duration, Instant};

use fake_google::FakeGoogle;
use jiff::{Timestamp, ToSpan, tz::TimeZone};
use postgres_rig::{Cluster, installed};
use serde_json::{Value, json};

use crate::alarm::Hook;
use crate::harness::{BOARD_TAB, Clinic, PATIENCE, Service, unassigned};
use crate::several::group::Group;

const NORTH: &str = "1NorthBranchOfTheClinic";
const NORTHS_NUMBER: &str = "+919000000002";
const ALL_DAY: &str = "00:00-24:00";

/// A chat that lost its agent so many minutes ago.
fn dropped(chat: &str, minutes: i64) -> Value {
    let then = Timestamp::now() - minutes.minutes();
    let mut event = unassigned(chat);
    event["timestamp"] = json!(then.as_millisecond());
    event
}

fn dropped_in_the_north(chat: &str, minutes: i64) -> Value {
    let mut event = dropped(chat, minutes);
    event["wabaNumber"] = json!(NORTHS_NUMBER);
    event
}

fn taken(chat: &str) -> Value {
    json!({ "chatId": chat, "assignedUserName": "Asha Nair" })
}

/// Told after 30 minutes, of two branches, each with a spreadsheet of its own.
fn two_branches(clinic: Clinic, hook: &Hook) -> Clinic {
    clinic.google.add_spreadsheet(NORTH, "Asia/Kolkata");
    clinic
        .with("ROUTES", &format!("{NORTHS_NUMBER}={NORTH}"))
        .with("WAIT_ALARM_MINUTES", "30")
        .with("WAIT_ALARM_HOURS", ALL_DAY)
        .with("ALARM_WEBHOOK_URL", &hook.url)
}

/// What was told, without the address of the board, which is one of this spreadsheet.
#[track_caller]
fn of<'t>(told: &'t str, google: &FakeGoogle, spreadsheet: &str) -> &'t str {
    let (said, address) = told.rsplit_once(": ").unwrap();
    let tab = google.open(spreadsheet).tab_id(BOARD_TAB);
    let expected = format!("https://docs.google.com/spreadsheets/d/{spreadsheet}/edit#gid={tab}");
    assert_eq!(address, expected);
    assert!(!told.contains("91911") && !told.contains("chat"), "{told}");
    said.trim_start_matches("doubletick-sheets: ")
}

/// What was told is noted: it is never told again from here on.
async fn noted(service: &Service) {
    let give_up = Instant::now() + PATIENCE;
    while !service.log().contains("told ALARM_WEBHOOK_URL that patients wait too long") {
        assert!(Instant::now() < give_up, "it was not noted: {}", service.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// An hour goes by for what was told.
fn let_an_hour_pass(clinic: &Clinic) {
    let database = rusqlite::Connection::open(clinic.dir.path().join("journal.sqlite3")).unwrap();
    let sql =
        "UPDATE meta SET value = value - 3600000 WHERE name LIKE 'waits_told.%' AND value > 0";
    assert!(database.execute(sql, ()).unwrap() > 0);
}

#[tokio::test]
async fn a_wait_that_is_too_long_is_told_once_also_after_a_crash_again_after_an_hour_and_at_its_end()
 {
    let hook = Hook::start();
    let clinic = two_branches(Clinic::new(), &hook);
    let (google, south) = (clinic.google.clone(), clinic.google.spreadsheet_id());
    let service = clinic.open();
    service.take(&dropped("chat_1", 72)).await;
    service.take(&dropped("chat_2", 10)).await;
    let told = hook.wait_for(1).await;
    let expected = "1 patient has waited for 30 min or longer, the longest for 1 h 12 min; 2 in all wait for an \
                    agent";
    assert_eq!(of(&told[0], &google, &south), expected);
    clinic.wait_for_headline("TOO LONG: 1 for 30 min or longer").await;
    service.drained().await;
    noted(&service).await;
    service.kill();

    // What is told of the other branch shows that this one was looked at again.
    let service = clinic.open();
    service.settled().await;
    service.take(&dropped_in_the_north("north_1", 40)).await;
    let told = hook.wait_for(2).await;
    assert!(
        of(&told[1], &google, NORTH)
            .ends_with("the longest for 40 min; 1 in all wait for an agent")
    );
    service.drained().await;
    noted(&service).await;
    service.kill();

    let_an_hour_pass(&clinic);
    let service = clinic.open();
    let told = hook.wait_for(4).await;
    assert!(told[2..].iter().all(|told| told.contains("1 patient has waited")), "{told:?}");
    service.take(&taken("chat_1")).await;
    let told = hook.wait_for(5).await;
    let over = "nobody waits for 30 min or longer any more; 1 patient waits now";
    assert_eq!(of(&told[4], &google, &south), over);
    service.take(&taken("north_1")).await;
    let told = hook.wait_for(6).await;
    assert!(of(&told[5], &google, NORTH).ends_with("nobody waits now"));
    clinic.wait_for_headline("1 patient waiting").await;
    service.drained().await;
    assert!(!clinic.headline().contains("TOO LONG"), "{}", clinic.headline());
    let log = service.log();
    assert!(
        !log.contains("CANARY-HOOK") && !log.contains(&south) && !log.contains("ERROR"),
        "{log}"
    );
}

/// Hours of the day of the spreadsheet's clock, from and to so many hours from now.
fn hours(from: i64, until: i64) -> String {
    let zone = TimeZone::get("Asia/Kolkata").unwrap();
    let hour = |ahead: i64| {
        let then = Timestamp::now() + ahead.hours();
        then.to_zoned(zone.clone()).strftime("%H:%M").to_string()
    };
    format!("{}-{}", hour(from), hour(until))
}

#[tokio::test]
async fn outside_the_hours_nobody_is_told_and_a_wait_of_the_night_is_told_when_they_begin() {
    let hook = Hook::start();
    let clinic = two_branches(Clinic::new(), &hook);
    let clinic = clinic
        .with("WAIT_ALARM_HOURS", &format!("{}, {}", hours(2, 3), hours(-3, -2)))
        .with("RUST_LOG", "debug");
    let service = clinic.open();
    service.take(&dropped("chat_1", 500)).await;
    clinic.wait_for_headline("TOO LONG: 1 for 30 min or longer").await;
    let give_up = Instant::now() + PATIENCE;
    while !service.log().contains("outside WAIT_ALARM_HOURS nobody is told") {
        assert!(Instant::now() < give_up, "nobody looked: {}", service.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    service.drained().await;
    assert!(service.stop("TERM").success());
    assert_eq!(hook.told(), Vec::<String>::new());
    let clinic = clinic.with("WAIT_ALARM_HOURS", &hours(-1, 1));
    let service = clinic.open();
    let told = hook.wait_for(1).await;
    assert!(told[0].contains("the longest for 8 h 20 min"), "{told:?}");
    service.drained().await;
}

#[tokio::test]
async fn without_an_address_to_tell_only_the_board_says_it_and_that_is_said() {
    let clinic = Clinic::new().with("WAIT_ALARM_MINUTES", "30");
    let service = clinic.open();
    service.take(&dropped("chat_1", 31)).await;
    clinic.wait_for_headline("TOO LONG: 1 for 30 min or longer").await;
    service.drained().await;
    let sentence = "ALARM_WEBHOOK_URL is not: only the board's first line";
    assert!(service.log().contains(sentence), "{}", service.log());
    assert!(clinic.run(&["check"]).stdout.contains(sentence));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instance_that_takes_over_tells_nothing_again_and_tells_the_end() {
    if !installed() {
        return;
    }
    let database = Cluster::shared().database();
    let hook = Hook::start();
    let mut group = Group::on(&database.url(), 0);
    group.clinic = two_branches(group.clinic, &hook);
    (0..3).for_each(|_| group.open());
    let first = group.owner().await;
    group.running[first].take(&dropped("chat_1", 45)).await;
    noted(&group.running[first]).await;
    group.take(first).kill();
    let second = group.owner().await;
    group.running[second].take(&dropped_in_the_north("north_1", 31)).await;
    let told = hook.wait_for(2).await;
    assert!(told[1].contains(NORTH), "{told:?}");
    noted(&group.running[second]).await;
    let second = group.take(second);
    assert!(tokio::task::spawn_blocking(|| second.stop("TERM")).await.unwrap().success());
    group.owner().await;
    group.running[0].take(&taken("chat_1")).await;
    let told = hook.wait_for(3).await;
    assert!(told[2].contains("nobody waits now") && !told[2].contains(NORTH), "{told:?}");
    group.running[0].drained().await;
}
