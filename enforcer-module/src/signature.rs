//! Who made a module. In: the bytes of a file, keys that are trusted. Out: the bytes that were signed. Never here: reading them as a
//! module: nothing but the last bytes of a file is looked at before its signature is checked.
//!
//! The signature is a custom section at the very end, of one length, so that a signed module is one file and still a module to every
//! other tool. It covers all bytes before it.
use enforcer_policy::revision::{Digest, KEY_ID, SIGNATURE, Signer, Verifier};

/// A file whose maker is not trusted.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SignatureError {
    /// The key is trusted, and it did not sign these bytes.
    #[error("its bytes are not those that were signed: sign it anew with enforcer filter sign, or fetch it again")]
    Changed,
    /// It was signed with another key.
    #[error("it was signed with a key that is not trusted here: add the public key of its maker to `keys`")]
    Foreign,
    /// It was not signed.
    #[error("it is not signed: sign it with enforcer filter sign FILE --key KEY")]
    Missing,
}

/// The module with its signature; an earlier one is taken off.
pub fn sign(bytes: &[u8], signer: &Signer) -> Vec<u8> {
    let body = body(bytes);
    [body, HEAD, &signer.public().id(), &signer.sign(&message(body))].concat()
}

/// The bytes that one of these keys has signed.
///
/// # Errors
/// When none has.
pub fn verify<'b>(bytes: &'b [u8], keys: &[Verifier]) -> Result<&'b [u8], SignatureError> {
    let (body, id, signature) = split(bytes).ok_or(SignatureError::Missing)?;
    let key = keys.iter().find(|key| key.id() == *id).ok_or(SignatureError::Foreign)?;
    if key.admits(&message(body), signature) { Ok(body) } else { Err(SignatureError::Changed) }
}

/// The bytes without a signature, whoever's it is.
pub fn body(bytes: &[u8]) -> &[u8] {
    split(bytes).map_or(bytes, |(body, ..)| body)
}

/// The id of the key that it says has signed it; none when it was not signed.
pub fn signed_by(bytes: &[u8]) -> Option<&[u8; KEY_ID]> {
    split(bytes).map(|(_, id, _)| id)
}

type Split<'b> = (&'b [u8], &'b [u8; KEY_ID], &'b [u8; SIGNATURE]);

fn split(bytes: &[u8]) -> Option<Split<'_>> {
    let (rest, signature) = bytes.split_last_chunk::<SIGNATURE>()?;
    let (rest, id) = rest.split_last_chunk::<KEY_ID>()?;
    Some((rest.strip_suffix(HEAD)?, id, signature))
}

fn message(body: &[u8]) -> Digest {
    Digest::of("enforcer module v1", &[body])
}

/// A custom section (0) of so many bytes, and the length of its name with the name.
const HEAD: &[u8; 21] = b"\x00\x5b\x12enforcer.signature";
/// What follows the first two bytes: the section's own length.
const _: () = assert!(HEAD.len() + KEY_ID + SIGNATURE - 2 == 0x5b && HEAD.len() - 3 == 0x12);

#[cfg(test)]
mod tests {
    use super::*;

    fn signer(seed: u8) -> Signer {
        Signer::from_seed(&[seed; 32])
    }

    #[test]
    fn only_what_a_trusted_key_signed_is_taken() {
        let (own, other) = (signer(1), signer(2));
        let keys = [own.public(), signer(3).public()];
        let signed = sign(b"a module", &own);
        assert_eq!(verify(&signed, &keys), Ok(&b"a module"[..]));
        assert_eq!(verify(b"a module", &keys), Err(SignatureError::Missing));
        assert_eq!(verify(&signed, &[]), Err(SignatureError::Foreign));
        assert_eq!(verify(&sign(b"a module", &other), &keys), Err(SignatureError::Foreign));
        assert_eq!(verify(&sign(&sign(b"a module", &other), &own), &keys), Ok(&b"a module"[..]), "one at a time");
    }

    #[test]
    fn every_changed_byte_is_seen() {
        let own = signer(1);
        let signed = sign(b"\0asm and so on", &own);
        for at in 0..signed.len() {
            let mut changed = signed.clone();
            changed[at] ^= 1;
            assert!(verify(&changed, &[own.public()]).is_err(), "{at}");
            assert!(verify(&signed[..at], &[own.public()]).is_err(), "cut at {at}");
        }
    }
}
