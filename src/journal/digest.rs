//! Keyed hashes: what is remembered of a person without the person.

use ring::hmac;

use crate::chat::digest::Digest;

/// Half of an HMAC-SHA-256 under the journal's own key: useless to who has not the key.
pub(super) fn digest(key: &hmac::Key, parts: &[&[u8]]) -> Digest {
    let mut context = hmac::Context::with_key(key);
    parts.iter().for_each(|part| context.update(part));
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&context.sign().as_ref()[..16]);
    Digest::from_bytes(bytes)
}
