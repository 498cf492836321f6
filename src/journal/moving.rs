//! Moving: a journal in a directory becomes one on a database, with all that is in it.
//!
//! One transaction writes everything. Just before its commit the directory is marked as moving, and just after it
//! as moved: killed at any moment, the journal is on exactly one side, and where that cannot be told by the
//! directory alone, it refuses to serve from there until the database was asked. The database then calls itself
//! by the name that the journal in the directory has, which is how a move that was committed is recognised.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::chat::route::Routes;
use crate::journal::condition::Conditions;
use crate::journal::opening::Engine;
use crate::journal::origin::MOVED_MARK;
use crate::journal::store::postgres::{self, Address, DatabaseFault};
use crate::journal::store::sqlite::{self, OpenError, Opened};
use crate::journal::store::{Changes, Fault, Keys, Read, Span, Store};
use crate::journal::{Journal, Limits};

/// How far a move has come, as the directory is marked.
const MOVING: i64 = 1;
const MOVED: i64 = 2;
/// Records that are read and written at a time.
const STEP: usize = 2_000;
/// How often it is said how far it is.
const SAY_EVERY: Duration = Duration::from_secs(3);
/// How often a database that did not say whether it committed is asked.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// A process that was heard of within this time may still be serving.
const SERVING_MS: i64 = 30_000;

/// Why a journal was not moved; it is in its directory as before.
#[derive(Debug, thiserror::Error)]
pub enum MoveFault {
    /// The database cannot be used.
    #[error(transparent)]
    Database(#[from] DatabaseFault),
    /// The directory cannot be used.
    #[error(transparent)]
    Directory(#[from] OpenError),
    /// The database holds another journal.
    #[error(
        "the database holds a journal already, and {} another one: start once without DATABASE_URL until \
         its rows are written, then move that directory away; or set DATABASE_URL to an empty database",
        dir.display()
    )]
    Occupied {
        /// The directory.
        dir: PathBuf,
    },
    /// Somebody serves from the database, with nothing in it so far.
    #[error(
        "the journal in {} is to be moved into the database, but other instances serve from there already: \
         stop them, start this one alone, and the others when it listens",
        dir.display()
    )]
    Serving {
        /// The directory.
        dir: PathBuf,
    },
    /// It could not be read or written.
    #[error("cannot move the journal from {} into the database; starting again tries again", dir.display())]
    Failed {
        /// The directory.
        dir: PathBuf,
        /// Why.
        source: Fault,
    },
}

impl MoveFault {
    /// Whether it may be over by itself.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Database(fault) => fault.is_passing(),
            Self::Failed { source, .. } => matches!(source, Fault::Away(_) | Fault::Unknown(_)),
            _ => false,
        }
    }
}

impl Journal {
    /// Opens the journal on a database, making its tables if there are none. Any number of processes may.
    /// Blocks while it does.
    ///
    /// # Errors
    /// A [`DatabaseFault`] whose sentence says what to do.
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

    /// Moves the journal in a directory, where there is one that was not moved yet, into a database, with all
    /// that is in it. Blocks while it does.
    ///
    /// # Errors
    /// A [`MoveFault`] whose sentence says what to do.
    pub fn move_into(dir: &Path, address: &Arc<Address>) -> Result<(), MoveFault> {
        if !sqlite::is_in(dir) {
            return Ok(());
        }
        let place = dir.display().to_string();
        let conditions = Arc::new(Conditions::new(&place));
        let mut from = sqlite::open(dir, false, &conditions)?;
        let failed = |source: Fault| MoveFault::Failed { dir: dir.to_owned(), source };
        if from.reader.meta(MOVED_MARK).map_err(failed)? == Some(MOVED) {
            return Ok(());
        }
        let instance = format!("{:016x}", fastrand::u64(..));
        let mut to = postgres::open(address, &instance)?.store;
        let moved = moved(&mut from, &mut to);
        let moved = moved.inspect_err(|fault| to.roll_back(Some(fault))).map_err(failed)?;
        let records = match moved {
            There::This(records) => records,
            There::Another => return Err(MoveFault::Occupied { dir: dir.to_owned() }),
            There::Others => return Err(MoveFault::Serving { dir: dir.to_owned() }),
        };
        note(&mut from.store, MOVED).map_err(failed)?;
        log::info!(
            records;
            "moved the journal from {place} into the database {}; the directory is not read any more: delete \
             it when you have seen that all goes on",
            address.label()
        );
        Ok(())
    }
}

/// One transaction: looks what is there, and copies where nothing is.
fn moved(from: &mut Opened, to: &mut dyn Store) -> Result<There, Fault> {
    to.begin(&Keys::default())?;
    let there = match state_of(to.read(), &from.reader)? {
        Some(there) => there,
        None => {
            let records = copy(&from.reader, to)?;
            note(&mut from.store, MOVING)?;
            committed(to)?;
            return Ok(There::This(records));
        }
    };
    to.roll_back(None);
    Ok(there)
}

/// What the database holds.
enum There {
    /// This very journal, of which so many records were moved now.
    This(u64),
    Another,
    /// Nothing, but others serve from it.
    Others,
}

