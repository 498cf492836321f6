//! What happens at the clinic of the demo, and of the README's pictures.

use std::time::Duration;

use anyhow::Context;
use fake_google::FakeDoubleTick;

/// The clinic's number.
pub(crate) const CLINIC: &str = "919000000000";
/// The chat that is left to whoever tries the demo.
pub(crate) const OWN_PATIENT: &str = "919111222336";
const PAUSE: Duration = Duration::from_millis(700);

/// A morning at the clinic: chats come, get agents and lose them, one gets an agent again.
pub(crate) async fn morning(doubletick: &FakeDoubleTick) -> anyhow::Result<()> {
    let (asha, john) = (("Asha Nair", "919800000001"), ("John Doe", "919800000002"));
    // For so many minutes each waits by now, so that the board shows something.
    let patients = [
        ("Rohan Mehta", "919111222333", asha, 130),
        ("आरती शर्मा", "919111222334", john, 55),
        ("=HYPERLINK(\"http://x\",\"y\")", "919111222335", asha, 25),
        ("Zoë O’Brien 🌿", "447700900123", john, 4),
    ];
    for (n, (name, phone, agent, minutes)) in (1..).zip(patients) {
        let chat = format!("chat_{n}");
        act(doubletick, move |clinic| {
            clinic.chat_arrives(&chat, name, phone, CLINIC);
            clinic.assign(&chat, agent.0, agent.1);
            clinic.unassign_dated(&chat, minutes);
        })
        .await?;
    }
    act(doubletick, move |clinic| clinic.assign("chat_2", asha.0, asha.1)).await?;
    act(doubletick, move |clinic| {
        clinic.chat_arrives("chat_mine", "Your own patient", OWN_PATIENT, CLINIC);
        clinic.assign("chat_mine", john.0, john.1);
    })
    .await
}

/// Lets people at the clinic do this in a moment. The stand-in waits until the service has answered.
pub(crate) async fn act(
    doubletick: &FakeDoubleTick,
    what: impl FnOnce(&FakeDoubleTick) + Send + 'static,
) -> anyhow::Result<()> {
    tokio::time::sleep(PAUSE).await;
    let doubletick = doubletick.clone();
    tokio::task::spawn_blocking(move || what(&doubletick)).await.context("nobody did it")
}
