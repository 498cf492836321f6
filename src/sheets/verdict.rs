//! What an answer of Google's means: pure, status first, the body only where it is one we know.
//!
//! The sentences for the operator are ours. Of Google's own words nothing is passed on, because a
//! refusal may quote the cell it refuses. The bodies recognised here are real ones, each with the
//! test that holds it; a body may also be HTML, empty or cut.

use std::time::Duration;

use serde::Deserialize;

use crate::sheets::column::Purpose;

/// Longest wait that a `Retry-After` may ask of us.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(300);

/// What came back, as far as it matters.
#[derive(Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// `Retry-After`, bounded; Google is not known to send one.
    pub retry_after: Option<Duration>,
    /// The body.
    pub body: Vec<u8>,
}

/// What to make of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// 2xx.
    Fine,
    /// May have been done or not; or certainly not, but only for now.
    ComeAgain {
        /// For the log.
        why: String,
        /// How long Google asks us to wait.
        after: Option<Duration>,
    },
    /// Not done, for the quota of the minute is used up.
    QuotaUsedUp {
        /// For the log.
        why: String,
        /// How long Google asks us to wait.
        after: Option<Duration>,
    },
    /// The access token is not accepted.
    Unauthorised,
    /// A human must act.
    Operator(String),
    /// 400: this request as it is, or one like it that came before, cannot be done.
    Refused(Fault),
}