/// `None` where there is nothing that anybody relies on.
fn state_of(to: &dyn Read, from: &dyn Read) -> Result<Option<There>, Fault> {
    if to.origin()?.tag == from.origin()?.tag {
        return Ok(Some(There::This(0)));
    }
    if to.counters()?.tally.next_number > 1 {
        return Ok(Some(There::Another));
    }
    let now = to.clock()?.unwrap_or_default();
    let serve = to.instances()?.iter().any(|other| now.since_ms(other.seen_at) < SERVING_MS);
    Ok(serve.then_some(There::Others))
}

/// Writes all that can be read of one into the other, inside its transaction. How many records.
fn copy(from: &dyn Read, to: &mut dyn Store) -> Result<u64, Fault> {
    let mut progress = Progress::new();
    to.adopt(&from.origin()?)?;
    let places = from.places()?;
    to.write(Changes { places: places.clone(), ..Changes::default() })?;
    let counters = from.counters()?;
    to.write(Changes {
        meta: from.numbers()?,
        tally: Some(counters.tally),
        work: counters.books,
        unrecognised: from.unrecognised()?,
        fences: from.fences()?.into_iter().map(|fence| (fence.marker_id, Some(fence))).collect(),
        sent: from.sent()?,
        ..Changes::default()
    })?;
    for queue in &places.queues {
        let mut span = Span::all(queue.id);
        loop {
            let rows = from.rows(span, STEP)?;
            let Some(last) = rows.last() else { break };
            span.first = last.number + 1;
            progress.count(rows.len());
            let rows = rows.into_iter().map(|row| (queue.id, row)).collect();
            to.write(Changes { rows, ..Changes::default() })?;
        }
    }
    for batch in from.batches()? {
        to.add_batch(&batch)?;
    }
    for (book, _) in &places.books {
        let awaited = from.awaited(*book)?.into_iter();
        let awaited = awaited.map(|(number, until)| (number, Some((*book, until)))).collect();
        to.write(Changes { awaited, ..Changes::default() })?;
    }
    copy_memory(from, to, &mut progress)?;
    Ok(progress.records)
}

/// What is known of chats and customers, and the rows set aside.
fn copy_memory(from: &dyn Read, to: &mut dyn Store, progress: &mut Progress) -> Result<(), Fault> {
    let mut after = 0;
    loop {
        let last = from.last_events(after, STEP)?;
        let Some((_, told)) = last.last() else { break };
        after = told.number;
        progress.count(last.len());
        to.write(Changes { last, ..Changes::default() })?;
    }
    let mut after = 0;
    loop {
        let waits = from.waits(after, STEP)?;
        let Some(last) = waits.last() else { break };
        after = last.number;
        progress.count(waits.len());
        let waits = waits.into_iter().map(|wait| (wait.number, Some(wait))).collect();
        to.write(Changes { waits, ..Changes::default() })?;
    }
    let mut after = 0;
    loop {
        let aside = from.aside(after, STEP)?;
        let Some(last) = aside.last() else { break };
        after = last.row.number;
        progress.count(aside.len());
        let aside = aside.into_iter().map(|aside| (aside.row.number, Some(aside))).collect();
        to.write(Changes { aside, ..Changes::default() })?;
    }
    let mut after = None;
    loop {
        let records = from.records(after, STEP)?;
        let Some((last, _)) = records.last() else { return Ok(()) };
        after = Some(*last);
        progress.count(records.len());
        let records = records.into_iter().map(|(key, record)| (key, Some(record))).collect();
        to.write(Changes { records, ..Changes::default() })?;
    }
}

/// Commits, and asks for as long as it takes where the answer is lost.
fn committed(to: &mut dyn Store) -> Result<(), Fault> {
    let mut why = match to.commit() {
        Err(why @ Fault::Unknown(_)) => why,
        committed => return committed,
    };
    loop {
        match to.settle() {
            Ok(true) => return Ok(()),
            Ok(false) => return Err(why),
            Err(fault) => {
                log::error!("cannot find out whether the journal was moved, asking again: {fault}");
                to.roll_back(Some(&fault));
                why = fault;
            }
        }
        std::thread::sleep(ASK_EVERY);
    }
}

/// Marks the directory, in a transaction of its own.
fn note(store: &mut dyn Store, mark: i64) -> Result<(), Fault> {
    store.begin(&Keys::default())?;
    let meta = vec![(MOVED_MARK.to_owned(), mark)];
    let noted = store.write(Changes { meta, ..Changes::default() }).and_then(|()| store.commit());
    noted.inspect_err(|fault| store.roll_back(Some(fault)))
}

/// Says now and then how far it is.
struct Progress {
    records: u64,
    said_at: Instant,
}

impl Progress {
    fn new() -> Self {
        Self { records: 0, said_at: Instant::now() }
    }

    fn count(&mut self, records: usize) {
        self.records += records as u64;
        if self.said_at.elapsed() > SAY_EVERY {
            self.said_at = Instant::now();
            log::info!(records = self.records; "moving the journal into the database");
        }
    }
}
