//! The head of a revision: who made it, when, what it follows, and the digest of what it says.
//!
//! In: a [`Head`] and a signer, or bytes. Out: [`Signed`] bytes, or a head whose signature was good before a single field was
//! read. Never here: the content.
//!
//! ```text
//! "ENFR" | schema u16 | key id 8 | length u16 | head | signature 64        all numbers big-endian
//! ```
use serde::{Deserialize, Serialize};

use super::digest::Digest;
use super::flaw::Flaw;
use super::key::{KEY_ID, SIGNATURE, Signer, Verifier};
use crate::Moment;

/// What is said of a revision besides its content.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Head {
    /// 1, 2, 3, ...
    pub number: u64,
    /// The revision before; zeros before the first.
    pub previous: Digest,
    /// A revision further back, see [`Head::ancestor_of`]: a shortcut for hosts that are far behind.
    pub ancestor: Digest,
    /// Who wrote it.
    pub author: String,
    /// Who else stands for it.
    pub approver: Option<String>,
    /// Why, in the author's words.
    pub comment: String,
    /// When it was made.
    pub made: Moment,
    /// Later than this it is accepted by no host. What was accepted before stays.
    pub not_after: Moment,
    /// The hosts it is for; [`EVERYONE`], or the name of a group.
    pub group: String,
    /// The digest of the whole content.
    pub content: Digest,
    /// How many decisions the content has.
    pub decisions: u64,
}

/// A head with its signature, as it is kept and sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Signed(Vec<u8>);

/// The group of all hosts.
pub const EVERYONE: &str = "all";

impl Head {
    /// The number that `ancestor` speaks of: without the last term when the number is written as a sum of the greatest
    /// possible terms 1, 3, 7, 15, ... With such shortcuts and `previous`, a way back of n revisions takes about 3 log n heads.
    pub const fn ancestor_of(number: u64) -> u64 {
        let (mut rest, mut term, mut last) = (number, u64::MAX >> 1, 0);
        while rest > 0 {
            if rest >= term {
                rest -= term;
                last = term;
            } else {
                term >>= 1;
            }
        }
        number - last
    }

    /// Signs it. Texts are cut to what a head may hold.
    pub fn sign(mut self, signer: &Signer) -> Result<Signed, Flaw> {
        for (text, most) in [(&mut self.author, NAME), (&mut self.comment, COMMENT), (&mut self.group, NAME)] {
            shorten(text, most);
        }
        self.approver.iter_mut().for_each(|name| shorten(name, NAME));
        let head = postcard::to_stdvec(&self).map_err(|_unwritable| Flaw::Malformed)?;
        let length = u16::try_from(head.len()).map_err(|_wide| Flaw::TooLarge)?;
        let mut bytes = Vec::with_capacity(FRONT + head.len() + SIGNATURE);
        bytes.extend(MAGIC);
        bytes.extend(SCHEMA.to_be_bytes());
        bytes.extend(signer.public().id());
        bytes.extend(length.to_be_bytes());
        bytes.extend(head);
        let signature = signer.sign(&hash(&bytes));
        bytes.extend(signature);
        Ok(Signed(bytes))
    }
}

impl Signed {
    /// Bytes from a store of one's own; [`Signed::open`] judges them.
    pub const fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// As they travel.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// What the next revision calls its previous one.
    pub fn hash(&self) -> Digest {
        hash(self.0.get(..self.0.len().saturating_sub(SIGNATURE)).unwrap_or_default())
    }

    /// Reads the head, once its signature is known to be good.
    pub fn open(&self, key: &Verifier) -> Result<Head, Flaw> {
        let bytes = &self.0;
        let front = bytes.get(..FRONT).ok_or(Flaw::Truncated)?;
        if front[..4] != MAGIC {
            return Err(Flaw::NoRevision);
        }
        check_schema(u16::from_be_bytes([front[4], front[5]]))?;
        if front[6..6 + KEY_ID] != key.id() {
            return Err(Flaw::OtherKey);
        }
        let length = usize::from(u16::from_be_bytes([front[FRONT - 2], front[FRONT - 1]]));
        let end = FRONT + length;
        match bytes.len().cmp(&(end + SIGNATURE)) {
            std::cmp::Ordering::Less => return Err(Flaw::Truncated),
            std::cmp::Ordering::Greater => return Err(Flaw::TooLarge),
            std::cmp::Ordering::Equal => {}
        }
        let (message, signature) = bytes.split_at(end);
        let signature = signature.try_into().map_err(|_length| Flaw::Truncated)?;
        if !key.admits(&hash(message), signature) {
            return Err(Flaw::Signature);
        }
        let (head, rest) = postcard::take_from_bytes::<Head>(&message[FRONT..]).map_err(|_form| Flaw::Malformed)?;
        let again = postcard::to_stdvec(&head).map_err(|_unwritable| Flaw::Malformed)?;
        if !rest.is_empty() || again != message[FRONT..] { Err(Flaw::NotCanonical) } else { Ok(head) }
    }
}

pub(super) fn check_schema(schema: u16) -> Result<(), Flaw> {
    if schema == SCHEMA { Ok(()) } else { Err(Flaw::Newer { schema, ours: SCHEMA }) }
}

fn hash(message: &[u8]) -> Digest {
    Digest::of("enforcer revision v1", &[message])
}

/// Cuts at a character's end.
fn shorten(text: &mut String, most: usize) {
    text.truncate(text.floor_char_boundary(most));
}

const MAGIC: [u8; 4] = *b"ENFR";
/// Before the head.
const FRONT: usize = 4 + 2 + KEY_ID + 2;
/// The form of heads, deliveries and bodies. A host refuses any other.
pub(super) const SCHEMA: u16 = 1;
/// Bytes of names.
const NAME: usize = 128;
/// Bytes of a comment.
const COMMENT: usize = 1024;
/// No signed head is longer.
pub(super) const LONGEST: usize = FRONT + 2048 + SIGNATURE;
