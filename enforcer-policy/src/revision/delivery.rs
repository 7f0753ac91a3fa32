//! What travels from the center to a host: heads, and the body that brings the host from one revision to another.
//!
//! In: signed heads and a delta; or bytes. Out: bytes; or an [`Opened`] frame whose every byte was signed. Never here: reading
//! a field that a signature does not cover yet, apart from lengths, which are bounded first.
//!
//! ```text
//! "ENFD" | schema u16 | kind u8 | key id 8 | from u64 | heads length u32 | body length u32 | plain length u32
//!        | heads: (length u16, signed head)*  | body | signature 64
//! ```
use super::body::{Delta, LONGEST_PLAIN};
use super::digest::Digest;
use super::flaw::Flaw;
use super::head::{LONGEST, SCHEMA, Signed, check_schema};
use super::key::{KEY_ID, SIGNATURE, Signer, Verifier};

/// What the body is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Kind {
    /// The difference to an older revision.
    Delta = 1,
    /// Everything.
    Snapshot = 2,
}

/// No delivery is longer.
pub const LONGEST_DELIVERY: usize = 256 << 20;

/// A frame whose signature is good.
pub(super) struct Opened<'b> {
    pub(super) kind: Kind,
    pub(super) from: u64,
    pub(super) heads: Vec<Signed>,
    body: &'b [u8],
    plain: usize,
}

/// A change of revision `from`; `heads` go from the target down to one that names `from`'s.
pub fn deliver_delta(signer: &Signer, from: u64, heads: &[Signed], delta: &Delta) -> Result<Vec<u8>, Flaw> {
    frame(signer, Kind::Delta, from, heads, &delta.pack()?)
}

/// A body that is packed already: what the store holds needs no second packing.
pub fn deliver_packed(
    signer: &Signer,
    kind: Kind,
    from: u64,
    heads: &[Signed],
    body: &(Vec<u8>, usize),
) -> Result<Vec<u8>, Flaw> {
    frame(signer, kind, from, heads, body)
}

/// Everything, for hosts without a revision (`from` is 0) or with one that is too old for a delta.
pub fn deliver_snapshot(signer: &Signer, from: u64, heads: &[Signed], snapshot: &Delta) -> Result<Vec<u8>, Flaw> {
    frame(signer, Kind::Snapshot, from, heads, &snapshot.pack()?)
}

fn frame(signer: &Signer, kind: Kind, from: u64, heads: &[Signed], body: &(Vec<u8>, usize)) -> Result<Vec<u8>, Flaw> {
    let heads: Vec<u8> = heads.iter().flat_map(|head| prefixed(head.bytes())).collect();
    let length = |bytes: usize| u32::try_from(bytes).map_err(|_wide| Flaw::TooLarge);
    let mut bytes = Vec::with_capacity(FRONT + heads.len() + body.0.len() + SIGNATURE);
    bytes.extend(MAGIC);
    bytes.extend(SCHEMA.to_be_bytes());
    bytes.push(kind as u8);
    bytes.extend(signer.public().id());
    bytes.extend(from.to_be_bytes());
    bytes.extend(length(heads.len())?.to_be_bytes());
    bytes.extend(length(body.0.len())?.to_be_bytes());
    bytes.extend(length(body.1)?.to_be_bytes());
    let signature = signer.sign(&digest(&bytes, &heads, &body.0));
    bytes.extend(heads);
    bytes.extend(&body.0);
    bytes.extend(signature);
    if bytes.len() > LONGEST_DELIVERY { Err(Flaw::TooLarge) } else { Ok(bytes) }
}

impl<'b> Opened<'b> {
    /// Checks lengths and signature; nothing of heads and body is read before.
    pub(super) fn new(bytes: &'b [u8], key: &Verifier) -> Result<Self, Flaw> {
        if bytes.len() > LONGEST_DELIVERY {
            return Err(Flaw::TooLarge);
        }
        let (front, rest) = bytes.split_at_checked(FRONT).ok_or(Flaw::Truncated)?;
        let mut fields = Fields(front);
        if fields.take::<4>() != MAGIC {
            return Err(Flaw::NoRevision);
        }
        check_schema(u16::from_be_bytes(fields.take()))?;
        let [kind] = fields.take();
        if fields.take::<KEY_ID>() != key.id() {
            return Err(Flaw::OtherKey);
        }
        let from = u64::from_be_bytes(fields.take());
        let [heads, body, plain] = [(); 3].map(|()| u32::from_be_bytes(fields.take()) as usize);
        if heads > MOST_HEADS * (LONGEST + 2) || plain > LONGEST_PLAIN {
            return Err(Flaw::TooLarge);
        }
        let (signed, signature) = split(rest, heads + body)?;
        let (heads, body) = signed.split_at(heads);
        if !key.admits(&digest(front, heads, body), signature) {
            return Err(Flaw::Signature);
        }
        let kind = [Kind::Delta, Kind::Snapshot].into_iter().find(|known| *known as u8 == kind);
        Ok(Self { kind: kind.ok_or(Flaw::Malformed)?, from, heads: signed_heads(heads)?, body, plain })
    }

    /// The body, which the frame's signature covers.
    pub(super) fn delta(&self) -> Result<Delta, Flaw> {
        Delta::unpack(self.body, self.plain)
    }
}

/// The signed part and the signature behind it.
fn split(rest: &[u8], length: usize) -> Result<(&[u8], &[u8; SIGNATURE]), Flaw> {
    let (signed, signature) = rest.split_at_checked(length).ok_or(Flaw::Truncated)?;
    match signature.try_into() {
        Ok(signature) => Ok((signed, signature)),
        Err(_) if signature.len() < SIGNATURE => Err(Flaw::Truncated),
        Err(_) => Err(Flaw::TooLarge),
    }
}

fn signed_heads(mut bytes: &[u8]) -> Result<Vec<Signed>, Flaw> {
    let mut heads = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<2>() {
        let (head, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length))).ok_or(Flaw::Malformed)?;
        heads.push(Signed::from_bytes(head.to_vec()));
        bytes = rest;
    }
    if bytes.is_empty() && heads.len() <= MOST_HEADS { Ok(heads) } else { Err(Flaw::Malformed) }
}

fn prefixed(head: &[u8]) -> impl Iterator<Item = u8> {
    let length = u16::try_from(head.len()).unwrap_or(u16::MAX).to_be_bytes();
    length.into_iter().chain(head.iter().copied())
}

fn digest(front: &[u8], heads: &[u8], body: &[u8]) -> Digest {
    Digest::of("enforcer delivery v1", &[front, heads, body])
}

/// Fields of a front whose length was checked, one after the other.
struct Fields<'b>(&'b [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let Some((field, rest)) = self.0.split_first_chunk::<N>() else { return [0; N] };
        self.0 = rest;
        *field
    }
}

const MAGIC: [u8; 4] = *b"ENFD";
const FRONT: usize = 4 + 2 + 1 + KEY_ID + 8 + 3 * 4;
/// A path through 2^60 revisions has fewer.
const MOST_HEADS: usize = 128;
