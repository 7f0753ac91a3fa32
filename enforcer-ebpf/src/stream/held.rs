//! Owns `HEADS`: open heads, kept until the rest arrives, and heads that came in pieces, kept to be compared with.
use core::ffi::c_void;
use core::mem::offset_of;

use aya_ebpf::btf_maps::LruHashMap;
use aya_ebpf::helpers::generated::bpf_loop;
use aya_ebpf::macros::btf_map;
use enforcer_common::limits::HEAD_WINDOW;
use enforcer_common::{FlowKey, Held};

use crate::http::{Work, bounded};

#[btf_map]
static HEADS: LruHashMap<FlowKey, Held, 2048> = LruHashMap::new();

const BLOCK: usize = 64;

/// Keeps the head in `work`, which begins where it says.
#[inline(always)]
pub fn keep(flow: &FlowKey, work: *mut Work) {
    // SAFETY: the first fields of `Work` are those of `Held`. A full table gives up its oldest entries, and one that cannot be
    // had is found missing when it is needed, and counted then.
    let _ = unsafe { HEADS.insert(flow, &*work.cast::<Held>(), 0) };
}

/// What is held of this connection, if it holds `length` bytes from `start` on: with the offset of the first.
#[inline(always)]
pub fn find(flow: &FlowKey, start: u32, length: u32) -> Option<(*const Held, u32)> {
    let held = HEADS.get_ptr(flow)?;
    // SAFETY: entries are freed a grace period after they leave the table.
    let (first, has) = unsafe { ((*held).start, (*held).length) };
    let offset = start.wrapping_sub(first);
    if offset <= has && length <= has - offset { Some((held, offset)) } else { None }
}

/// The two sides of a copy or a comparison; on the stack, as the kernel wants it.
#[repr(C)]
struct Pair {
    work: *mut Work,
    held: *const Held,
    offset: u32,
    differing: u32,
}

/// Copies the first `length` bytes that are held to the beginning of the scratch space.
#[inline(always)]
pub fn bring(held: *const Held, length: u32, work: *mut Work) {
    let mut pair = Pair { work, held, offset: 0, differing: 0 };
    each((length + BLOCK as u32 - 1) / BLOCK as u32, copy_block, &mut pair);
}

/// True when the first `length` bytes in the scratch space are those that are held from `offset` on.
#[inline(always)]
pub fn equals(held: *const Held, offset: u32, length: u32, work: *mut Work) -> bool {
    let mut pair = Pair { work, held, offset, differing: 0 };
    each(length, compare_byte, &mut pair);
    pair.differing == 0
}

#[inline(always)]
fn each(times: u32, body: extern "C" fn(u32, *mut Pair) -> i64, pair: &mut Pair) {
    // SAFETY: the kernel calls `body` with the index and this pointer, and nothing keeps it afterwards.
    unsafe { bpf_loop(times, body as *mut c_void, (pair as *mut Pair).cast(), 0) };
}

extern "C" fn copy_block(index: u32, pair: *mut Pair) -> i64 {
    let at = bounded(index * BLOCK as u32) as usize;
    // SAFETY: `each` hands on its own. Both sides are longer than the window by a block.
    unsafe {
        let from = (*pair).held.cast::<u8>().add(offset_of!(Held, bytes)).add(at).cast::<u64>();
        let to = (*pair).work.cast::<u8>().add(offset_of!(Work, head)).add(at).cast::<u64>();
        let mut word = 0;
        while word < BLOCK / 8 {
            to.add(word).write(from.add(word).read());
            word += 1;
        }
    }
    0
}

extern "C" fn compare_byte(index: u32, pair: *mut Pair) -> i64 {
    // SAFETY: `each` hands on its own; `bounded` keeps both bytes inside.
    unsafe {
        let there = bounded((*pair).offset + index) as usize;
        let here = bounded(index) as usize;
        let held = *(*pair).held.cast::<u8>().add(offset_of!(Held, bytes)).add(there);
        let new = *(*pair).work.cast::<u8>().add(offset_of!(Work, head)).add(here);
        (*pair).differing |= u32::from(held != new);
        i64::from(held != new)
    }
}

const _: () = assert!(offset_of!(Held, bytes) == offset_of!(Work, head));
const _: () = assert!(size_of::<Held>() >= offset_of!(Held, bytes) + HEAD_WINDOW + BLOCK);
