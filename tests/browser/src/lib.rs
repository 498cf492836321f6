//! The operator's page in a real browser: headless Chromium, which a person's steps are taken in, beside the
//! service and a stand-in for Google.
//!
//! ```text
//! Clinic           a spreadsheet, settings and a directory; the service is started and stopped on them
//! Browser          a window: what is seen, pressed and typed; and that nothing went wrong in it
//!   ├─ axe         what axe-core finds on a page: contrast, labels, structure
//!   └─ driver      chromedriver, which is gone with the tests, whatever becomes of them
//! ```
//!
//! What it promises: a browser that is closed has shown no error on its console, nothing that the page's policy
//! forbids, and has called nobody but the service. It cannot reach anybody else.

#![cfg(test)]

mod axe;
mod browser;
mod clinic;
mod driver;
mod installed;
#[path = "../../../examples/demo/morning.rs"]
mod morning;
mod page;
mod pictures;
#[path = "../../../examples/demo/weeks.rs"]
mod weeks;
