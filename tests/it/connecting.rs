//! Connecting: DoubleTick is told our address once, whatever it answers, and nothing else of it is touched.

use fake_google::{DoubleTickFault, FakeDoubleTick};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::harness::{Clinic, Ended, SECRET};
use crate::page::{Visitor, between};

const EVENTS: [&str; 4] =
    ["CHAT_ASSIGNED_TO_AGENT", "CHAT_UNASSIGNED", "CLOSE_CONVERSATION", "CONVERSATION_OPENED"];
const NUMBERS: [&str; 2] = ["919000000000", "919000000001"];
const HOST: &str = "https://clinic.example";
const REGISTER: &str = "POST /v2/webhook/register";
const EDIT: &str = "POST /v2/webhook/webhook_1";

fn clinic_of(doubletick: &FakeDoubleTick) -> Clinic {
    Clinic::new()
        .with("DOUBLETICK_API_URL", doubletick.url())
        .with("DOUBLETICK_API_KEY", doubletick.key())
        .with("PUBLIC_URL", HOST)
}

fn address() -> String {
    format!("{HOST}/webhooks/doubletick/{SECRET}")
}

#[track_caller]
fn connects(clinic: &Clinic, expected: &str) {
    ends(&clinic.run(&["connect"]), 0, expected);
}

#[track_caller]
fn ends(ended: &Ended, code: i32, expected: &str) {
    let said = format!("{}{}", ended.stdout, ended.stderr);
    assert_eq!(ended.status.code(), Some(code), "{said}");
    assert!(said.contains(expected), "{said}");
    assert!(!said.contains(SECRET) && !said.contains("key_of"), "{said}");
}

fn sorted(list: &Value) -> Vec<&str> {
    let mut list: Vec<&str> =
        list.as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
    list.sort_unstable();
    list
}

/// The one webhook that there is delivers the four events of both numbers to us.
#[track_caller]
fn check_whole(doubletick: &FakeDoubleTick) {
    let webhooks = doubletick.webhooks();
    assert_eq!(webhooks.len(), 1, "{webhooks:?}");
    assert_eq!(webhooks[0]["url"], address());
    assert_eq!(sorted(&webhooks[0]["wabaNumbers"]), NUMBERS);
    assert!(EVENTS.iter().all(|event| sorted(&webhooks[0]["eventTypes"]).contains(event)));
    assert_eq!(webhooks[0]["retryOnTimeout"], true);
}

#[test]
fn connecting_registers_every_event_of_every_number_and_doing_it_again_changes_nothing() {
    let doubletick = FakeDoubleTick::start(&NUMBERS);
    let clinic = clinic_of(&doubletick);
    connects(&clinic, "+919000000001: all four arrive, once each");
    check_whole(&doubletick);
    for _ in 0..2 {
        connects(&clinic, "registered already; nothing was changed");
    }
    assert_eq!(doubletick.changes(), [REGISTER]);
    check_whole(&doubletick);
}

#[test]
fn what_was_registered_by_hand_is_completed_and_not_registered_beside() {
    let doubletick = FakeDoubleTick::start(&NUMBERS);
    let by_hand = ["CHAT_UNASSIGNED", "MESSAGE_RECEIVED"];
    doubletick.add_webhook(&address(), "Tracker", &by_hand, &NUMBERS[..1]);
    let clinic = clinic_of(&doubletick);
    let checked = clinic.run(&["check"]).stdout;
    assert!(checked.contains("+919000000001: nothing arrives"), "{checked}");
    let missing = "CHAT_ASSIGNED_TO_AGENT, CONVERSATION_OPENED, CLOSE_CONVERSATION do not arrive";
    assert!(checked.contains(&format!("+919000000000: {missing}")), "{checked}");
    assert_eq!(doubletick.changes(), Vec::<String>::new(), "a check changes nothing");
    connects(&clinic, "all four arrive");
    connects(&clinic, "nothing was changed");
    assert_eq!(doubletick.changes(), [EDIT]);
    check_whole(&doubletick);
    assert!(sorted(&doubletick.webhooks()[0]["eventTypes"]).contains(&"MESSAGE_RECEIVED"));
    assert!(clinic.run(&["check"]).stdout.contains("+919000000000: all four arrive, once each"));
}

/// The form does not offer it, and the list does not show it: only what we made has it for sure.
#[test]
fn a_whole_registration_made_by_hand_is_changed_once_to_be_sent_again_after_a_timeout() {
    let doubletick = FakeDoubleTick::start(&NUMBERS);
    doubletick.add_webhook(&address(), "Tracker", &EVENTS, &NUMBERS);
    let clinic = clinic_of(&doubletick);
    assert!(clinic.run(&["check"]).stdout.contains("all four arrive, once each"));
    connects(&clinic, "all four arrive, once each");
    connects(&clinic, "nothing was changed");
    assert_eq!(doubletick.changes(), [EDIT]);
    check_whole(&doubletick);
}

