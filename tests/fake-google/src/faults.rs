//! What can be made to go wrong, where, and in which order.

use std::collections::VecDeque;
use std::time::Duration;

use crate::FakeGoogle;
use crate::errors::{self, Refused};
use crate::json::Node;

/// What happens to one call of the Sheets API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Applied; the connection is cut without an answer.
    LoseAnswer,
    /// The connection is cut now; the call is applied that much later.
    ApplyLate(Duration),
    /// Not applied, and answered so.
    Refuse(Refusal),
    /// Applied, but answered with this status (500, 502, 503 or any other).
    RefuseAfterApplying(u16),
    /// Waits, then applies and answers; it applies even if the caller has gone by then.
    Slow(Duration),
    /// The connection is cut; nothing is applied.
    Reset,
    /// Applied; half of the 200's body is sent, then the connection is cut.
    HalfBody,
    /// Not applied; answered by a proxy, in HTML.
    Html(u16),
    /// Applied; answered 200 with a body that is no JSON.
    GarbledOk,
}

/// A refusal in Google's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    Internal500,
    Unavailable503,
    BadGateway502,
    Quota429,
    /// With a Retry-After header of so many seconds, which Google is not known to send.
    Quota429RetryAfter(u64),
    NotShared403,
    ApiDisabled403,
    NotFound404,
    Protected400,
    Xlsx400,
    Expired401,
    CellsLimit400,
    CellTooLong400,
    /// Any status with any body.
    Custom(u16, String),
}

/// What happens to one request for a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenFault {
    InvalidGrantClock,
    InvalidGrantSignature,
    AccountNotFound,
    /// An `error` that is an object and not a word.
    Json500,
    EmptyObject,
    Html503,
    Slow(Duration),
    Reset,
    /// A good token without `expires_in`.
    NoExpiry,
}

/// Faults by chance; each is a probability from 0 to 1, and they add up to 1 at most.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Storm {
    pub seed: u64,
    pub lost_answer: f64,
    pub applied_late: f64,
    /// From and to: how much later.
    pub late_by: (Duration, Duration),
    pub internal_500: f64,
    pub unavailable_503: f64,
    pub quota_429: f64,
    pub reset: f64,
    /// Answers of which half comes.
    pub half_body: f64,
    /// Answers that are no JSON.
    pub garbled: f64,
    /// Refused by a proxy, in HTML.
    pub html: f64,
    /// Answers that do not come while anybody waits for them.
    pub stalled: f64,
    /// Whether what only reads meets the same faults, as far as they are not about changes.
    pub on_reads: bool,
}

/// Longer than anybody waits for an answer.
const STALL: Duration = Duration::from_secs(120);

/// What is to go wrong from now on.
#[derive(Debug, Default)]
pub(crate) struct Script {
    pub(crate) writes: VecDeque<Fault>,
    pub(crate) reads: VecDeque<Fault>,
    pub(crate) tokens: VecDeque<TokenFault>,
    pub(crate) before_writes: VecDeque<Meanwhile>,
    pub(crate) after_writes: VecDeque<Meanwhile>,
    /// The kind of request that no batch may have until healed.
    pub(crate) refused_kind: Option<String>,
    /// A text that no row may have until healed; nobody knows why.
    pub(crate) refused_text: Option<String>,
    /// Refusals do not say which request they are about.
    pub(crate) refusals_are_bare: bool,
    /// Refuses every Sheets call until healed.
    pub(crate) standing: Option<Refusal>,
    /// Cuts every connection.
    pub(crate) outage: bool,
    pub(crate) storm: Option<(Storm, fastrand::Rng)>,
}

/// What happens in the middle of a write with a request of that kind.
pub(crate) struct Meanwhile {
    kind: String,
    act: Box<dyn FnOnce(&FakeGoogle) + Send>,
}

impl Meanwhile {
    pub(crate) fn new(kind: &str, act: impl FnOnce(&FakeGoogle) + Send + 'static) -> Self {
        Self { kind: kind.to_owned(), act: Box::new(act) }
    }

    /// Takes the first of the queue if it was waiting for this body.
    pub(crate) fn take(queue: &mut VecDeque<Self>, body: &Node<'_>) -> Option<Self> {
        queue.pop_front_if(|first| place_of(&first.kind, body).is_some())
    }

    pub(crate) fn act(self, google: &FakeGoogle) {
        (self.act)(google);
    }
}

impl std::fmt::Debug for Meanwhile {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Meanwhile").field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// The place of the first request of that kind in a body of `batchUpdate`.
fn place_of(kind: &str, body: &Node<'_>) -> Option<usize> {
    body.get("requests")?.list().iter().position(|request| request.get(kind).is_some())
}

impl Script {
    /// Whether a batch has a request that Google does not take these days.
    pub(crate) fn refuse_kind(&self, body: &Node<'_>) -> Result<(), Refused> {
        let Some(kind) = &self.refused_kind else { return Ok(()) };
        place_of(kind, body).map_or(Ok(()), |place| {
            Err(Refused::invalid(&format!("Invalid requests[{place}].{kind}: Not supported.")))
        })
    }

