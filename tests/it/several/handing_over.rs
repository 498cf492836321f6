//! Who goes hands over at once; who is killed is followed soon.

use std::time::{Duration, Instant};

use postgres_rig::{Cluster, installed};

use crate::several::group::{Group, LEASE, Load};

const PAUSE: Duration = Duration::from_millis(15);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_under_load_fails_no_request() {
    if !installed() {
        return;
    }
    let database = Cluster::shared().database();
    let mut group = Group::on(&database.url(), 3);
    let load = Load::start(&group.balancer, 16, Duration::ZERO);
    for _ in 0..3 {
        load.goes_on(200).await;
        group.open();
        // The platform finds out by asking that the old one goes; until then requests come.
        let mut old = group.running.remove(0);
        old.leaves_rows_behind();
        let address = old.address;
        let status = tokio::task::spawn_blocking(move || old.stop("TERM")).await.unwrap();
        assert!(status.success());
        group.balancer.remove(address);
    }
    load.goes_on(200).await;
    let sent = load.stop().await;
    assert_eq!(sent.failed, Vec::<String>::new());
    assert!(group.balancer.refused() > 0, "an instance that goes takes no more connections");
    group.check(&sent).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_instance_forwards_within_a_second_of_a_stop() {
    if !installed() {
        return;
    }
    let database = Cluster::shared().database();
    let mut group = Group::on(&database.url(), 2);
    let load = Load::start(&group.balancer, 4, PAUSE);
    load.goes_on(50).await;
    let at = group.owner().await;
    let old = group.take(at);
    let asked = Instant::now();
    old.signal("TERM");
    group.owner().await;
    let took = asked.elapsed();
    assert!(took < Duration::from_secs(1), "it took {took:?}");
    load.goes_on(50).await;
    let sent = load.stop().await;
    group.check(&sent).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_instance_forwards_soon_after_the_lease_of_one_that_was_killed() {
    if !installed() {
        return;
    }
    let database = Cluster::shared().database();
    let mut group = Group::on(&database.url(), 2);
    let load = Load::start(&group.balancer, 4, PAUSE);
    load.goes_on(50).await;
    let at = group.owner().await;
    let old = group.take(at);
    let asked = Instant::now();
    old.kill();
    group.owner().await;
    let took = asked.elapsed();
    assert!(took < LEASE + Duration::from_secs(2), "it took {took:?}");
    load.goes_on(50).await;
    let sent = load.stop().await;
    group.check(&sent).await;
}
