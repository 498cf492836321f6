//! A store that can be made to refuse, and whose clock the test sets.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::chat::counted::Quarter;
use crate::chat::digest::Digest;
use crate::chat::memory::Told;
use crate::chat::time::UnixMs;
use crate::journal::BookId;
use crate::journal::counters::Counters;
use crate::journal::origin::Origin;
use crate::journal::store::{
    Changes, Extent, Fault, Fence, Instance, Keys, Lease, Loaded, Places, QueueId, Read,
    Remembered, Row, Span, Store, StoredAside, StoredBatch, StoredQuarter, StoredWait,
    Unrecognised,
};

/// What a test does to the stores of one place.
#[derive(Debug, Default)]
pub(super) struct Will {
    /// What the next commits come to, at the very end, when all is written.
    pub(super) refusal: Mutex<Option<Fault>>,
    /// Whether what is committed seems to have failed.
    pub(super) loses_answers: AtomicBool,
    /// What the clock says that all processes go by; without it each goes by its own, as the tests say.
    pub(super) clock: Mutex<Option<UnixMs>>,
}

/// A store, or its reader, that does what the test will. It knows no lease: whoever is open may do everything.
pub(super) struct Over<S> {
    pub(super) beneath: S,
    pub(super) will: Arc<Will>,
}

/// What can be read of it.
pub(super) trait Beneath: Send {
    fn read(&self) -> &dyn Read;
}

impl Beneath for Box<dyn Store> {
    fn read(&self) -> &dyn Read {
        (**self).read()
    }
}

impl Beneath for Box<dyn Read> {
    fn read(&self) -> &dyn Read {
        &**self
    }
}

impl<S: Beneath> Read for Over<S> {
    fn clock(&self) -> Result<Option<UnixMs>, Fault> {
        Ok(*self.will.clock.lock().unwrap())
    }

    fn lease(&self) -> Result<Option<Lease>, Fault> {
        Ok(None)
    }

    fn instances(&self) -> Result<Vec<Instance>, Fault> {
        self.beneath.read().instances()
    }

    fn origin(&self) -> Result<Origin, Fault> {
        self.beneath.read().origin()
    }

    fn counters(&self) -> Result<Counters, Fault> {
        self.beneath.read().counters()
    }

    fn meta(&self, name: &str) -> Result<Option<i64>, Fault> {
        self.beneath.read().meta(name)
    }

    fn numbers(&self) -> Result<Vec<(String, i64)>, Fault> {
        self.beneath.read().numbers()
    }

    fn last_events(&self, after: u64, events_max: usize) -> Result<Vec<(Digest, Told)>, Fault> {
        self.beneath.read().last_events(after, events_max)
    }

    fn places(&self) -> Result<Places, Fault> {
        self.beneath.read().places()
    }

    fn head(&self, queue: QueueId) -> Result<Option<(u64, UnixMs)>, Fault> {
        self.beneath.read().head(queue)
    }

    fn rows(&self, span: Span, rows_max: usize) -> Result<Vec<Row>, Fault> {
        self.beneath.read().rows(span, rows_max)
    }

    fn extent(&self, span: Span) -> Result<Extent, Fault> {
        self.beneath.read().extent(span)
    }

    fn batches(&self) -> Result<Vec<StoredBatch>, Fault> {
        self.beneath.read().batches()
    }

    fn fences(&self) -> Result<Vec<Fence>, Fault> {
        self.beneath.read().fences()
    }

    fn board(&self, book: BookId, lines_max: usize) -> Result<Vec<StoredWait>, Fault> {
        self.beneath.read().board(book, lines_max)
    }

    fn awaited(&self, book: BookId) -> Result<Vec<(u64, UnixMs)>, Fault> {
        self.beneath.read().awaited(book)
    }

    fn aside(&self, after: u64, rows_max: usize) -> Result<Vec<StoredAside>, Fault> {
        self.beneath.read().aside(after, rows_max)
    }

    fn unrecognised(&self) -> Result<Vec<Unrecognised>, Fault> {
        self.beneath.read().unrecognised()
    }

    fn waits(&self, after: u64, waits_max: usize) -> Result<Vec<StoredWait>, Fault> {
        self.beneath.read().waits(after, waits_max)
    }

    fn quarters(
        &self,
        book: BookId,
        from: Quarter,
        quarters_max: usize,
    ) -> Result<Vec<StoredQuarter>, Fault> {
        self.beneath.read().quarters(book, from, quarters_max)
    }

    fn records(
        &self,
        after: Option<Digest>,
        records_max: usize,
    ) -> Result<Vec<(Digest, Remembered)>, Fault> {
        self.beneath.read().records(after, records_max)
    }

    fn sent(&self) -> Result<Vec<UnixMs>, Fault> {
        self.beneath.read().sent()
    }

    fn verify(&self) -> Result<(), Fault> {
        self.beneath.read().verify()
    }

    fn copy_into(&self, file: &Path) -> Result<(), Fault> {
        self.beneath.read().copy_into(file)
    }
}

impl Store for Over<Box<dyn Store>> {
    fn read(&self) -> &dyn Read {
        self
    }

    fn begin(&mut self, ahead: &Keys) -> Result<bool, Fault> {
        self.beneath.begin(ahead)
    }

    fn load(&mut self, keys: &Keys) -> Result<Loaded, Fault> {
        self.beneath.load(keys)
    }

    fn write(&mut self, changes: Changes) -> Result<(), Fault> {
        self.beneath.write(changes)
    }

    fn add_batch(&mut self, batch: &StoredBatch) -> Result<(), Fault> {
        self.beneath.add_batch(batch)
    }

    fn end_batch(&mut self, number: u64) -> Result<(), Fault> {
        self.beneath.end_batch(number)
    }

    fn delete_rows(&mut self, span: Span) -> Result<u64, Fault> {
        self.beneath.delete_rows(span)
    }

    fn adopt(&mut self, origin: &Origin) -> Result<(), Fault> {
        self.beneath.adopt(origin)
    }

    fn commit(&mut self) -> Result<(), Fault> {
        if let Some(fault) = &*self.will.refusal.lock().unwrap() {
            return Err(fault.clone());
        }
        self.beneath.commit()?;
        match self.will.loses_answers.load(Ordering::SeqCst) {
            true => Err(Fault::Failed(Arc::new(std::fmt::Error))),
            false => Ok(()),
        }
    }

    fn settle(&mut self) -> Result<bool, Fault> {
        self.beneath.settle()
    }

    fn roll_back(&mut self, why: Option<&Fault>) {
        self.beneath.roll_back(why);
    }

    fn has_room(&self) -> bool {
        self.beneath.has_room()
    }

    fn purge(&mut self) {
        self.beneath.purge();
    }

    fn look(&mut self) -> Option<Counters> {
        self.beneath.look()
    }

    fn tidy_up(&mut self, is_drained: bool) -> Option<Duration> {
        self.beneath.tidy_up(is_drained)
    }
}
