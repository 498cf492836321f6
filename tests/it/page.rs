//! The operator's page: who may see it, how it leads to the first row, and what it shows.

use std::time::{Duration, Instant};

use fake_google::{Fault, Refusal};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Clinic, PATIENCE, SECRET, Service, http, unassigned};

/// A browser without JavaScript that keeps the cookie.
pub(crate) struct Visitor<'a> {
    service: &'a Service,
    http: Client,
    cookie: String,
}

impl<'a> Visitor<'a> {
    pub(crate) fn new(service: &'a Service) -> Self {
        service.is_looked_at();
        drop(http());
        let http = Client::builder().no_proxy().timeout(PATIENCE).redirect(Policy::none());
        Self { service, http: http.build().unwrap(), cookie: String::new() }
    }

    pub(crate) async fn signed_in(service: &'a Service) -> Self {
        let mut visitor = Self::new(service);
        let answer = visitor.sign_in(SECRET).await;
        assert_eq!((answer.status(), location(&answer)), (StatusCode::SEE_OTHER, "/?from=sign-in"));
        visitor.cookie = cookie(&answer).split(';').next().unwrap().to_owned();
        visitor
    }

    /// The same browser at another instance behind the same address.
    pub(crate) fn at(&self, service: &'a Service) -> Self {
        Self { cookie: self.cookie.clone(), ..Self::new(service) }
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        let request = self.http.get(self.service.url(path)).header("cookie", &self.cookie);
        request.send().await.unwrap()
    }

    pub(crate) async fn page(&self) -> String {
        let answer = self.get("/").await;
        assert_eq!(answer.status(), StatusCode::OK);
        answer.text().await.unwrap()
    }

    async fn sign_in(&self, secret: &str) -> Response {
        self.send("/sign-in", &[("secret", secret)], &[]).await
    }

    /// One of the 256 that sessions fall into; those of one are ended together.
    fn slot(&self) -> &str {
        let (_, hash) = self.cookie.split_once('.').unwrap();
        hash.get(..2).unwrap()
    }

    /// Presses a button of the page.
    pub(crate) async fn press(&self, path: &str, fields: &[(&str, &str)]) -> Response {
        let page = self.page().await;
        let token = between(&page, "name=\"token\" value=\"", "\"");
        self.send(path, &[fields, &[("token", token)]].concat(), &[]).await
    }

