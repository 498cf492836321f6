//! Moving: a journal in a directory becomes one on a database, with all that is in it.
//!
//! One transaction writes everything. Just before its commit the directory is marked as moving, and just after it
//! as moved: killed at any moment, the journal is on exactly one side, and where that cannot be told by the
//! directory alone, it refuses to serve from there until the database was asked. The database then calls itself
//! by the name that the journal in the directory has, which is how a move that was committed is recognised.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::chat::counted::Quarter;
use crate::journal::Journal;
use crate::journal::condition::Conditions;
use crate::journal::origin::MOVED_MARK;
use crate::journal::store::postgres::{self, Address, DatabaseFault};
use crate::journal::store::sqlite::{self, OpenError, Opened};
use crate::journal::store::{Changes, Fault, Keys, Read, Span, Store};
use crate::progress::Progress;

/// How far a move has come, as the directory is marked.
const MOVING: i64 = 1;
const MOVED: i64 = 2;
/// Records that are read and written at a time.
const STEP: usize = 2_000;
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
    /// Moves the journal in a directory, where there is one that was not moved yet, into a database, with all
    /// that is in it. Blocks while it does; `progress` counts the records.
    ///
    /// # Errors
    /// A [`MoveFault`] whose sentence says what to do.
    pub fn move_into(
        dir: &Path,
        address: &Arc<Address>,
        progress: &Progress,
    ) -> Result<(), MoveFault> {
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
        let moved = moved(&mut from, &mut to, progress);
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
fn moved(from: &mut Opened, to: &mut dyn Store, progress: &Progress) -> Result<There, Fault> {
    to.begin(&Keys::default())?;
    let there = match state_of(to.read(), &from.reader)? {
        Some(there) => there,
        None => {
            let records = copy(&from.reader, to, progress)?;
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
fn copy(from: &dyn Read, to: &mut dyn Store, progress: &Progress) -> Result<u64, Fault> {
    progress.begin();
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
        let all = Span::all(queue.id);
        let rows = |first: &u64| from.rows(Span { first: *first, ..all }, STEP);
        pages(
            progress,
            all.first,
            rows,
            |row| row.number + 1,
            |rows| {
                let rows = rows.into_iter().map(|row| (queue.id, row)).collect();
                to.write(Changes { rows, ..Changes::default() })
            },
        )?;
    }
    for batch in from.batches()? {
        to.add_batch(&batch)?;
    }
    for (book, _) in &places.books {
        let awaited = from.awaited(*book)?.into_iter();
        let awaited = awaited.map(|(number, until)| (number, Some((*book, until)))).collect();
        to.write(Changes { awaited, ..Changes::default() })?;
    }
    for (book, _) in &places.books {
        pages(
            progress,
            Quarter(i64::MIN),
            |first| from.quarters(*book, *first, STEP),
            |stored| Quarter(stored.quarter.0 + 1),
            |quarters| to.write(Changes { quarters, ..Changes::default() }),
        )?;
    }
    copy_memory(from, to, progress)?;
    Ok(progress.done())
}

/// What is known of chats and customers, and the rows set aside.
fn copy_memory(from: &dyn Read, to: &mut dyn Store, progress: &Progress) -> Result<(), Fault> {
    let events = |after: &u64| from.last_events(*after, STEP);
    pages(
        progress,
        0,
        events,
        |(_, told)| told.number,
        |last| to.write(Changes { last, ..Changes::default() }),
    )?;
    pages(
        progress,
        0,
        |after| from.waits(*after, STEP),
        |wait| wait.number,
        |waits| {
            let waits = waits.into_iter().map(|wait| (wait.number, Some(wait))).collect();
            to.write(Changes { waits, ..Changes::default() })
        },
    )?;
    pages(
        progress,
        0,
        |after| from.aside(*after, STEP),
        |aside| aside.row.number,
        |aside| {
            let aside = aside.into_iter().map(|aside| (aside.row.number, Some(aside))).collect();
            to.write(Changes { aside, ..Changes::default() })
        },
    )?;
    pages(
        progress,
        None,
        |after| from.records(*after, STEP),
        |(key, _)| Some(*key),
        |records| {
            let records = records.into_iter().map(|(key, record)| (key, Some(record))).collect();
            to.write(Changes { records, ..Changes::default() })
        },
    )
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

/// Reads page after page and writes each, until there are no more. `from` is where to begin, and `next` where to go
/// on after a record.
fn pages<T, K>(
    progress: &Progress,
    mut from: K,
    read: impl Fn(&K) -> Result<Vec<T>, Fault>,
    next: impl Fn(&T) -> K,
    mut write: impl FnMut(Vec<T>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    loop {
        let page = read(&from)?;
        let Some(last) = page.last() else { return Ok(()) };
        from = next(last);
        let records = page.len() as u64;
        write(page)?;
        progress.add(records);
    }
}
