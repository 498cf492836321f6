//! Progress: how far long work has come. Counted where it is done, and shown by whoever asked for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A count that one side raises and the other looks at; its clones are the same count.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<AtomicU64>);

impl Progress {
    /// How much is done.
    pub fn done(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// So much more is done.
    pub(crate) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// It begins, or begins anew.
    pub(crate) fn begin(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}
