//! The source tables: how a million addresses and networks of both families are found with one or two cache misses.
//!
//! ```text
//! address -> filter   one word tells of its IPv4 /24 (IPv6 /48); bits that are not all set: clean, done
//!            bits of the address itself              -> probe stratum HOST
//!            bits of the cell, then of each stratum  -> probe that stratum
//!            networks wider than a cell: one more bit, of the IPv4 /20 or the IPv6 /32
//! probe   -> home bucket (64 bytes), its neighbour when that is full, the spill trie when both are
//! ```
//!
//! A **stratum** is a group of four prefix lengths `4s+1 ..= 4s+4`; single addresses have their own, [`HOST`]. All networks
//! of a stratum that share their first `4s+1` bits share a **home**: one probe answers for four lengths. Within the home a
//! network is one of 15 **nodes** (heap numbering of a binary tree of depth four). An IPv4 slot holds the whole home, so a
//! match is exact; an IPv6 slot holds a keyed digest of it, of 96 bits.
//!
//! Readers and the writer compute places with the same functions, those of this folder.
mod bucket;
mod filter;
mod home;
mod rule;

pub use bucket::{Bucket4, Bucket6, SpillKey, SpillRule};
pub use filter::{
    Cell, FILTER_LOAD, Mark, Spread, WIDE_WORDS, always, gate_mask, mark_of, marks_of, narrow, wide_mark,
};
pub use home::{HOST, Home, home_of, host6, node_of, nodes_of, stratum_of};
pub use rule::{Outcome, SourceRule};

/// Multiply, fold, multiply: spreads all bits over the upper half.
///
/// With a secret mixed in, nobody outside can aim at a place; nothing else rests on it.
#[inline(always)]
const fn fold(word: u64) -> u64 {
    let word = word.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (word ^ word >> 29).wrapping_mul(0xd6e8_feb8_6659_fd93)
}
