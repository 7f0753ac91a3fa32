//! The ledger beside a plain list: the same steps, the same answers.
use std::collections::BTreeSet;
use std::time::Duration;

use enforcer_common::{Action, Address, Prefix, Rate, SubjectKind};
use proptest::collection::vec;
use proptest::prelude::*;

use super::{NOW, after, device, flow, note, session};
use crate::{Decision, DecisionId, Ledger, Moment, Order, Scope, Subject};

/// One thing that happens to a ledger.
#[derive(Clone, Debug)]
enum Step {
    Block { subject: Subject, scope: Scope, action: Action, rate: Option<Rate>, until: Option<Moment>, shorten: bool },
    Expire,
    Restore { subject: Subject, id: u64, until: Option<Moment> },
    Unblock { subject: Subject, scope: Scope },
    UnblockNth(usize),
}

/// A ledger that is a plain list.
#[derive(Default)]
struct Naive(Vec<Decision>);

impl Naive {
    fn at(&self, subject: &Subject, scope: &Scope) -> Option<usize> {
        self.0.iter().position(|one| one.subject == *subject && one.scope == *scope)
    }

    fn block(&mut self, order: Order, id: DecisionId) {
        let Order { subject, scope, action, rate, until, note, .. } = order;
        match self.at(&subject, &scope) {
            None => self.0.push(Decision { id, subject, scope, action, rate, until, note }),
            Some(at) => {
                let old = &mut self.0[at];
                (old.action, old.rate) = (action, rate);
                if order.shorten || until.is_none() || old.until.is_some_and(|old| until > Some(old)) {
                    old.until = until;
                }
            }
        }
    }

    fn sorted(&self) -> Vec<Decision> {
        let mut all = self.0.clone();
        all.sort_by_key(|one| one.id);
        all
    }

    fn covering(&self, address: Address) -> Vec<DecisionId> {
        let holds = |one: &&Decision| matches!(one.subject, Subject::Ip(net) if net.is_v4() == address.is_v4() && net.contains(address));
        let mut found: Vec<&Decision> = self.0.iter().filter(holds).collect();
        found.sort_by_key(|one| std::cmp::Reverse(one.subject.network().map(|prefix| prefix.length())));
        found.into_iter().map(|one| one.id).collect()
    }
}

// Few subjects, so that steps meet.
fn any_address() -> impl Strategy<Value = Address> {
    let v4 = (0_u8..2, 0_u8..4).prop_map(|(c, d)| Address::v4([203, 0, c, d]));
    let v6 = (0_u64..2, 0_u64..4).prop_map(|(high, low)| Address::from_halves(0x2001_0db8_0000_0000 | high, low));
    prop_oneof![v4, v6]
}

fn any_subject() -> impl Strategy<Value = Subject> {
    let network = (any_address(), prop_oneof![Just(128_u8), 112_u8..=128, 60_u8..=128]);
    let network = network.prop_filter_map("everything", |(address, length)| {
        let prefix = Prefix::new(address, length);
        (prefix.is_v4() == address.is_v4() && length != 96).then_some(Subject::Ip(prefix))
    });
    prop_oneof![4 => network, 1 => (0_u64..3).prop_map(device), 1 => (0_u64..3).prop_map(session), 1 => (1_u16..3).prop_map(flow)]
}

fn any_scope() -> impl Strategy<Value = Scope> {
    let endpoints = ["pay:GET /accounts/{id}", "pay:/**"].map(|text| Just(Scope::parse(text).unwrap()));
    let [one, two] = endpoints;
    prop_oneof![3 => Just(Scope::All), 3 => Just(Scope::named("pay")), 1 => one, 1 => two]
}

fn any_until() -> impl Strategy<Value = Option<Moment>> {
    prop_oneof![1 => Just(None), 4 => (1_u64..60).prop_map(|seconds| Some(after(seconds)))]
}

