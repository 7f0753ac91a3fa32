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
}

impl SubjectKind {
    /// The word used everywhere.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ip => "ip",
            Self::Device => "device",
            Self::Flow => "flow",
        }
    }

    /// The kind of a number in an event.
    pub const fn from_raw(raw: u8) -> Option<Self> {
        match raw {
            1 => Some(Self::Ip),
            2 => Some(Self::Device),
            3 => Some(Self::Flow),
            _ => None,
        }
    }
}

/// Key of the identity map: whose token, where. `service` 0 means every service.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct IdentityKey {
    digest: u64,
    service: u32,
    kind: u8,
    pad: [u8; 3],
}

impl IdentityKey {
    /// The key of a digest of `kind` on the service with id `service`.
    #[inline(always)]
    pub const fn new(kind: SubjectKind, digest: u64, service: u32) -> Self {
        Self { digest, service, kind: kind as u8, pad: [0; 3] }
    }

    /// The keyed digest of the token.
    pub const fn digest(&self) -> u64 {
        self.digest
    }

    /// The service's id; 0 for all.
    pub const fn service(&self) -> u32 {
        self.service
    }
}

/// What to do with a matching flow or identity.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Rule {
    until: u64,
    decision: u64,
    action: u8,
    pad: [u8; 7],
}

impl Rule {
    /// `until` in monotonic nanoseconds, or [`UNTIL_NEVER`].
    #[inline(always)]
    pub const fn new(action: Action, until: u64, decision: u64) -> Self {
        Self { until, decision, action: action as u8, pad: [0; 7] }
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
    /// Our sequence number after the refusal and its FIN.
    pub end: u32,
    /// The verdict that was carried out, as [`crate::Verdict`].
    pub verdict: u8,
    /// Zero.
    pub pad: [u8; 3],
}

const _: () = assert!(size_of::<IdentityKey>() == 16);
const _: () = assert!(size_of::<Rule>() == 24);
const _: () = assert!(size_of::<FlowKey>() == 40);
const _: () = assert!(size_of::<AllowKey>() == 20);
const _: () = assert!(size_of::<AllowRule>() == 8);
const _: () = assert!(size_of::<Denied>() == 16);
