//! Sending one batch once, and finding out what became of it.

use std::time::Duration;

use serde::Deserialize;

use crate::sheets::client::{Client, NoAnswer, WRITE_TIMEOUT};
use crate::sheets::column::Purpose;
use crate::sheets::outcome::{
    Delivery, Landing, Later, Refused, TYPED_COLUMNS, Trouble, later, refused, settled,
};
use crate::sheets::plan::{Content, MARKER_KEY, Marker, Plan};
use crate::sheets::request::{self, Part};
use crate::sheets::token::TokenTrouble;
use crate::sheets::verdict::{Answer, Fault, Verdict};
use crate::sheets::wire::Binding;

pub(super) enum MarkerState {
    Ours,
    /// Burnt: nothing of the batch was applied or ever will be.
    Void,
    Foreign,
    Absent,
    /// It could not be found out now.
    Unknown(Later),
    /// It cannot be read until a human has acted; the sentence says how.
    Barred(String),
}

pub(super) fn unread() -> Later {
    later("Google refused the batch, and its marker could not be read".to_owned())
}

impl Client {
    /// Sends a batch once and finds out what became of it.
    pub async fn deliver(&self, plan: &Plan, marker: &Marker, content: Content<'_>) -> Delivery {
        self.deliver_within(WRITE_TIMEOUT, plan, marker, content).await
    }

    /// The same, the answer waited for so long.
    pub async fn deliver_within(
        &self,
        timeout: Duration,
        plan: &Plan,
        marker: &Marker,
        content: Content<'_>,
    ) -> Delivery {
        let body = request::body(plan, marker, content);
        let answer = match self.write_within(timeout, "append", body).await {
            Ok(answer) => answer,
            Err(NoAnswer::NotSent(TokenTrouble::Operator(advice))) => {
                return Delivery::Refused(Refused::Operator(advice));
            }
            Err(none @ (NoAnswer::NotSent(_) | NoAnswer::QuotaUsedUp(_))) => {
                return Delivery::NotApplied(none.later());
            }
            Err(none @ NoAnswer::Perhaps(_)) => return Delivery::PerhapsApplied(none.later()),
            Err(none @ NoAnswer::TimedOut) => return Delivery::TimedOut(none.later()),
        };
        let at = answer.refused_request().and_then(|at| request::part_at(plan, content, at));
        let by = || at.map(Part::purpose).or(plan.only_purpose());
        let verdict = match answer.verdict(self.account()) {
            // Without formats there is nothing more to leave out.
            Verdict::Refused(Fault::TypedColumns | Fault::Formats) if !plan.formats => {
                Verdict::Refused(Fault::Operator(TYPED_COLUMNS.to_owned()))
            }
            // Whoever protects the rows that are there does not mean those that follow.
            Verdict::Refused(Fault::Operator(_)) if at.is_some_and(Part::is_formats) => {
                Verdict::Refused(Fault::Formats)
            }
            Verdict::Refused(Fault::Unknown(class)) => {
                let fault = match at {
                    Some(Part::Rows(purpose)) => Fault::Rows(purpose, class),
                    _ => Fault::Unknown(class),
                };
                Verdict::Refused(fault)
            }
            verdict => verdict,
        };
        match verdict {
            Verdict::Fine => match landing(&answer, plan, marker) {
                Some(landing) => Delivery::Written(landing),
                None => {
                    Delivery::PerhapsApplied(later("Google's answer cannot be read".to_owned()))
                }
            },
            Verdict::ComeAgain { why, after } | Verdict::QuotaUsedUp { why, after } => {
                Delivery::PerhapsApplied(Later { why, after })
            }
            Verdict::Unauthorised => Delivery::Unauthorised,
            Verdict::Operator(advice) => Delivery::Refused(Refused::Operator(advice)),
            Verdict::Refused(fault) if plan.traces.marker => {
                self.after_400(marker, fault, by()).await
            }
            Verdict::Refused(fault) => Delivery::Refused(refused(fault, by())),
        }
    }

