//! The last days at a glance: what the clinic's lead asks on Monday.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use fake_google::Storm;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};

use crate::harness::{Clinic, HANDOVERS_TAB, PATIENCE, Service};

const SUMMARY: &str = "Summary";

fn clinic() -> Clinic {
    Clinic::new().without("SUMMARY_NAME")
}

fn phone(chat: usize) -> String {
    format!("+9190000000{chat:02}")
}

fn dropped(chat: usize, agent: &str, at: Timestamp) -> Value {
    json!({ "chatId": format!("chat_{chat}"), "customerPhone": phone(chat), "previousAgentName": agent,
            "timestamp": at.as_millisecond() })
}

fn taken(chat: usize, agent: &str, at: Timestamp) -> Value {
    json!({ "chatId": format!("chat_{chat}"), "customerPhone": phone(chat), "assignedUserName": agent,
            "assignedUserId": "user_1", "message": { "text": "assigned" }, "timestamp": at.as_millisecond() })
}

fn closed(chat: usize, at: Timestamp) -> Value {
    json!({ "from": phone(chat), "to": "+919000000000", "closeConversation": true,
            "timestamp": at.as_millisecond() })
}

/// A list of the summary: what stands under these labels, line by line.
fn list<const N: usize>(clinic: &Clinic, labels: [&str; N]) -> Vec<[String; N]> {
    let rows = clinic.google.rows(SUMMARY);
    let at = labels.map(|label| rows[1].iter().position(|text| text == label).unwrap());
    let line = |row: &Vec<String>| at.map(|at| row.get(at).cloned().unwrap_or_default());
    rows[2..].iter().map(line).filter(|line| !line[0].is_empty()).collect()
}

const DAYS: [&str; 6] =
    ["Day", "Dropped", "Taken", "Closed", "Median wait (minutes)", "Longest wait (minutes)"];

/// How many chats it shows as dropped; none where it is not there.
fn dropped_in_all(clinic: &Clinic) -> usize {
    if clinic.google.rows(SUMMARY).len() < 3 {
        return 0;
    }
    list(clinic, DAYS).iter().map(|day| day[1].parse::<usize>().unwrap()).sum()
}

