//! The registration: whether DoubleTick sends its events to us, and what makes it.
//!
//! [`mod@plan`] decides what is to be registered or changed, from what DoubleTick has; pure. [`Account`] asks
//! and tells DoubleTick. Registering *adds* a webhook even where the same one exists, and each of them then
//! delivers every event. So what is there is read first, and where it cannot be read nothing is changed.

mod account;
mod plan;
#[cfg(test)]
mod tests;

pub(crate) use crate::registration::account::{Account, Refused, Trouble};
pub(crate) use crate::registration::plan::{Arrival, Step, Webhook, arrivals, plan};

/// What the webhooks that we make are called. One of another name was made by hand, where the choice to be
/// called again after a timeout is not offered.
pub(crate) const NAME: &str = "doubletick-sheets";

/// The events that tell who waits, as DoubleTick calls them.
pub(crate) const EVENTS: [&str; 4] =
    ["CHAT_UNASSIGNED", "CHAT_ASSIGNED_TO_AGENT", "CONVERSATION_OPENED", "CLOSE_CONVERSATION"];
