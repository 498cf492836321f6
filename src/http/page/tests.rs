//! The page's small promises: sessions end, guessing is slow, a text stays a text.

use std::net::IpAddr;

use actix_web::HttpRequest;
use actix_web::test::TestRequest;
use maud::html;

use crate::chat::time::UnixMs;
use crate::http::page::render::chart::chart;
use crate::http::page::render::html::{counted, grouped, lasting, moment, spoken};
use crate::http::page::sign_in::attempts::{Attempts, Client};
use crate::http::page::sign_in::session::{Sessions, is_from_here, is_loopback, signed_in};
use crate::operator::{MINUTES, Minute};

const NOW: UnixMs = UnixMs(1_795_329_000_000);
const HOUR_MS: i64 = 3_600_000;

/// A request with the cookie that a sign-in at `NOW` gave.
fn returning(sessions: &Sessions) -> HttpRequest {
    let request = TestRequest::default().to_http_request();
    let cookie = signed_in(&sessions.issue(NOW), &request).unwrap();
    let cookie = cookie.to_str().unwrap().split(';').next().unwrap().to_owned();
    TestRequest::default().insert_header(("cookie", format!("a=b; {cookie}"))).to_http_request()
}

#[test]
fn a_session_ends_after_a_working_day_and_holds_under_its_key_only() {
    let sessions = Sessions::new(&[7; 32]);
    let request = returning(&sessions);
    assert!(sessions.of(&request, NOW).is_some());
    assert!(sessions.of(&request, NOW.plus_ms(12 * HOUR_MS - 1)).is_some());
    assert!(sessions.of(&request, NOW.plus_ms(12 * HOUR_MS)).is_none());
    // A clock set back by a day must not make it hold for longer.
    assert!(sessions.of(&request, NOW.plus_ms(-24 * HOUR_MS)).is_none());
    assert!(Sessions::new(&[8; 32]).of(&request, NOW).is_none());
}

#[test]
fn a_session_that_was_ended_is_refused_and_those_after_it_hold() {
    let sessions = Sessions::new(&[7; 32]);
    let (request, session) = (returning(&sessions), sessions.issue(NOW));
    let others = (1..2_000).map(|n| sessions.issue(NOW.plus_ms(-n)));
    let (same, another): (Vec<_>, Vec<_>) = others.partition(|one| one.slot() == session.slot());
    sessions.end(session.slot(), session.end(NOW.plus_ms(HOUR_MS)));
    assert!(sessions.of(&request, NOW).is_none());
    // Of some two thousand others some few share its slot.
    assert!(same.len() < 40 && same.iter().all(|one| sessions.is_over(one)), "{}", same.len());
    assert!(!another.iter().any(|one| sessions.is_over(one)));
    let later = (1..2_000).map(|n| sessions.issue(NOW.plus_ms(HOUR_MS + n)));
    assert!(!later.into_iter().any(|one| sessions.is_over(&one)));
    // What was heard of later, and is from before, brings nothing back.
    sessions.end(session.slot(), NOW.plus_ms(-HOUR_MS));
    assert!(sessions.of(&request, NOW).is_none());
    // It was issued by a clock that was ahead of the one by which it is ended.
    let ahead = sessions.issue(NOW.plus_ms(500));
    sessions.end(ahead.slot(), ahead.end(NOW));
    assert!(sessions.is_over(&ahead));
}

#[test]
fn a_form_is_taken_from_the_session_that_it_was_made_for() {
    let sessions = Sessions::new(&[7; 32]);
    let (one, other) = (sessions.issue(NOW), sessions.issue(NOW.plus_ms(HOUR_MS)));
    let token = sessions.form_token(&one);
    assert!(sessions.made(&token, &one));
    assert!(!sessions.made(&token, &other) && !sessions.made("", &one));
    assert_eq!(format!("{sessions:?} {one:?}"), "Sessions(<secret>) Session(<secret>)");
}

#[test]
fn wrong_secrets_are_counted_an_address_and_keep_nobody_else_out() {
    let client = |n: u8| Client::of(Some(IpAddr::from([192, 0, 2, n])), None);
    let mut attempts = Attempts::default();
    for n in 0..5 {
        assert_eq!(attempts.wait_ms(client(1), NOW.plus_ms(n)), 0);
        attempts.note(client(1), NOW.plus_ms(n));
    }
    let now = NOW.plus_ms(1_000);
    assert_eq!(attempts.wait_ms(client(1), now), 59_000);
    assert_eq!(attempts.wait_ms(client(1), NOW.plus_ms(60_000)), 0);
    for n in 0..20_000_u32 {
        attempts.note(Client::of(Some(IpAddr::from(n.to_be_bytes())), None), now);
    }
    assert_eq!(attempts.wait_ms(client(2), now), 0);
    for _ in 0..5 {
        attempts.note(client(3), now);
    }
    assert_eq!(attempts.wait_ms(client(3), NOW.plus_ms(-HOUR_MS)), 0, "the clock was set back");
}

