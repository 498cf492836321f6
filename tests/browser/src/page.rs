//! The page, as a person comes by it: from nothing to the first row, and what may happen afterwards.

use std::time::Instant;

use fake_google::{Fault, Refusal};
use serde_json::json;
use thirtyfour::Key;

use crate::browser::Browser;
use crate::clinic::{Clinic, PATIENCE, SECRET, unassigned, until};
use crate::installed::installed;

/// Every state is looked at: on a phone, in the dark, for contrast and labels.
#[tokio::test]
async fn a_newcomer_is_led_from_nothing_to_the_first_row() {
    if !installed() {
        return;
    }
    let mut clinic = Clinic::new();
    let service = clinic.open(&["SPREADSHEET_ID", "GOOGLE_CREDENTIALS_JSON"]);
    let browser = Browser::open(&service).await;
    browser.sees("Webhook secret").await;
    browser.is_fit_for_everybody("1 stranger").await;
    browser.type_in("not-the-secret-at-all").await;
    browser.press("Sign in").await;
    browser.sees("That is not the webhook secret.").await;
    browser.is_fit_for_everybody("2 wrong secret").await;
    browser.sign_in().await;
    assert_eq!(browser.path().await, "/");

    // Nothing is set: the page says what is missing, and how to get it.
    browser.sees("SPREADSHEET_ID is missing").await;
    let text = browser.sees("GOOGLE_APPLICATION_CREDENTIALS is missing").await;
    assert!(text.contains("restart the service after changing them"), "{text}");
    browser.is_fit_for_everybody("3 nothing set").await;

    // Mended, but the spreadsheet is not shared yet. The page comes back by itself.
    clinic.google.fail_all(Refusal::NotShared403);
    service.stop();
    let service = clinic.open(&[]);
    let email = clinic.google.client_email();
    browser.sees(&format!("share it with {email} as Editor")).await;
    let text = browser.sees("add this address as Editor").await;
    assert!(text.contains("Copy"), "{text}");
    browser.is_fit_for_everybody("4 not shared").await;

    clinic.google.heal();
    browser.sees("Everything holds.").await;
    browser.sees("Next are steps 3 and 4 below.").await;
    browser.press("Show the address. It contains the secret.").await;
    browser.sees("/webhooks/doubletick/").await;
    browser.is_fit_for_everybody("5 ready").await;
    browser.press("Send a test event").await;
    browser.sees("arrived after").await;
    browser.sees("that is next: step 3 below").await;
    browser.is_fit_for_everybody("6 test event").await;
    until("the test row arrives", || clinic.rows() == 1).await;

    browser.press("Sign out").await;
    browser.sees("You are signed out.").await;
    browser.is_fit_for_everybody("7 signed out").await;
    browser.close().await;
    service.stop();
}

#[tokio::test]
async fn an_open_page_is_kept_up_to_date_and_says_when_it_is_not() {
    if !installed() {
        return;
    }
    let mut clinic = Clinic::new();
    let service = clinic.open(&[]);
    let browser = Browser::open(&service).await;
    browser.sign_in().await;
    browser.sees("Everything holds.").await;
    browser.mark().await;
    service.take(&unassigned("chat_1")).await;
    browser.sees("Written\n1").await;
    browser.sees("Waiting for an agent\n1").await;
    clinic.google.fail_all(Refusal::NotShared403);
    service.take(&unassigned("chat_2")).await;
    browser.sees("1 row kept until it can").await;
    browser.sees("as Editor").await;
    browser.is_fit_for_everybody("8 parked").await;
    clinic.google.heal();
    browser.sees("All is well").await;
    assert!(browser.is_marked().await, "the page was loaded again");

    service.stop();
    browser.sees("The service does not answer.").await;
    browser.is_fit_for_everybody("9 away").await;
    let service = clinic.open(&[]);
    browser.vanishes("The service does not answer.").await;
    assert!(browser.is_marked().await, "the page was loaded again");
    let trouble = browser.trouble().await;
    assert!(trouble.iter().all(|line| line.contains("net::ERR_CONNECTION_REFUSED")), "{trouble:?}");
    browser.close().await;
    service.stop();
}

#[tokio::test]
async fn rows_set_aside_are_exported_and_tried_again() {
    if !installed() {
        return;
    }
    let mut clinic = Clinic::new();
    let service = clinic.open(&[]);
    service.settled().await;
    clinic.google.fail_next_write(Fault::Refuse(Refusal::CellTooLong400));
    let mut event = unassigned("chat_1");
    event["customerName"] = json!("Zoë O’Brien");
    service.take(&event).await;
    let browser = Browser::open(&service).await;
    browser.sign_in().await;
    let text = browser.sees("Rows set aside").await;
    assert!(text.contains("50,000 characters") && !text.contains("Zoë"), "{text}");
    browser.is_fit_for_everybody("10 set aside").await;
    browser.press("Export as CSV").await;
    let csv = browser.downloaded("set-aside.csv").await;
    assert!(csv.contains("Zoë O’Brien"), "{csv}");
    browser.press("Export as JSON").await;
    assert!(browser.downloaded("set-aside.json").await.contains("Zoë O’Brien"));
    browser.press("Retry all").await;
    browser.sees("Those rows are on their way again.").await;
    assert_eq!(browser.path().await, "/#how", "it would be said again with each load");
    until("the row arrives", || clinic.rows() == 1).await;
    browser.vanishes("Rows set aside").await;
    browser.close().await;
    service.stop();
}