    pub(crate) async fn send(
        &self,
        path: &str,
        fields: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Response {
        let mut form = form_urlencoded::Serializer::new(String::new());
        let form = form.extend_pairs(fields).finish();
        let mut request = self.http.post(self.service.url(path)).body(form);
        request = request.header("content-type", "application/x-www-form-urlencoded");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.header("cookie", &self.cookie).send().await.unwrap()
    }

    /// Loads the page, as a browser without JavaScript does again and again, until it shows this.
    pub(crate) async fn sees(&self, words: &str) -> String {
        let give_up = Instant::now() + PATIENCE;
        loop {
            let page = self.page().await;
            if page.contains(words) {
                return page;
            }
            assert!(Instant::now() < give_up, "the page does not show {words}: {page}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

#[track_caller]
pub(crate) fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let (_, rest) = text.split_once(before).unwrap_or_else(|| panic!("no {before} in {text}"));
    rest.split_once(after).unwrap().0
}

fn location(answer: &Response) -> &str {
    answer.headers()["location"].to_str().unwrap()
}

fn cookie(answer: &Response) -> &str {
    answer.headers()["set-cookie"].to_str().unwrap()
}

/// The page is tried in a browser, too, by a crate of its own: `cargo test -p browser`.
#[test]
fn whoever_cannot_try_the_page_in_a_browser_is_told() {
    crate::browser::installed();
}

#[tokio::test]
async fn a_stranger_sees_the_sign_in_form_and_nothing_else() {
    let clinic = Clinic::new();
    let service = clinic.open();
    let stranger = Visitor::new(&service);
    let page = stranger.page().await;
    assert!(page.contains("action=\"/sign-in\"") && page.contains("type=\"password\""));
    let email = clinic.google.client_email();
    for secret in [SECRET, &email, &clinic.google.spreadsheet_id(), "Accepted"] {
        assert!(!page.contains(secret), "a stranger sees {secret}");
    }
    assert_eq!(stranger.get("/live").await.status(), StatusCode::UNAUTHORIZED);
    for path in ["/set-aside.csv", "/set-aside.json"] {
        assert_eq!(location(&stranger.get(path).await), "/");
    }
    for path in ["/test", "/check", "/set-aside/retry", "/sign-out"] {
        assert_eq!(location(&stranger.send(path, &[("token", "x")], &[]).await), "/");
    }
    assert_eq!(service.metrics().await["accepted_total"], 0.0);
}

#[tokio::test]
async fn the_cookie_of_the_sign_in_is_no_secret_and_for_nobody_else() {
    let clinic = Clinic::new().with("WEBHOOK_SECRET", &format!("{SECRET},another-secret-of-tests"));
    let service = clinic.open();
    let visitor = Visitor::new(&service);
    for secret in [SECRET, " another-secret-of-tests\n"] {
        let answer = visitor.sign_in(secret).await;
        let cookie = cookie(&answer);
        assert!(cookie.contains("; HttpOnly; SameSite=Strict") && cookie.contains("Max-Age=43200"));
        assert!(!cookie.contains("Secure"), "on this machine there is no https: {cookie}");
        assert!(!cookie.contains(secret.trim()) && !location(&answer).contains(secret.trim()));
    }
    let headers = [("host", "clinic.fly.dev")];
    let answer = visitor.send("/sign-in", &[("secret", SECRET)], &headers).await;
    assert!(cookie(&answer).ends_with("; Secure"));
    for forged in ["doubletick_sheets=9999999999.", "doubletick_sheets=x", "doubletick_sheets="] {
        let forger = Visitor { cookie: forged.to_owned(), ..Visitor::new(&service) };
        assert!(forger.page().await.contains("action=\"/sign-in\""), "{forged}");
    }
    let mut page = visitor.get("/?from=sign-in").await.text().await.unwrap();
    page.retain(|c| c != '\n');
    assert!(page.contains("did not keep the sign-in"), "a browser without cookies is told: {page}");
}

#[tokio::test]
async fn a_session_outlives_a_restart_and_ends_with_the_secret() {
    let clinic = Clinic::new();
    let service = clinic.open();
    let cookie = Visitor::signed_in(&service).await.cookie;
    assert!(service.stop("TERM").success());

    let service = clinic.open();
    let visitor = Visitor { cookie: cookie.clone(), ..Visitor::new(&service) };
    assert!(visitor.page().await.contains("Accepted"));
    assert!(service.stop("TERM").success());

    let clinic = clinic.with("WEBHOOK_SECRET", "another-secret-of-tests");
    let service = clinic.open();
    let visitor = Visitor { cookie, ..Visitor::new(&service) };
    assert!(visitor.page().await.contains("action=\"/sign-in\""));
}

/// A copy of the cookie is worth nothing afterwards, and a colleague goes on.
#[tokio::test]
async fn a_session_that_was_signed_out_is_over_also_after_a_restart() {
    let clinic = Clinic::new();
    let service = clinic.open();
    let visitor = Visitor::signed_in(&service).await;
    let mut colleague = Visitor::signed_in(&service).await;
    while colleague.slot() == visitor.slot() {
        colleague = Visitor::signed_in(&service).await;
    }
    let mut live = visitor.get("/live").await;
    // What the address says of a sign-in is not said again of its end.
    assert_eq!(location(&visitor.get("/?from=sign-in").await), "/");
    let page = visitor.page().await;
    let token = between(&page, "name=\"token\" value=\"", "\"");
    let answer = visitor.send("/sign-out", &[("token", token)], &[]).await;
    assert!(cookie(&answer).starts_with("doubletick_sheets=; Path=/; Max-Age=0;"));
    assert_eq!(location(&answer), "/?from=sign-out");
    assert!(visitor.get("/?from=sign-out").await.text().await.unwrap().contains("are signed out"));
    while live.chunk().await.unwrap().is_some() {}

    let (cookie, colleagues) = (visitor.cookie.clone(), colleague.cookie.clone());
    assert!(service.stop("TERM").success());
    let service = clinic.open();
    let visitor = Visitor { cookie, ..Visitor::new(&service) };
    assert!(visitor.page().await.contains("action=\"/sign-in\""));
    assert_eq!(visitor.get("/live").await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(location(&visitor.get("/set-aside.csv").await), "/");
    assert_eq!(location(&visitor.send("/test", &[("token", token)], &[]).await), "/");
    let colleague = Visitor { cookie: colleagues, ..Visitor::new(&service) };
    assert!(colleague.page().await.contains("Accepted"));
}

const OWN: &str = "a-secret-of-the-page-alone";

#[tokio::test]
async fn with_a_secret_of_its_own_the_page_takes_that_one_and_the_webhook_the_other() {
    let clinic = Clinic::new().with("PAGE_SECRET", OWN);
    let service = clinic.open();
    let mut visitor = Visitor::new(&service);
    assert!(visitor.page().await.contains("PAGE_SECRET"));
    assert_eq!(location(&visitor.sign_in(SECRET).await), "/?from=wrong");
    let told = visitor.get("/?from=wrong").await.text().await.unwrap();
    assert!(told.contains("That is not the page's secret."), "{told}");
    let answer = visitor.sign_in(OWN).await;
    assert_eq!(location(&answer), "/?from=sign-in");
    visitor.cookie = cookie(&answer).split(';').next().unwrap().to_owned();
    let page = visitor.page().await;
    assert!(page.contains(&format!("/webhooks/doubletick/{SECRET}")) && !page.contains(OWN));
    let post = |secret: &str| {
        let request = http().post(service.url(&format!("/webhooks/doubletick/{secret}")));
        request.body(unassigned("chat_1").to_string()).send()
    };
    assert_eq!(post(OWN).await.unwrap().status(), StatusCode::UNAUTHORIZED);
    assert_eq!(post(SECRET).await.unwrap().status(), StatusCode::OK);
    service.drained().await;
    let cookie = visitor.cookie;
    assert!(service.stop("TERM").success());

    // Another secret of the webhook's signs nobody out; another one of the page's, everybody.
    let mut clinic = clinic;
    for (name, is_in) in [("WEBHOOK_SECRET", true), ("PAGE_SECRET", false)] {
        clinic = clinic.with(name, &format!("another-{}-of-the-tests", name.len()));
        let service = clinic.open();
        let visitor = Visitor { cookie: cookie.clone(), ..Visitor::new(&service) };
        assert_eq!(visitor.page().await.contains("Accepted"), is_in, "{name}");
    }
}

#[tokio::test]
async fn guessing_is_slowed_down_and_harms_no_one_elsewhere() {
    let clinic = Clinic::new();
    let service = clinic.open();
    let visitor = Visitor::new(&service);
    for _ in 0..5 {
        let answer = visitor.sign_in("wrong").await;
        assert_eq!(location(&answer), "/?from=wrong");
        assert!(!answer.headers().contains_key("set-cookie"));
    }
    let told = visitor.get("/?from=wrong").await.text().await.unwrap();
    assert!(told.contains("That is not the webhook secret."));
    let refused = visitor.sign_in("wrong again").await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    let wait_s: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait_s), "{wait_s}");
    let elsewhere = [("fly-client-ip", "192.0.2.7")];
    let answer = visitor.send("/sign-in", &[("secret", "wrong")], &elsewhere).await;
    assert_eq!(location(&answer), "/?from=wrong");
    // The right one comes in, however many wrong ones were sent from the same address.
    let answer = visitor.sign_in(SECRET).await;
    assert_eq!(location(&answer), "/?from=sign-in");
    let metrics = service.metrics().await;
    assert_eq!(metrics["refused_total{reason=\"sign_in\"}"], 6.0);
    assert_eq!(metrics["refused_total{reason=\"sign_in_rate\"}"], 1.0);
}

#[tokio::test]
async fn no_other_site_can_press_a_button() {
    let clinic = Clinic::new();
    let service = clinic.open();
    let visitor = Visitor::signed_in(&service).await;
    let page = visitor.page().await;
    let token = between(&page, "name=\"token\" value=\"", "\"");
    let cases: [(&str, &[(&str, &str)]); 5] = [
        ("", &[]),
        ("wrong", &[]),
        (token, &[("sec-fetch-site", "cross-site")]),
        (token, &[("sec-fetch-site", "same-site")]),
        (token, &[("origin", "https://elsewhere.example")]),
    ];
    for (token, headers) in cases {
        for path in ["/test", "/set-aside/retry", "/check", "/sign-out"] {
            let answer = visitor.send(path, &[("token", token)], headers).await;
            assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{path} {headers:?}");
        }
    }
    let headers = [("origin", "https://elsewhere.example")];
    let answer = visitor.send("/sign-in", &[("secret", SECRET)], &headers).await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    assert_eq!(service.metrics().await["accepted_total"], 0.0);
}

#[tokio::test]
async fn the_page_leads_from_a_broken_set_up_to_the_first_row() {
    let clinic = Clinic::new();
    clinic.google.fail_all(Refusal::NotShared403);
    let service = clinic.open();
    let visitor = Visitor::signed_in(&service).await;
    let email = clinic.google.client_email();
    let page = visitor.sees(&format!("share it with {email} as Editor")).await;
    assert!(page.contains(&format!("<code id=\"account\">{email}</code>")));
    assert!(page.contains(&format!("/spreadsheets/d/{}/edit", clinic.google.spreadsheet_id())));
    let address = format!("http://{}/webhooks/doubletick/{SECRET}", service.address);
    assert!(page.contains(&format!("<code id=\"address\">{address}</code>")));
    for event in
        ["Chat Unassigned", "Chat Assigned to Agent", "Conversation Opened", "Close Conversation"]
    {
        assert!(page.contains(&format!("<strong>{event}</strong>")));
    }

    clinic.google.heal();
    visitor.sees("Everything holds.").await;
    service.wait_for_sheet("delivering").await;
    assert_eq!(location(&visitor.press("/test", &[]).await), "/#test");
    clinic.expect_rows(1);
    let page = visitor.sees("arrived after").await;
    assert!(page.contains("that is next: step 3 below"), "{page}");
    assert!(clinic.rows()[0].contains(&"TEST ROW, please delete".to_owned()));
    service.drained().await;
}

#[tokio::test]
async fn a_test_event_on_its_way_is_not_sent_twice() {
    let clinic = Clinic::new();
    let service = clinic.open();
    service.wait_for_sheet("delivering").await;
    let visitor = Visitor::signed_in(&service).await;
    clinic.google.outage(true);
    visitor.press("/test", &[]).await;
    visitor.sees("is on its way for").await;
    assert_eq!(location(&visitor.press("/test", &[]).await), "/?said=test#test");
    clinic.google.heal();
    visitor.sees("arrived after").await;
    assert_eq!(clinic.rows().len(), 1);
    assert_eq!(service.metrics().await["accepted_total"], 1.0);
}

#[tokio::test]
async fn without_the_settings_for_google_the_page_names_them() {
    let clinic = Clinic::new().without("SPREADSHEET_ID").without("GOOGLE_CREDENTIALS_JSON");
    let mut service = clinic.open();
    service.take(&unassigned("chat_1")).await;
    let visitor = Visitor::signed_in(&service).await;
    let page = visitor.sees("SPREADSHEET_ID is missing").await;
    assert!(page.contains("GOOGLE_APPLICATION_CREDENTIALS is missing"));
    assert!(page.contains("1 row kept until it can"), "{page}");
    service.leaves_rows_behind();
}

#[tokio::test]
async fn every_answer_of_the_page_is_guarded_and_calls_nobody_elsewhere() {
    let clinic = Clinic::new();
    let service = clinic.open();
    let visitor = Visitor::signed_in(&service).await;
    visitor.sees("Everything holds.").await;
    for path in ["/", "/page.css", "/page.js", "/icon.svg", "/set-aside.csv"] {
        let answer = visitor.get(path).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        let policy = header("content-security-policy");
        for rule in ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"] {
            assert!(policy.contains(rule), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe") && !policy.contains("http"));
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("referrer-policy"), "same-origin");
        let text = answer.text().await.unwrap();
        for inline in ["<style", "style=\"", " onclick", "javascript:", "@import", "url("] {
            assert!(!text.contains(inline), "{path} has {inline}");
        }
        for (_, address) in text.match_indices("://").map(|(at, _)| text.split_at(at + 3)) {
            let own = format!("{}/webhooks", service.address);
            let known = ["docs.google.com/spreadsheets/d/", "www.w3.org/2000/svg", &own];
            let start: String = address.chars().take(40).collect();
            assert!(known.iter().any(|known| address.starts_with(known)), "{path} names {start}");
        }
    }
    assert_eq!(visitor.get("/").await.headers()["cache-control"], "no-store");
    let answer = http().post(service.url("/")).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
}

/// Reads server-sent events until one has this section with these words.
async fn hears(stream: &mut Response, section: &str, words: &str) {
    let mut text = String::new();
    loop {
        let chunk = stream.chunk().await.unwrap().expect("the stream goes on");
        text.push_str(std::str::from_utf8(&chunk).unwrap());
        while let Some((event, rest)) = text.split_once("\n\n") {
            let data = event.strip_prefix("data: ").unwrap_or("{}");
            let sections: Value = serde_json::from_str(data).unwrap();
            let heard = sections[section].as_str().is_some_and(|html| html.contains(words));
            text = rest.to_owned();
            if heard {
                return;
            }
        }
    }
}

#[tokio::test]
async fn an_open_page_is_kept_up_to_date_and_does_not_hold_up_the_stop() {
    let clinic = Clinic::new();
    let service = clinic.open();
    let visitor = Visitor::signed_in(&service).await;
    let mut stream = visitor.get("/live").await;
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    hears(&mut stream, "numbers", "<dt>Accepted</dt><dd>0</dd>").await;
    service.take(&unassigned("chat_1")).await;
    hears(&mut stream, "numbers", "<dt>Written</dt><dd>1</dd>").await;
    service.take(&json!({ "chatId": "chat_1", "assignedUserName": "Asha Nair" })).await;
    hears(&mut stream, "numbers", "<dt>Waiting for an agent</dt><dd>0</dd>").await;
    clinic.google.fail_all(Refusal::NotShared403);
    service.take(&unassigned("chat_2")).await;
    hears(&mut stream, "headline", "as Editor").await;
    clinic.google.heal();
    hears(&mut stream, "headline", "All is well").await;
    service.drained().await;
    let asked = Instant::now();
    assert!(service.stop("TERM").success());
    assert!(asked.elapsed() < Duration::from_secs(4), "{:?} to stop", asked.elapsed());
}

#[tokio::test]
async fn only_so_many_pages_are_kept_up_to_date() {
    let clinic = Clinic::new();
    let service = clinic.open();
    let visitor = Visitor::signed_in(&service).await;
    let mut streams = Vec::new();
    for _ in 0..16 {
        streams.push(visitor.get("/live").await);
    }
    assert_eq!(visitor.get("/live").await.status(), StatusCode::SERVICE_UNAVAILABLE);
    drop(streams);
    let give_up = Instant::now() + PATIENCE;
    while visitor.get("/live").await.status() != StatusCode::OK {
        assert!(Instant::now() < give_up, "a page that was closed keeps its seat");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn rows_set_aside_are_listed_exported_and_tried_again() {
    let clinic = Clinic::new();
    let service = clinic.open();
    service.settled().await;
    clinic.google.fail_next_write(Fault::Refuse(Refusal::CellTooLong400));
    let mut event = unassigned("chat_1");
    event["customerName"] = json!("=HYPERLINK(\"x\")");
    let id = service.take(&event).await["event_id"].as_str().unwrap().to_owned();
    service.drained().await;
    let visitor = Visitor::signed_in(&service).await;
    let page = visitor.sees("Rows set aside").await;
    assert!(page.contains(&id) && page.contains("50,000 characters"), "{page}");
    assert!(!page.contains("HYPERLINK") && !page.contains("919111222333"), "a patient is shown");

    let exported = visitor.get("/set-aside.csv").await;
    assert!(exported.headers()["content-disposition"].to_str().unwrap().starts_with("attachment"));
    let csv = exported.text().await.unwrap();
    assert!(
        csv.contains(&id) && csv.contains("\"'=HYPERLINK(\"\"x\"\")\",\"'+919111222333\""),
        "{csv}"
    );
    let rows: Value = visitor.get("/set-aside.json").await.json().await.unwrap();
    assert_eq!((&rows[0]["event_id"], &rows[0]["chat_id"]), (&json!(id), &json!("chat_1")));

    let number = between(&page, "name=\"number\" value=\"", "\"");
    let answer = visitor.press("/set-aside/retry", &[("number", number)]).await;
    assert_eq!(location(&answer), "/?said=retried#how");
    clinic.expect_rows(1);
    service.drained().await;
    assert!(!visitor.page().await.contains("Rows set aside"));
    let answer = visitor.press("/set-aside/retry", &[]).await;
    assert_eq!(location(&answer), "/?said=nothing#how");
    let metrics = service.metrics().await;
    assert_eq!((metrics["written_total"], metrics["set_aside"]), (1.0, 0.0));
}