    /// Whether a batch appends a row with the text that Google does not take these days. The refusal quotes it,
    /// as Google's do.
    pub(crate) fn refuse_text(&self, body: &Node<'_>) -> Result<(), Refused> {
        let Some(text) = &self.refused_text else { return Ok(()) };
        let requests = body.get("requests").map_or(&[][..], Node::list);
        let has_it = |request: &Node<'_>| {
            request
                .get("appendCells")
                .is_some_and(|rows| rows.to_value().to_string().contains(text))
        };
        requests.iter().position(has_it).map_or(Ok(()), |place| {
            Err(Refused::invalid(&format!(
                "Invalid requests[{place}].appendCells: The cell {text} is not to Google's liking."
            )))
        })
    }

    /// A refusal as it is worded these days.
    pub(crate) fn worded(&self, refused: Refused) -> Refused {
        let bare = refused.body.split_once("Invalid requests[").and_then(|(before, rest)| {
            let (_, after) = rest.split_once(": ")?;
            Some(format!("{before}{after}"))
        });
        match bare {
            Some(body) if self.refusals_are_bare => Refused { body, ..refused },
            _ => refused,
        }
    }

    pub(crate) fn next_write(&mut self) -> Option<Fault> {
        self.writes.pop_front().or_else(|| {
            let (storm, random) = self.storm.as_mut()?;
            storm.draw(random)
        })
    }

    pub(crate) fn next_read(&mut self) -> Option<Fault> {
        self.reads.pop_front().or_else(|| {
            let (storm, random) = self.storm.as_mut().filter(|(storm, _)| storm.on_reads)?;
            storm.draw(random)
        })
    }
}

impl Storm {
    fn draw(&self, random: &mut fastrand::Rng) -> Option<Fault> {
        let (least, most) = self.late_by;
        // Drawn every time, so that the fate of a call depends on its number only.
        let (mut draw, share) = (random.f64(), random.f64());
        let late = least + most.saturating_sub(least).mul_f64(share);
        let chances = [
            (self.lost_answer, Fault::LoseAnswer),
            (self.applied_late, Fault::ApplyLate(late)),
            (self.internal_500, Fault::Refuse(Refusal::Internal500)),
            (self.unavailable_503, Fault::Refuse(Refusal::Unavailable503)),
            (self.quota_429, Fault::Refuse(Refusal::Quota429)),
            (self.reset, Fault::Reset),
            (self.half_body, Fault::HalfBody),
            (self.garbled, Fault::GarbledOk),
            (self.html, Fault::Html(502)),
            (self.stalled, Fault::Slow(STALL)),
        ];
        for (chance, fault) in chances {
            if draw < chance {
                return Some(fault);
            }
            draw -= chance;
        }
        None
    }
}

impl Refusal {
    pub(crate) fn answer(&self, write: bool) -> Refused {
        let quota = || Refused::quota(if write { "Write" } else { "Read" }, 60);
        match self {
            Self::Internal500 => Refused::internal(),
            Self::Unavailable503 => Refused::unavailable(),
            Self::BadGateway502 => Refused::html(502),
            Self::Quota429 => quota(),
            Self::Quota429RetryAfter(seconds) => {
                let mut refused = quota();
                refused.headers.push(("retry-after", seconds.to_string()));
                refused
            }
            Self::NotShared403 => Refused::not_shared(),
            Self::ApiDisabled403 => Refused::api_disabled(),
            Self::NotFound404 => Refused::not_found(),
            Self::Protected400 => Self::of_append(errors::PROTECTED),
            Self::Xlsx400 => Refused::new(400, "FAILED_PRECONDITION", errors::NOT_A_SHEET),
            Self::Expired401 => Refused::unauthenticated(),
            Self::CellsLimit400 => Self::of_append(errors::TOO_MANY_CELLS),
            Self::CellTooLong400 => Self::of_append(errors::CELL_TOO_LONG),
            Self::Custom(status, body) => Refused { body: body.clone(), ..Refused::html(*status) },
        }
    }

    /// The rows stand second in a batch, behind its marker.
    fn of_append(message: &str) -> Refused {
        Refused::invalid(&format!("Invalid requests[1].appendCells: {message}"))
    }
}

/// The answer to a call that was applied all the same.
pub(crate) fn answer_after_applying(status: u16) -> Refused {
    match status {
        500 => Refused::internal(),
        503 => Refused::unavailable(),
        status => Refused::html(status),
    }
}
