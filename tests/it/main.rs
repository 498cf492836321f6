//! The promises, tried through the door: the real binary, a stand-in for Google, HTTP, and then a
//! look at the sheet. Files are named for the kind of promise.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod harness;
mod accepting;
mod beside;
mod board;
mod summary;
mod connections;
mod restoring;
mod routes;
mod exactly_once;
mod several;
mod asking;
mod remembering;
mod sheet;
mod staff;
mod alarm;
mod found_once;
mod waiting_too_long;
mod command_line;
mod connecting;
mod image;
mod keyless;
mod operating;
mod page;
#[path = "../browser/src/installed.rs"]
mod browser;
mod starting;
mod stopping;
mod upkeep;
mod privacy;
mod progress;
mod tidy;