#[tokio::test]
async fn without_javascript_all_of_it_works() {
    if !installed() {
        return;
    }
    let mut clinic = Clinic::new();
    let service = clinic.open(&[]);
    let browser = Browser::open(&service).await;
    browser.forbid_scripts().await;
    browser.sign_in().await;
    browser.sees("Everything holds.").await;
    // It loads itself again and again.
    service.take(&unassigned("chat_1")).await;
    let text = browser.sees("Written\n1").await;
    assert!(!text.contains("Copy"), "a button that does nothing: {text}");
    browser.press("Set up, check and test").await;
    browser.press("Send a test event").await;
    until("the test row arrives", || clinic.rows() == 2).await;
    browser.sees("Written\n2").await;
    browser.press("Sign out").await;
    browser.sees("You are signed out.").await;
    browser.close().await;
    service.stop();
}

#[tokio::test]
async fn the_keyboard_alone_is_enough() {
    if !installed() {
        return;
    }
    let mut clinic = Clinic::new();
    let service = clinic.open(&[]);
    let browser = Browser::open(&service).await;
    assert_eq!(browser.focused().await.tag, "input", "whoever comes can type at once");
    browser.type_in(SECRET).await;
    browser.key(Key::Enter).await;
    browser.sees("Everything holds.").await;
    browser.tab_to("Copy the e-mail address").await;
    browser.key(Key::Enter).await;
    browser.sees("Copied").await;
    browser.tab_to("Show the address. It contains the secret.").await;
    browser.key(Key::Enter).await;
    browser.sees(&format!("/webhooks/doubletick/{SECRET}")).await;
    browser.tab_to("Send a test event").await;
    browser.key(Key::Enter).await;
    browser.sees("arrived after").await;
    browser.tab_to("Sign out").await;
    browser.key(Key::Enter).await;
    browser.sees("You are signed out.").await;
    assert_eq!(browser.focused().await.tag, "input");
    browser.close().await;
    service.stop();
}

#[tokio::test]
async fn whoever_guesses_the_pages_own_secret_is_told_to_wait() {
    if !installed() {
        return;
    }
    let mut clinic = Clinic::new().with("PAGE_SECRET", "a-secret-of-the-page-alone");
    let service = clinic.open(&[]);
    let browser = Browser::open(&service).await;
    browser.sees("The webhook's secret does not open this page.").await;
    for _ in 0..5 {
        browser.type_in(SECRET).await;
        browser.enter().await;
        browser.sees("That is not the page's secret.").await;
    }
    browser.type_in(SECRET).await;
    browser.enter().await;
    browser.sees("Too many wrong secrets. Wait a minute, then try again.").await;
    browser.is_fit_for_everybody("11 too many wrong secrets").await;
    // Whoever has the right one need not wait.
    browser.type_in("a-secret-of-the-page-alone").await;
    browser.press("Sign in").await;
    browser.sees("Everything holds.").await;
    let trouble = browser.trouble().await;
    assert!(trouble.iter().all(|line| line.contains("status of 429")), "{trouble:?}");
    browser.close().await;
    service.stop();
}

/// The other tests rely on it.
#[tokio::test]
async fn what_goes_wrong_in_a_window_is_noticed() {
    if !installed() {
        return;
    }
    let mut clinic = Clinic::new();
    let service = clinic.open(&[]);
    let browser = Browser::open(&service).await;
    assert_eq!(browser.trouble().await, Vec::<String>::new());
    let cases = [
        ("console.error('an error of a script')", "an error of a script"),
        ("document.body.append(document.createElement('style'))", "Content Security Policy"),
        ("fetch('https://elsewhere.example/').catch(() => {})", "elsewhere.example"),
        ("location.assign('https://elsewhere.example/')", "a call to https://elsewhere.example/"),
    ];
    for (script, expected) in cases {
        let give_up = Instant::now() + PATIENCE;
        let trouble = loop {
            browser.run(script).await;
            // Something may come of it a moment later, or be overtaken by the next page.
            browser.goto("/").await;
            match browser.trouble().await {
                none if none.is_empty() => {
                    assert!(Instant::now() < give_up, "{script} is not noticed")
                }
                trouble => break trouble,
            }
        };
        assert!(trouble.iter().any(|line| line.contains(expected)), "{script}: {trouble:?}");
    }
    browser.goto("/").await;
    assert_eq!(browser.trouble().await, Vec::<String>::new());
    browser.close().await;
    service.stop();
}