#[test]
fn duplicates_are_named_and_removed_only_on_request_and_only_those_of_our_address() {
    let doubletick = FakeDoubleTick::start(&NUMBERS);
    let elsewhere = [
        "https://crm.example/webhooks/doubletick/another-secret-000".to_owned(),
        format!("{HOST}/webhooks/doubletick/another-secret-000"),
        format!("{HOST}/webhooks/doubletick/{SECRET}/more"),
    ];
    for url in &elsewhere {
        doubletick.add_webhook(url, "CRM", &EVENTS, &NUMBERS);
    }
    let clinic = clinic_of(&doubletick);
    connects(&clinic, "all four arrive");
    for _ in 0..2 {
        doubletick.add_webhook(&address(), "Saved again", &EVENTS, &NUMBERS);
    }
    let before = doubletick.webhooks();
    ends(&clinic.run(&["connect"]), 1, "arrive more than once: run");
    assert_eq!(doubletick.webhooks(), before, "nothing is removed unasked");
    let removed = clinic.run(&["connect", "--remove-duplicates"]);
    ends(&removed, 0, "removing `Saved again` (webhook_5)");
    assert!(removed.stdout.contains("+919000000000: all four arrive, once each"));
    ends(&clinic.run(&["connect", "--remove-duplicates"]), 0, "no duplicates");
    let left = doubletick.webhooks();
    let urls: Vec<&str> = left.iter().map(|it| it["url"].as_str().unwrap()).collect();
    assert_eq!(urls[..3], elsewhere);
    assert_eq!(urls[3..], [address()]);
    connects(&clinic, "nothing was changed");
}

#[test]
fn a_number_that_doubletick_refuses_is_named_and_never_registered_twice() {
    let doubletick = FakeDoubleTick::start(&NUMBERS);
    doubletick.refuse_number(NUMBERS[1]);
    let clinic = clinic_of(&doubletick);
    for _ in 0..3 {
        let ended = clinic.run(&["connect"]);
        ends(&ended, 1, "DoubleTick refuses the number +919000000001: look under");
        assert!(ended.stdout.contains("+919000000000: all four arrive"), "{}", ended.stdout);
        assert!(ended.stdout.contains("+919000000001: nothing arrives"), "{}", ended.stdout);
    }
    assert_eq!(doubletick.changes().iter().filter(|change| *change == REGISTER).count(), 1);
    assert_eq!(doubletick.webhooks().len(), 1);
}

#[test]
fn nothing_is_changed_where_doubletick_cannot_be_understood() {
    use DoubleTickFault::{Cut, ErrorInside, Status, WrongTypes};
    let faults = [
        (Status(429), "asks for a pause: try again in a minute"),
        (Status(401), "does not accept DOUBLETICK_API_KEY"),
        (Status(403), "set the key of somebody who may"),
        (Status(500), "answered with 500"),
        (ErrorInside, "makes no sense"),
        (WrongTypes, "makes no sense"),
        (Cut, "makes no sense"),
    ];
    let doubletick = FakeDoubleTick::start(&NUMBERS);
    doubletick.add_webhook(&address(), "Tracker", &EVENTS, &NUMBERS);
    let clinic = clinic_of(&doubletick);
    for (fault, sentence) in faults {
        doubletick.fail_next(&[fault]);
        ends(&clinic.run(&["connect"]), 1, sentence);
        doubletick.fail_next(&[fault]);
        ends(&clinic.run(&["connect", "--remove-duplicates"]), 1, sentence);
        doubletick.fail_next(&[fault]);
        ends(&clinic.run(&["check"]), 1, sentence);
    }
    assert_eq!(doubletick.changes(), Vec::<String>::new());
}

#[test]
fn a_registration_whose_answer_is_lost_is_not_made_again() {
    let doubletick = FakeDoubleTick::start(&NUMBERS);
    let clinic = clinic_of(&doubletick);
    // The two calls that read go through.
    use DoubleTickFault::{DoneAnd502, Nothing};
    doubletick.fail_next(&[Nothing, Nothing, DoneAnd502]);
    ends(&clinic.run(&["connect"]), 1, "answered with 502");
    connects(&clinic, "nothing was changed");
    assert_eq!(doubletick.changes(), [REGISTER]);
    check_whole(&doubletick);
}

#[test]
fn a_new_secret_takes_the_place_of_the_old_one_in_the_address() {
    let doubletick = FakeDoubleTick::start(&NUMBERS);
    connects(&clinic_of(&doubletick).with("WEBHOOK_SECRET", "the-old-secret-0001"), "all four");
    let clinic =
        clinic_of(&doubletick).with("WEBHOOK_SECRET", &format!("{SECRET},the-old-secret-0001"));
    assert!(clinic.run(&["check"]).stdout.contains("all four arrive"), "both are accepted");
    connects(&clinic, "all four arrive, once each");
    assert_eq!(doubletick.changes(), [REGISTER, EDIT]);
    check_whole(&doubletick);
}

