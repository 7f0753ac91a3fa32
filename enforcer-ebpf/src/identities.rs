//! Owns `IDENTITIES`, `NAMED` and `SESSION_USERS`: decisions on devices, sessions, users and keys, by keyed digest.
use aya_ebpf::{
    btf_maps::{Array, HashMap, LruHashMap},
    macros::btf_map,
};
use enforcer_common::{IdentityKey, Rule, Settings, SubjectKind, named_mark};

#[btf_map]
static IDENTITIES: HashMap<IdentityKey, Rule, 100_000> = HashMap::new();

/// The filter in front of them, written through `mmap` by the agent.
#[btf_map]
static NAMED: Array<u64, 2, MMAPABLE> = Array::new();
const MMAPABLE: usize = aya_ebpf::bindings::BPF_F_MMAPABLE as usize;

/// Users by the digest of their session, as the agent learned them.
#[btf_map]
static SESSION_USERS: LruHashMap<u64, u64, 65_536> = LruHashMap::new();

/// False when no decision names this digest, in whatever scope.
#[inline(always)]
pub fn is_named(digest: u64, settings: &Settings) -> bool {
    let mark = named_mark(digest, settings.named);
    NAMED.get(mark.word).is_none_or(|word| !*word & mark.bits == 0)
}

/// The user of a session.
#[inline(always)]
pub fn user(session: u64) -> Option<u64> {
    // SAFETY: one word.
    unsafe { SESSION_USERS.get(session) }.copied()
}

/// How much a decision asks for; an expired one is weaker than any other.
#[inline(always)]
pub fn strength(rule: &Rule, now: u64) -> u8 {
    if rule.until() <= now { 0 } else { rule.action() as u8 }
}

/// The decision on this digest in one scope.
#[inline(always)]
pub fn rule(kind: SubjectKind, digest: u64, scope: u32) -> Option<Rule> {
    // SAFETY: values are replaced whole by the agent; a torn read could only mix two decisions on the same subject.
    unsafe { IDENTITIES.get(IdentityKey::new(kind, digest, scope)) }.copied()
}
