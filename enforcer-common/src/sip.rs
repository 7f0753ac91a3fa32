//! SipHash-2-4 (Aumasson and Bernstein, 2012): the keyed digest of identities and of IPv6 prefixes.
//!
//! Written over 64-bit words, because the kernel program feeds it from a scratch buffer a word at a time.

/// A 128-bit secret.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SipKey(pub [u64; 2]);

/// The state between words.
#[derive(Clone, Copy)]
pub struct Sip([u64; 4]);

impl Sip {
    /// Before the first word.
    #[inline(always)]
    pub const fn new(key: SipKey) -> Self {
        let SipKey([k0, k1]) = key;
        Self([
            k0 ^ 0x736f_6d65_7073_6575,
            k1 ^ 0x646f_7261_6e64_6f6d,
            k0 ^ 0x6c79_6765_6e65_7261,
            k1 ^ 0x7465_6462_7974_6573,
        ])
    }

    /// Takes the next eight bytes of the message, read little-endian.
    #[inline(always)]
    #[must_use]
    pub const fn word(self, word: u64) -> Self {
        let mut v = self.0;
        v[3] ^= word;
        v = round(round(v));
        v[0] ^= word;
        Self(v)
    }

    /// Ends the message: `tail` holds its last `length % 8` bytes little-endian, `length` counts all of it.
    #[inline(always)]
    pub const fn finish(self, tail: u64, length: u64) -> u64 {
        let mut v = self.word(tail | (length << 56)).0;
        v[2] ^= 0xff;
        v = round(round(round(round(v))));
        v[0] ^ v[1] ^ v[2] ^ v[3]
    }
}

#[inline(always)]
const fn round(v: [u64; 4]) -> [u64; 4] {
    let [mut v0, mut v1, mut v2, mut v3] = v;
    v0 = v0.wrapping_add(v1);
    v1 = v1.rotate_left(13) ^ v0;
    v0 = v0.rotate_left(32);
    v2 = v2.wrapping_add(v3);
    v3 = v3.rotate_left(16) ^ v2;
    v0 = v0.wrapping_add(v3);
    v3 = v3.rotate_left(21) ^ v0;
    v2 = v2.wrapping_add(v1);
    v1 = v1.rotate_left(17) ^ v2;
    v2 = v2.rotate_left(32);
    [v0, v1, v2, v3]
}

/// The digest of a whole message.
pub fn siphash(key: SipKey, message: &[u8]) -> u64 {
    let chunks = message.chunks_exact(8);
    let tail = little_endian(chunks.remainder());
    chunks.fold(Sip::new(key), |sip, chunk| sip.word(little_endian(chunk))).finish(tail, message.len() as u64)
}

fn little_endian(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the reference vectors: key 00..0f, message 00, 01, 02, ...
    #[test]
    fn agrees_with_the_published_vectors() {
        let key = SipKey([0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908]);
        let message: Vec<u8> = (0..16).collect();
        let published = [(0, 0x726f_db47_dd0e_0e31), (8, 0x93f5_f579_9a93_2462), (15, 0xa129_ca61_49be_45e5)];
        for (length, digest) in published {
            assert_eq!(siphash(key, &message[..length]), digest, "message of {length} bytes");
        }
    }
}
