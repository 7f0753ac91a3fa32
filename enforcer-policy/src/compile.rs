//! From decisions to map operations.
//!
//! In: decisions, allowlist entries, both clocks as numbers, what the small maps hold. Out: [`MapOp`]. Never here: a map, the
//! order of whole deployments, the source tables (too large to compare here: the kernel room keeps its own copy).
use std::collections::BTreeMap;

use enforcer_common::{
    Action, AllowKey, AllowRule, FlowKey, IdentityKey, Prefix, Rule, ServiceKey, ServiceRule, SourceRule, UNTIL_NEVER,
};

use crate::{Allowed, Decision, MapOp, Moment, Subject, Token};

/// One instant on both clocks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Clock {
    /// Wall clock.
    pub wall: Moment,
    /// The kernel's monotonic clock, nanoseconds.
    pub kernel: u64,
}

impl Clock {
    /// `until` on the kernel's clock.
    pub fn kernel_until(&self, until: Option<Moment>) -> u64 {
        let Some(until) = until else { return UNTIL_NEVER };
        let left = nanoseconds(self.wall, until);
        let over = nanoseconds(until, self.wall);
        // One of the two is zero. `UNTIL_NEVER` itself must not come out of a finite time.
        self.kernel.saturating_sub(over).saturating_add(left).min(UNTIL_NEVER - 1)
    }
}

fn nanoseconds(from: Moment, to: Moment) -> u64 {
    to.0.saturating_sub(from.0).saturating_mul(1_000_000)
}

/// Brings a decision into the kernel.
pub fn put(decision: &Decision, clock: &Clock) -> MapOp {
    match &decision.subject {
        Subject::Device(token) | Subject::Session(token) | Subject::User(token) | Subject::ApiKey(token) => {
            MapOp::PutIdentity { key: identity(decision, token), rule: rule(decision, clock) }
        }
        Subject::Flow(key) => MapOp::PutFlow { key: *key, rule: rule(decision, clock) },
        Subject::Ip(prefix) => {
            let observe = decision.action == Action::Observe;
            MapOp::PutSource { prefix: *prefix, rule: SourceRule::new(observe, clock.kernel_until(decision.until)) }
        }
    }
}

/// Takes a decision out of the kernel.
pub fn remove(decision: &Decision) -> MapOp {
    match &decision.subject {
        Subject::Device(token) | Subject::Session(token) | Subject::User(token) | Subject::ApiKey(token) => {
            MapOp::RemoveIdentity { key: identity(decision, token) }
        }
        Subject::Flow(key) => MapOp::RemoveFlow { key: *key },
        Subject::Ip(prefix) => MapOp::RemoveSource { prefix: *prefix },
    }
}

/// Brings an allowlist entry into the kernel. It has no expiry there: the agent takes it out.
pub fn put_allow(allowed: &Allowed) -> MapOp {
    MapOp::PutAllow { key: allow_key(allowed.prefix), rule: AllowRule::new(allowed.kind) }
}

/// Takes an allowlist entry out of the kernel.
pub fn remove_allow(prefix: Prefix) -> MapOp {
    MapOp::RemoveAllow { key: allow_key(prefix) }
}

fn identity(decision: &Decision, token: &Token) -> IdentityKey {
    IdentityKey::new(decision.subject.kind(), token.digest, decision.scope.id())
}

fn rule(decision: &Decision, clock: &Clock) -> Rule {
    let rule = Rule::new(decision.action, clock.kernel_until(decision.until), decision.id.0);
    decision.rate.map_or(rule, |rate| rule.at_rate(rate))
}

fn allow_key(prefix: Prefix) -> AllowKey {
    AllowKey { bits: u32::from(prefix.length()), address: prefix.address() }
}

/// What the small maps should hold.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Desired {
    /// The allowlist.
    pub allow: BTreeMap<AllowKey, AllowRule>,
    /// Flows.
    pub flows: BTreeMap<FlowKey, Rule>,
    /// Identities.
    pub identities: BTreeMap<IdentityKey, Rule>,
    /// Services.
    pub services: BTreeMap<ServiceKey, ServiceRule>,
}

/// What the small maps hold.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Observed {
    /// The allowlist.
    pub allow: BTreeMap<AllowKey, AllowRule>,
    /// Flows.
    pub flows: BTreeMap<FlowKey, Rule>,
    /// Identities.
    pub identities: BTreeMap<IdentityKey, Rule>,
    /// Services.
    pub services: BTreeMap<ServiceKey, ServiceRule>,
}

