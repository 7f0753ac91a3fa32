//! Keys and values of the small policy maps: identities, flows, the allowlist, refused connections.
use crate::{Action, Address};

/// An expiry that never comes.
pub const UNTIL_NEVER: u64 = u64::MAX;

/// Who a digest speaks of.
#[repr(u8)]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum SubjectKind {
    /// A network address or network.
    Ip = 1,
    /// A device, by its token.
    Device = 2,
    /// One connection.
    Flow = 3,
    /// A login session, by its cookie or bearer token.
    Session = 4,
    /// A user, by a header or by what the agent learned of the session.
    User = 5,
    /// A partner's key.
    ApiKey = 6,
}

impl SubjectKind {
    /// Every kind.
    pub const ALL: &'static [Self] = &[Self::Ip, Self::Device, Self::Flow, Self::Session, Self::User, Self::ApiKey];

    /// The word used everywhere.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ip => "ip",
            Self::Device => "device",
            Self::Flow => "flow",
            Self::Session => "session",
            Self::User => "user",
            Self::ApiKey => "apikey",
        }
    }

    /// The kind of a number in an event.
    #[inline(always)]
    pub const fn from_raw(raw: u8) -> Option<Self> {
        match raw {
            1 => Some(Self::Ip),
            2 => Some(Self::Device),
            3 => Some(Self::Flow),
            4 => Some(Self::Session),
            5 => Some(Self::User),
            6 => Some(Self::ApiKey),
            _ => None,
        }
    }

    /// True when requests carry it as a token, whose keyed digest the kernel compares.
    pub const fn is_token(self) -> bool {
        matches!(self, Self::Device | Self::Session | Self::User | Self::ApiKey)
    }
}

/// Key of the identity map: whose token, where. Scope 0 means everywhere.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct IdentityKey {
    digest: u64,
    scope: u32,
    kind: u8,
    pad: [u8; 3],
}

impl IdentityKey {
    /// The key of a digest of `kind` in the scope (a service or an endpoint) with this id.
    #[inline(always)]
    pub const fn new(kind: SubjectKind, digest: u64, scope: u32) -> Self {
        Self { digest, scope, kind: kind as u8, pad: [0; 3] }
    }

    /// The keyed digest of the token.
    pub const fn digest(&self) -> u64 {
        self.digest
    }

    /// The id of the service or endpoint; 0 for all.
    pub const fn scope(&self) -> u32 {
        self.scope
    }

    /// Whose token it is.
    pub const fn kind(&self) -> Option<SubjectKind> {
        SubjectKind::from_raw(self.kind)
    }
}

/// What to do with a matching flow or identity.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Rule {
    until: u64,
    decision: u64,
    rate: Rate,
    action: u8,
    pad: [u8; 7],
}

/// How many requests a limited subject may send: a bucket of `burst` that fills with `per_minute`.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Rate {
    /// Requests per minute; 0 refuses every one.
    pub per_minute: u32,
    /// Requests at once.
    pub burst: u32,
}

/// The bucket of one limited subject in one scope.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Bucket {
    /// Monotonic nanoseconds at which the bucket would be full.
    pub full_at: u64,
}

impl Rate {
    const MINUTE: u64 = 60_000_000_000;

    /// Takes one request out of `bucket` at `now` (monotonic nanoseconds); nothing when it is empty.
    ///
    /// The bucket remembers only when it will be full again, so there is nothing to fill and nothing to round.
    #[inline(always)]
    pub const fn take(self, bucket: Bucket, now: u64) -> Option<Bucket> {
        if self.per_minute == 0 {
            return None;
        }
        let each = Self::MINUTE / self.per_minute as u64;
        let from = if bucket.full_at > now { bucket.full_at } else { now };
        let full_at = from + each;
        if full_at - now > each * self.burst as u64 { None } else { Some(Bucket { full_at }) }
    }
}

impl Rule {
    /// `until` in monotonic nanoseconds, or [`UNTIL_NEVER`].
    #[inline(always)]
    pub const fn new(action: Action, until: u64, decision: u64) -> Self {
        Self { until, decision, rate: Rate { per_minute: 0, burst: 0 }, action: action as u8, pad: [0; 7] }
    }

    /// The same, for [`Action::Limit`] at this rate.
    #[must_use]
    pub const fn at_rate(self, rate: Rate) -> Self {
        Self { rate, ..self }
    }

    /// How many requests may pass; it matters only for [`Action::Limit`].
    #[inline(always)]
    pub const fn rate(&self) -> Rate {
        self.rate
    }

