//! What a 200 rests on: the standby has it.

use std::time::{Duration, Instant};

use postgres_rig::{Cluster, Durability, installed};
use reqwest::StatusCode;

use crate::harness::{LOG_TAB, PATIENCE, Service, unassigned};
use crate::several::group::{Group, Load, Sent};

/// How many commits wait for the standby.
const WAITING: &str = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";

/// Waits until a commit waits for the standby.
async fn until_a_commit_waits(cluster: &Cluster) {
    let mut session = cluster.primary().session("postgres");
    let give_up = Instant::now() + PATIENCE;
    while session.value(WAITING).unwrap() == "0" {
        assert!(Instant::now() < give_up, "no commit waits for the standby");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Sends an event that need not be taken.
async fn post(service: &Service, chat: &str) -> reqwest::Response {
    service.post("application/json", unassigned(chat).to_string()).await
}

fn acknowledged(chats: &[&str]) -> Sent {
    let acknowledged = chats.iter().map(|chat| (*chat).to_owned()).collect();
    Sent { acknowledged, failed: Vec::new() }
}

/// DoubleTick may try only once, so it is held for as long as it may wait, and kept though it was refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_its_standby_nothing_is_acknowledged_and_nothing_is_lost() {
    if !installed() {
        return;
    }
    let cluster = Cluster::replicated(Durability::Hurried);
    let database = cluster.database();
    let group = Group::on(&database.url(), 2);
    group.running[0].take(&unassigned("before")).await;
    cluster.standby().pause();
    let asked = Instant::now();
    let answer = post(&group.running[0], "held").await;
    let waited = asked.elapsed();
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.headers().contains_key("retry-after"));
    assert!(waited > Duration::from_secs(15), "it was not held: {waited:?}");
    assert!(waited < Duration::from_secs(30), "it was held for too long: {waited:?}");
    // Whoever looks at the process finds it well: another would fare no better.
    assert_eq!(group.running[0].get("/healthz").await.status(), StatusCode::OK);
    assert!(!group.running[0].ready().await["ready"].as_bool().unwrap());
    cluster.standby().go_on();
    assert!(group.clinic.google.wait_for_rows(LOG_TAB, 2, PATIENCE), "what was held is kept");
    group.check(&acknowledged(&["before", "held"])).await;
}

/// An administrator, or a shutdown, ends the wait: the primary says success, and a standby that is promoted then
/// does not have it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_wait_for_the_standby_was_cancelled_is_not_acknowledged() {
    if !installed() {
        return;
    }
    let cluster = Cluster::replicated(Durability::Hurried);
    let database = cluster.database();
    let group = Group::on(&database.url(), 2);
    let service = &group.running[0];
    service.take(&unassigned("before")).await;
    cluster.standby().pause();
    let answered = async { (post(service, "waiting").await.status(), Instant::now()) };
    let failed_over = async {
        for _ in 0..3 {
            until_a_commit_waits(&cluster).await;
            let cancel = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity
                          WHERE wait_event = 'SyncRep'";
            cluster.primary().sql(cancel);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        cluster.primary().kill();
        let killed = Instant::now();
        cluster.standby().go_on();
        cluster.promote();
        killed
    };
    let ((status, answered), killed) = tokio::join!(answered, failed_over);
    assert_eq!(status, StatusCode::OK);
    assert!(answered > killed, "it was acknowledged while only the primary had it");
    cluster.replicate();
    let load = Load::start(&group.balancer, 2, Duration::from_millis(15));
    load.goes_on(20).await;
    let mut sent = load.stop().await;
    sent.acknowledged.extend(acknowledged(&["before", "waiting"]).acknowledged);
    group.check(&sent).await;
}
