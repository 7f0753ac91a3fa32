//! Owns `SERVICES`, `WATCHLISTS` and `NOTICES`: which ports are APIs, what to look for there, and what to answer.
use aya_ebpf::{
    btf_maps::{Array, HashMap},
    macros::btf_map,
};
use enforcer_common::{Notice, ServiceKey, ServiceRule, Watchlist, limits};

#[btf_map]
static SERVICES: HashMap<ServiceKey, ServiceRule, { limits::SERVICE_PORTS }> = HashMap::new();

/// Two sides: a reload fills the one not in use, then points the services to it.
#[btf_map]
static WATCHLISTS: Array<Watchlist, 2> = Array::new();

#[btf_map]
static NOTICES: Array<Notice, { 2 * limits::SERVICES }> = Array::new();

/// The service on this port of this interface.
#[inline(always)]
pub fn find(ifindex: u32, port: u16) -> Option<ServiceRule> {
    // SAFETY: eight bytes, replaced whole by the agent.
    unsafe { SERVICES.get(&ServiceKey { ifindex, port, pad: 0 }) }.copied()
}

/// The headers to look for.
#[inline(always)]
pub fn watchlist(side: u32) -> Option<&'static Watchlist> {
    WATCHLISTS.get(side)
}

/// The refusal to send.
#[inline(always)]
pub fn notice(index: u8) -> Option<&'static Notice> {
    NOTICES.get(u32::from(index))
}