    /// A 400 may mean that an earlier send was applied. The marker knows; the text is not trusted.
    async fn after_400(&self, marker: &Marker, fault: Fault, by: Option<Purpose>) -> Delivery {
        match self.marker_state(marker).await {
            MarkerState::Ours => Delivery::Written(Landing::Unknown),
            MarkerState::Void => Delivery::Refused(Refused::Burnt),
            MarkerState::Foreign => Delivery::Refused(Refused::MarkerForeign),
            // Nothing is known of the batch, so it stays as it is; what to mend is known.
            MarkerState::Barred(advice) => Delivery::Refused(Refused::Operator(advice)),
            MarkerState::Absent if fault != Fault::Taken => Delivery::Refused(refused(fault, by)),
            MarkerState::Absent => Delivery::Undecided(unread()),
            MarkerState::Unknown(later) => Delivery::Undecided(later),
        }
    }

    /// Whether this very marker is in the spreadsheet.
    ///
    /// # Errors
    /// [`Trouble`] where that cannot be found out now.
    pub async fn holds_marker(&self, marker: &Marker) -> Result<bool, Trouble> {
        match self.marker_state(marker).await {
            MarkerState::Ours => Ok(true),
            MarkerState::Absent | MarkerState::Void | MarkerState::Foreign => Ok(false),
            MarkerState::Barred(advice) => Err(Trouble::Operator(advice)),
            MarkerState::Unknown(later) => Err(Trouble::Passing(later)),
        }
    }

    pub(super) async fn marker_state(&self, marker: &Marker) -> MarkerState {
        let suffix = format!("/developerMetadata/{}", marker.id);
        let answer = match self.read("marker", &suffix, &[]).await {
            Ok(answer) => answer,
            Err(none) => {
                return MarkerState::Unknown(Later { after: none.later().after, ..unread() });
            }
        };
        match answer.status {
            200 => match serde_json::from_slice::<Binding>(&answer.body) {
                Ok(found) if found.metadata_id != marker.id => MarkerState::Unknown(unread()),
                Ok(found)
                    if found.metadata_key == MARKER_KEY && found.metadata_value == marker.value =>
                {
                    MarkerState::Ours
                }
                Ok(found)
                    if found.metadata_key == MARKER_KEY
                        && found.metadata_value == marker.void().value =>
                {
                    MarkerState::Void
                }
                Ok(_) => MarkerState::Foreign,
                Err(_) => MarkerState::Unknown(unread()),
            },
            404 if answer.names_metadata() => MarkerState::Absent,
            // A spreadsheet that is gone is 404 as well, and says nothing of the marker.
            404 if self.title().await.is_ok() => MarkerState::Absent,
            _ => match settled(self.account(), answer) {
                Err(Trouble::Operator(advice)) => MarkerState::Barred(advice),
                Err(Trouble::Passing(told)) => {
                    MarkerState::Unknown(Later { after: told.after, ..unread() })
                }
                _ => MarkerState::Unknown(unread()),
            },
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Confirmation {
    #[serde(default)]
    replies: Vec<Reply>,
}

impl Confirmation {
    /// The body of a 2xx.
    pub(super) fn of(answer: &Answer) -> Option<Self> {
        serde_json::from_slice(&answer.body).ok()
    }

    /// Whether the first request made the marker of this id.
    pub(super) fn made(&self, marker_id: i32) -> bool {
        let created = self.replies.first().and_then(|it| it.create_developer_metadata.as_ref());
        created.is_some_and(|created| created.developer_metadata.metadata_id == marker_id)
    }

    /// Where the metadata that the write asked about were at its moment; `None` where it did not ask.
    pub(super) fn told(&self) -> Option<&[Binding]> {
        let told =
            self.replies.iter().find_map(|reply| reply.update_developer_metadata.as_ref())?;
        Some(&told.developer_metadata)
    }
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Reply {
    create_developer_metadata: Option<Created>,
    update_developer_metadata: Option<Updated>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Created {
    developer_metadata: Binding,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Updated {
    developer_metadata: Vec<Binding>,
}

/// Where a 2xx says that this batch landed; `None` where it is not about this batch, which it is when it
/// shows our marker.
fn landing(answer: &Answer, plan: &Plan, marker: &Marker) -> Option<Landing> {
    let confirmation = Confirmation::of(answer)?;
    if plan.traces.marker && !confirmation.made(marker.id) {
        return None;
    }
    Some(match confirmation.told() {
        Some(told) if plan.agrees_with(told) => Landing::InPlace,
        Some(_) => Landing::Elsewhere,
        None => Landing::Unknown,
    })
}
