//! The test event: one row that says that it is a test, and goes the way of any other.

use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::HttpResponse;
use actix_web::web::Payload;
use serde_json::json;

use crate::chat::recognise::{Recognised, recognise};
use crate::chat::time::UnixMs;
use crate::http::Shared;
use crate::http::door::Ready;
use crate::http::page::{locked, see, sent};
use crate::journal::Whereabouts;

/// What stands in the row where a patient's name would.
const NAME: &str = "TEST ROW, please delete";
/// How long the answer waits for the row to arrive. The page tells it later, too.
const ARRIVAL_TIME_MAX: Duration = Duration::from_secs(3);

/// The last one that was sent.
#[derive(Clone, Debug)]
pub(super) struct TestEvent {
    pub(super) number: u64,
    pub(super) event_id: String,
    pub(super) sent_at: UnixMs,
    /// Where it was found to be at last, and when.
    pub(super) ended: Option<(Whereabouts, UnixMs)>,
}

/// POST /test: sends one, unless the last one is still on its way.
pub(super) async fn send(request: HttpRequest, payload: Payload, shared: Ready) -> HttpResponse {
    if let Err(refusal) = sent(&request, payload, &shared).await {
        return refusal;
    }
    look(&shared).await;
    if locked(&shared.page.test_event).as_ref().is_some_and(|last| last.ended.is_none()) {
        return see("/?said=test#test");
    }
    let now = (shared.now)();
    let body =
        json!({ "chatId": format!("test-{:016x}", fastrand::u64(..)), "customerName": NAME });
    let Recognised::Event(event) = recognise(&body, Some("CHAT_UNASSIGNED"), now) else {
        return see("/?said=full#test");
    };
    let mut changes = shared.journal.watch();
    let Ok(receipt) = shared.journal.accept(*event, now).await else {
        return see("/?said=full#test");
    };
    // It waits for nobody. Where this fails, its line leaves the board as that of any quiet chat.
    drop(shared.journal.drop_wait(receipt.event_id().number).await);
    let (number, event_id) = (receipt.event_id().number, receipt.event_id().to_string());
    *locked(&shared.page.test_event) =
        Some(TestEvent { number, event_id, sent_at: now, ended: None });
    let arrival = async { while !look(&shared).await && changes.changed().await.is_ok() {} };
    // Whoever has no JavaScript is shown at once that it arrived.
    drop(tokio::time::timeout(ARRIVAL_TIME_MAX, arrival).await);
    see("/#test")
}

/// Finds out where the last one is; true once that will not change any more.
pub(super) async fn look(shared: &Shared) -> bool {
    let last = locked(&shared.page.test_event).clone();
    let Some(last) = last.filter(|last| last.ended.is_none()) else { return true };
    let found = match shared.journal.whereabouts(last.number).await {
        Ok(Whereabouts::Pending) | Err(_) => return false,
        Ok(found) => found,
    };
    let mut held = locked(&shared.page.test_event);
    if let Some(held) = held.as_mut().filter(|held| held.number == last.number) {
        held.ended = Some((found, (shared.now)()));
    }
    true
}
