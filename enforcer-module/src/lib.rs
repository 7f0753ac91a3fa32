//! Filters as WebAssembly modules, on the side of the agent.
//!
//! ```text
//! bytes of a file -> signature -> manifest, code -> Module -> Entry of the catalogue -> Instance (a Filter, on one service)
//! file  -> Label (what a center knows of it: nothing is run there)
//! call -> record (bytes the module reads) -> module -> raises (JSON) -> signs, as its manifest names them
//! ```
//! In: bytes, keys that are trusted, calls as filters see them. Out: filters like any other. Never here: files, clocks, threads; and
//! nothing that a module could reach but its own memory and the one function that raises a sign.
//!
//! An interpreter runs them: a compiler at run time would need memory that is writable and executable, which the agent's unit
//! denies. `docs/MODULES.md` is the contract with those who write modules; what is changed here in meaning raises [`ABI`].
#![forbid(unsafe_code)]

mod gauge;
mod instance;
mod limits;
mod manifest;
mod module;
mod published;
mod raise;
mod record;
mod samples;
mod signature;

#[cfg(test)]
mod tests;

pub use gauge::{Gauge, Reading};
pub use limits::{ABI, LARGEST, Limits};
pub use manifest::{MANIFEST, Manifest, ManifestError, SignKind};
pub use module::{Module, ModuleError, digest};
pub use published::{Label, List, Listed, MOST_PUBLISHED, State, Told, WHY, key_name};
pub use record::tag;
pub use samples::samples;
pub use signature::{SignatureError, body, sign, signed_by, verify};
