//! Every acknowledged unassignment becomes exactly one row, whatever fails on the way.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use fake_google::{Fault, Refusal, Storm, TokenFault};

use crate::harness::{Clinic, LOG_TAB, PATIENCE, Service, http, unassigned};

/// What came of events that were posted.
#[derive(Default)]
struct Posted {
    acknowledged: Vec<String>,
    /// Why the others were not: an answer, or none.
    refused: Vec<String>,
}

/// Posts events for these chats over so many connections.
async fn post_all(service: &Service, chats: Vec<String>, connections: usize) -> Posted {
    let chats = Arc::new(chats);
    let next = Arc::new(AtomicUsize::new(0));
    let mut posting = tokio::task::JoinSet::new();
    for _ in 0..connections {
        let (chats, next, webhook) = (Arc::clone(&chats), Arc::clone(&next), service.webhook());
        posting.spawn(async move {
            let (client, mut posted) = (http(), Posted::default());
            while let Some(chat) = chats.get(next.fetch_add(1, Ordering::Relaxed)) {
                let body = unassigned(chat).to_string();
                match client.post(&webhook).body(body).send().await {
                    Ok(answer) if answer.status().is_success() => {
                        posted.acknowledged.push(chat.clone());
                    }
                    Ok(answer) => posted.refused.push(answer.status().to_string()),
                    // A broken connection is no acknowledgement: nobody knows what came of the event.
                    Err(error) => {
                        posted.refused.push(format!("{error:?}"));
                        break;
                    }
                }
            }
            posted
        });
    }
    let mut all = Posted::default();
    for posted in posting.join_all().await {
        all.acknowledged.extend(posted.acknowledged);
        all.refused.extend(posted.refused);
    }
    all
}

/// The same where every one of them must be acknowledged.
async fn taken_all(service: &Service, chats: Vec<String>, connections: usize) -> Vec<String> {
    let Posted { acknowledged, refused } = post_all(service, chats, connections).await;
    assert!(refused.is_empty(), "not taken: {refused:?}");
    acknowledged
}

fn chats(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{prefix}{n}")).collect()
}

