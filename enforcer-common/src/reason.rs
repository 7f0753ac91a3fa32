//! Why something happened to a packet or a request, and the words for it. One list for kernel, metrics, events and docs.

/// Makes the enum, its size and its stable names from one list, so that they cannot drift apart.
macro_rules! reasons {
    ($($(#[doc = $doc:literal])* $variant:ident = $name:literal, $layer:literal;)*) => {
        /// Why a packet or a request got its verdict. The number is the index of its counter.
        #[repr(u8)]
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Reason { $($(#[doc = $doc])* $variant,)* }

        impl Reason {
            /// Every reason, in the order of the counters.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];
            /// How many there are: the size of the counter map.
            pub const COUNT: usize = Self::ALL.len();

            /// The name used in metrics, events and on the command line.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What was judged: `packet` (XDP) or `request` (TC).
            pub const fn layer(self) -> &'static str {
                match self { $(Self::$variant => $layer,)* }
            }
        }
    };
}

reasons! {
    /// No rule names this packet.
    Clean = "clean", "packet";
    /// The operator switched enforcement off.
    Bypass = "bypass", "packet";
    /// A decision matched, and the allowlist won.
    Allowed = "allowed", "packet";
    /// A decision matched, and the agent's lease had run out.
    LeaseLost = "lease_lost", "packet";
    /// Only decisions past their expiry matched.
    Expired = "expired", "packet";
    /// The source address is blocked.
    BlockedSource = "blocked_source", "packet";
    /// The source address matched a decision that only observes.
    ObservedSource = "observed_source", "packet";
    /// The flow is blocked.
    BlockedFlow = "blocked_flow", "packet";
    /// The flow matched a decision that only observes.
    ObservedFlow = "observed_flow", "packet";
    /// Not IPv4 or IPv6 (ARP and the like).
    NotIp = "not_ip", "packet";
    /// A fragment without ports: judged by its source only.
    Fragment = "fragment", "packet";
    /// The frame ends inside the Ethernet header or a VLAN tag.
    EthernetTruncated = "ethernet_truncated", "packet";
    /// More than two VLAN tags.
    VlanTooDeep = "vlan_too_deep", "packet";
    /// The packet ends inside its IPv4 header, or the header is malformed.
    Ipv4Malformed = "ipv4_malformed", "packet";
    /// The packet ends inside its IPv6 headers.
    Ipv6Malformed = "ipv6_malformed", "packet";
    /// More IPv6 extension headers than are followed.
    Ipv6TooDeep = "ipv6_too_deep", "packet";
    /// The packet ends inside its TCP or UDP header, or the header is malformed.
    TransportMalformed = "transport_malformed", "packet";

    /// A request whose identities are all clean.
    RequestClean = "request_clean", "request";
    /// A request that carries none of the watched identities.
    RequestAnonymous = "request_anonymous", "request";
    /// A request of a blocked device.
    BlockedDevice = "blocked_device", "request";
    /// A request of a device that is only observed, or on a service that only observes.
    ObservedDevice = "observed_device", "request";
    /// A decision matched the request, and the operator switched enforcement off.
    RequestBypass = "request_bypass", "request";
    /// A decision matched the request, and the allowlist won.
    RequestAllowed = "request_allowed", "request";
    /// A decision matched the request, and the agent's lease had run out.
    RequestLeaseLost = "request_lease_lost", "request";
    /// Only decisions past their expiry matched the request.
    RequestExpired = "request_expired", "request";
    /// What still arrives on a connection whose request was refused.
    RefusedRemainder = "refused_remainder", "request";
    /// A refusal could not be built; the segment was dropped instead.
    RefusalFailed = "refusal_failed", "request";
    /// A segment that does not begin with a request (a body, a later part, another protocol).
    NotHttp = "not_http", "request";
    /// A TLS record on a service's port.
    Tls = "tls", "request";
    /// The HTTP/2 preface on a service's port.
    Http2 = "http2", "request";
    /// A request head that goes on in the next segment.
    HeadIncomplete = "head_incomplete", "request";
    /// A request head longer than the window that is scanned.
    HeadTooLong = "head_too_long", "request";
    /// An identity longer than is hashed.
    TokenTooLong = "token_too_long", "request";
    /// The segment could not be read.
    SegmentUnreadable = "segment_unreadable", "request";
}

/// What a decision asks for.
#[repr(u8)]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Action {
    /// Count and report only.
    Observe = 1,
    /// Answer 403 with the notice and close.
    Deny = 2,
    /// Reset the connection on both sides.
    Reset = 3,
    /// Swallow it silently.
    Drop = 4,
}

impl Action {
    /// Every action, mildest first.
    pub const ALL: &'static [Self] = &[Self::Observe, Self::Deny, Self::Reset, Self::Drop];

    /// The action of a number in a map; what is unknown only observes.
    #[inline(always)]
    pub const fn from_raw(raw: u8) -> Self {
        match raw {
            2 => Self::Deny,
            3 => Self::Reset,
            4 => Self::Drop,
            _ => Self::Observe,
        }
    }

    /// The word used everywhere.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Deny => "deny",
            Self::Reset => "reset",
            Self::Drop => "drop",
        }
    }
}

/// What happened to one packet or request.
#[repr(u8)]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Verdict {
    /// Went on its way.
    Pass = 0,
    /// Went on its way, and was counted against a decision.
    Observe = 1,
    /// Got a 403; the server never saw it.
    Deny = 2,
    /// Its connection was reset on both sides.
    Reset = 3,
    /// Was swallowed.
    Drop = 4,
}

impl Verdict {
    /// Every verdict, by its number.
    pub const ALL: &'static [Self] = &[Self::Pass, Self::Observe, Self::Deny, Self::Reset, Self::Drop];
    /// How many there are.
    pub const COUNT: usize = Self::ALL.len();

    /// The word used everywhere.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Observe => "observe",
            Self::Deny => "deny",
            Self::Reset => "reset",
            Self::Drop => "drop",
        }
    }
}
