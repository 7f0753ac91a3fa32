//! One processor at a time reads a connection. In: where the connection stands. Out: it is this processor's, or the segment waits for TCP
//! to send it again. Never here: what is read.
//!
//! Segments of one connection meet on two processors when the sender's turns go from one to the other. Without turns the later writer would
//! put back the position that the earlier one has moved, and what was read would be read for something else.
use core::arch::asm;
use core::ffi::c_void;
use core::ptr;

use aya_ebpf::helpers::generated::bpf_loop;
use enforcer_common::Connection;

/// How often a turn is asked for: some dozen microseconds, several times what a segment takes.
const TRIES: u32 = 4096;

/// What the loop is handed; on the stack, as the kernel wants it.
#[repr(C)]
struct Wait {
    turn: *mut u64,
    mine: u64,
}

/// Takes the turn. False when another processor has had it for very long; then nothing may be written.
#[inline(always)]
pub fn take(connection: &mut Connection) -> bool {
    let turn = &raw mut connection.turn;
    if is_free(turn) {
        return true;
    }
    let mut wait = Wait { turn, mine: 0 };
    // SAFETY: the kernel calls `ask` with the index and this pointer, and nothing keeps it afterwards.
    unsafe { bpf_loop(TRIES, ask as *mut c_void, (&raw mut wait).cast(), 0) };
    // SAFETY: a word on the stack, which the loop has written.
    unsafe { ptr::read_volatile(&raw const wait.mine) == 1 }
}

/// Gives it back, after all that was written.
#[inline(always)]
pub fn give(connection: &mut Connection) {
    let turn = &raw mut connection.turn;
    let free = 0_u64;
    // SAFETY: a word of a map; in assembly because the language has no such operation for this target. It orders what was written before.
    unsafe {
        asm!("{free} = xchg_64({turn} + 0, {free})", free = inout(reg) free => _, turn = in(reg) turn, options(nostack));
    }
}

extern "C" fn ask(_index: u32, wait: *mut Wait) -> i64 {
    // SAFETY: `take` hands on its own.
    unsafe {
        if is_free((*wait).turn) {
            (*wait).mine = 1;
            return 1;
        }
    }
    0
}

/// Takes the turn if nobody has it.
#[inline(always)]
fn is_free(turn: *mut u64) -> bool {
    let mut found = 0_u64;
    // SAFETY: as in `give`. The instruction compares with, and answers in, the first register.
    unsafe {
        asm!("r0 = cmpxchg_64({turn} + 0, r0, {one})", inout("r0") found, turn = in(reg) turn, one = in(reg) 1_u64, options(nostack));
    }
    found == 0
}
