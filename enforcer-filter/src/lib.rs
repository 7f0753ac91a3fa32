//! What a filter is written with that runs as a WebAssembly module in Enforcer's agent.
//!
//! ```
//! use enforcer_filter::{Call, Filter, Out, Parameters, Sign};
//!
//! #[derive(Default)]
//! struct Pages {
//!     page: u64,
//! }
//!
//! impl Filter for Pages {
//!     fn start(&mut self, parameters: &Parameters<'_>) {
//!         self.page = parameters.count("page");
//!     }
//!
//!     fn call(&mut self, call: &Call<'_>, out: &mut Out) {
//!         let asked = call.query("limit").and_then(enforcer_filter::number);
//!         if let Some(entries) = asked.filter(|entries| *entries > self.page) {
//!             out.raise(&Sign::new("huge_page", 80).by_consumer().at_endpoint().count("entries", entries));
//!         }
//!     }
//! }
//!
//! enforcer_filter::filter!(Pages, r#"{"abi": 1}"#);
//! # fn main() {}
//! ```
//! In: records of calls and parameters, as the agent writes them. Out: signs. Never here: the system; a module has none, and no clock:
//! the time of a call is the time.
//!
//! No dependency, and no block of unsafe code: the agent writes into a buffer of [`door`], and reads the bytes of a sign where it is told
//! that they are.
pub mod door;
mod record;
mod sign;
mod state;

#[cfg(test)]
mod tests;

pub use record::{Answer, Call, Header, Key, Object, Parameters, Sensitive, number, pairs};
pub use sign::{Out, Sign};
pub use state::{Steps, Table, Window};

/// A filter: its `Default` is made once, then started with the parameters.
pub trait Filter: Default {
    /// Takes parameters: at the beginning, and again when they change. What it knows stays.
    fn start(&mut self, parameters: &Parameters<'_>);

    /// A call, with its answer when one was seen.
    fn call(&mut self, call: &Call<'_>, out: &mut Out);

    /// Time went by: about once a second, in milliseconds since 1970. A sign raised here can be about nobody.
    fn tick(&mut self, now: u64, out: &mut Out) {
        let _ = (now, out);
    }
}

/// The contract that this crate was written for.
pub const ABI: u32 = 1;

/// Makes a module of a type with [`Filter`] and the text of its manifest, such as `include_str!("../manifest.json")`.
#[macro_export]
macro_rules! filter {
    ($filter:ty, $manifest:expr) => {
        const MANIFEST_TEXT: &str = $manifest;

        /// What a person reads before the module is signed, and the agent before it runs.
        #[used]
        #[cfg_attr(target_arch = "wasm32", unsafe(link_section = "enforcer.manifest"))]
        static MANIFEST: [u8; MANIFEST_TEXT.len()] = $crate::door::bytes(MANIFEST_TEXT);

        std::thread_local! {
            static FILTER: std::cell::RefCell<$filter> = std::cell::RefCell::default();
        }

        /// The contract it was written for.
        #[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
        pub extern "C" fn enforcer_abi() -> u32 {
            $crate::ABI
        }

        /// A place for what comes.
        #[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
        pub extern "C" fn enforcer_room(length: usize) -> *mut u8 {
            $crate::door::room(length)
        }

        /// Parameters are in the room.
        #[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
        pub extern "C" fn enforcer_start(_at: usize, length: usize) {
            FILTER.with_borrow_mut(|filter| $crate::door::start(filter, length));
        }

        /// A call is in the room.
        #[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
        pub extern "C" fn enforcer_call(_at: usize, length: usize) {
            FILTER.with_borrow_mut(|filter| $crate::door::call(filter, length));
        }

        /// Time went by.
        #[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
        pub extern "C" fn enforcer_tick(now: u64) {
            FILTER.with_borrow_mut(|filter| $crate::door::tick(filter, now));
        }
    };
}