/// Every acknowledged chat is there, and no chat twice.
#[track_caller]
pub(crate) fn assert_once_each(clinic: &Clinic, acknowledged: &[String]) {
    let rows = clinic.chats();
    let distinct: HashSet<&String> = rows.iter().collect();
    assert_eq!(distinct.len(), rows.len(), "some rows are doubled");
    let lost: Vec<_> = acknowledged.iter().filter(|chat| !distinct.contains(chat)).collect();
    assert!(lost.is_empty(), "{} acknowledged events are lost: {lost:?}", lost.len());
    let ids = clinic.google.column(LOG_TAB, "Event ID");
    let number = |id: &String| id.rsplit_once('-').unwrap().1.parse::<u64>().unwrap();
    assert!(ids.iter().map(number).is_sorted(), "rows are out of order");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_events_at_once_are_all_there_once_and_in_order() {
    let clinic = Clinic::new();
    let service = clinic.open();
    let acknowledged = taken_all(&service, chats("chat_", 3_000), 64).await;
    clinic.expect_rows(3_000);
    service.drained().await;
    assert_once_each(&clinic, &acknowledged);
    assert!(clinic.google.writes_per_minute_max() <= 50);
}

#[tokio::test]
async fn whatever_becomes_of_the_answer_the_row_is_there_once() {
    let clinic = Clinic::new();
    let service = clinic.open();
    service.settled().await;
    let faults = [
        Fault::LoseAnswer,
        Fault::RefuseAfterApplying(500),
        Fault::RefuseAfterApplying(503),
        Fault::HalfBody,
        Fault::GarbledOk,
        Fault::Html(502),
        Fault::Reset,
        Fault::Refuse(Refusal::Internal500),
        Fault::Refuse(Refusal::Quota429),
        Fault::Refuse(Refusal::Quota429RetryAfter(1)),
        Fault::Refuse(Refusal::Expired401),
    ];
    for (fault, rows) in faults.into_iter().zip(1..) {
        clinic.google.fail_next_write(fault.clone());
        service.take(&unassigned(&format!("chat_{rows}"))).await;
        clinic.expect_rows(rows);
        service.drained().await;
        assert_eq!(clinic.rows().len(), rows, "after {fault:?}");
    }
}

#[tokio::test]
async fn a_write_applied_late_does_not_double_the_row() {
    let clinic = Clinic::new();
    let service = clinic.open();
    service.settled().await;
    let late = Duration::from_millis(1_500);
    clinic.google.fail_next_write(Fault::ApplyLate(late));
    service.take(&unassigned("late")).await;
    service.drained().await;
    tokio::time::sleep(late).await;
    service.take(&unassigned("after")).await;
    clinic.expect_rows(2);
    service.drained().await;
    assert_eq!(clinic.chats(), ["late", "after"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_faults_and_kills_loses_nothing_and_doubles_nothing() {
    let clinic = Clinic::new().with("MAX_WRITES_PER_MINUTE", "60");
    clinic.google.token_lifetime(Duration::from_secs(3));
    clinic.google.storm(Storm {
        seed: 7,
        lost_answer: 0.3,
        applied_late: 0.1,
        late_by: (Duration::from_millis(200), Duration::from_secs(3)),
        internal_500: 0.1,
        unavailable_503: 0.1,
        quota_429: 0.1,
        reset: 0.05,
        ..Storm::default()
    });
    let mut acknowledged = Vec::new();
    for life in 0..8 {
        let service = clinic.open();
        acknowledged.extend(taken_all(&service, chats(&format!("life_{life}_"), 200), 8).await);
        service.kill();
    }
    let service = clinic.open();
    acknowledged.extend(taken_all(&service, chats("last_", 50), 8).await);
    clinic.google.calm();
    clinic.expect_rows(acknowledged.len());
    service.drained().await;
    assert_once_each(&clinic, &acknowledged);
    assert!(clinic.google.writes_per_minute_max() <= 60);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_while_senders_post_it_keeps_what_it_acknowledged() {
    let clinic = Clinic::new();
    let mut acknowledged = Vec::new();
    for life in 0..5 {
        let service = clinic.open();
        let posting = post_all(&service, chats(&format!("life_{life}_"), 1_000_000), 16);
        let killed = async {
            tokio::time::sleep(Duration::from_millis(120 + 60 * life)).await;
            service.signal("KILL");
        };
        let (posted, ()) = tokio::join!(tokio::time::timeout(PATIENCE, posting), killed);
        acknowledged.extend(posted.unwrap().acknowledged);
        service.kill();
    }
    let service = clinic.open();
    service.drained().await;
    assert_once_each(&clinic, &acknowledged);
}

#[tokio::test]
async fn an_outage_delays_rows_and_nothing_else() {
    let clinic = Clinic::new();
    let service = clinic.open();
    service.wait_for_sheet("delivering").await;
    clinic.google.outage(true);
    for n in 0..50 {
        let started = Instant::now();
        service.take(&unassigned(&format!("chat_{n}"))).await;
        assert!(started.elapsed() < Duration::from_secs(1), "an outage slowed an acknowledgement");
    }
    service.wait_for_sheet("retrying").await;
    assert_eq!(service.metrics().await["pending"], 50.0);
    clinic.google.heal();
    clinic.expect_rows(50);
    service.drained().await;
    assert_eq!(clinic.rows().len(), 50);
}

#[tokio::test]
async fn the_quota_is_kept_across_a_restart() {
    let clinic = Clinic::new().with("MAX_WRITES_PER_MINUTE", "6");
    let mut service = clinic.open();
    let mut rows = 0;
    service.settled().await;
    // With the making of the tabs and of the board, three writes are half of a minute's and leave at
    // once.
    while rows < 1 {
        rows += 1;
        service.take(&unassigned(&format!("chat_{rows}"))).await;
        clinic.expect_rows(rows);
        service.drained().await;
    }
    for life in 0..4 {
        service.kill();
        service = clinic.open();
        service.wait_for_sheet("delivering").await;
        service.take(&unassigned(&format!("life_{life}"))).await;
    }
    service.leaves_rows_behind();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(clinic.google.writes() <= 4, "{} writes", clinic.google.writes());
}

#[tokio::test]
async fn token_trouble_delays_and_passes() {
    let clinic = Clinic::new();
    for fault in [
        TokenFault::Json500,
        TokenFault::EmptyObject,
        TokenFault::Html503,
        TokenFault::Reset,
        TokenFault::InvalidGrantClock,
    ] {
        clinic.google.fail_next_token(fault);
    }
    let service = clinic.open();
    service.take(&unassigned("chat_1")).await;
    clinic.expect_rows(1);
    service.drained().await;
}

#[tokio::test]
async fn a_poisoned_row_is_set_aside_and_the_rest_goes_on() {
    let clinic = Clinic::new();
    let service = clinic.open();
    service.settled().await;
    // While the first write is under way the other rows gather; then whatever travels with the
    // poisoned one is refused, until it is refused alone.
    clinic.google.fail_next_write(Fault::Slow(Duration::from_secs(1)));
    let body = r#"{"error":{"code":400,"status":"INVALID_ARGUMENT","message":"Invalid requests[1].appendCells: Your input contains more than the maximum of 50000 characters in a single cell."}}"#;
    for _ in 0..3 {
        clinic.google.fail_next_write(Fault::Refuse(Refusal::Custom(400, body.to_owned())));
    }
    let writes = clinic.google.writes();
    service.take(&unassigned("first")).await;
    while clinic.google.writes() == writes {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for chat in ["poisoned", "second", "third"] {
        service.take(&unassigned(chat)).await;
    }
    clinic.expect_rows(3);
    service.drained().await;
    assert_eq!(clinic.chats(), ["first", "second", "third"]);
    let metrics = service.metrics().await;
    let of = |name: &str| metrics[name];
    assert_eq!((of("accepted_total"), of("written_total"), of("set_aside")), (4.0, 3.0, 1.0));
    assert!(service.log().contains("set aside"));
}

#[tokio::test]
async fn an_unreadable_marker_is_asked_again_instead_of_sending_again() {
    let clinic = Clinic::new();
    let service = clinic.open();
    service.settled().await;
    clinic.google.fail_next_write(Fault::LoseAnswer);
    for _ in 0..3 {
        clinic.google.fail_next_read(Fault::Refuse(Refusal::Unavailable503));
    }
    let writes = clinic.google.writes();
    service.take(&unassigned("chat_1")).await;
    clinic.expect_rows(1);
    service.drained().await;
    assert_eq!(clinic.google.writes() - writes, 2, "one lost, one refused, and then only asked");
    assert_eq!(clinic.rows().len(), 1);
}

#[tokio::test]
async fn a_column_inserted_during_an_outage_shifts_no_row_that_comes_after() {
    let clinic = Clinic::new();
    let service = clinic.open();
    service.take(&unassigned("before")).await;
    clinic.expect_rows(1);
    service.drained().await;
    clinic.google.fail_all(Refusal::NotShared403);
    service.take(&unassigned("parked")).await;
    service.wait_for_sheet("parked").await;
    for n in 0..20 {
        service.take(&unassigned(&format!("after_{n}"))).await;
    }
    clinic.google.staff().insert_column(LOG_TAB, 0, "Notes");
    clinic.google.heal();
    clinic.expect_rows(22);
    service.drained().await;
    assert!(clinic.google.column(LOG_TAB, "Notes").iter().all(String::is_empty));
    assert_eq!(clinic.chats().len(), 22);
}
