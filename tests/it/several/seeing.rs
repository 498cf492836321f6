//! What every instance says of all: who is there, who writes the rows, where they are kept, and how it is.

use std::time::{Duration, Instant};

use fake_google::Refusal;
use postgres_rig::{Cluster, Durability, Proxy, installed};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::harness::{Clinic, PATIENCE, Service, unassigned};
use crate::page::{Visitor, between};
use crate::several::group::{Group, forwards};

/// How soon health and metrics answer, however the database is. On a loaded machine, too.
const ANSWERED_WITHIN: Duration = Duration::from_secs(1);
/// What every instance says in the same words.
const OF_ALL: [&str; 8] = [
    "ready",
    "sheet",
    "detail",
    "sheets",
    "pending_rows",
    "pending_handovers",
    "set_aside_rows",
    "alarm",
];

/// Waits until every instance says the same, and the first one says this.
async fn agree(group: &Group, sheet: &str) -> Value {
    let give_up = Instant::now() + PATIENCE;
    loop {
        let mut said = Vec::new();
        for service in &group.running {
            let ready = service.ready().await;
            said.push(OF_ALL.map(|name| ready[name].clone()));
        }
        if said.iter().all(|of_one| *of_one == said[0]) && said[0][1] == sheet {
            return said[0][2].clone();
        }
        assert!(Instant::now() < give_up, "they do not agree on {sheet}: {said:#?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_of_any_instance_shows_all_of_them_and_on_how_many_machines_a_200_is() {
    if !installed() {
        return;
    }
    let cluster = Cluster::replicated(Durability::Hurried);
    let database = cluster.database();
    let group = Group::on(&database.url(), 2);
    let owner = group.owner().await;
    group.running[owner].take(&unassigned("chat_1")).await;
    group.clinic.expect_rows(1);
    let acceptor = &group.running[1 - owner];
    let visitor = Visitor::signed_in(acceptor).await;
    visitor.sees("All is well: every unassigned chat is in the sheet.").await;
    visitor.sees("Everything holds.").await;
    visitor.sees("What was answered with 200 is on the disks of two machines.").await;
    let page = visitor.page().await;
    let address = cluster.addresses()[0];
    assert!(page.contains(&format!("<q>{}</q> at {address}", database.name())), "{page}");
    let lines: Vec<&str> = page.split("<tr>").filter(|line| line.contains("</code>")).collect();
    assert_eq!(lines.len(), 2, "{page}");
    assert!(lines[0].contains(">forwards<") && !lines[0].contains("(this one)"), "{}", lines[0]);
    assert!(lines[1].contains(">takes events<") && lines[1].contains("(this one)"), "{}", lines[1]);
    assert!(lines.iter().all(|line| line.contains(env!("CARGO_PKG_VERSION"))), "{lines:?}");
    // The owner's writes and calls stand on this page, too, though none of them was made here.
    shows_no_more(&visitor, "<dt>Last write</dt><dd>none since the start").await;
    shows_no_more(&visitor, "0 calls in the last hour").await;
    let own = acceptor.metrics().await;
    assert!(!own.keys().any(|name| name.contains("call=\"append\"")), "{own:?}");
    // A test event goes its way from here, too.
    visitor.press("/test", &[]).await;
    visitor.sees("arrived after").await;
    group.clinic.expect_rows(2);
    let ready = acceptor.ready().await;
    assert_eq!(
        (&ready["journal"]["engine"], &ready["journal"]["copies"]),
        (&json!("postgresql"), &json!(2))
    );
    cluster.primary().set("synchronous_standby_names", "");
    visitor.sees("on the disk of one machine; set synchronous_standby_names").await;
    assert_eq!(acceptor.ready().await["journal"]["copies"], 1);
}

async fn shows_no_more(visitor: &Visitor<'_>, words: &str) {
    let give_up = Instant::now() + PATIENCE;
    while visitor.page().await.contains(words) {
        assert!(Instant::now() < give_up, "it goes on showing {words:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_instance_says_what_the_one_that_forwards_has_met() {
    if !installed() {
        return;
    }
    let database = Cluster::shared().database();
    let mut group = Group::on(&database.url(), 3);
    agree(&group, "delivering").await;
    group.clinic.google.fail_all(Refusal::NotShared403);
    let acceptor = group.acceptor().await;
    group.running[acceptor].take(&unassigned("chat_1")).await;
    let detail = agree(&group, "parked").await;
    assert!(detail.as_str().unwrap().contains("share"), "{detail}");
    let owner = group.owner().await;
    for (at, service) in group.running.iter().enumerate() {
        assert_eq!(forwards(service).await, at == owner);
        assert_eq!(service.ready().await["forwards"], json!(at == owner));
    }
    group.clinic.google.heal();
    agree(&group, "delivering").await;
    group.clinic.expect_rows(1);
    // Whoever takes over goes on saying so, and the one that is gone is not counted in any more.
    assert!(group.take(owner).stop("TERM").success());
    agree(&group, "delivering").await;
    let visitor = Visitor::signed_in(&group.running[0]).await;
    visitor.sees(">forwards<").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_and_metrics_answer_at_once_while_the_database_is_cut_off_or_gone() {
    if !installed() {
        return;
    }
    let database = Cluster::shared().database();
    let proxy = Proxy::before(Cluster::shared().primary().address());
    let clinic = Clinic::new().with("DATABASE_URL", &database.url_at(&[proxy.address()]));
    let mut service = clinic.open();
    service.leaves_rows_behind();
    service.wait_for_sheet("delivering").await;
    for is_silent in [true, false] {
        match is_silent {
            true => proxy.blackhole(),
            false => proxy.refuse(),
        }
        for _ in 0..5 {
            at_once(&service, "/healthz", Some(200)).await;
            at_once(&service, "/readyz", None).await;
            at_once(&service, "/metrics", Some(200)).await;
        }
        let give_up = Instant::now() + PATIENCE;
        while at_once(&service, "/readyz", None).await["journal"]["taking"] != json!(false) {
            assert!(Instant::now() < give_up, "it does not say that nothing is taken");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let ready = at_once(&service, "/readyz", Some(503)).await;
        assert_eq!(ready["oldest_pending_seconds"], Value::Null, "{ready}");
        assert_eq!(ready["journal"]["copies"], Value::Null, "{ready}");
        proxy.pass();
        while at_once(&service, "/readyz", None).await["ready"] != json!(true) {
            assert!(Instant::now() < give_up, "it does not come back");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    let metrics = service.metrics().await;
    assert!(metrics["commit_seconds_count"] >= 1.0, "{metrics:?}");
}

/// The answer, which must come soon.
async fn at_once(service: &Service, path: &str, status: Option<u16>) -> Value {
    let asked = Instant::now();
    let answer = service.get(path).await;
    let (said, waited) = (answer.status().as_u16(), asked.elapsed());
    assert!(waited < ANSWERED_WITHIN, "{path} was answered after {waited:?}");
    assert!(status.is_none_or(|status| status == said), "{path} was answered with {said}");
    answer.json().await.unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_signs_out_at_one_instance_is_signed_out_at_all() {
    if !installed() {
        return;
    }
    let database = Cluster::shared().database();
    let group = Group::on(&database.url(), 2);
    let visitor = Visitor::signed_in(&group.running[0]).await;
    let elsewhere = visitor.at(&group.running[1]);
    assert!(elsewhere.page().await.contains("Accepted"), "one sign-in opens all instances");
    let mut live = elsewhere.get("/live").await;
    visitor.press("/sign-out", &[]).await;
    for at_one in [&visitor, &elsewhere] {
        assert!(at_one.page().await.contains("action=\"/sign-in\""));
        assert_eq!(at_one.get("/live").await.status(), StatusCode::UNAUTHORIZED);
    }
    while live.chunk().await.unwrap().is_some() {}
}

/// Signed out while the database is away: here at once, elsewhere when it is back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sign_out_is_kept_also_where_the_database_was_away() {
    if !installed() {
        return;
    }
    let database = Cluster::shared().database();
    let proxy = Proxy::before(Cluster::shared().primary().address());
    let group = Group::on(&database.url_at(&[proxy.address()]), 2);
    let visitor = Visitor::signed_in(&group.running[0]).await;
    let elsewhere = visitor.at(&group.running[1]);
    let page = visitor.page().await;
    let token = between(&page, "name=\"token\" value=\"", "\"");
    proxy.refuse();
    let answer = visitor.send("/sign-out", &[("token", token)], &[]).await;
    assert_eq!(answer.headers()["location"], "/?from=sign-out-here");
    assert!(visitor.page().await.contains("action=\"/sign-in\""));
    proxy.pass();
    let give_up = Instant::now() + PATIENCE;
    while elsewhere.page().await.contains("Accepted") {
        assert!(Instant::now() < give_up, "the other instance does not hear of it");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_tries_rows_again_while_the_database_is_cut_off_is_told_that_it_does_not_answer() {
    if !installed() {
        return;
    }
    let database = Cluster::shared().database();
    let proxy = Proxy::before(Cluster::shared().primary().address());
    let group = Group::on(&database.url_at(&[proxy.address()]), 1);
    let visitor = Visitor::signed_in(&group.running[0]).await;
    let page = visitor.page().await;
    let token = between(&page, "name=\"token\" value=\"", "\"");
    proxy.blackhole();
    let pressed = Instant::now();
    let answer = visitor.send("/set-aside/retry", &[("token", token)], &[]).await;
    assert_eq!(answer.headers()["location"], "/?said=waiting#how");
    assert!(pressed.elapsed() < Duration::from_secs(10), "{:?}", pressed.elapsed());
    proxy.pass();
}
