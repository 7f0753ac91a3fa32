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

            /// What was judged: `packet` (XDP), `request` or `stream` (a segment that ends no request head; both TC).
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
    /// A request of a blocked session.
    BlockedSession = "blocked_session", "request";
    /// A request of a blocked user.
    BlockedUser = "blocked_user", "request";
    /// A request with a blocked key.
    BlockedApikey = "blocked_apikey", "request";
    /// A request that a trusted proxy forwards for a blocked address.
    BlockedForwarded = "blocked_forwarded", "request";
    /// A request of a limited subject, over its rate.
    OverLimit = "over_limit", "request";
    /// A request of a limited subject, within its rate.
    WithinLimit = "within_limit", "request";
    /// A request of a subject that is only observed, or on a service that only observes.
    ObservedRequest = "observed_request", "request";
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
    /// A request head that servers read differently: both lengths, differing lengths, folded lines and the like.
    RequestAmbiguous = "request_ambiguous", "request";
    /// The same, on a service that denies them.
    AmbiguousDenied = "ambiguous_denied", "request";
    /// A request head longer than is followed.
    HeadTooLong = "head_too_long", "request";
    /// An identity longer than is hashed.
    TokenTooLong = "token_too_long", "request";

    /// A segment in the middle of a request head.
    HeadOpen = "head_open", "stream";
    /// A segment of a request's body.
    Body = "body", "stream";
    /// A repeated segment of which the server has everything.
    Repeated = "repeated", "stream";
    /// A segment ahead of a gap in or before a request head, or of a connection that another processor is busy with: held back, TCP sends
    /// it again.
    Ahead = "ahead", "stream";
    /// A segment with a refused request behind something else: cut before it, so that the rest passes. TCP sends the request
    /// again, and it is refused then.
    Cut = "cut", "stream";
    /// A segment ahead of a gap on a service that only observes: passed on, and the connection is not followed further.
    AheadObserved = "ahead_observed", "stream";
    /// The first fragment of a segment: it cannot be followed, and is held back.
    Fragmented = "fragmented", "stream";
    /// A repeated segment that says something else than before, of what the server has not acknowledged.
    Conflict = "conflict", "stream";
    /// A connection whose request boundaries are not known: open before the agent came, or lost sight of.
    Unfollowed = "unfollowed", "stream";
    /// The held part of a request head gave way to newer ones.
    Evicted = "evicted", "stream";
    /// An open head gave way to a newer one.
    GaveWay = "gave_way", "stream";
    /// The answers of a connection are not followed any more, until it is idle.
    AnswerLost = "answer_lost", "stream";
    /// A strict service, and a connection that cannot be followed.
    StrictRefused = "strict_refused", "stream";
    /// What does not begin like a request, and all that follows it on its connection.
    NotHttp = "not_http", "stream";
    /// A TLS record on a service's port.
    Tls = "tls", "stream";
    /// The HTTP/2 preface on a service's port.
    Http2 = "http2", "stream";
    /// The segment could not be read.
    SegmentUnreadable = "segment_unreadable", "stream";
}

/// What a decision asks for.
#[repr(u8)]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Action {
    /// Count and report only.
    Observe = 1,
    /// Answer 429 to what is over a rate.
    Limit = 2,
    /// Answer 403 with the notice and close.
    Deny = 3,
    /// Reset the connection on both sides.
    Reset = 4,
    /// Swallow it silently.
    Drop = 5,
}

impl Action {
    /// Every action, mildest first.
    pub const ALL: &'static [Self] = &[Self::Observe, Self::Limit, Self::Deny, Self::Reset, Self::Drop];

    /// The action of a number in a map; what is unknown only observes.
    #[inline(always)]
    pub const fn from_raw(raw: u8) -> Self {
        match raw {
            2 => Self::Limit,
            3 => Self::Deny,
            4 => Self::Reset,
            5 => Self::Drop,
            _ => Self::Observe,
        }
    }

    /// The word used everywhere.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Limit => "limit",
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
    /// Got a 429; the server never saw it.
    Limit = 2,
    /// Got a 403; the server never saw it.
    Deny = 3,
    /// Its connection was reset on both sides.
    Reset = 4,
    /// Was swallowed.
    Drop = 5,
}

impl Verdict {
    /// Every verdict, by its number.
    pub const ALL: &'static [Self] = &[Self::Pass, Self::Observe, Self::Limit, Self::Deny, Self::Reset, Self::Drop];
    /// How many there are.
    pub const COUNT: usize = Self::ALL.len();

    /// The word used everywhere.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Observe => "observe",
            Self::Limit => "limit",
            Self::Deny => "deny",
            Self::Reset => "reset",
            Self::Drop => "drop",
        }
    }
}
