//! The only way policy reaches the kernel: one operation on one map.
//!
//! In: what `compile` made. Out: what the agent's apply room carries out, in the order given. Never here: the carrying out.
use enforcer_common::{
    AllowKey, AllowRule, FlowKey, IdentityKey, Notice, Place, Prefix, Rule, ServiceKey, ServiceRule, SourceRule,
    Watchlist,
};

/// One operation on one map of the kernel.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum MapOp {
    /// Switches enforcement off (`true`) or on.
    Bypass(bool),
    /// Nanoseconds without a heartbeat after which everything passes; 0 means decisions hold without an agent.
    Lease(u64),
    /// Adds or replaces an allowlist entry.
    PutAllow {
        /// Who.
        key: AllowKey,
        /// How far.
        rule: AllowRule,
    },
    /// Adds or replaces what happens to a flow.
    PutFlow {
        /// Which.
        key: FlowKey,
        /// What happens.
        rule: Rule,
    },
    /// Adds or replaces what happens to an identity.
    PutIdentity {
        /// Whose, and where.
        key: IdentityKey,
        /// What happens.
        rule: Rule,
    },
    /// Replaces a refusal.
    PutNotice {
        /// Its place.
        index: u8,
        /// The refusal.
        notice: Box<Notice>,
    },
    /// Replaces a place.
    PutPlace {
        /// Where in the table.
        index: u16,
        /// The place.
        place: Box<Place>,
    },
    /// Adds or replaces a service on one interface and port.
    PutService {
        /// Where it listens.
        key: ServiceKey,
        /// What to look for.
        rule: ServiceRule,
    },
    /// Adds or replaces what happens to an address or network.
    PutSource {
        /// Which.
        prefix: Prefix,
        /// What happens; the kernel room adds the place in the table.
        rule: SourceRule,
    },
    /// Replaces one of the two watchlists.
    PutWatchlist {
        /// Which.
        index: u8,
        /// The watched headers.
        watchlist: Box<Watchlist>,
    },
    /// Takes an allowlist entry away.
    RemoveAllow {
        /// Who.
        key: AllowKey,
    },
    /// Takes a flow away.
    RemoveFlow {
        /// Which.
        key: FlowKey,
    },
    /// Takes an identity away.
    RemoveIdentity {
        /// Whose, and where.
        key: IdentityKey,
    },
    /// Takes a service off one interface and port.
    RemoveService {
        /// Where it listened.
        key: ServiceKey,
    },
    /// Takes an address or network away.
    RemoveSource {
        /// Which.
        prefix: Prefix,
    },
}

impl MapOp {
    /// The map it goes to, as metrics name it.
    pub const fn map(&self) -> &'static str {
        match self {
            Self::Bypass(_) | Self::Lease(_) => "settings",
            Self::PutAllow { .. } | Self::RemoveAllow { .. } => "allow",
            Self::PutFlow { .. } | Self::RemoveFlow { .. } => "flows",
            Self::PutIdentity { .. } | Self::RemoveIdentity { .. } => "identities",
            Self::PutNotice { .. } => "notices",
            Self::PutPlace { .. } => "places",
            Self::PutService { .. } | Self::RemoveService { .. } => "services",
            Self::PutSource { .. } | Self::RemoveSource { .. } => "sources",
            Self::PutWatchlist { .. } => "watchlists",
        }
    }
}
