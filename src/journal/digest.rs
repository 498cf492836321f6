//! Keyed hashes: what is remembered of a person without the person.

use std::fmt;

use ring::hmac;

/// 128 bits of an HMAC-SHA-256 under the journal's own key.
///
/// Long enough that two different bodies never meet in it; useless to who has not the key.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Digest([u8; 16]);

impl Digest {
    pub(super) fn of(key: &hmac::Key, parts: &[&[u8]]) -> Self {
        let mut context = hmac::Context::with_key(key);
        parts.iter().for_each(|part| context.update(part));
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&context.sign().as_ref()[..16]);
        Self(bytes)
    }

    pub(super) fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Half of it: enough to look up by, where a hit is confirmed by the whole.
    pub(super) fn half(&self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