/// A service that was started anew writes it at once, and else within ten minutes.
async fn expect_dropped(clinic: &Clinic, service: Service, count: usize) -> Service {
    service.drained().await;
    service.stop("TERM");
    let service = clinic.open();
    let give_up = Instant::now() + PATIENCE;
    while dropped_in_all(clinic) != count {
        assert!(Instant::now() < give_up, "{:?}\n{}", clinic.google.rows(SUMMARY), service.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    service
}

#[tokio::test]
async fn it_says_what_happened_day_by_day_and_agent_by_agent() {
    let clinic = clinic();
    let service = clinic.open();
    let zone = TimeZone::get("Asia/Kolkata").unwrap();
    let now = Timestamp::now();
    // By their days as the clinic's calendar has them.
    let mut days: BTreeMap<String, ([usize; 3], Vec<i64>)> = BTreeMap::new();
    let mut hours = vec![0; 24];
    let name = |at: Timestamp| at.to_zoned(zone.clone()).strftime("%a %-d %b").to_string();
    for chat in 0..24 {
        let at = now - (i64::try_from(chat).unwrap() * 29 + 4).hours();
        let agent = ["Asha", "Ravi"][chat % 2];
        service.take(&dropped(chat, agent, at)).await;
        days.entry(name(at)).or_default().0[0] += 1;
        hours[usize::try_from(at.to_zoned(zone.clone()).hour()).unwrap()] += 1;
        let minutes = i64::try_from(chat * 7 % 200).unwrap();
        let end = at + minutes.minutes();
        let day = match chat % 3 {
            0 => continue,
            1 => {
                service.take(&taken(chat, "Meera", end)).await;
                let day = days.entry(name(end)).or_default();
                day.0[1] += 1;
                day
            }
            _ => {
                service.take(&closed(chat, end)).await;
                let day = days.entry(name(end)).or_default();
                day.0[2] += 1;
                day
            }
        };
        day.1.push(minutes);
    }
    let service = expect_dropped(&clinic, service, 24).await;
    let shown = list(&clinic, DAYS);
    assert_eq!(shown.len(), 31);
    for [day, dropped, taken, closed, median, longest] in shown {
        let (counts, mut waits) = days.remove(&day).unwrap_or_default();
        assert_eq!([dropped, taken, closed], counts.map(|count| count.to_string()), "{day}");
        waits.sort_unstable();
        let text = |minutes: Option<&i64>| minutes.map(i64::to_string).unwrap_or_default();
        assert_eq!(longest, text(waits.last()), "{day}");
        assert_eq!(median.is_empty(), waits.is_empty(), "{day}");
        if waits.len() == 1 {
            assert_eq!(median, text(waits.first()), "{day}");
        }
    }
    assert!(days.is_empty(), "{days:?} are not shown");
    let by_hour = list(&clinic, ["Hour", "Dropped in that hour"]);
    assert_eq!(by_hour[7][0], "07:00");
    let counts = by_hour.iter().map(|[_, count]| count.parse::<usize>().unwrap());
    assert_eq!(counts.collect::<Vec<_>>(), hours);
    let agents = list(&clinic, ["Agent", "They dropped", "They took"]);
    let names: Vec<&str> = agents.iter().map(|[name, ..]| name.as_str()).collect();
    assert_eq!(names, ["Asha", "Ravi", "Meera"], "{agents:?}");
    assert_eq!(clinic.google.charts(SUMMARY).len(), 2);
    drop(service);
}

/// Killed and started again and again, while two of three calls are lost, refused or cut.
#[tokio::test]
async fn whatever_fails_it_counts_every_row_once() {
    let clinic = clinic();
    let mut service = clinic.open();
    let now = Timestamp::now();
    for round in 0..4 {
        clinic.google.storm(Storm {
            seed: round as u64,
            lost_answer: 0.3,
            applied_late: 0.1,
            late_by: (Duration::from_millis(200), Duration::from_secs(3)),
            unavailable_503: 0.2,
            reset: 0.05,
            ..Storm::default()
        });
        for chat in round * 8..round * 8 + 8 {
            service.take(&dropped(chat, "Asha", now)).await;
            if chat % 2 == 0 {
                service.take(&taken(chat, "Ravi", now)).await;
            }
        }
        service.kill();
        service = clinic.open();
        clinic.google.calm();
        service.drained().await;
    }
    let service = expect_dropped(&clinic, service, 32).await;
    assert_eq!(clinic.rows().len(), 32);
    let taken: usize = list(&clinic, DAYS).iter().map(|day| day[2].parse::<usize>().unwrap()).sum();
    assert_eq!((taken, clinic.google.rows(HANDOVERS_TAB).len()), (16, 17));
    assert_eq!(clinic.google.charts(SUMMARY).len(), 2);
    assert_eq!(clinic.google.tabs().iter().filter(|tab| *tab == SUMMARY).count(), 1);
    drop(service);
}

#[tokio::test]
async fn staff_may_do_with_it_what_they_like() {
    let clinic = clinic();
    let service = expect_dropped(&clinic, clinic.open(), 0).await;
    let give_up = Instant::now() + PATIENCE;
    while clinic.google.rows(SUMMARY).len() < 3 {
        assert!(Instant::now() < give_up, "{}", service.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let staff = clinic.google.staff();
    staff.delete_charts(SUMMARY);
    staff.move_tab(SUMMARY, 0);
    service.take(&dropped(1, "Asha", Timestamp::now())).await;
    let service = expect_dropped(&clinic, service, 1).await;
    assert_eq!(clinic.google.charts(SUMMARY).len(), 0, "they are people's");
    assert_eq!(clinic.google.tabs()[0], SUMMARY);
    staff.delete_tab(SUMMARY);
    service.take(&dropped(2, "Asha", Timestamp::now())).await;
    let service = expect_dropped(&clinic, service, 2).await;
    assert_eq!(clinic.google.charts(SUMMARY).len(), 2, "made with the tab");
    assert_eq!(clinic.rows().len(), 2);
    drop(service);
}

#[tokio::test]
async fn it_has_the_title_that_is_set_or_is_not_there() {
    let clinic = Clinic::new().with("SUMMARY_NAME", "Woche");
    let service = clinic.open();
    let give_up = Instant::now() + PATIENCE;
    while clinic.google.rows("Woche").len() < 3 {
        assert!(Instant::now() < give_up, "{}", service.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    service.stop("TERM");
    let clinic = Clinic::new().with("SUMMARY_NAME", "");
    let service = clinic.open();
    service.settled().await;
    service.stop("TERM");
    assert_eq!(clinic.google.tabs().len(), 4, "{:?}", clinic.google.tabs());
    let clinic = Clinic::new().with("SUMMARY_NAME", "Handovers");
    let ended = clinic.run(&[]);
    assert_eq!(ended.status.code(), Some(2));
    assert!(ended.stderr.contains("SUMMARY_NAME"), "{}", ended.stderr);
}