    /// What the decision asks for.
    #[inline(always)]
    pub const fn action(&self) -> Action {
        Action::from_raw(self.action)
    }

    /// Monotonic nanoseconds after which it means nothing.
    #[inline(always)]
    pub const fn until(&self) -> u64 {
        self.until
    }

    /// The id of the decision.
    #[inline(always)]
    pub const fn decision(&self) -> u64 {
        self.decision
    }
}

/// One connection as the receiving host sees it: source is the client.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FlowKey {
    source: Address,
    destination: Address,
    source_port: u16,
    destination_port: u16,
    protocol: u8,
    pad: [u8; 3],
}

impl FlowKey {
    /// Ports in host order; protocol is the IANA number (6 TCP, 17 UDP).
    #[inline(always)]
    pub const fn new(
        source: Address,
        source_port: u16,
        destination: Address,
        destination_port: u16,
        protocol: u8,
    ) -> Self {
        Self { source, destination, source_port, destination_port, protocol, pad: [0; 3] }
    }

    /// The client.
    #[inline(always)]
    pub const fn source(&self) -> Address {
        self.source
    }

    /// The server.
    #[inline(always)]
    pub const fn destination(&self) -> Address {
        self.destination
    }

    /// The client's port, host order.
    #[inline(always)]
    pub const fn source_port(&self) -> u16 {
        self.source_port
    }

    /// The server's port, host order.
    #[inline(always)]
    pub const fn destination_port(&self) -> u16 {
        self.destination_port
    }

    /// IANA protocol number.
    #[inline(always)]
    pub const fn protocol(&self) -> u8 {
        self.protocol
    }
}

/// How far an allowlist entry reaches.
#[repr(u8)]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum AllowKind {
    /// Never refused, whatever its packets carry: management, the center, health checkers.
    Full = 1,
    /// Never refused as a source, while the requests it forwards are judged: load balancers and other trusted proxies.
    Proxy = 2,
}

impl AllowKind {
    /// The word used everywhere.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Proxy => "proxy",
        }
    }
}

/// Key of the allowlist, a longest-prefix trie: `bits` first, as the kernel wants it (host order).
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct AllowKey {
    /// Canonical prefix length.
    pub bits: u32,
    /// The network.
    pub address: Address,
}

/// Value of the allowlist.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct AllowRule {
    kind: u8,
    pad: [u8; 7],
}

impl AllowRule {
    /// An entry of this reach. Allowlist entries have no expiry in the kernel: the agent removes them.
    pub const fn new(kind: AllowKind) -> Self {
        Self { kind: kind as u8, pad: [0; 7] }
    }

    /// True when requests are exempt too.
    #[inline(always)]
    pub const fn is_full(&self) -> bool {
        self.kind == AllowKind::Full as u8
    }

    /// The reach.
    pub const fn kind(&self) -> AllowKind {
        if self.is_full() { AllowKind::Full } else { AllowKind::Proxy }
    }
}

/// A connection whose request was refused: kept so that what is still under way is answered, not delivered.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Denied {
    /// Monotonic nanoseconds after which the connection means nothing.
    pub until: u64,
    /// The decision's id, to be told again.
    pub decision: u64,
    /// Our sequence number before the refusal.
    pub begin: u32,
    /// The same after the refusal and its FIN.
    pub end: u32,
    /// Index of the refusal.
    pub notice: u8,
    /// Zero.
    pub pad: [u8; 7],
}

const _: () = assert!(size_of::<IdentityKey>() == 16);
const _: () = assert!(size_of::<Rule>() == 32);
const _: () = assert!(size_of::<Bucket>() == 8);
const _: () = assert!(size_of::<FlowKey>() == 40);
const _: () = assert!(size_of::<AllowKey>() == 20);
const _: () = assert!(size_of::<AllowRule>() == 8);
const _: () = assert!(size_of::<Denied>() == 32);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_lets_its_burst_through_and_then_its_rate() {
        let rate = Rate { per_minute: 60, burst: 3 };
        let mut bucket = Bucket::default();
        let mut passed = 0;
        for tenth in 0..100 {
            let now = 1_000_000_000_000 + tenth * 100_000_000;
            if let Some(next) = rate.take(bucket, now) {
                (bucket, passed) = (next, passed + 1);
            }
        }
        assert_eq!(passed, 3 + 9, "three at once, then one a second for 9.9 seconds");
        assert_eq!(Rate { per_minute: 0, burst: 5 }.take(bucket, 0), None);
    }
}
