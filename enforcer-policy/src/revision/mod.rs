//! Revisions: the numbered, signed states of a center's policy, and how they travel.
//!
//! ```text
//! center  Content + change -> Content -> Head{number, previous, digest of content} -> Signed
//!         Signed heads from the target down to what the host has, and a delta or snapshot -> delivery frame
//! host    frame -> signature and lengths (nothing is parsed before) -> lineage -> Content -> digest -> orders
//! ```
//! In: bytes and the time. Out: a verified revision, or the [`Flaw`] it has. Never here: I/O, randomness, a clock. A flaw leaves
//! what was there before exactly as it was.
mod body;
mod content;
mod delivery;
mod digest;
mod flaw;
mod head;
mod key;
mod leaves;
mod lineage;

pub use body::{Delta, MOST_DECISIONS};
pub use content::{Content, Entry};
pub use delivery::{Kind, LONGEST_DELIVERY, deliver_delta, deliver_packed, deliver_snapshot};
pub use digest::{Digest, DigestError};
pub use flaw::Flaw;
pub use head::{EVERYONE, Head, Signed};
pub use key::{KEY_ID, SIGNATURE, Signer, Verifier};
pub use leaves::Leaves;
pub use lineage::{Accepted, Known, Replica, path};
