//! Calls of the Sheets API: which one a request is, what a fault makes of it, and carrying it out.

use std::sync::Arc;
use std::time::Instant;

use actix_web::rt;
use serde_json::Value;

use crate::FakeGoogle;
use crate::book::Book;
use crate::errors::Refused;
use crate::faults::{Fault, Meanwhile, answer_after_applying};
use crate::json::Node;
use crate::read::{self, Rendering};
use crate::schema::SCHEMA;
use crate::server::{Asked, Outcome, methods};
use crate::state::{Shared, State};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Call {
    spreadsheet: String,
    what: What,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum What {
    Get,
    BatchUpdate,
    GetMetadata(String),
    SearchMetadata,
    GetValues(String),
    BatchGetValues,
}

impl What {
    /// The method's name in the schema.
    fn method(&self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::BatchUpdate => "batchUpdate",
            Self::GetMetadata(_) => "developerMetadata.get",
            Self::SearchMetadata => "developerMetadata.search",
            Self::GetValues(_) => "values.get",
            Self::BatchGetValues => "values.batchGet",
        }
    }
}

impl Call {
    /// None for what the Sheets API does not have, or this stand-in does not.
    pub(super) fn parse(asked: &Asked) -> Option<Self> {
        let path = asked.path.strip_prefix("/v4/spreadsheets/")?;
        let parts: Vec<String> = path.split('/').map(percent_decoded).collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let (spreadsheet, what) = match (asked.method.as_str(), &parts[..]) {
            ("POST", [last]) => (last.strip_suffix(":batchUpdate")?, What::BatchUpdate),
            ("GET", [id]) if !id.contains(':') => (*id, What::Get),
            ("GET", [id, "developerMetadata", metadata]) => {
                (*id, What::GetMetadata((*metadata).to_owned()))
            }
            ("POST", [id, "developerMetadata:search"]) => (*id, What::SearchMetadata),
            ("GET", [id, "values", range]) => (*id, What::GetValues((*range).to_owned())),
            ("GET", [id, "values:batchGet"]) => (*id, What::BatchGetValues),
            _ => return None,
        };
        Some(Self { spreadsheet: spreadsheet.to_owned(), what })
    }

    pub(super) async fn outcome(&self, shared: &Arc<Shared>, asked: &Asked) -> Outcome {
        let latency = shared.lock().latency;
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        let fault = match self.at_the_door(shared, asked) {
            Ok(fault) => fault,
            Err(refused) => return Outcome::Refused(refused),
        };
        let write = self.what == What::BatchUpdate;
        match fault {
            None => self.carry_out(shared, asked).map_or_else(Outcome::Refused, Outcome::Ok),
            Some(Fault::Reset) => Outcome::Cut,
            Some(Fault::Refuse(refusal)) => Outcome::Refused(refusal.answer(write)),
            Some(Fault::Html(status)) => Outcome::Refused(Refused::html(status)),
            Some(Fault::Slow(wait)) => {
                tokio::time::sleep(wait).await;
                self.carry_out(shared, asked).map_or_else(Outcome::Refused, Outcome::Ok)
            }
            Some(Fault::ApplyLate(wait)) => {
                let (call, shared) = (self.clone(), Arc::clone(shared));
                let asked = Asked {
                    method: asked.method.clone(),
                    path: asked.path.clone(),
                    query: asked.query.clone(),
                    bearer: None,
                    body: asked.body.clone(),
                };
                drop(rt::spawn(async move {
                    tokio::time::sleep(wait).await;
                    // Nobody is left to hear how it went.
                    drop(call.carry_out(&shared, &asked));
                }));
                Outcome::Cut
            }
            Some(after) => {
                let done = self.carry_out(shared, asked);
                match (after, done) {
                    (Fault::RefuseAfterApplying(status), _) => {
                        Outcome::Refused(answer_after_applying(status))
                    }
                    (Fault::HalfBody, Ok(value)) => Outcome::Half(value),
                    (Fault::GarbledOk, Ok(_)) => Outcome::Garbled,
                    (Fault::LoseAnswer, _) => Outcome::Cut,
                    (_, Err(refused)) => Outcome::Refused(refused),
                    (_, Ok(value)) => Outcome::Ok(value),
                }
            }
        }
    }

    /// What is decided before anything is done: may the caller, is it too much, is something to go wrong.
    fn at_the_door(&self, shared: &Shared, asked: &Asked) -> Result<Option<Fault>, Refused> {
        let mut state = shared.lock();
        let write = self.what == What::BatchUpdate;
        if !state.tokens.accepts(asked.bearer.as_deref()) {
            return Err(Refused::unauthenticated());
        }
        let within_quota = state.count_call(write, Instant::now());
        if let Some(refusal) = &state.script.standing {
            return Err(refusal.answer(write));
        }
        within_quota?;
        Ok(if write { state.script.next_write() } else { state.script.next_read() })
    }

    fn carry_out(&self, shared: &Arc<Shared>, asked: &Asked) -> Result<Value, Refused> {
        let query = asked.query();
        let mask = SCHEMA.query(self.what.method(), &query)?;
        let answer = match &self.what {
            What::BatchUpdate => {
                // Parsed and checked before the lock is taken: this is most of the work.
                let body = SCHEMA.body("batchUpdate", &asked.body)?;
                // Whatever happens in the middle calls back, so the lock is not held over it.
                let google = FakeGoogle::seen_from_inside(shared);
                let before = Meanwhile::take(&mut shared.lock().script.before_writes, &body);
                before.into_iter().for_each(|meanwhile| meanwhile.act(&google));
                let answer = self.write(&mut shared.lock(), &body)?;
                shared.changed.notify_all();
                let after = Meanwhile::take(&mut shared.lock().script.after_writes, &body);
                after.into_iter().for_each(|meanwhile| meanwhile.act(&google));
                answer
            }
            What::SearchMetadata => {
                let body = SCHEMA.body("developerMetadata.search", &asked.body)?;
                methods::search(self.book(&shared.lock())?, &body)?
            }
            What::Get => methods::get(self.book(&shared.lock())?, &query, &mask)?,
            What::GetMetadata(id) => methods::get_metadata(self.book(&shared.lock())?, id)?,
            What::GetValues(range) => {
                read::values(self.book(&shared.lock())?, range, Rendering::from_query(&query))?
            }
            What::BatchGetValues => methods::batch_get_values(self.book(&shared.lock())?, &query)?,
        };
        Ok(mask.keep(answer))
    }

    fn write(&self, state: &mut State, body: &Node<'_>) -> Result<Value, Refused> {
        state.script.refuse_kind(body)?;
        state.script.refuse_text(body)?;
        let book = state.books.get_mut(&self.spreadsheet).ok_or_else(Refused::not_found)?;
        methods::batch_update(book, body).map_err(|refused| state.script.worded(refused))
    }

    fn book<'s>(&self, state: &'s State) -> Result<&'s Book, Refused> {
        state.books.get(&self.spreadsheet).ok_or_else(Refused::not_found)
    }
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let escaped = match after {
            [high, low, ..] if *first == b'%' => {
                let digit = |byte: &u8| char::from(*byte).to_digit(16);
                digit(high)
                    .zip(digit(low))
                    .and_then(|(high, low)| u8::try_from(high * 16 + low).ok())
            }
            _ => None,
        };
        bytes.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
