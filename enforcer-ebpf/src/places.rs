//! Owns `PLACES`: which services and endpoints a request belongs to. In: the scanned head. Out: the scopes in the case.
use core::ffi::c_void;

use aya_ebpf::btf_maps::Array;
use aya_ebpf::helpers::generated::bpf_loop;
use aya_ebpf::macros::btf_map;
use enforcer_common::Place;
use enforcer_common::limits::PLACES as SIZE;

use crate::http;
use crate::settings;
use crate::tc::{Case, SCOPES, case, work};

#[btf_map]
static PLACES: Array<Place, SIZE> = Array::new();

/// Finds the places of the request in the scratch space. A port without places costs nothing.
#[inline(always)]
pub fn find(case: &mut Case) {
    (case.scope_count, case.service.id) = (0, case.own_id);
    if case.service.places != 0 {
        enforcer_places();
    }
}

/// The same for a port with places.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn enforcer_places() -> u32 {
    let (Some(case), Some(settings), Some(work)) = (case(), settings::read(), work()) else { return 0 };
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
    http::read_host(unsafe { &mut *work }, settings.identity_key);
    0
}

/// Notes one place, if the request lies in it.
extern "C" fn place(index: u32, _nothing: *mut u64) -> i64 {
    let (Some(case), Some(work)) = (case(), work()) else { return 1 };
    let Some(place) = PLACES.get(u32::from(case.service.first_place) + index) else { return 1 };
    // SAFETY: this CPU's own scratch space.
    let w = unsafe { &*work };
    if http::is_in(place, w) {
        note(case, place.scope);
        if place.whole != 0 {
            case.service.id = place.scope;
        }
    }
    0
}

#[inline(always)]
fn note(case: &mut Case, scope: u32) {
    if let Some(place) = case.scopes.get_mut(case.scope_count as usize & (SCOPES - 1)) {
        *place = scope;
    }
    // Of more places than fit the last are remembered: the agent lays at most as many over each other.
    case.scope_count += 1;
}
