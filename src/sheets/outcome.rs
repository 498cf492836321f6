//! What can become of a call: every outcome by name, and *perhaps* is one of them.

use std::time::Duration;

use crate::sheets::client::NoAnswer;
use crate::sheets::column::Purpose;
use crate::sheets::layout::Layout;
use crate::sheets::setup::Setup;
use crate::sheets::token::TokenTrouble;
use crate::sheets::verdict::{Answer, Fault, UNKNOWN, Verdict};

/// What became of one send of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// It is in the sheet, by this send or an earlier one.
    Written(Landing),
    /// This send did nothing, for a cause that passes.
    NotApplied(Later),
    /// This send may have been or may yet be applied.
    PerhapsApplied(Later),
    /// The same, for no answer came in the time for it.
    TimedOut(Later),
    /// The access token was not accepted, so this send did nothing; the next asks for a new one.
    Unauthorised,
    /// Google refused the request, and what the marker says could not be found out: it is to be asked
    /// again, and nothing sent until it has answered.
    Undecided(Later),
    /// This send did nothing, and the same again would do nothing.
    Refused(Refused),
}

/// Whether a batch's cells stand in the columns that they were sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Landing {
    /// Google's answer says so.
    InPlace,
    /// A column was moved before the batch was applied.
    Elsewhere,
    /// The answer that would tell was lost, or does not tell.
    Unknown,
}

/// Why not now, and what Google asks us to wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Later {
    /// For the log.
    pub why: String,
    /// `Retry-After`.
    pub after: Option<Duration>,
}

/// Why a batch cannot be written as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// One of its rows is to blame; the reason.
    Row(&'static str),
    /// Its rows for this tab, for a reason that is not known: one of them is to blame, or the tab.
    Rows(Purpose, &'static str),
    /// It is too large.
    TooLarge,
    /// Its tab is not there any more.
    TabGone,
    /// Its tab has not the columns it was planned for.
    Reshaped,
    /// Someone else's marker has its id.
    MarkerForeign,
    /// It was given up before, and its marker burnt: nothing of it was or will be applied.
    Burnt,
    /// There is no room for its marker.
    MarkersFull,
    /// Google does not like to be asked where the columns are.
    PositionsUntold,
    /// Google does not take the formats that go along, and perhaps never will.
    Formats {
        /// Whether it says so.
        is_lasting: bool,
    },
    /// One of its tabs keeps it out, this one where that is known; the sentence says what to do. The other
    /// tabs may be well.
    Part(Option<Purpose>, String),
    /// A human must act; the sentence says what to do.
    Operator(String),
}

/// Why a look at the spreadsheet or setting tabs up did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It passes by itself.
    Passing(Later),
    /// A human must act.
    Operator(String),
    /// An id or title that we chose is in use.
    Taken,
}

/// What a look at the spreadsheet found.
#[derive(Clone, Debug)]
pub enum Survey {
    /// Our tabs are there.
    Ready(Layout),
    /// One of them is to be made or bound first.
    Setup(Setup),
}

/// What to do where a table is in the way of more than formats.
pub(super) const TYPED_COLUMNS: &str = "a table with typed columns keeps the service from writing: open \
                                        the table's menu and choose Revert to unformatted data";
const QUOTA: &str = "the quota of the minute is used up";

pub(super) fn later(why: String) -> Later {
    Later { why, after: None }
}

impl NoAnswer {
    /// Why not now.
    pub(super) fn later(self) -> Later {
        match self {
            Self::NotSent(trouble) => later(trouble.to_string()),
            Self::QuotaUsedUp(wait) => Later { after: Some(wait), ..later(QUOTA.to_owned()) },
            Self::Perhaps(why) => later(why),
            Self::TimedOut => later("Google did not answer in time".to_owned()),
        }
    }
}

pub(super) fn answered(answer: Result<Answer, NoAnswer>) -> Result<Answer, Trouble> {
    answer.map_err(|none| match none {
        NoAnswer::NotSent(TokenTrouble::Operator(advice)) => Trouble::Operator(advice),
        other => Trouble::Passing(other.later()),
    })
}

pub(super) fn settled(account: &str, answer: Answer) -> Result<Answer, Trouble> {
    let passing = |why: &str| Err(Trouble::Passing(later(why.to_owned())));
    match answer.verdict(account) {
        Verdict::Fine => Ok(answer),
        Verdict::ComeAgain { why, after } | Verdict::QuotaUsedUp { why, after } => {
            Err(Trouble::Passing(Later { why, after }))
        }
        Verdict::Unauthorised => passing("Google wants a new access token"),
        Verdict::Operator(advice) | Verdict::Refused(Fault::Operator(advice)) => {
            Err(Trouble::Operator(advice))
        }
        Verdict::Refused(Fault::Unknown(_)) => Err(Trouble::Operator(UNKNOWN.to_owned())),
        Verdict::Refused(Fault::Taken) => Err(Trouble::Taken),
        Verdict::Refused(Fault::TypedColumns) => Err(Trouble::Operator(TYPED_COLUMNS.to_owned())),
        Verdict::Refused(_) => passing("the spreadsheet changed while it was being looked at"),
    }
}

pub(super) fn refused(fault: Fault, by: Option<Purpose>) -> Refused {
    match fault {
        Fault::Row(reason) => Refused::Row(reason),
        Fault::Rows(purpose, class) => Refused::Rows(purpose, class),
        Fault::Unknown(_) => Refused::Part(by, UNKNOWN.to_owned()),
        Fault::TooLarge => Refused::TooLarge,
        Fault::TabGone => Refused::TabGone,
        Fault::Narrow => Refused::Reshaped,
        Fault::MarkersFull => Refused::MarkersFull,
        Fault::PositionsUntold => Refused::PositionsUntold,
        Fault::Formats => Refused::Formats { is_lasting: false },
        Fault::TypedColumns => Refused::Formats { is_lasting: true },
        Fault::Operator(advice) => Refused::Part(by, advice),
        // Without a marker nothing of ours has an id that could be in use.
        Fault::Taken => Refused::MarkerForeign,
    }
}
