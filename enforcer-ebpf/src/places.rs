//! Owns `PLACES`: which services and endpoints a request belongs to. In: the scanned head. Out: the scopes in the case.
use core::ffi::c_void;

use aya_ebpf::btf_maps::Array;
use aya_ebpf::helpers::generated::bpf_loop;
use aya_ebpf::macros::btf_map;
use enforcer_common::limits::{PLACE_SEGMENTS, PLACES as SIZE};
use enforcer_common::{Place, Take};

use crate::http::{self, TOKENS, Token, Work};
use crate::tc::{Case, SCOPES, case, work};
use crate::{services, settings};

#[btf_map]
static PLACES: Array<Place, SIZE> = Array::new();

/// Finds the places of the request in the scratch space. A port without places costs nothing.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn enforcer_places() -> u32 {
    let (Some(case), Some(settings), Some(work)) = (case(), settings::read(), work()) else { return 0 };
    case.scope_count = 0;
    if case.service.places == 0 {
        return 0;
    }
    // SAFETY: this CPU's own scratch space.
    http::read_target(unsafe { &mut *work }, settings.identity_key);
    enforcer_host();
    let mut nothing = 0_u64;
    // SAFETY: the kernel calls `place` with the index; the context is not used.
    unsafe { bpf_loop(u32::from(case.service.places), place as *mut c_void, (&raw mut nothing).cast(), 0) };
    case.scope_count
}

/// Digests the host's name. Two of them, or none, could be read as any.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn enforcer_host() -> u32 {
    let (Some(settings), Some(work)) = (settings::read(), work()) else { return 0 };
    // SAFETY: this CPU's own scratch space.
    let w = unsafe { &mut *work };
    w.hosts = 0;
    let (mut at, mut host) = (0, Token::default());
    while at < TOKENS as u32 && at < w.found {
        let token = w.tokens[at as usize & (TOKENS - 1)];
        if is_host(w, token) {
            w.hosts += 1;
            host = token;
        }
        at += 1;
    }
    if w.hosts == 1 {
        w.host = http::digest_host(w, host, settings.identity_key);
    } else {
        w.odd_host = 1;
    }
    0
}

#[inline(always)]
fn is_host(w: &Work, token: Token) -> bool {
    const HOST: u32 = Take::Host as u32;
    token.kind == Token::VALUE
        && services::watchlist(w.side)
            .and_then(|list| list.watches.get(usize::from(token.watch)))
            .is_some_and(|watch| watch.take == HOST)
}

/// Notes one place, if the request lies in it.
extern "C" fn place(index: u32, _nothing: *mut u64) -> i64 {
    let (Some(case), Some(work)) = (case(), work()) else { return 1 };
    let Some(place) = PLACES.get(u32::from(case.service.first_place) + index) else { return 1 };
    // SAFETY: this CPU's own scratch space.
    let w = unsafe { &*work };
    if is_in(place, w) {
        note(case, place.scope);
    }
    0
}

#[inline(always)]
fn is_in(place: &Place, w: &Work) -> bool {
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

#[inline(always)]
fn note(case: &mut Case, scope: u32) {
    if let Some(place) = case.scopes.get_mut(case.scope_count as usize & (SCOPES - 1)) {
        *place = scope;
    }
    // Of more places than fit the last are remembered: the agent lays at most as many over each other.
    case.scope_count += 1;
}