impl Desired {
    /// What these decisions and allowlist entries want of the small maps; services come from the configuration.
    pub fn new(
        decisions: impl IntoIterator<Item = Decision>,
        allowed: impl IntoIterator<Item = Allowed>,
        clock: &Clock,
    ) -> Self {
        let allow = allowed.into_iter().map(|one| (allow_key(one.prefix), AllowRule::new(one.kind))).collect();
        let mut desired = Self { allow, ..Self::default() };
        for decision in decisions {
            match &decision.subject {
                Subject::Device(token) | Subject::Session(token) | Subject::User(token) | Subject::ApiKey(token) => {
                    desired.identities.insert(identity(&decision, token), rule(&decision, clock));
                }
                Subject::Flow(key) => {
                    desired.flows.insert(*key, rule(&decision, clock));
                }
                Subject::Ip(_) => {}
            }
        }
        desired
    }
}

/// The operations that make `observed` into `desired`.
///
/// In this order: what refuses too much goes first, then the allowlist is set right, and only then is anything refused anew.
/// So at no instant is somebody refused who is welcome both before and after. Removals come first within a map, so that a
/// full one has room for what follows.
pub fn diff(desired: &Desired, observed: &Observed) -> Vec<MapOp> {
    let mut ops: Vec<MapOp> = Vec::new();
    ops.extend(surplus(&desired.flows, &observed.flows).map(|key| MapOp::RemoveFlow { key }));
    ops.extend(surplus(&desired.identities, &observed.identities).map(|key| MapOp::RemoveIdentity { key }));
    ops.extend(surplus(&desired.services, &observed.services).map(|key| MapOp::RemoveService { key }));
    ops.extend(surplus(&desired.allow, &observed.allow).map(|key| MapOp::RemoveAllow { key }));
    let allow = missing(&desired.allow, &observed.allow, PartialEq::eq);
    ops.extend(allow.map(|(key, rule)| MapOp::PutAllow { key, rule }));
    ops.extend(missing(&desired.flows, &observed.flows, same).map(|(key, rule)| MapOp::PutFlow { key, rule }));
    let identities = missing(&desired.identities, &observed.identities, same);
    ops.extend(identities.map(|(key, rule)| MapOp::PutIdentity { key, rule }));
    let services = missing(&desired.services, &observed.services, PartialEq::eq);
    ops.extend(services.map(|(key, rule)| MapOp::PutService { key, rule }));
    ops
}

/// The keys that should not be there.
fn surplus<K: Ord + Copy, V>(desired: &BTreeMap<K, V>, observed: &BTreeMap<K, V>) -> impl Iterator<Item = K> {
    observed.keys().filter(|key| !desired.contains_key(key)).copied()
}

/// The entries that should be there, and are not or say something else.
fn missing<K: Ord + Copy, V: Copy>(
    desired: &BTreeMap<K, V>,
    observed: &BTreeMap<K, V>,
    same: fn(&V, &V) -> bool,
) -> impl Iterator<Item = (K, V)> {
    let held = move |key: &K, rule: &V| observed.get(key).is_some_and(|found| same(rule, found));
    desired.iter().filter(move |(key, rule)| !held(key, rule)).map(|(key, rule)| (*key, *rule))
}

/// True when two rules mean the same. Their ends may lie a second apart: the wall clock is steered, the kernel's is not, so
/// the same moment comes out a little different each time it is converted.
fn same(one: &Rule, other: &Rule) -> bool {
    one.action() == other.action()
        && one.rate() == other.rate()
        && one.decision() == other.decision()
        && (one.until() == UNTIL_NEVER) == (other.until() == UNTIL_NEVER)
        && one.until().abs_diff(other.until()) <= DRIFT
}

