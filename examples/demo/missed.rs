//! A drop of which DoubleTick never tells, so that something is found by asking.

use fake_google::FakeDoubleTick;

use crate::morning::{CLINIC, act};

/// One more chat loses its agent, and the event of it is lost on the way.
pub(crate) async fn missed(doubletick: &FakeDoubleTick) -> anyhow::Result<()> {
    act(doubletick, |clinic| {
        clinic.chat_arrives("chat_5", "Meera Pillai", "919111222337", CLINIC);
        clinic.assign("chat_5", "Asha Nair", "919800000001");
        clinic.swallow_events();
        clinic.unassign("chat_5");
        clinic.deliver_events();
    })
    .await
}
