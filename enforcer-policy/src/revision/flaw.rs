//! Why a revision is refused.
//!
//! In: what was found. Out: words. Never here: what happens then (nothing: the old policy stays).

/// What is wrong with a delivery.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, thiserror::Error)]
pub enum Flaw {
    /// It holds more than was signed, or what it holds is not in its one form.
    #[error("it is not written in its one form")]
    NotCanonical,
    /// The body does not bring the host to the signed content.
    #[error("its body does not lead to the content that was signed")]
    Content,
    /// Its time is over.
    #[error("it is older than it may be: the center or its clock stands still")]
    Expired,
    /// It does not descend from what this host has.
    #[error(
        "it does not descend from revision {known} that this host has: the center was restored from a backup, or is another"
    )]
    Forked {
        /// The host's revision.
        known: u64,
    },
    /// It comes from later than now.
    #[error("it was made in the future: compare the clocks of center and host")]
    Future,
    /// For other hosts.
    #[error("it is for another group of hosts")]
    Group,
    /// Not newer than what this host has.
    #[error("revision {number} is not newer than revision {known} that this host has")]
    Lower {
        /// What was offered.
        number: u64,
        /// What is here.
        known: u64,
    },
    /// Signed, and yet without meaning.
    #[error("it is signed and cannot be read: center and host differ in version")]
    Malformed,
    /// Made by a newer program.
    #[error("it is of schema {schema}; this program reads {ours}: upgrade the host first")]
    Newer {
        /// The one that was offered.
        schema: u16,
        /// The one this program reads.
        ours: u16,
    },
    /// Not a delivery.
    #[error("these bytes are no revision")]
    NoRevision,
    /// A delta from somewhere else.
    #[error("it is a change of revision {from}, and this host has another")]
    OtherBase {
        /// Where it begins.
        from: u64,
    },
    /// Signed by a key that is not the pinned one.
    #[error("it is signed by another key than the one pinned at enrolment")]
    OtherKey,
    /// The signature is not of these bytes.
    #[error("its signature is wrong")]
    Signature,
    /// Longer than announced or allowed.
    #[error("it is larger than allowed")]
    TooLarge,
    /// Shorter than announced.
    #[error("it ends too early")]
    Truncated,
}

impl Flaw {
    /// The word for metrics and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotCanonical => "not_canonical",
            Self::Content => "content",
            Self::Expired => "expired",
            Self::Forked { .. } => "forked",
            Self::Future => "future",
            Self::Group => "group",
            Self::Lower { .. } => "lower",
            Self::Malformed => "malformed",
            Self::Newer { .. } => "newer_schema",
            Self::NoRevision => "no_revision",
            Self::OtherBase { .. } => "other_base",
            Self::OtherKey => "other_key",
            Self::Signature => "signature",
            Self::TooLarge => "too_large",
            Self::Truncated => "truncated",
        }
    }
}
