//! Between the agent and a filter: what [`filter!`](crate::filter) calls. In: lengths of what the agent wrote into the room. Out: signs,
//! handed to the agent one by one. Never here: what they mean.
use std::cell::RefCell;

use crate::record::{Call, Parameters};
use crate::{Filter, Out};

thread_local! {
    /// Where the agent writes. It is written before each call from outside, where the compiler sees nothing change; so it is read
    /// only after its place went outside, in [`room`].
    static ROOM: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static OUT: RefCell<Out> = const { RefCell::new(Out::new()) };
}

/// A place for so many bytes.
pub fn room(length: usize) -> *mut u8 {
    ROOM.with_borrow_mut(|room| {
        if room.len() < length {
            room.resize(length, 0);
        }
        room.as_mut_ptr()
    })
}

/// Starts a filter with the parameters in the room.
pub fn start(filter: &mut impl Filter, length: usize) {
    ROOM.with_borrow(|room| filter.start(&Parameters::read(room.get(..length).unwrap_or_default())));
}

/// Shows it the call in the room.
pub fn call(filter: &mut impl Filter, length: usize) {
    ROOM.with_borrow(|room| {
        let call = Call::read(room.get(..length).unwrap_or_default());
        OUT.with_borrow_mut(|out| {
            filter.call(&call, out);
            out.hand_over(tell);
        });
    });
}

/// Tells it the time.
pub fn tick(filter: &mut impl Filter, now: u64) {
    OUT.with_borrow_mut(|out| {
        filter.tick(now, out);
        out.hand_over(tell);
    });
}

/// The bytes of a text, for a section of the module.
///
/// # Panics
/// While it is compiled, when the length is not that of the text.
pub const fn bytes<const LENGTH: usize>(text: &str) -> [u8; LENGTH] {
    let (from, mut to, mut at) = (text.as_bytes(), [0; LENGTH], 0);
    while at < LENGTH {
        to[at] = from[at];
        at += 1;
    }
    to
}

#[cfg(target_arch = "wasm32")]
fn tell(sign: &str) {
    #[link(wasm_import_module = "enforcer")]
    unsafe extern "C" {
        /// It reads the bytes and keeps none of them.
        safe fn raise(at: *const u8, length: usize);
    }
    raise(sign.as_ptr(), sign.len());
}

/// Outside of the agent, nobody listens.
#[cfg(not(target_arch = "wasm32"))]
fn tell(_: &str) {}
