//! The README's pictures: the demo's morning, in the sheet and on the page. Where `README_PICTURES` names a folder
//! (`docs`), they are put there.

use fake_google::FakeDoubleTick;
use serde_json::json;

use crate::browser::Browser;
use crate::clinic::{Clinic, SECRET, until};
use crate::installed::installed;
use crate::morning::{CLINIC, morning};
use crate::weeks::weeks;

const SHEET: (u32, u32) = (1_240, 250);
const PAGE: (u32, u32) = (780, 905);
const SUMMARY: (u32, u32) = (2_130, 900);

#[tokio::test]
async fn what_the_readme_shows_is_what_is_seen() {
    if !installed() {
        return;
    }
    let doubletick = FakeDoubleTick::start(&[CLINIC]);
    let mut clinic = Clinic::new().with_doubletick(&doubletick);
    let service = clinic.open(&[]);
    let browser = Browser::open(&service).await;
    browser.sign_in().await;
    browser.sees("nothing arrives: press Connect on the page").await;
    browser.press("Connect").await;
    browser.sees("Everything holds.").await;
    morning(&doubletick).await.unwrap();
    until("four rows arrive", || clinic.rows() == 4).await;
    browser.goto("/").await;
    browser.sees("All is well: every unassigned chat is in the sheet.").await;
    browser.sees("Waiting for an agent\n3").await;
    browser.picture("page", PAGE).await;
    browser.close().await;

    let sheet = Browser::at(&clinic.google.url()).await;
    sheet.sees("Unattended now").await;
    sheet.press("Unattended now").await;
    sheet.sees("3 patients waiting").await;
    sheet.picture("board", SHEET).await;
    sheet.press("Unassigned chats").await;
    sheet.sees("chat_4").await;
    sheet.picture("log", SHEET).await;
    sheet.close().await;
    service.stop();
}

/// The stand-in draws the charts from their own specification.
#[tokio::test]
async fn the_summary_shows_the_last_weeks_and_draws_them() {
    if !installed() {
        return;
    }
    let mut clinic = Clinic::new();
    clinic.google.outage(true);
    let service = clinic.open(&["SUMMARY_NAME"]);
    weeks(&format!("http://{}/webhooks/doubletick/{SECRET}", service.address)).await.unwrap();
    clinic.google.outage(false);
    until("the summary is written", || clinic.google.rows("Summary").len() > 32).await;
    let sheet = Browser::at(&clinic.google.url()).await;
    sheet.sees("Summary").await;
    sheet.press("Summary").await;
    sheet.sees("The last 31 days, and the agents of the last 7").await;
    sheet.sees("Meera Iyer").await;
    let drawn = "return [...document.querySelectorAll('#grid svg')].map(
        chart => [chart.getAttribute('aria-label'), chart.querySelectorAll('rect').length > 20,
                  chart.querySelectorAll('path').length])";
    let drawn = sheet.run(drawn).await;
    let expected = json!([["Chats dropped a day", true, 0], ["Median wait a day", false, 1]]);
    assert_eq!(drawn, expected);
    sheet.picture("summary", SUMMARY).await;
    sheet.close().await;
    service.stop();
}
