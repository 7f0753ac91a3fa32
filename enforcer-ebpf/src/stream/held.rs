//! Owns `HEADS` and `TICKETS`: open heads, kept until the rest arrives, and heads that came in pieces, kept to be compared with.
//!
//! The table is a ring: who needs a place draws a ticket, and the number of the ticket is the number of the place. So a head
//! gives way exactly when as many others have come after it as there are places, and never before; whose place was given to
//! another finds another ticket on it.
use core::arch::asm;
use core::ffi::c_void;
use core::mem::offset_of;
use core::ptr;

use aya_ebpf::btf_maps::Array;
use aya_ebpf::helpers::generated::bpf_loop;
use aya_ebpf::macros::btf_map;
use enforcer_common::limits::HEAD_WINDOW;
use enforcer_common::{Held, Reason};

use crate::http::{Work, bounded};
use crate::{settings, stats};

#[btf_map]
static HEADS: Array<Held, 2048> = Array::new();
/// The last ticket that was drawn.
#[btf_map]
static TICKETS: Array<u64, 1> = Array::new();

const BLOCK: usize = 64;

/// Keeps the head in `work`, which begins where it says; draws a ticket when there is none that still counts. What is `open`
/// waits for its end, and is missed when it gives way.
#[inline(always)]
pub fn keep(ticket: &mut u32, work: *mut Work, open: bool) {
    *ticket = enforcer_keep(work, *ticket, u32::from(open));
}

/// The same: gives the ticket; 0 when there is no place at all.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn enforcer_keep(work: *mut Work, ticket: u32, open: u32) -> u32 {
    // SAFETY: the caller's own scratch space, not shared; the null check is what the verifier asks for.
    let Some(work) = (unsafe { work.as_mut() }) else { return 0 };
    let Some((place, ticket)) = own_for_long(ticket).or_else(draw) else { return 0 };
    let length = work.length;
    // SAFETY: places are never freed. Whoever loses a place while it is read finds another ticket there afterwards.
    unsafe {
        ((*place).open, (*place).start, (*place).length) = (open, work.start, length);
    }
    let mut pair = Pair { work, held: place, offset: 0, differing: 0 };
    each((length + BLOCK as u32 - 1) / BLOCK as u32, put_block, &mut pair);
    ticket
}

/// The place with this number's ticket.
#[inline(always)]
fn place(ticket: u32) -> Option<*mut Held> {
    let places = settings::read()?.heads;
    if places == 0 { None } else { HEADS.get_ptr_mut(ticket % places) }
}

/// The place, if it still belongs to this ticket.
#[inline(always)]
fn own(ticket: u32) -> Option<*mut Held> {
    let place = if ticket == 0 { None } else { place(ticket) }?;
    // SAFETY: as in `enforcer_keep`.
    if unsafe { (*place).ticket } == ticket { Some(place) } else { None }
}

/// The place of this ticket, if nobody else can be given it while it is written. One whose turn is near is left for a new one.
#[inline(always)]
fn own_for_long(ticket: u32) -> Option<(*mut Held, u32)> {
    let place = own(ticket)?;
    let (last, places) = (TICKETS.get_ptr_mut(0)?, settings::read()?.heads);
    // SAFETY: a word of a map, read as it stands.
    let younger = (unsafe { ptr::read_volatile(last) } as u32).wrapping_sub(ticket);
    if younger < places - places / 4 {
        return Some((place, ticket));
    }
    // SAFETY: as in `enforcer_keep`.
    unsafe { (*place).open = 0 };
    None
}

/// The oldest place, with a new ticket.
#[inline(always)]
fn draw() -> Option<(*mut Held, u32)> {
    let last = TICKETS.get_ptr_mut(0)?;
    let mut drawn = 1_u64;
    // SAFETY: a word that all processors count up; in assembly because the language has no such operation for this target.
    unsafe {
        asm!("{one} = atomic_fetch_add((u64 *)({last} + 0), {one})", one = inout(reg) drawn, last = in(reg) last, options(nostack));
    }
    let ticket = (drawn as u32).wrapping_add(1);
    let place = place(ticket)?;
    // SAFETY: as in `enforcer_keep`.
    unsafe {
        if (*place).open != 0 {
            stats::count(Reason::GaveWay, u64::from((*place).length));
        }
        (*place).ticket = ticket;
    }
    Some((place, ticket))
}

