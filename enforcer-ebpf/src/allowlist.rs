//! Owns `ALLOW`: who is never refused. Asked only once a decision has matched, so clean traffic does not pay for it.
use aya_ebpf::{btf_maps::LpmTrie, btf_maps::lpm_trie::Key, macros::btf_map};
use enforcer_common::{Address, AllowRule, Settings};

#[btf_map]
static ALLOW: LpmTrie<Address, AllowRule, 4096> = LpmTrie::new();

/// True when packets of `source` may not be refused.
#[inline(always)]
pub fn protects_source(settings: &Settings, source: Address) -> bool {
    settings.allow != 0 && ALLOW.get(&Key::new(128, source)).is_some()
}

/// True when requests in packets of `source` may not be refused either.
#[inline(always)]
pub fn protects_requests(settings: &Settings, source: Address) -> bool {
    settings.allow != 0 && ALLOW.get(&Key::new(128, source)).is_some_and(AllowRule::is_full)
}

/// True when what `address` says of its clients is to be believed.
#[inline(always)]
pub fn is_proxy(address: Address) -> bool {
    ALLOW.get(&Key::new(128, address)).is_some_and(|rule| !rule.is_full())
}
