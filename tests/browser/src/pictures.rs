//! The README's pictures: the demo's morning, in the sheet and on the page. Where `README_PICTURES` names a folder
//! (`docs`), they are put there.

use fake_google::FakeDoubleTick;

use crate::browser::Browser;
use crate::clinic::{Clinic, until};
use crate::installed::installed;
use crate::morning::{CLINIC, morning};

const SHEET: (u32, u32) = (1_240, 250);
const PAGE: (u32, u32) = (780, 850);

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