/// What is held with this ticket, if it is `length` bytes or more from `start` on: with the offset of the first.
#[inline(always)]
pub fn find(ticket: u32, start: u32, length: u32) -> Option<(*const Held, u32)> {
    let held = own(ticket)?;
    // SAFETY: as in `enforcer_keep`.
    let (first, has) = unsafe { ((*held).start, (*held).length) };
    let offset = start.wrapping_sub(first);
    if offset <= has && length <= has - offset { Some((held.cast_const(), offset)) } else { None }
}

/// Nobody waits for the end of the head any more.
#[inline(always)]
pub fn close(ticket: u32) {
    if let Some(place) = own(ticket) {
        // SAFETY: as in `enforcer_keep`.
        unsafe { (*place).open = 0 };
    }
}

/// True while what was found is still there: asked after it was read.
#[inline(always)]
pub fn still(held: *const Held, ticket: u32) -> bool {
    // SAFETY: as in `enforcer_keep`; read anew, since another processor may have written.
    unsafe { ptr::read_volatile(&raw const (*held).ticket) == ticket }
}

/// The two sides of a copy or a comparison; on the stack, as the kernel wants it.
#[repr(C)]
struct Pair {
    work: *mut Work,
    held: *mut Held,
    offset: u32,
    differing: u32,
}

/// Copies the first `length` bytes that are held to the beginning of the scratch space.
#[inline(always)]
pub fn bring(held: *const Held, length: u32, work: *mut Work) {
    let mut pair = Pair { work, held: held.cast_mut(), offset: 0, differing: 0 };
    each((length + BLOCK as u32 - 1) / BLOCK as u32, get_block, &mut pair);
}

/// True when the first `length` bytes in the scratch space are those that are held from `offset` on.
#[inline(always)]
pub fn equals(held: *const Held, offset: u32, length: u32, work: *mut Work) -> bool {
    let mut pair = Pair { work, held: held.cast_mut(), offset, differing: 0 };
    each(length, compare_byte, &mut pair);
    pair.differing == 0
}

#[inline(always)]
fn each(times: u32, body: extern "C" fn(u32, *mut Pair) -> i64, pair: &mut Pair) {
    // SAFETY: the kernel calls `body` with the index and this pointer, and nothing keeps it afterwards.
    unsafe { bpf_loop(times, body as *mut c_void, (pair as *mut Pair).cast(), 0) };
}

extern "C" fn get_block(index: u32, pair: *mut Pair) -> i64 {
    // SAFETY: `each` hands on its own.
    let (work, held) = unsafe { ((*pair).work, (*pair).held) };
    let at = bounded(index * BLOCK as u32) as usize;
    // SAFETY: both sides are longer than the window by a block.
    unsafe { copy(held.cast::<u8>().add(BYTES).add(at), work.cast::<u8>().add(HEAD).add(at)) };
    0
}

extern "C" fn put_block(index: u32, pair: *mut Pair) -> i64 {
    // SAFETY: `each` hands on its own.
    let (work, held) = unsafe { ((*pair).work, (*pair).held) };
    let at = bounded(index * BLOCK as u32) as usize;
    // SAFETY: as in `get_block`.
    unsafe { copy(work.cast::<u8>().add(HEAD).add(at), held.cast::<u8>().add(BYTES).add(at)) };
    0
}

/// Copies one block.
///
/// # Safety
/// Both are words in maps, with a block behind them.
#[inline(always)]
unsafe fn copy(from: *const u8, to: *mut u8) {
    let mut word = 0;
    while word < BLOCK / 8 {
        // SAFETY: the caller's.
        unsafe { to.cast::<u64>().add(word).write(from.cast::<u64>().add(word).read()) };
        word += 1;
    }
}

extern "C" fn compare_byte(index: u32, pair: *mut Pair) -> i64 {
    // SAFETY: `each` hands on its own; `bounded` keeps both bytes inside.
    unsafe {
        let there = bounded((*pair).offset + index) as usize;
        let here = bounded(index) as usize;
        let held = *(*pair).held.cast::<u8>().add(BYTES).add(there);
        let new = *(*pair).work.cast::<u8>().add(HEAD).add(here);
        (*pair).differing |= u32::from(held != new);
        i64::from(held != new)
    }
}

const BYTES: usize = offset_of!(Held, bytes);
const HEAD: usize = offset_of!(Work, head);
const _: () = assert!(size_of::<Held>() >= BYTES + HEAD_WINDOW + BLOCK && BYTES % 8 == 0 && HEAD % 8 == 0);