/// What a 400 complains of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// One row's content.
    Row(&'static str),
    /// The request as a whole is too large.
    TooLarge,
    /// An id that we chose is in use: usually by an earlier send of the same request.
    Taken,
    /// No room for another marker.
    MarkersFull,
    /// Asking where the columns are.
    PositionsUntold,
    /// The formats that go along with rows.
    Formats,
    /// Validation or formats in a column of a table that has a type.
    TypedColumns,
    /// The tab is not there any more.
    TabGone,
    /// The tab has fewer columns than we thought.
    Narrow,
    /// Rows for this tab, for a reason that this program does not know, of this class.
    Rows(Purpose, &'static str),
    /// A reason that this program does not know, of this class.
    Unknown(&'static str),
    /// A human must act.
    Operator(String),
}

/// What to do where nothing more is known.
pub(super) const UNKNOWN: &str = "Google refuses the request for a reason that this program does not know; \
                                  nothing is lost: update doubletick-sheets, and report it if that does \
                                  not help";

/// What to do where Google refuses to share it.
const FORBIDDEN_SHARING: &str = "where Google refuses to share it outside of the organisation, have an \
                                 administrator allow that address, use a spreadsheet that is owned outside, or \
                                 set GOOGLE_IMPERSONATE to a user of the organisation who can edit it";

#[derive(Deserialize, Default)]
struct Envelope {
    #[serde(default)]
    error: Body,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Body {
    message: String,
    status: String,
    details: Vec<serde_json::Value>,
}

impl Body {
    fn of(bytes: &[u8]) -> Self {
        serde_json::from_slice::<Envelope>(bytes).unwrap_or_default().error
    }

    fn reasons(&self) -> impl Iterator<Item = &str> {
        self.details.iter().filter_map(|detail| detail.get("reason")?.as_str())
    }

    fn says(&self, words: &str) -> bool {
        self.message.contains(words)
    }
}

impl Answer {
    /// Whether the body says that a developer metadata of that id does not exist.
    pub(super) fn names_metadata(&self) -> bool {
        let message = Body::of(&self.body).message.to_lowercase();
        message.contains("metadata")
    }

    /// The place of the request that a refusal is about, where it says so: `Invalid requests[2].appendCells: …`.
    pub(super) fn refused_request(&self) -> Option<usize> {
        let message = Body::of(&self.body).message;
        let (_, rest) = message.split_once("requests[")?;
        rest.split_once(']')?.0.parse().ok()
    }

    /// Decides what the answer means. `account` is the e-mail to share with.
    pub fn verdict(&self, account: &str) -> Verdict {
        let body = Body::of(&self.body);
        let come_again = |why: &str| Verdict::ComeAgain {
            why: format!("Google answered {} ({why})", self.status),
            after: self.retry_after,
        };
        let quota_used_up = || Verdict::QuotaUsedUp {
            why: format!("Google answered {} (quota exhausted)", self.status),
            after: self.retry_after,
        };
        match self.status {
            200..=299 => Verdict::Fine,
            400 => Verdict::Refused(fault(&body)),
            401 => Verdict::Unauthorised,
            403 => forbidden(&body, account).map_or_else(quota_used_up, Verdict::Operator),
            404 => Verdict::Operator(format!(
                "the spreadsheet was not found: check SPREADSHEET_ID, that it is not in the bin, \
                 and share it with {account} as Editor; {FORBIDDEN_SHARING}"
            )),
            408 => come_again("timeout"),
            409 => come_again("conflict"),
            413 => Verdict::Refused(Fault::TooLarge),
            429 => quota_used_up(),
            500..=599 => come_again("server error"),
            status => Verdict::Operator(format!(
                "Google answered {status}, which this program does not know: check SHEETS_API_URL \
                 and update doubletick-sheets"
            )),
        }
    }
}

/// What a 403 asks of the operator; `None` where it is only for speed. The reasons are those of Google's
/// `google.api.ErrorReason`; where a body gives none, its words tell.
fn forbidden(body: &Body, account: &str) -> Option<String> {
    let reasons: Vec<&str> = body.reasons().collect();
    let says = |reason: &[&str], words: &[&str]| {
        reasons.iter().any(|given| reason.contains(given))
            || words.iter().any(|words| body.says(words))
    };
    if reasons.iter().any(|reason| reason.to_ascii_uppercase().contains("RATE_LIMIT")) {
        return None;
    }
    let advice = if says(&["SERVICE_DISABLED"], &["it is disabled"]) {
        "the Google Sheets API is not enabled in the service account's project: enable it at \
         https://console.cloud.google.com/apis/library/sheets.googleapis.com and wait a few minutes"
    } else if says(&["ACCESS_TOKEN_SCOPE_INSUFFICIENT"], &[]) {
        "the access token lacks the spreadsheets scope: use a service account's own key"
    } else if says(&["CONSUMER_SUSPENDED", "GCP_SUSPENDED"], &["has been suspended"]) {
        "Google has suspended the service account's project: see its notice in the Google Cloud console \
         and appeal there, or set the key of a service account of another project"
    } else if says(
        &["ACCOUNT_STATE_INVALID"],
        &["account is disabled", "account has been disabled"],
    ) {
        "the service account is disabled or deleted: enable it in the Google Cloud console, or set the \
         key of another one and share the spreadsheet with that"
    } else if says(&["BILLING_DISABLED"], &["requires billing to be enabled"]) {
        "billing is disabled for the service account's project: enable it in the Google Cloud console, or \
         set the key of a service account of a project without a billing account"
    } else if says(
        &[
            "SECURITY_POLICY_VIOLATED",
            "ORG_RESTRICTION_VIOLATION",
            "LOCATION_ORG_POLICY_VIOLATED",
            "LOCATION_POLICY_VIOLATED",
            "API_KEY_SERVICE_BLOCKED",
            "SERVICE_NOT_VISIBLE",
        ],
        &["prohibited by organization's policy", "vpcServiceControls", "VPC Service Controls"],
    ) {
        "a policy of the organisation (VPC Service Controls or the like) blocks the Sheets API for this \
         service account: have its administrator allow it, or use a project outside of the organisation"
    } else if says(&["storageQuotaExceeded"], &["storage quota"]) {
        "the storage of the spreadsheet's owner is full: make room in their Google Drive, or buy more"
    } else {
        return Some(format!(
            "the service account may not edit the spreadsheet: share it with {account} as Editor; \
             {FORBIDDEN_SHARING}"
        ));
    };
    Some(advice.to_owned())
}

fn fault(body: &Body) -> Fault {
    let operator = |sentence: &str| Fault::Operator(sentence.to_owned());
    if body.says("already exists") {
        Fault::Taken
    } else if body.says("].updateDeveloperMetadata") {
        Fault::PositionsUntold
    } else if body.says("maximum of 50000 characters") {
        Fault::Row("a cell would exceed 50,000 characters")
    } else if body.says("Request payload size exceeds") || body.says("requests in a single batch") {
        Fault::TooLarge
    } else if body.says("metadata would exceed the allowed storage") {
        Fault::MarkersFull
    } else if ["No grid with id", "No sheet with id", "Unable to parse range"]
        .into_iter()
        .any(|words| body.says(words))
    {
        Fault::TabGone
    } else if body.says("beyond the last requested column") || body.says("exceeds grid limits") {
        Fault::Narrow
    } else if is_full(&body.message) {
        operator(
            "the spreadsheet is full, for Google allows a workbook no more cells: move old rows to another \
             file, or delete empty rows and unused tabs",
        )
    } else if body.says("protected cell or object") {
        operator(
            "a protected range keeps the service account from writing: add it to the range's \
             editors, or remove the protection (Data > Protect sheets and ranges)",
        )
    } else if body.says("not supported for this document") {
        operator(
            "the file is an Excel document: open it and choose File > Save as Google Sheets, then \
             set SPREADSHEET_ID to the new file",
        )
    } else if body.says("typed columns") {
        Fault::TypedColumns
    } else if body.says("].repeatCell") {
        Fault::Formats
    } else {
        Fault::Unknown(class(&body.status))
    }
}

/// Whether this complains of the number of cells in the workbook. Google has raised its limit before, and names it.
fn is_full(message: &str) -> bool {
    message.split_once("above the limit of ").is_some_and(|(_, rest)| {
        let number =
            rest.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, ',' | '.'));
        number.len() < rest.len() && number.trim_start().starts_with("cells")
    })
}

/// The class of a refusal, as a reason to be shown: Google's own words may quote the cell.
fn class(status: &str) -> &'static str {
    match status {
        "INVALID_ARGUMENT" => "Google refuses it (INVALID_ARGUMENT)",
        "FAILED_PRECONDITION" => "Google refuses it (FAILED_PRECONDITION)",
        "OUT_OF_RANGE" => "Google refuses it (OUT_OF_RANGE)",
        _ => "Google refuses it and gives no class of reasons",
    }
}
