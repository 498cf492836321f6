//! The database fails over, is cut off, and does not say what it did.

use std::time::{Duration, Instant};

use postgres_rig::{Cluster, Durability, Proxy, installed};

use crate::several::group::{Group, Load, storm};

const PAUSE: Duration = Duration::from_millis(15);
/// How soon events are taken again.
const TAKEN_AGAIN_WITHIN: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_dies_loses_nothing_and_events_are_taken_soon_after_the_promotion() {
    if !installed() {
        return;
    }
    let cluster = Cluster::replicated(Durability::Flushed);
    let database = cluster.database();
    let group = Group::on(&database.url(), 3);
    group.clinic.google.storm(storm());
    let load = Load::start(&group.balancer, 8, PAUSE);
    for _ in 0..2 {
        load.goes_on(200).await;
        cluster.primary().kill();
        cluster.promote();
        let promoted = Instant::now();
        load.goes_on(1).await;
        let waited = promoted.elapsed();
        assert!(waited < TAKEN_AGAIN_WITHIN, "the first event was taken after {waited:?}");
        load.goes_on(200).await;
        cluster.replicate();
    }
    let sent = load.stop().await;
    assert_eq!(sent.failed, Vec::<String>::new(), "they were held until it was back");
    group.check(&sent).await;
}

/// How long it may take until an instance has noticed that nothing is answered any more.
const NOTICED_WITHIN: Duration = Duration::from_secs(12);

/// Its clients are told nothing: packets stay on the way, also those of new connections.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_is_cut_off_is_left_for_the_one_that_was_promoted() {
    if !installed() {
        return;
    }
    let cluster = Cluster::replicated(Durability::Hurried);
    let database = cluster.database();
    let proxies: Vec<Proxy> = cluster.addresses().into_iter().map(Proxy::before).collect();
    let addresses: Vec<_> = proxies.iter().map(Proxy::address).collect();
    let group = Group::on(&database.url_at(&addresses), 3);
    let load = Load::start(&group.balancer, 8, PAUSE);
    load.goes_on(200).await;
    proxies[0].blackhole();
    cluster.primary().kill();
    // As whatever promotes a standby makes sure first that the primary is gone.
    tokio::time::sleep(NOTICED_WITHIN).await;
    cluster.promote();
    let promoted = Instant::now();
    load.goes_on(1).await;
    let waited = promoted.elapsed();
    assert!(waited < TAKEN_AGAIN_WITHIN, "the first event was taken after {waited:?}");
    load.goes_on(200).await;
    proxies[0].pass();
    load.goes_on(100).await;
    let sent = load.stop().await;
    group.check(&sent).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_whose_commit_was_not_answered_is_kept_once_and_acknowledged() {
    if !installed() {
        return;
    }
    let database = Cluster::shared().database();
    let proxy = Proxy::before(Cluster::shared().primary().address());
    let group = Group::on(&database.url_at(&[proxy.address()]), 3);
    group.clinic.google.storm(storm());
    let load = Load::start(&group.balancer, 8, PAUSE);
    for round in 1..=20 {
        proxy.swallow_commits(1);
        load.goes_on(30).await;
        assert_eq!(proxy.swallowed(), round, "an answer was swallowed");
    }
    let sent = load.stop().await;
    assert_eq!(sent.failed, Vec::<String>::new());
    group.check(&sent).await;
}

/// Cut connections, refused ones, and a server that starts anew.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_away_for_a_moment_fails_no_request() {
    if !installed() {
        return;
    }
    let cluster = Cluster::single(Durability::Hurried);
    let database = cluster.database();
    let proxy = Proxy::before(cluster.primary().address());
    let group = Group::on(&database.url_at(&[proxy.address()]), 2);
    let load = Load::start(&group.balancer, 8, PAUSE);
    for _ in 0..3 {
        load.goes_on(50).await;
        proxy.reset();
        load.goes_on(50).await;
        proxy.refuse();
        tokio::time::sleep(Duration::from_millis(500)).await;
        proxy.pass();
        load.goes_on(50).await;
        cluster.primary().restart();
    }
    load.goes_on(50).await;
    let sent = load.stop().await;
    assert_eq!(sent.failed, Vec::<String>::new());
    group.check(&sent).await;
}
