//! Owns `IDENTITIES`: decisions on devices (later sessions, users, keys), by keyed digest.
use aya_ebpf::{btf_maps::HashMap, macros::btf_map};
use enforcer_common::{IdentityKey, Rule, SubjectKind};

#[btf_map]
static IDENTITIES: HashMap<IdentityKey, Rule, 100_000> = HashMap::new();

/// The decision on this digest that asks for most: of the one for this service and the one for all.
#[inline(always)]
pub fn rule(kind: SubjectKind, digest: u64, service: u32, now: u64) -> Option<Rule> {
    let here = lookup(&IdentityKey::new(kind, digest, service));
    let everywhere = lookup(&IdentityKey::new(kind, digest, 0));
    match (here, everywhere) {
        (Some(a), Some(b)) => Some(if strength(&a, now) >= strength(&b, now) { a } else { b }),
        (one, other) => one.or(other),
    }
}

/// How much a decision asks for; an expired one is weaker than any other.
#[inline(always)]
pub fn strength(rule: &Rule, now: u64) -> u8 {
    if rule.until() <= now { 0 } else { rule.action() as u8 }
}

#[inline(always)]
fn lookup(key: &IdentityKey) -> Option<Rule> {
    // SAFETY: values are replaced whole by the agent; a torn read could only mix two decisions on the same subject.
    unsafe { IDENTITIES.get(key) }.copied()
}
