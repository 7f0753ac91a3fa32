//! Lists of addresses and networks, as the world publishes them: read, cleaned, and compared with what they were.
//!
//! ```text
//! bytes -> whole -> reader (plain, FireHOL, CSV, ipset, Spamhaus) -> entries -> lint (whom no list may hit) -> networks
//!                                                                  change (has it shrunk or grown beyond belief?)
//! ```
//! In: lines, or a whole list; whom it must never hit; how large it was. Out: networks, and a report of every line that was not
//! taken, with the mend. Never here: files, connections, the clock, decisions.
//!
//! To add a format: a file beside `ipset.rs`, a variant of [`Format`], its place in `reader.rs`, a seed in `fuzz/`, docs/LISTS.md.
mod change;
mod csv;
mod index;
mod ipset;
mod line;
mod lint;
mod range;
mod reader;
mod spamhaus;
mod special;
mod tables;
mod whole;

pub use change::{Bounds, Doubt, Size, Trust};
pub use line::{Line, Reject, parse_line};
pub use lint::{Lint, Linted, NotTaken, Removal, Removed, Rules};
pub use range::{Networks, Range};
pub use reader::{Flaw, Format, Reader};
pub use special::Special;
pub use tables::{TABLES, Table};
pub use whole::{Entry, Limits, List, LongLine, REPORTED, read};

#[cfg(test)]
mod tests;
