//! Does a request lie in a place? In: a head whose target was read. Out: its host's digest, and yes or no for one place.
//!
//! Pure, so that the host can prove it the stricter one: what the agent finds in a place, this finds there too.
use enforcer_common::limits::PLACE_SEGMENTS;
use enforcer_common::{Place, SipKey, Take};

use super::digest::digest_host;
use super::lines::watchlist;
use super::work::{TOKENS, Token, Turn, Work, repeat};

/// Digests the host's name. Two of them, or none, could be read as any.
#[inline(always)]
pub fn read_host(w: &mut Work, key: SipKey) {
    (w.hosts, w.segment) = (0, 0);
    repeat(TOKENS as u32, find_host, w);
    let host = w.tokens[w.segment as usize & (TOKENS - 1)];
    if w.hosts == 1 {
        w.host = digest_host(w, host, key);
    } else {
        w.odd_host = 1;
    }
}

/// Notes which of the values found is a host.
extern "C" fn find_host(index: u32, turn: *mut Turn) -> i64 {
    // SAFETY: `repeat` hands on its own.
    let w = unsafe { &mut *(*turn).work };
    if index >= w.found {
        return 1;
    }
    if is_host(w, w.tokens[index as usize & (TOKENS - 1)]) {
        w.hosts += 1;
        w.segment = index;
    }
    0
}

#[inline(always)]
fn is_host(w: &Work, token: Token) -> bool {
    const HOST: u32 = Take::Host as u32;
    token.kind == Token::VALUE
        && watchlist(w)
            .and_then(|list| list.watches.get(usize::from(token.watch)))
            .is_some_and(|watch| watch.take == HOST)
}

/// True when the request lies in this place, or some server could find it there.
#[inline(always)]
pub fn is_in(place: &Place, w: &Work) -> bool {
    let host = place.host == 0 || w.odd_host != 0 || place.host == w.host;
    let method = place.method == 0 || place.method == w.method;
    host && method && (w.odd_path != 0 || is_below(place, w))
}

/// Compares the path with the place's, all segments without a branch.
#[inline(always)]
fn is_below(place: &Place, w: &Work) -> bool {
    let wanted = u32::from(place.segments);
    if w.segments < wanted || (place.open == 0 && w.segments != wanted) {
        return false;
    }
    let mut differing = 0;
    let mut at = 0;
    while at < PLACE_SEGMENTS {
        let expected = place.path[at];
        if expected != 0 && (at as u32) < wanted {
            differing |= expected ^ w.path[at];
        }
        at += 1;
    }
    differing == 0
}
