//! Random secrets, and what is kept of them: only digests.
//!
//! In: the system's randomness; a secret that somebody shows. Out: texts to hand over once; whether a secret is the right one, in
//! the same time for every wrong one. Never here: who it belongs to.
use std::fmt::Write as _;
use std::hint::black_box;

use enforcer_policy::revision::Digest;
use ring::rand::{SecureRandom as _, SystemRandom};

/// The system has no randomness.
#[derive(Debug, thiserror::Error)]
#[error("the system gives no random numbers")]
pub struct NoRandomness;

/// `N` random bytes.
pub fn random<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_unspecified| NoRandomness)?;
    Ok(bytes)
}

/// A secret of 32 hexadecimal digits.
pub fn text() -> Result<String, NoRandomness> {
    Ok(hex(&random::<16>()?))
}

/// What is kept of a secret.
pub fn digest(secret: &str) -> Digest {
    Digest::of("enforcer center token v1", &[secret.as_bytes()])
}

/// Whether this is the secret, in the same time whatever it is.
pub fn is(secret: &str, kept: &Digest) -> bool {
    let shown = digest(secret);
    let differing = shown.0.iter().zip(&kept.0).fold(0, |sum, (one, two)| black_box(sum | (one ^ two)));
    black_box(differing) == 0
}

/// Lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_secret_is_the_secret() {
        let secret = text().unwrap();
        let kept = digest(&secret);
        assert!(is(&secret, &kept));
        assert!(!is(&secret[1..], &kept) && !is("", &kept) && !is(&text().unwrap(), &kept));
        assert!(!kept.to_string().contains(&secret));
    }
}
