//! What is remembered of chats and customers, inside a transaction, under keyed hashes of their names.
//!
//! A customer is known by id and by phone number: what is known stands under the first of its keys, and
//! the others only point there, so that what changes often is written once.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::chat::digest::Digest;
use crate::chat::time::UnixMs;
use crate::journal::Error;
use crate::journal::store::{Remembered, Stored};
use crate::journal::transaction::{Transaction, json};

/// How long a pointer is left as it is before it is dated anew. Twice this is less than a day, the
/// shortest retention.
const POINTER_FRESH_MS: i64 = 8 * 3_600_000;

/// Under which key it stands, what was recalled, and when it was last told; none where nothing was known.
#[derive(Clone, Copy, Default)]
pub(in crate::journal) struct Home(Option<(Digest, UnixMs)>);

impl Home {
    /// Whether it was last told before then.
    pub(in crate::journal) fn is_from_before(self, before: UnixMs) -> bool {
        self.0.is_some_and(|(_, seen_at)| seen_at < before)
    }
}

impl Transaction<'_> {
    /// What is remembered under the first of these keys that knows anything, else nothing known.
    /// A record that this version cannot read counts as nothing known.
    pub(in crate::journal) fn recall<T: DeserializeOwned + Default>(
        &mut self,
        keys: &[Digest],
    ) -> Result<(T, Home), Error> {
        for key in keys {
            let home = self.home_of(key)?;
            let Some(Remembered { what: Stored::Record(record), seen_at }) =
                self.remembered(&home)?
            else {
                continue;
            };
            let seen_at = *seen_at;
            let known = serde_json::from_slice(record);
            if known.is_err() {
                self.shared.conditions.unreadable("what is remembered of a chat or a customer");
            }
            return Ok((known.unwrap_or_default(), Home(Some((home, seen_at)))));
        }
        Ok((T::default(), Home(None)))
    }

    /// The key that this one points to, or itself.
    fn home_of(&mut self, key: &Digest) -> Result<Digest, Error> {
        Ok(match self.remembered(key)? {
            Some(Remembered { what: Stored::SameAs(target), .. }) => *target,
            _ => *key,
        })
    }

    /// Remembers something under the first of these keys, the others pointing there; what was recalled by
    /// one key alone, where it stands.
    pub(in crate::journal) fn remember<T: Serialize>(
        &mut self,
        keys: &[Digest],
        Home(home): Home,
        record: &T,
        now: UnixMs,
    ) -> Result<(), Error> {
        let Some((first, others)) = keys.split_first() else { return Ok(()) };
        // Whoever is told of by one key only may be known by a better one already.
        let home = home.filter(|_| others.is_empty()).map_or(*first, |(home, _)| home);
        let what = Stored::Record(json(record)?);
        self.set_remembered(home, Some(Remembered { what, seen_at: now }));
        for key in others {
            let is_pointing = self.remembered(key)?.is_some_and(|known| {
                now.since_ms(known.seen_at) < POINTER_FRESH_MS && known.what == Stored::SameAs(home)
            });
            if !is_pointing {
                let what = Stored::SameAs(home);
                self.set_remembered(*key, Some(Remembered { what, seen_at: now }));
            }
        }
        Ok(())
    }

    /// The keys that a customer is known by, where this is one of them: itself, and the one that it points
    /// to.
    pub(in crate::journal) fn keys_of(&mut self, key: Digest) -> Result<Vec<Digest>, Error> {
        let home = self.home_of(&key)?;
        Ok(if home == key { vec![key] } else { vec![key, home] })
    }
}
