//! doubletick-sheets: every unassigned DoubleTick chat becomes exactly one row in a Google Sheet.
//!
//! Events come in over a webhook, from a sender that may try only once. Rows go out to a Google
//! Sheet, which takes 60 writes a minute and may apply a write without telling. Between the two is a
//! journal on disk: what was answered with 200 is in it, until its row is known to be in the sheet.
//!
//! # The way of one event
//!
//! ```text
//! DoubleTick ──POST──▶ http ──ChatEvent──▶ journal ──Receipt──▶ 200
//!                                            │  one transaction, fsync'ed, many requests a sync
//!                                            ▼
//!                                        forwarder   one sealed batch at a time, paced, retried
//!                                            │
//!                                            ▼
//!                                         sheets ──one atomic batchUpdate──▶ Google
//!                              [ marker · rows for the log and the handovers · the board ]
//! ```
//!
//! # Modules, in reading order
//!
//! - [`chat`]: the domain. A body becomes an event; what we know and an event become a row. Pure.
//! - [`journal`]: the only owner of the database. Keeps events, seals batches, settles them. All SQL
//!   stands in its `store::sqlite`, below a trait; that trait's file says how an engine is added.
//! - [`sheets`]: speaks Google. One send of one batch, and what became of it.
//! - [`forwarder`]: the loop between the two: claim, send, settle, wait.
//! - `directory`: asks DoubleTick for the names that no event told, and makes our other questions about chats.
//! - `asking`: asks DoubleTick every few minutes who waits, and has what it never told found.
//! - `registration`: what DoubleTick is to send to us, and how it is told so.
//! - [`http`]: takes events: verifies, bounds, parses, keeps, answers. And the operator's page.
//! - [`config`]: the settings, validated all at once. Read by [`app`] alone.
//! - [`app`]: wires the parts, starts and stops them in order; the command line.
//! - `alarm`: when a human is to be told, and when it is over. Pure.
//! - `operator`: what the page shows to the person in charge, and what that person asks for. It
//!   connects the page with the app.
//! - [`status`]: what the service says of itself. [`causes`]: an error in one line. [`histogram`]: how long
//!   something takes. [`progress`]: how far long work has come. `outbound`: what every call to others has in common.
//!
//! Names point one way: main → app → http, forwarder, asking, registration → directory → journal, sheets, operator → chat.
//! `journal` and `sheets` never name each other. `thiserror` where callers branch, `anyhow` only in [`app`] and
//! `main`.
//!
//! # Invariants
//!
//! 1. No 2xx for an event before its commit is on disk: a 2xx is made from a [`journal::Receipt`],
//!    and only [`journal::Journal::accept`] makes one, after the commit.
//! 2. Every acknowledged unassignment becomes exactly one row. A batch's marker id can exist once in
//!    a spreadsheet, and marker and rows are applied together or not at all. Held by the tests in
//!    `exactly_once`: storms of faults, and `kill -9` in the middle of them.
//! 3. Rows appear in the order of acknowledgement: one batch at a time, the oldest rows first.
//! 4. A [`journal::Batch`] never changes once sealed; it is finished once, by value.
//! 5. Nothing is dropped for having failed often. *Perhaps applied* is an outcome of its own
//!    ([`sheets::Delivery`]), and only a row refused for its own content is set aside.
//! 6. What a human must mend is said in one sentence and probed until it is mended.
//! 7. accepted = written + pending + set aside, at any moment: one [`journal::Tally`], committed
//!    with the rows that it counts.
//! 8. No name, number, secret, token or key in any log line: personal text is
//!    [`chat::text::Personal`], which shows nothing, and libraries log only warnings
//!    ([`app::logging`]). Held by the canary test.
//! 9. The board shows who waits at the moment of its time: it is sealed with the rows of a batch from
//!    the same commit, and written with them or not at all. Held by `board` and its plain model.
//! 10. Everything kept or waited for has a limit: bodies, fields, rows, batches, and every call to Google.
//! 11. One bad record, one bad reader and one bad neighbour stop nobody else: a record that cannot be read is
//!     set aside and said, and whoever reads the database delays no answer. Held by `neighbours`.
//! 12. The summary says what happened: each row is counted in its own transaction, once. No row waits for it to be
//!     written. Held by `counting` and its plain model.
//!
//! And by absence: nothing but `journal::store` holds SQL or knows which database it is; nothing but `app` reads the clock or
//! the settings; `http` never talks to Google; no row is ever added by a position or title that people may change.

pub mod chat;
pub mod journal;
pub mod sheets;
pub mod forwarder;
mod directory;
mod asking;
mod registration;
pub mod http;
pub mod config;
pub mod app;
mod alarm;
mod operator;
pub mod status;
pub mod causes;
pub mod histogram;
pub mod progress;
mod outbound;
