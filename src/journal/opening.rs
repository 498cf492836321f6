//! Opening a journal: in a directory, or on a database that several processes share.

use std::path::Path;
use std::sync::Arc;

use ring::hmac;
use tokio::sync::{Mutex, watch};

use crate::chat::route::Routes;
use crate::histogram::Histogram;
use crate::journal::awaited::Names;
use crate::journal::clock::Clock;
use crate::journal::condition::Conditions;
use crate::journal::counters::Counters;
use crate::journal::origin::{MOVED_MARK, Origin};
use crate::journal::reading::Reader;
use crate::journal::routing::Routing;
#[cfg(feature = "postgres")]
use crate::journal::store::postgres::{self, Address, DatabaseFault};
use crate::journal::store::sqlite::{self, Hold, OpenError, Opened};
use crate::journal::store::{Fault, Keys, Read, Store};
use crate::journal::transaction::{Shared, Transaction};
use crate::journal::writer::Writer;
use crate::journal::{Error, Inner, Journal, Limits, rerouting};

/// A store that was opened.
pub(in crate::journal) struct Engine {
    /// What it is called.
    pub(in crate::journal) name: &'static str,
    pub(in crate::journal) store: Box<dyn Store>,
    pub(in crate::journal) reader: Box<dyn Read>,
    /// Of the directory; `None` beside the service, and on a database.
    pub(in crate::journal) hold: Option<Hold>,
    /// What this process is called among those that share a database: drawn by chance, so that no name of a
    /// machine or of an earlier process is ever taken for it.
    pub(in crate::journal) instance: Option<Arc<str>>,
}

impl Journal {
    /// Opens the journal in `dir`, making it if there is none.
    ///
    /// # Errors
    /// An [`OpenError`] whose sentence says what to do.
    pub fn open(dir: &Path, limits: Limits, routes: Routes) -> Result<Self, OpenError> {
        Self::opened(dir, limits, routes, false)
    }

    /// Opens the journal in `dir`, beside the service if it is running there. For what takes a
    /// moment and ends; nothing is forwarded from here.
    ///
    /// # Errors
    /// An [`OpenError`] whose sentence says what to do.
    pub fn open_beside(dir: &Path, limits: Limits, routes: Routes) -> Result<Self, OpenError> {
        Self::opened(dir, limits, routes, true)
    }

    /// Opens the journal on a database, making its tables if there are none. Any number of processes may.
    /// Blocks while it does.
    ///
    /// # Errors
    /// A [`DatabaseFault`] whose sentence says what to do.
    #[cfg(feature = "postgres")]
    pub fn open_on(
        address: &Arc<Address>,
        limits: Limits,
        routes: Routes,
    ) -> Result<Self, DatabaseFault> {
        let place = format!("the database {}", address.label());
        let conditions = Arc::new(Conditions::new(&place));
        let instance = format!("{:016x}", fastrand::u64(..));
        let postgres::Opened { store, reader } = postgres::open(address, &instance)?;
        let instance = Some(instance.into());
        let (store, reader) = (Box::new(store), Box::new(reader));
        let engine = Engine { name: "postgresql", store, reader, hold: None, instance };
        Self::over(engine, limits, routes, conditions)
            .map_err(|error| DatabaseFault::away(address.label(), error))
    }

    fn opened(
        dir: &Path,
        limits: Limits,
        routes: Routes,
        may_be_beside: bool,
    ) -> Result<Self, OpenError> {
        let place = dir.display().to_string();
        let conditions = Arc::new(Conditions::new(&place));
        let Opened { store, reader, hold } = sqlite::open(dir, may_be_beside, &conditions)?;
        let mark = reader.meta(MOVED_MARK);
        if mark.map_err(|fault| OpenError::unusable(dir, Arc::new(fault)))?.is_some() {
            return Err(OpenError::Moved { dir: dir.to_owned() });
        }
        let (store, reader) = (Box::new(store), Box::new(reader));
        let engine = Engine { name: "sqlite", store, reader, hold, instance: None };
        Self::over(engine, limits, routes, conditions)
            .map_err(|error| OpenError::unusable(dir, Arc::new(error)))
    }

    /// The journal over a store, whichever it is.
    pub(in crate::journal) fn over(
        engine: Engine,
        limits: Limits,
        routes: Routes,
        conditions: Arc<Conditions>,
    ) -> Result<Self, Error> {
        let Engine { name, mut store, reader, hold, instance } = engine;
        let Origin { hash_key, tag } = reader.origin()?;
        let place = conditions.place().to_owned();
        let may_forward = hold.is_some() || instance.is_some();
        let hash_key = hmac::Key::new(hmac::HMAC_SHA256, &hash_key);
        let of_all = (hash_key, tag, instance, conditions);
        let (shared, counters) = begun(&mut *store, routes, may_forward, of_all)?;
        let shared = Arc::new(shared);
        let (published, watched) = watch::channel(counters);
        let writer = Writer::start(store, Arc::clone(&shared), published)
            .map_err(|source| Fault::Failed(Arc::new(source)))?;
        let inner = Inner {
            reader: Arc::new(Mutex::new(Reader::new(reader))),
            writer,
            counters: watched,
            shared,
            limits,
            engine: name,
            place,
            hold,
        };
        Ok(Self(Arc::new(inner), None))
    }
}

/// The first transaction: makes the places of these routes, and routes anew what waits for others.
fn begun(
    store: &mut dyn Store,
    routes: Routes,
    may_route_anew: bool,
    (hash_key, tag, instance, conditions): (hmac::Key, Arc<str>, Option<Arc<str>>, Arc<Conditions>),
) -> Result<(Shared, Counters), Error> {
    let done = (|| {
        store.begin(&Keys::default())?;
        let (routing, added) = Routing::new(routes, &store.read().places()?, may_route_anew);
        let (names, clock) = (Names::default(), Clock::default());
        let commits = Histogram::default();
        let shared = Shared { hash_key, tag, instance, routing, names, clock, conditions, commits };
        let before = store.read().counters()?;
        let mut transaction = Transaction::new(store, &shared, before.clone())?;
        transaction.change().places = added;
        rerouting::leave_unserved(&mut transaction)?;
        transaction.finish(&before)?;
        let counters = transaction.counters;
        store.commit()?;
        Ok((shared, counters))
    })();
    if let Err(error) = &done {
        let why: Option<&Fault> = match error {
            Error::Store(fault) => Some(fault),
            _ => None,
        };
        store.roll_back(why);
    }
    done
}
