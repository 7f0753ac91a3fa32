//! The seal on records: only replicas of this center can write what others believe, or read it.
//!
//! In: the secrets of the center's folder; records, and their place. Out: sealed bytes, and back. Never here: the network. Servers of the
//! log need not be trusted with more than keeping bytes: what they change, or put elsewhere, does not open.
use enforcer_policy::revision::Digest;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use super::LogError;
use crate::secret;

/// What seals.
pub(super) struct Seal {
    key: LessSafeKey,
    /// The name of the log.
    name: String,
}

impl Seal {
    /// Of these secrets. A replica with others reads nothing.
    pub(super) fn of(secrets: &[&[u8]], name: &str) -> Result<Self, LogError> {
        let key = Digest::of("enforcer center log v1", secrets);
        let key = UnboundKey::new(&CHACHA20_POLY1305, &key.0).map_err(|_length| LogError::Keys(name.to_owned()))?;
        Ok(Self { key: LessSafeKey::new(key), name: name.to_owned() })
    }

    /// Seals what is to stand at this place.
    pub(super) fn close(&self, place: u64, mut plain: Vec<u8>) -> Result<Vec<u8>, LogError> {
        let nonce = secret::random::<NONCE_LEN>().map_err(|error| LogError::Failed(error.to_string()))?;
        let place = self.place(place);
        self.key
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(place), &mut plain)
            .map_err(|_length| LogError::Large)?;
        let mut sealed = Vec::with_capacity(1 + NONCE_LEN + plain.len());
        sealed.push(VERSION);
        sealed.extend(nonce);
        sealed.extend(plain);
        Ok(sealed)
    }

    /// What stands there; none when it was sealed with other keys, for another place, or changed.
    pub(super) fn open(&self, place: u64, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, rest) = sealed.strip_prefix(&[VERSION])?.split_first_chunk::<NONCE_LEN>()?;
        let mut plain = rest.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let length = self.key.open_in_place(nonce, Aad::from(self.place(place)), &mut plain).ok()?.len();
        plain.truncate(length);
        Some(plain)
    }

    fn place(&self, place: u64) -> Vec<u8> {
        [self.name.as_bytes(), b"\0", &place.to_be_bytes()].concat()
    }
}

/// The hash of what is sealed.
pub(super) fn hash(sealed: &[u8]) -> [u8; 32] {
    Digest::of("enforcer log record v1", &[sealed]).0
}

/// Of this form of a record.
const VERSION: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_keys_open_it_and_only_at_its_place() {
        let seal = |keys: &[&[u8]], name| Seal::of(keys, name).unwrap();
        let ours = seal(&[b"a", b"b"], "X");
        let sealed = ours.close(7, b"record".to_vec()).unwrap();
        assert_eq!(ours.open(7, &sealed).as_deref(), Some(&b"record"[..]));
        assert_ne!(sealed, ours.close(7, b"record".to_vec()).unwrap(), "the same bytes twice tell something");
        for (other, place) in [(&ours, 8), (&seal(&[b"a", b"c"], "X"), 7), (&seal(&[b"a", b"b"], "Y"), 7)] {
            assert_eq!(other.open(place, &sealed), None);
        }
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!((ours.open(7, &changed), ours.open(7, &sealed[..at])), (None, None), "byte {at}");
        }
    }
}
