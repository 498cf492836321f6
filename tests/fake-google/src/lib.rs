//! A stand-in for Google, for tests and for the demo: the token endpoint and the part of the Sheets API v4
//! that the service uses, in memory, on a port of its own, with faults on request.
//!
//! ```text
//! FakeGoogle (this file)   starts it, says where it is, makes things go wrong
//!   ├─ observe             what stands in the sheets, what was asked of it
//!   ├─ staff               people editing the spreadsheet meanwhile
//!   └─ server              HTTP, faults, cut connections
//!        ├─ token          who may call
//!        ├─ workload       who may call without a key
//!        ├─ schema         whether the call fits Google's own description
//!        ├─ book           one spreadsheet; batches that happen whole or not at all
//!        │    └─ grid      the cells of a tab, and how to undo
//!        ├─ formula        what a duration comes to now
//!        ├─ read           what a call gives back
//!        ├─ conditional    which conditional format a cell takes
//!        └─ view           the page that shows the spreadsheet to people
//! ```
//!
//! Beside it stands [`FakeDoubleTick`], where the service registers its address and asks for chats and
//! customers, and which sends the events.
//!
//! What it promises: a request that Google's description does not allow is refused and remembered
//! ([`FakeGoogle::invalid_requests`]); a refused batch leaves no trace; developer metadata ids are unique;
//! rows are appended below the last row that has data in any column; what people do to rows, columns and
//! tabs carries developer metadata along.
//!
//! What it does not do: calculate more than differences of times, inherit formats on insertion, or know
//! charts and named ranges.

mod a1;
mod book;
mod conditional;
mod display;
mod doubletick;
mod errors;
mod faults;
mod formula;
mod grid;
mod json;
mod observe;
mod read;
mod schema;
mod server;
mod staff;
mod state;
mod token;
mod view;
mod workload;

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use serde_json::json;

pub use crate::doubletick::{DoubleTickFault, FakeDoubleTick};
pub use crate::faults::{Fault, Refusal, Storm, TokenFault};
pub use crate::staff::Staff;
pub use crate::state::Seen;
pub use crate::workload::{FlySocket, WorkloadFault, WorkloadStep};

use crate::book::Book;
use crate::faults::Meanwhile;
use crate::state::Shared;

/// Made for this crate and published with it: it opens nothing anywhere.
const WORTHLESS_KEY: &str = include_str!("worthless-key.pem");
const CLIENT_EMAIL: &str = "sheet-writer@example-project.iam.gserviceaccount.com";
const SPREADSHEET_ID: &str = "1FakeqX9vT0mYd3LkR7sWc2HnB5gJpZ8uEaKoVtMiQrS";

/// A running stand-in. Clones are the same one; it stops when the last is dropped.
#[derive(Clone)]
pub struct FakeGoogle {
    shared: Arc<Shared>,
    /// The spreadsheet that staff edit and tests look at.
    spreadsheet: String,
    /// None in the hands of the server itself, which must not keep itself alive.
    _running: Option<Arc<Running>>,
}

struct Running(ServerHandle);

impl Drop for Running {
    fn drop(&mut self) {
        // The command is sent at once; nobody waits for it to be carried out.
        drop(self.0.stop(false));
    }
}

impl FakeGoogle {
    /// Starts on a free port.
    pub fn start() -> Self {
        Self::start_on(0)
    }

