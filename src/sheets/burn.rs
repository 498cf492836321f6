//! Burning a marker: from then on no send of its batch can be applied, however late and by whatever process.
//!
//! A batch that was perhaps applied cannot be let go of, since its rows would come twice. Google refuses an
//! id that is in use, and with it the whole request. So the batch's own marker is made alone, with a value
//! that says void: either it is made, and every send of the batch that is still on its way will be refused;
//! or it is refused, and what is there tells whether the batch was applied.

use serde_json::json;

use crate::sheets::client::{Client, NoAnswer};
use crate::sheets::deliver::{Confirmation, MarkerState, unread};
use crate::sheets::outcome::{Later, later};
use crate::sheets::plan::Marker;
use crate::sheets::token::TokenTrouble;
use crate::sheets::verdict::{Fault, Verdict};

/// What became of burning a marker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Burnt {
    /// No send of the batch can be applied any more, and none was.
    Void,
    /// The batch was applied.
    Written,
    /// Someone else's marker has that id, so that no send of the batch can ever be applied.
    Foreign,
    /// There is no room for it.
    NoRoom,
    /// Not now; whether it was burnt the next try tells.
    Later(Later),
    /// A human must act; the sentence says what to do.
    Operator(String),
}

impl Client {
    /// Burns the marker of a batch, once.
    pub async fn burn(&self, marker: &Marker) -> Burnt {
        let void = marker.void();
        let body = json!({ "requests": [{ "createDeveloperMetadata": void.request() }] });
        let answer = match self.write("burn", body.to_string().into_bytes()).await {
            Ok(answer) => answer,
            Err(NoAnswer::NotSent(TokenTrouble::Operator(advice))) => {
                return Burnt::Operator(advice);
            }
            Err(none) => return Burnt::Later(none.later()),
        };
        match answer.verdict(self.account()) {
            Verdict::Fine => match Confirmation::of(&answer).is_some_and(|it| it.made(void.id)) {
                true => Burnt::Void,
                false => Burnt::Later(later("Google's answer cannot be read".to_owned())),
            },
            Verdict::ComeAgain { why, after } | Verdict::QuotaUsedUp { why, after } => {
                Burnt::Later(Later { why, after })
            }
            Verdict::Unauthorised => {
                Burnt::Later(later("Google wants a new access token".to_owned()))
            }
            Verdict::Operator(advice) => Burnt::Operator(advice),
            Verdict::Refused(Fault::MarkersFull) => Burnt::NoRoom,
            Verdict::Refused(_) => match self.marker_state(marker).await {
                MarkerState::Ours => Burnt::Written,
                MarkerState::Void => Burnt::Void,
                MarkerState::Foreign => Burnt::Foreign,
                MarkerState::Absent => Burnt::Later(unread()),
                MarkerState::Unknown(later) => Burnt::Later(later),
                MarkerState::Barred(advice) => Burnt::Operator(advice),
            },
        }
    }
}
