//! Ed25519 signatures over a named message.
//!
//! In: a seed, or a public key as pinned at enrolment. Out: signatures, and whether one is good. Never here: randomness, files.
use std::fmt;

use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};

use super::digest::Digest;

/// Signs revisions; the center's own.
pub struct Signer(SigningKey);

impl Signer {
    /// From 32 random bytes that nobody else knows.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// What others check its signatures with.
    pub fn public(&self) -> Verifier {
        Verifier(self.0.verifying_key())
    }

    /// Signs a digest, whose domain says what it is a digest of.
    pub fn sign(&self, message: &Digest) -> [u8; SIGNATURE] {
        self.0.sign(&message.0).to_bytes()
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer of {}", self.public())
    }
}

/// Checks signatures.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Verifier(VerifyingKey);

impl Verifier {
    /// From the 64 hexadecimal digits that [`Verifier`] prints; none when they are no key.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes: Digest = text.parse().ok()?;
        VerifyingKey::from_bytes(&bytes.0).ok().map(Self)
    }

    /// The first bytes of the key's digest: which key, before the signature is looked at.
    pub fn id(&self) -> [u8; KEY_ID] {
        let digest = Digest::of("enforcer key v1", &[self.0.as_bytes()]);
        let mut id = [0; KEY_ID];
        id.copy_from_slice(&digest.0[..KEY_ID]);
        id
    }

    /// True when the signature is this key's, over this digest.
    pub fn admits(&self, message: &Digest, signature: &[u8; SIGNATURE]) -> bool {
        self.0.verify_strict(&message.0, &ed25519_dalek::Signature::from_bytes(signature)).is_ok()
    }
}

impl fmt::Display for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Digest(self.0.to_bytes()).fmt(f)
    }
}

/// Bytes of a signature.
pub const SIGNATURE: usize = 64;
/// Bytes of a key's id.
pub const KEY_ID: usize = 8;
