//! Instances that are killed, and that stand still for longer than the lease and go on.

use std::time::Duration;

use fake_google::Fault;
use postgres_rig::{Cluster, PgBouncer, installed, pooler_installed};

use crate::several::group::{Group, LEASE, Load, forwards, storm};

const PAUSE: Duration = Duration::from_millis(15);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_instances_take_events_and_one_of_them_writes_the_rows() {
    if !installed() {
        return;
    }
    let database = Cluster::shared().database();
    let group = Group::on(&database.url(), 3);
    let load = Load::start(&group.balancer, 16, PAUSE);
    load.goes_on(600).await;
    let mut owners = 0;
    for service in &group.running {
        owners += u32::from(forwards(service).await);
    }
    assert_eq!(owners, 1);
    let sent = load.stop().await;
    assert_eq!(sent.failed, Vec::<String>::new());
    group.check(&sent).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn instances_killed_in_a_storm_lose_nothing_and_double_nothing() {
    if !installed() {
        return;
    }
    let database = Cluster::shared().database();
    let mut group = Group::on(&database.url(), 3);
    group.clinic.google.storm(storm());
    let load = Load::start(&group.balancer, 8, PAUSE);
    for round in 0..4 {
        load.goes_on(200).await;
        let at = if round % 2 == 0 { group.owner().await } else { group.acceptor().await };
        group.take(at).kill();
        group.open();
    }
    load.goes_on(200).await;
    let sent = load.stop().await;
    group.check(&sent).await;
}

/// The one that forwards is stopped in the middle of whatever it is sending, and wakes when another has taken
/// over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn instances_that_stand_still_for_longer_than_the_lease_do_no_harm_when_they_wake() {
    if !installed() {
        return;
    }
    let database = Cluster::shared().database();
    let group = Group::on(&database.url(), 3);
    group.clinic.google.storm(storm());
    let load = Load::start(&group.balancer, 8, PAUSE);
    for round in 0..4 {
        load.goes_on(200).await;
        let at = if round % 2 == 0 { group.owner().await } else { group.acceptor().await };
        let paused = &group.running[at];
        paused.signal("STOP");
        group.balancer.remove(paused.address);
        tokio::time::sleep(LEASE + Duration::from_millis(1_500)).await;
        load.goes_on(100).await;
        paused.signal("CONT");
        group.balancer.add(paused.address);
    }
    let sent = load.stop().await;
    group.check(&sent).await;
}

/// No session state is relied on: a pooler gives each transaction another connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_a_pooler_of_transactions_everything_is_as_without() {
    if !pooler_installed() {
        return;
    }
    let database = Cluster::shared().database();
    let pooler = PgBouncer::before(Cluster::shared().primary().address(), 4);
    let mut group = Group::on(&database.url_at(&[pooler.address()]), 3);
    group.clinic.google.storm(storm());
    let load = Load::start(&group.balancer, 8, PAUSE);
    for _ in 0..2 {
        load.goes_on(300).await;
        let at = group.owner().await;
        group.take(at).kill();
        group.open();
    }
    load.goes_on(300).await;
    let sent = load.stop().await;
    group.check(&sent).await;
}

/// Google takes the write in, and applies it only when the one that sent it has stood still for longer than the
/// lease and another has sent the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_is_applied_after_another_instance_took_over_is_there_once() {
    if !installed() {
        return;
    }
    let database = Cluster::shared().database();
    let group = Group::on(&database.url(), 2);
    let load = Load::start(&group.balancer, 4, PAUSE);
    load.goes_on(50).await;
    for _ in 0..2 {
        let paused = &group.running[group.owner().await];
        let late = LEASE + Duration::from_millis(1_500);
        let writes = group.clinic.google.writes();
        group.clinic.google.fail_next_write(Fault::ApplyLate(late));
        while group.clinic.google.writes() == writes {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        paused.signal("STOP");
        group.balancer.remove(paused.address);
        tokio::time::sleep(late).await;
        load.goes_on(50).await;
        paused.signal("CONT");
        group.balancer.add(paused.address);
        load.goes_on(50).await;
    }
    let sent = load.stop().await;
    group.check(&sent).await;
}