/// Nanoseconds.
const DRIFT: u64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DecisionId, Note, Origin, Scope, parse_flow, parse_prefix};
    use enforcer_common::{Address, AllowKind, Rate, SubjectKind};
    use proptest::collection::btree_map;
    use proptest::prelude::*;
    use std::sync::Arc;

    const CLOCK: Clock = Clock { wall: Moment(1_000_000), kernel: 5_000_000_000 };

    fn decision(subject: Subject, scope: Scope, action: Action, until: Option<Moment>) -> Decision {
        let note = Note { reason: String::new(), origin: Origin::Cli, approved_by: String::new(), created: Moment(0) };
        Decision { id: DecisionId(9), subject, scope, action, rate: None, until, note: Arc::new(note) }
    }

    #[test]
    fn a_moment_on_the_kernels_clock() {
        assert_eq!(CLOCK.kernel_until(None), UNTIL_NEVER);
        assert_eq!(CLOCK.kernel_until(Some(Moment(1_000_002))), 5_002_000_000);
        assert_eq!(CLOCK.kernel_until(Some(Moment(999_998))), 4_998_000_000);
        assert_eq!(CLOCK.kernel_until(Some(Moment(0))), 0);
        assert_eq!(CLOCK.kernel_until(Some(Moment(u64::MAX))), UNTIL_NEVER - 1);
    }

    #[test]
    fn each_kind_has_its_map() {
        let prefix = parse_prefix("203.0.113.0/24").unwrap();
        let source = decision(Subject::Ip(prefix), Scope::All, Action::Observe, None);
        assert_eq!(put(&source, &CLOCK), MapOp::PutSource { prefix, rule: SourceRule::new(true, UNTIL_NEVER) });
        assert_eq!(remove(&source), MapOp::RemoveSource { prefix });

        let key = parse_flow("tcp 203.0.113.7:5555 > 10.0.0.1:80").unwrap();
        let flow = decision(Subject::Flow(key), Scope::All, Action::Drop, Some(Moment(1_000_001)));
        assert_eq!(put(&flow, &CLOCK), MapOp::PutFlow { key, rule: Rule::new(Action::Drop, 5_001_000_000, 9) });
        assert_eq!(remove(&flow), MapOp::RemoveFlow { key });

        let token = Token { digest: 77, masked: "…".into() };
        let device = decision(Subject::Device(token), Scope::named("pay"), Action::Deny, None);
        let key = IdentityKey::new(SubjectKind::Device, 77, crate::service_id("pay"));
        assert_eq!(put(&device, &CLOCK), MapOp::PutIdentity { key, rule: Rule::new(Action::Deny, UNTIL_NEVER, 9) });
        assert_eq!(remove(&device), MapOp::RemoveIdentity { key });

        let allowed = Allowed { prefix, kind: AllowKind::Proxy, until: None, note: device.note };
        let key = AllowKey { bits: 120, address: Address::v4([203, 0, 113, 0]) };
        assert_eq!(put_allow(&allowed), MapOp::PutAllow { key, rule: AllowRule::new(AllowKind::Proxy) });
        assert_eq!(remove_allow(prefix), MapOp::RemoveAllow { key });
    }

    #[test]
    fn each_kind_of_token_has_its_own_key_and_each_endpoint_its_own_scope() {
        let token = || Token { digest: 77, masked: "…".into() };
        let scope = Scope::parse("pay:GET /accounts/{id}").unwrap();
        let subjects =
            [Subject::Device(token()), Subject::Session(token()), Subject::User(token()), Subject::ApiKey(token())];
        for subject in subjects {
            let key = IdentityKey::new(subject.kind(), 77, scope.id());
            let rate = Rate { per_minute: 60, burst: 1 };
            let limited = Decision { rate: Some(rate), ..decision(subject, scope.clone(), Action::Limit, None) };
            let rule = Rule::new(Action::Limit, UNTIL_NEVER, 9).at_rate(rate);
            assert_eq!(put(&limited, &CLOCK), MapOp::PutIdentity { key, rule });
            assert_eq!(remove(&limited), MapOp::RemoveIdentity { key });
            assert_eq!(
                diff(&Desired::new([limited.clone()], [], &CLOCK), &Observed::default()),
                [put(&limited, &CLOCK)]
            );
        }
    }

    #[test]
    fn desired_is_what_the_operations_bring() {
        let token = Token { digest: 77, masked: "…".into() };
        let device = decision(Subject::Device(token), Scope::All, Action::Deny, None);
        let source = decision(Subject::Ip(parse_prefix("::1").unwrap()), Scope::All, Action::Drop, None);
        let desired = Desired::new([device.clone(), source], [], &CLOCK);
        assert_eq!(diff(&desired, &Observed::default()), [put(&device, &CLOCK)]);
    }

    #[test]
    fn clocks_may_drift_for_a_second_but_never_is_never() {
        let rule = |until| Rule::new(Action::Deny, until, 1);
        assert!(same(&rule(5_000_000_000), &rule(6_000_000_000)));
        assert!(!same(&rule(5_000_000_000), &rule(6_000_000_001)));
        assert!(!same(&rule(UNTIL_NEVER), &rule(UNTIL_NEVER - 1)));
        assert!(!same(&rule(1), &Rule::new(Action::Drop, 1, 1)));
        assert!(!same(&rule(1), &Rule::new(Action::Deny, 1, 2)));
        assert!(!same(&rule(1), &rule(1).at_rate(Rate { per_minute: 1, burst: 1 })));
    }

    /// What the kernel would hold after `ops`.
    fn applied(mut observed: Observed, ops: &[MapOp]) -> Observed {
        for op in ops {
            match op {
                MapOp::PutAllow { key, rule } => drop(observed.allow.insert(*key, *rule)),
                MapOp::PutFlow { key, rule } => drop(observed.flows.insert(*key, *rule)),
                MapOp::PutIdentity { key, rule } => drop(observed.identities.insert(*key, *rule)),
                MapOp::PutService { key, rule } => drop(observed.services.insert(*key, *rule)),
                MapOp::RemoveAllow { key } => assert!(observed.allow.remove(key).is_some()),
                MapOp::RemoveFlow { key } => assert!(observed.flows.remove(key).is_some()),
                MapOp::RemoveIdentity { key } => assert!(observed.identities.remove(key).is_some()),
                MapOp::RemoveService { key } => assert!(observed.services.remove(key).is_some()),
                MapOp::Bypass(_)
                | MapOp::Lease(_)
                | MapOp::PutNotice { .. }
                | MapOp::PutPlace { .. }
                | MapOp::PutSource { .. }
                | MapOp::PutWatchlist { .. }
                | MapOp::RemoveSource { .. } => unreachable!("not a small map"),
            }
        }
        observed
    }

    // Few keys and ends: collisions are what is to be tested.
    fn any_rule() -> impl Strategy<Value = Rule> {
        let until = prop_oneof![(0_u64..4).prop_map(|half| half * DRIFT / 2), Just(UNTIL_NEVER)];
        (until, 0_u64..2, 1_u8..=5, 0_u32..2).prop_map(|(until, id, action, per_minute)| {
            Rule::new(Action::from_raw(action), until, id).at_rate(Rate { per_minute, burst: 1 })
        })
    }

    fn host(last: u8) -> Address {
        Address::v4([203, 0, 113, last])
    }

    fn any_maps() -> impl Strategy<Value = Desired> {
        let allow_key = (0_u8..4).prop_map(|last| AllowKey { bits: 128, address: host(last) });
        let kind = prop_oneof![Just(AllowKind::Full), Just(AllowKind::Proxy)].prop_map(AllowRule::new);
        let flow_key = (0_u8..4).prop_map(|last| FlowKey::new(host(last), 5555, host(9), 80, 6));
        let identity_key = (0_u64..4, 0_u32..2).prop_map(|(d, s)| IdentityKey::new(SubjectKind::Device, d, s));
        let service_key = (0_u32..3).prop_map(|ifindex| ServiceKey { ifindex, port: 80, pad: 0 });
        let service = (1_u32..3).prop_map(|id| ServiceRule {
            id,
            watches: 1,
            first_place: 0,
            places: 0,
            enforce: 1,
            notice: 0,
            watchlist: 0,
            flags: 0,
            sample: u32::MAX,
        });
        (
            btree_map(allow_key, kind, 0..4),
            btree_map(flow_key, any_rule(), 0..4),
            btree_map(identity_key, any_rule(), 0..6),
            btree_map(service_key, service, 0..3),
        )
            .prop_map(|(allow, flows, identities, services)| Desired { allow, flows, identities, services })
    }

    fn alike(desired: &BTreeMap<impl Ord, Rule>, observed: &BTreeMap<impl Ord, Rule>) -> bool {
        desired.len() == observed.len() && desired.values().zip(observed.values()).all(|(one, other)| same(one, other))
    }

    proptest! {
        #[test]
        fn the_difference_makes_the_observed_into_the_desired(desired in any_maps(), other in any_maps()) {
            let Desired { allow, flows, identities, services } = other;
            let observed = Observed { allow, flows, identities, services };
            let after = applied(observed.clone(), &diff(&desired, &observed));
            prop_assert_eq!(&desired.allow, &after.allow);
            prop_assert_eq!(&desired.services, &after.services);
            prop_assert!(desired.flows.keys().eq(after.flows.keys()) && alike(&desired.flows, &after.flows));
            prop_assert!(desired.identities.keys().eq(after.identities.keys()));
            prop_assert!(alike(&desired.identities, &after.identities));
            prop_assert_eq!(diff(&desired, &after), []);
        }
    }
}