    /// Starts on a port of 127.0.0.1, with one spreadsheet that has one empty tab.
    pub fn start_on(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).expect("the port is free");
        let address = listener.local_addr().expect("a bound socket has an address");
        let shared = Shared::new(format!("http://{address}"), CLIENT_EMAIL, SPREADSHEET_ID);
        let shared = Arc::new(shared);
        let running = Running(server::start(listener, Arc::clone(&shared)));
        Self { _running: Some(Arc::new(running)), ..Self::seen_from_inside(&shared) }
    }

    fn seen_from_inside(shared: &Arc<Shared>) -> Self {
        let spreadsheet = shared.spreadsheet_id.clone();
        Self { shared: Arc::clone(shared), spreadsheet, _running: None }
    }

    /// Where it is, without a slash at the end.
    pub fn url(&self) -> String {
        self.shared.url.clone()
    }

    /// The service account that may call, and that a person would share a spreadsheet with.
    pub fn client_email(&self) -> String {
        self.shared.client_email.clone()
    }

    /// A complete key file of that service account.
    pub fn key_json(&self) -> String {
        let url = self.url();
        let key = json!({
            "type": "service_account",
            "project_id": "example-project",
            "private_key_id": "0000000000000000000000000000000000000000",
            "private_key": WORTHLESS_KEY,
            "client_email": CLIENT_EMAIL,
            "client_id": "100000000000000000000",
            "auth_uri": format!("{url}/auth"),
            "token_uri": format!("{url}/token"),
            "auth_provider_x509_cert_url": format!("{url}/certs"),
            "client_x509_cert_url": format!("{url}/x509"),
            "universe_domain": "googleapis.com",
        });
        format!("{key:#}")
    }

    /// The spreadsheet in view. The first exists from the start, in the time zone Asia/Kolkata.
    pub fn spreadsheet_id(&self) -> String {
        self.spreadsheet.clone()
    }

    /// The same Google with another spreadsheet in view, for staff and for looking.
    pub fn open(&self, spreadsheet_id: &str) -> Self {
        Self { spreadsheet: spreadsheet_id.to_owned(), ..self.clone() }
    }

    /// Adds a spreadsheet with one empty tab `Sheet1`.
    pub fn add_spreadsheet(&self, id: &str, time_zone: &str) {
        let book = Book::new(id, time_zone, CLIENT_EMAIL);
        self.shared.lock().books.insert(id.to_owned(), book);
    }

    /// What happens to the next `batchUpdate` that has no fault yet; call it again for the one after.
    pub fn fail_next_write(&self, fault: Fault) {
        self.shared.lock().script.writes.push_back(fault);
    }

    /// The same for the next call that only reads.
    pub fn fail_next_read(&self, fault: Fault) {
        self.shared.lock().script.reads.push_back(fault);
    }

    /// The same for the next request for a token.
    pub fn fail_next_token(&self, fault: TokenFault) {
        self.shared.lock().script.tokens.push_back(fault);
    }

    /// Runs `act` in the middle of the next `batchUpdate` with a request of that kind (`appendCells`): when
    /// Google has the call and has done nothing yet. Call it again for the one after.
    pub fn before_next_write_with(&self, kind: &str, act: impl FnOnce(&Self) + Send + 'static) {
        self.shared.lock().script.before_writes.push_back(Meanwhile::new(kind, act));
    }

    /// The same for when all of it is done, and not yet answered.
    pub fn after_next_write_with(&self, kind: &str, act: impl FnOnce(&Self) + Send + 'static) {
        self.shared.lock().script.after_writes.push_back(Meanwhile::new(kind, act));
    }

    /// Refuses with 400 every `batchUpdate` with a request of that kind, until [`FakeGoogle::heal`].
    pub fn refuse_writes_with(&self, kind: &str) {
        self.shared.lock().script.refused_kind = Some(kind.to_owned());
    }

    /// Refuses with 400 every `batchUpdate` that appends a row with this text, until [`FakeGoogle::heal`], for a
    /// reason that nobody has heard of.
    pub fn refuse_rows_with(&self, text: &str) {
        self.shared.lock().script.refused_text = Some(text.to_owned());
    }

    /// Whether number formats in a typed column are refused as validation in it is, from now on.
    pub fn typed_columns_take_no_formats(&self, do_so: bool) {
        let mut state = self.shared.lock();
        let book = state.books.get_mut(&self.spreadsheet).expect("spreadsheets stay");
        book.typed_columns_take_no_formats = do_so;
    }

    /// Whether a refused batch is told which of its requests is to blame, as it is from the start.
    pub fn refusals_name_their_request(&self, do_so: bool) {
        self.shared.lock().script.refusals_are_bare = !do_so;
    }

    /// Refuses every call of the Sheets API until [`FakeGoogle::heal`].
    pub fn fail_all(&self, refusal: Refusal) {
        self.shared.lock().script.standing = Some(refusal);
    }

    /// Ends what [`FakeGoogle::fail_all`] and [`FakeGoogle::refuse_writes_with`] began and an outage. Faults
    /// of single calls stay.
    pub fn heal(&self) {
        let script = &mut self.shared.lock().script;
        script.standing = None;
        script.refused_kind = None;
        script.refused_text = None;
        script.outage = false;
    }

    /// Accepts connections and cuts them, until it is over.
    pub fn outage(&self, on: bool) {
        self.shared.lock().script.outage = on;
    }

    /// Faults by chance, the same for the same seed, until [`FakeGoogle::calm`].
    pub fn storm(&self, storm: Storm) {
        let random = fastrand::Rng::with_seed(storm.seed);
        self.shared.lock().script.storm = Some((storm, random));
    }

    /// Ends a storm.
    pub fn calm(&self) {
        self.shared.lock().script.storm = None;
    }

    /// How long the tokens given out from now on are good for.
    pub fn token_lifetime(&self, lifetime: Duration) {
        self.shared.lock().tokens.lifetime = lifetime;
    }

    /// Lets the service account act in the name of this user, as an administrator does.
    pub fn delegate(&self, user: &str) {
        self.shared.lock().tokens.delegates.insert(user.to_owned());
    }

    /// How long every call of the Sheets API takes before it does anything.
    pub fn latency(&self, latency: Duration) {
        self.shared.lock().latency = latency;
    }

    /// Refuses with 429 what exceeds so many writes or reads in any 60 seconds.
    pub fn quota(&self, writes_per_minute: u32, reads_per_minute: u32) {
        self.shared.lock().quota = Some((writes_per_minute, reads_per_minute));
    }
}

impl std::fmt::Debug for FakeGoogle {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("FakeGoogle").field("url", &self.shared.url).finish_non_exhaustive()
    }
}
