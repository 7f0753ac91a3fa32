//! The keyed digest of a token, read from the scratch space a word at a time.
use enforcer_common::limits::TOKEN;
use enforcer_common::{Sip, SipKey};

use super::work::{Token, Work, word_at};

/// SipHash-2-4 of the token's bytes; equals `enforcer_common::siphash` of them.
#[inline(always)]
pub fn digest_token(work: *mut Work, token: Token, key: SipKey) -> u64 {
    let start = u32::from(token.start);
    let length = u32::from(token.length);
    let whole = length / 8;
    let mut sip = Sip::new(key);
    let mut at = 0;
    while at < (TOKEN / 8) as u32 && at < whole {
        sip = sip.word(word_at(work, start + at * 8));
        at += 1;
    }
    let rest = (length % 8) * 8;
    let tail = if rest == 0 { 0 } else { word_at(work, start + whole * 8) & ((1 << rest) - 1) };
    sip.finish(tail, u64::from(length))
}
