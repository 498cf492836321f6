//! Keyed hashes: what is remembered of a person without the person.

use std::hash::Hasher;

use ring::hmac;

use crate::chat::digest::Digest;

/// Half of an HMAC-SHA-256 under the journal's own key: useless to who has not the key.
pub(super) fn digest(key: &hmac::Key, parts: &[&[u8]]) -> Digest {
    let mut context = hmac::Context::with_key(key);
    parts.iter().for_each(|part| context.update(part));
    let mut bytes = [0; Digest::BYTES];
    bytes.copy_from_slice(&context.sign().as_ref()[..Digest::BYTES]);
    Digest::from_bytes(bytes)
}

/// For maps by something that is a keyed hash already.
#[derive(Default)]
pub(super) struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}