fn any_step() -> impl Strategy<Value = Step> {
    let limit = (1_u32..3).prop_map(|per_minute| (Action::Limit, Some(Rate { per_minute, burst: 1 })));
    let action = prop_oneof![Just((Action::Drop, None)), Just((Action::Observe, None)), limit];
    let block = (any_subject(), any_scope(), action, any_until(), any::<bool>());
    prop_oneof![
        6 => block.prop_map(|(subject, scope, (action, rate), until, shorten)| {
            Step::Block { subject, scope, action, rate, until, shorten }
        }),
        1 => Just(Step::Expire),
        1 => (any_subject(), 1_u64..9, any_until()).prop_map(|(subject, id, until)| Step::Restore { subject, id, until }),
        1 => (any_subject(), any_scope()).prop_map(|(subject, scope)| Step::Unblock { subject, scope }),
        1 => (0_usize..20).prop_map(Step::UnblockNth),
    ]
}

/// Does `step` to both.
fn step(ledger: &mut Ledger, naive: &mut Naive, step: Step, now: Moment) {
    match step {
        Step::Block { subject, scope, action, rate, until, shorten } => {
            let order = Order { subject, scope, action, rate, until, shorten, wide: true, note: note("x") };
            if let Ok(blocked) = ledger.block(order.clone(), now, 3) {
                naive.block(order, blocked.decision.id);
            }
        }
        Step::Expire => {
            let mut over: Vec<DecisionId> = ledger.expire(now).into_iter().map(|one| one.id).collect();
            over.sort();
            let is_over = |one: &Decision| one.until.is_some_and(|until| until <= now);
            let expected: Vec<DecisionId> =
                naive.sorted().iter().filter(|one| is_over(one)).map(|one| one.id).collect();
            naive.0.retain(|one| !is_over(one));
            assert_eq!(over, expected);
        }
        Step::Restore { subject, id, until } => {
            let (scope, action, note) = (Scope::All, Action::Drop, note("x"));
            let mut decision = Decision { id: DecisionId(id), subject, scope, action, rate: None, until, note };
            let replaced = naive.at(&decision.subject, &Scope::All).map(|at| naive.0.remove(at));
            assert_eq!(ledger.insert_raw(decision.clone()), replaced);
            let held = ledger.get(&decision.subject, &Scope::All).unwrap();
            assert!(held.id == decision.id || naive.0.iter().any(|one| one.id == decision.id));
            decision.id = held.id;
            naive.0.push(decision);
        }
        Step::Unblock { subject, scope } => {
            let expected = naive.at(&subject, &scope).map(|at| naive.0.remove(at));
            assert_eq!(ledger.unblock(&subject, &scope), expected);
        }
        Step::UnblockNth(nth) => {
            let id = naive.0.get(nth).map_or(DecisionId(u64::MAX), |one| one.id);
            let expected = (nth < naive.0.len()).then(|| naive.0.remove(nth));
            assert_eq!(ledger.unblock_id(id), expected);
        }
    }
}

proptest! {
    #[test]
    fn the_ledger_is_a_list_made_fast(
        steps in vec((any_step(), 0_u64..4), 0..60), probes in vec(any_address(), 4),
    ) {
        let (mut ledger, mut naive, mut now) = (Ledger::default(), Naive::default(), NOW);
        for (next, seconds) in steps {
            now = now.plus(Duration::from_secs(seconds));
            step(&mut ledger, &mut naive, next, now);
            let all = naive.sorted();
            prop_assert!(ledger.iter().eq(all.iter().cloned()));
            prop_assert_eq!(ledger.len(), all.len());
            for kind in SubjectKind::ALL {
                prop_assert_eq!(ledger.counts().of(*kind), all.iter().filter(|one| one.subject.kind() == *kind).count());
            }
            let spoken_of: BTreeSet<_> = all.iter().filter_map(|one| one.scope.endpoint()).collect();
            prop_assert!(ledger.endpoints().eq(spoken_of));
            for one in &all {
                prop_assert!(ledger.get(&one.subject, &one.scope).is_some_and(|held| held == *one));
                prop_assert!(ledger.by_id(one.id).is_some_and(|held| held == *one));
                prop_assert!(one.until.is_none_or(|until| ledger.next_expiry().is_some_and(|next| next <= until)));
            }
            for address in &probes {
                let found: Vec<DecisionId> = ledger.covering(*address).into_iter().map(|one| one.id).collect();
                prop_assert_eq!(found, naive.covering(*address));
            }
        }
    }
}