#[test]
fn flys_header_is_believed_of_flys_proxy_only() {
    let of = |peer: &str, header| Client::of(Some(peer.parse().unwrap()), header);
    let plain = |address: &str| of(address, None);
    for proxy in ["172.16.5.2", "::ffff:172.16.5.2", "fdaa:0:1::3", "127.0.0.1"] {
        assert_eq!(of(proxy, Some("198.51.100.7")), plain("198.51.100.7"), "{proxy}");
        assert_eq!(of(proxy, Some("anybody")), plain(proxy));
    }
    assert_eq!(of("203.0.113.9", Some("198.51.100.7")), plain("203.0.113.9"));
    // One customer has as many addresses as they like.
    let same = [plain("2001:db8:1:2::1"), plain("2001:db8:1:2:ffff::9")];
    assert_eq!(same[0], same[1]);
    assert_ne!(same[0], plain("2001:db8:1:3::1"));
}

#[test]
fn only_this_machines_own_names_go_without_https() {
    let request =
        |host: &str| TestRequest::default().insert_header(("host", host)).to_http_request();
    for host in ["localhost", "localhost:8080", "127.0.0.1:80", "[::1]", "[::1]:8080"] {
        assert!(is_loopback(&request(host)), "{host}");
    }
    for host in ["", "clinic.fly.dev", "192.168.1.5:8080", "localhost.evil.example", "[::2]:1"] {
        assert!(!is_loopback(&request(host)), "{host}");
    }
}

#[test]
fn where_the_browser_tells_where_a_form_comes_from_it_comes_from_here() {
    let request = |header: (&'static str, &str)| {
        let request = TestRequest::default().insert_header(("host", "clinic.fly.dev"));
        is_from_here(&request.insert_header(header).to_http_request())
    };
    for header in [
        ("sec-fetch-site", "same-origin"),
        ("origin", "https://clinic.fly.dev"),
        ("accept", "text/html"),
    ] {
        assert!(request(header), "{header:?}");
    }
    for header in [
        ("sec-fetch-site", "cross-site"),
        ("origin", "https://clinic.fly.dev.evil.example"),
        ("origin", "null"),
    ] {
        assert!(!request(header), "{header:?}");
    }
}

#[test]
fn a_text_inside_a_page_is_nothing_but_text() {
    let text = "<a href='x' title=\"y\">Zoë & co</a>";
    let shown = "&lt;a href='x' title=&quot;y&quot;&gt;Zoë &amp; co&lt;/a&gt;";
    assert_eq!(spoken(text).into_string(), shown);
    // An attribute's value stands between double quotes.
    let attribute = html! { p title=(text) {} };
    assert_eq!(attribute.into_string(), format!("<p title=\"{shown}\"></p>"));
}

#[test]
fn what_a_terminal_is_shown_in_backticks_is_quoted() {
    assert_eq!(spoken("the tab `A&B` is full").into_string(), "the tab <q>A&amp;B</q> is full");
    assert_eq!(spoken("plain <b>").into_string(), "plain &lt;b&gt;");
}

#[test]
fn numbers_and_times_are_shown_as_people_read_them() {
    assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    assert_eq!((counted(1, "row"), counted(2, "row")), ("1 row".into(), "2 rows".into()));
    let times = [-5, 59, 60, 3_599, 3_600, 90_061].map(lasting);
    assert_eq!(times, ["0 s", "59 s", "1 min", "59 min", "1 h 0 min", "1 d 1 h"]);
    assert_eq!(moment(NOW), "2026-11-22 06:30:00 UTC");
}

#[test]
fn the_chart_shows_every_minute_in_which_something_happened_and_says_so_in_words() {
    let mut hour = [Minute::default(); MINUTES];
    hour[0] = Minute { calls: 1_000, errors: 1 };
    hour[59] = Minute { calls: 1, errors: 0 };
    let svg = chart(&hour).into_string();
    assert_eq!((svg.matches("\"calls\"").count(), svg.matches("\"errors\"").count()), (2, 1));
    assert!(svg.contains("1,001 calls in the last hour, 1 of them without success"), "{svg}");
    assert!(!svg.contains("height=\"0\""), "what happened cannot be seen: {svg}");
    let silent = chart(&[Minute::default(); MINUTES]).into_string();
    assert!(silent.contains("0 calls"));
}