#[test]
fn without_a_key_or_an_address_connecting_says_what_to_set() {
    let doubletick = FakeDoubleTick::start(&NUMBERS);
    let clinic = clinic_of(&doubletick).without("PUBLIC_URL");
    ends(&clinic.run(&["connect"]), 2, "PUBLIC_URL is missing");
    assert!(clinic.run(&["check"]).stdout.contains("not asked for: set PUBLIC_URL"));
    let keyless = Clinic::new().with("PUBLIC_URL", HOST);
    ends(&keyless.run(&["connect"]), 2, "DOUBLETICK_API_KEY is missing");
    connects(&clinic.with("FLY_APP_NAME", "my-clinic"), "all four arrive");
    let url = format!("https://my-clinic.fly.dev/webhooks/doubletick/{SECRET}");
    assert_eq!(doubletick.webhooks()[0]["url"], url);
}

#[tokio::test]
async fn the_button_on_the_page_registers_once_and_shows_what_arrives() {
    let doubletick = FakeDoubleTick::start(&NUMBERS);
    let clinic = clinic_of(&doubletick);
    let service = clinic.open();
    let visitor = Visitor::signed_in(&service).await;
    let page = visitor.sees("+919000000000: nothing arrives").await;
    assert!(page.contains(&address()), "the address to paste is the public one");
    for said in ["registered, for 2 numbers", "registered already; nothing was changed"] {
        let answer = visitor.press("/connect", &[]).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        assert!(visitor.page().await.contains(said));
    }
    visitor.sees("+919000000000: all four arrive, once each").await;
    assert_eq!(doubletick.changes(), [REGISTER]);
    check_whole(&doubletick);
    assert!(!service.log().contains(SECRET) && !service.log().contains("key_of"));
}

/// The browser's own address counts where no setting tells one, but not this machine's.
#[tokio::test]
async fn without_a_setting_the_page_registers_the_address_that_it_is_seen_at() {
    let doubletick = FakeDoubleTick::start(&NUMBERS);
    let clinic = clinic_of(&doubletick).without("PUBLIC_URL");
    let service = clinic.open();
    let visitor = Visitor::signed_in(&service).await;
    visitor.press("/connect", &[]).await;
    assert!(visitor.page().await.contains("cannot reach the address in your browser"));
    assert_eq!(doubletick.webhooks(), Vec::<Value>::new());
    let page = visitor.page().await;
    let token = between(&page, "name=\"token\" value=\"", "\"");
    visitor.send("/connect", &[("token", token)], &[("host", "clinic.example")]).await;
    check_whole(&doubletick);
}

/// Everything would come twice.
#[test]
fn a_service_that_is_registered_under_another_name_is_not_registered_again() {
    let doubletick = FakeDoubleTick::start(&NUMBERS);
    let other = "https://the-clinic.example";
    let url = format!("{other}/webhooks/doubletick/{SECRET}");
    doubletick.add_webhook(&url, "By hand", &EVENTS, &NUMBERS);
    let clinic = clinic_of(&doubletick);
    let sentence = "DoubleTick sends to https://the-clinic.example with the secret of this service";
    ends(&clinic.run(&["connect"]), 1, sentence);
    ends(&clinic.run(&["connect", "--remove-duplicates"]), 1, sentence);
    assert_eq!(doubletick.changes(), Vec::<String>::new());
    connects(&clinic.with("PUBLIC_URL", other), "all four arrive, once each");
    assert_eq!(doubletick.webhooks().len(), 1);
}

#[tokio::test]
async fn a_stranger_cannot_connect_and_without_a_key_there_is_no_button() {
    let doubletick = FakeDoubleTick::start(&NUMBERS);
    let clinic = clinic_of(&doubletick);
    let service = clinic.open();
    let stranger = Visitor::new(&service);
    let answer = stranger.send("/connect", &[("token", "guessed")], &[]).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    let visitor = Visitor::signed_in(&service).await;
    let forged = visitor.send("/connect", &[("token", "guessed")], &[]).await;
    assert_eq!(forged.status(), StatusCode::FORBIDDEN);
    assert_eq!(doubletick.changes(), Vec::<String>::new());
    drop(service);
    let keyless = Clinic::new();
    let service = keyless.open();
    let page = Visitor::signed_in(&service).await.page().await;
    assert!(!page.contains("action=\"/connect\"") && page.contains("New Webhook"));
}

#[test]
fn a_webhook_whose_address_says_which_event_it_is_is_given_no_others() {
    let doubletick = FakeDoubleTick::start(&NUMBERS);
    let named = format!("{}?event=CHAT_UNASSIGNED", address());
    doubletick.add_webhook(&named, "Only drops", &["CHAT_UNASSIGNED"], &NUMBERS);
    let clinic = clinic_of(&doubletick);
    connects(&clinic, "all four arrive, once each");
    connects(&clinic, "nothing was changed");
    let webhooks = doubletick.webhooks();
    assert_eq!(webhooks.len(), 2);
    assert_eq!(
        (&webhooks[0]["url"], sorted(&webhooks[0]["eventTypes"])),
        (&json!(named), vec!["CHAT_UNASSIGNED"])
    );
    assert!(!sorted(&webhooks[1]["eventTypes"]).contains(&"CHAT_UNASSIGNED"));
}
