//! What a journal is made with: drawn once, by chance.

use std::sync::Arc;

use ring::rand::{SecureRandom, SystemRandom};

/// What makes a journal itself.
#[derive(Clone)]
pub(super) struct Origin {
    /// Keys every hash.
    pub(super) hash_key: Vec<u8>,
    /// Begins every event id.
    pub(super) tag: Arc<str>,
}

/// Letters and digits that nobody mistakes for one another.
const TAG_LETTERS: [char; 30] = [
    'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'j', 'k', 'm', 'n', 'p', 'q', 'r', 's', 't', 'v', 'w',
    'x', 'y', 'z', '2', '3', '4', '5', '6', '7', '8', '9',
];

impl Origin {
    /// Of a new journal; `None` without randomness, where a system is not fit to serve.
    pub(super) fn draw() -> Option<Self> {
        let mut hash_key = vec![0_u8; 32];
        SystemRandom::new().fill(&mut hash_key).ok()?;
        let tag: String = (0..6).filter_map(|_| fastrand::choice(TAG_LETTERS)).collect();
        Some(Self { hash_key, tag: tag.into() })
    }
}

/// The name of the number that a journal is marked with when it was moved into a database, or may have been: it
/// must not serve any more.
pub(super) const MOVED_MARK: &str = "moved";

/// The name of the number that a batch's is added to for the id of its marker.
pub(super) const MARKER_BASE: &str = "marker_base";

/// A batch's marker id is this plus its number: positive, within 31 bits for 147 million batches,
/// and apart from the ids that Google draws only by chance, which a refusal would tell.
pub(super) fn marker_base() -> i64 {
    fastrand::i64(1_000_000_000..2_000_000_000)
}

/// Caller-chosen, so that making the tab twice is refused by Google instead of making two.
pub(super) fn tab_id() -> i64 {
    fastrand::i64(100_000_000..1_000_000_000)
}
