//! Thirty kinds of bad revisions, a thousand of each: none is accepted, and the policy before stays as it was, to the bit.
//!
//! In: a center's history, and one way to spoil a delivery per kind. Out: the flaws that were found, by kind.
#![expect(clippy::unwrap_used, reason = "helpers of tests: what cannot be built fails them")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use enforcer_policy::document::Base;
use enforcer_policy::revision::{
    Content, Delta, Digest, EVERYONE, Entry, Flaw, Head, Replica, Signed, Signer, deliver_delta, deliver_snapshot, path,
};
use enforcer_policy::{Action, Decision, DecisionId, Moment, Note, Origin, Scope, Subject, parse_prefix};

const NOW: Moment = Moment(1_800_000_000_000);
const DAY: u64 = 86_400_000;
const MUTANTS: u64 = 1000;
/// The host has this revision.
const HOST: u64 = 5;
/// The center has this one.
const CENTER: u64 = 12;

/// Small and the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % most.max(1)
    }
}

/// A center with a history.
struct Center {
    signer: Signer,
    heads: BTreeMap<u64, Signed>,
    contents: BTreeMap<u64, Content>,
}

impl Center {
    fn new(seed: u8, revisions: u64, salt: u64) -> Self {
        let mut center =
            Self { signer: Signer::from_seed(&[seed; 32]), heads: BTreeMap::new(), contents: BTreeMap::new() };
        center.contents.insert(0, Content::default());
        for number in 1..=revisions {
            let mut content = center.contents[&(number - 1)].clone();
            let remove = if number.is_multiple_of(4) { vec![DecisionId((number - 1) << 20)] } else { Vec::new() };
            content.apply(Delta { base: None, put: vec![Arc::new(entry(number, salt))], remove });
            center.publish(number, content);
        }
        center
    }

    fn publish(&mut self, number: u64, mut content: Content) {
        let head = self.head(number, &mut content);
        self.heads.insert(number, head.sign(&self.signer).unwrap());
        self.contents.insert(number, content);
    }

    fn head(&self, number: u64, content: &mut Content) -> Head {
        Head {
            number,
            previous: self.hash(number - 1),
            ancestor: self.hash(Head::ancestor_of(number)),
            author: "ada".to_owned(),
            approver: Some("grace".to_owned()),
            comment: format!("revision {number}"),
            made: NOW,
            not_after: NOW.plus(std::time::Duration::from_millis(DAY)),
            group: EVERYONE.to_owned(),
            content: content.digest(),
            decisions: content.len() as u64,
        }
    }

    fn hash(&self, number: u64) -> Digest {
        self.heads.get(&number).map_or_else(Digest::default, Signed::hash)
    }

    fn path(&self, target: u64, known: u64) -> Vec<Signed> {
        path(target, known).iter().map(|number| self.heads[number].clone()).collect()
    }

    fn delta(&self, target: u64, from: u64) -> Vec<u8> {
        let delta = self.contents[&from].delta_to(&self.contents[&target]);
        deliver_delta(&self.signer, from, &self.path(target, from), &delta).unwrap()
    }

    fn snapshot(&self, target: u64, known: u64) -> Vec<u8> {
        let snapshot = Delta::snapshot(&self.contents[&target]);
        deliver_snapshot(&self.signer, known, &self.path(target, known), &snapshot).unwrap()
    }

    fn replica(&self, number: u64) -> Replica {
        let mut replica = Replica::new(self.signer.public());
        if number > 0 {
            replica.accept(&self.snapshot(number, 0), &[], Some(NOW)).unwrap();
        }
        replica
    }
}

fn entry(number: u64, salt: u64) -> Entry {
    let subject = Subject::Ip(parse_prefix(&format!("198.51.{salt}.{number}")).unwrap());
    let note = Note {
        reason: format!("reason {number}"),
        origin: Origin::Center,
        approved_by: "ada".to_owned(),
        created: NOW,
    };
    let (id, until) = (DecisionId(number << 20), Some(NOW.plus(std::time::Duration::from_hours(number))));
    let decision =
        Decision { id, subject, scope: Scope::All, action: Action::Drop, rate: None, until, note: Arc::new(note) };
    Entry { decision, groups: Vec::new(), written: false }
}

/// One way to spoil a delivery.
type Kind = fn(&World, &mut Dice) -> Vec<u8>;

/// The center, and others that are not it.
struct World {
    center: Center,
    stranger: Center,
    /// The center after it was restored from a backup of revision 3: the same key, another history.
    restored: Center,
    good: Vec<u8>,
    whole: Vec<u8>,
}

impl World {
    fn new() -> Self {
        let center = Center::new(1, CENTER, 0);
        let mut restored = Center::new(1, 3, 0);
        for number in 4..=20 {
            let mut content = restored.contents[&(number - 1)].clone();
            content.apply(Delta { put: vec![Arc::new(entry(number, 9))], ..Delta::default() });
            restored.publish(number, content);
        }
        let (good, whole) = (center.delta(CENTER, HOST), center.snapshot(CENTER, HOST));
        Self { center, stranger: Center::new(2, CENTER, 0), restored, good, whole }
    }

    /// A revision that follows the center's last but for what `change` does to its head, correctly signed.
    fn signed(&self, change: impl FnOnce(&mut Head)) -> Vec<u8> {
        let center = &self.center;
        let mut head = center.head(CENTER + 1, &mut center.contents[&CENTER].clone());
        change(&mut head);
        let mut heads = vec![head.sign(&center.signer).unwrap()];
        heads.extend(path(CENTER + 1, HOST)[1..].iter().map(|number| center.heads[number].clone()));
        let delta = center.contents[&HOST].delta_to(&center.contents[&CENTER]);
        deliver_delta(&center.signer, HOST, &heads, &delta).unwrap()
    }

    /// A correctly signed frame with a wrong body.
    fn body(&self, change: impl FnOnce(&mut Delta)) -> Vec<u8> {
        let mut delta = self.center.contents[&HOST].delta_to(&self.center.contents[&CENTER]);
        change(&mut delta);
        deliver_delta(&self.center.signer, HOST, &self.center.path(CENTER, HOST), &delta).unwrap()
    }

    /// A correctly signed frame with wrong heads.
    fn heads(&self, change: impl FnOnce(&mut Vec<Signed>)) -> Vec<u8> {
        let mut heads = self.center.path(CENTER, HOST);
        change(&mut heads);
        let delta = self.center.contents[&HOST].delta_to(&self.center.contents[&CENTER]);
        deliver_delta(&self.center.signer, HOST, &heads, &delta).unwrap()
    }
}

/// Before the heads.
const FRONT: usize = 35;

fn flipped(bytes: &[u8], from: usize, to: usize, dice: &mut Dice) -> Vec<u8> {
    let (mut bytes, at) = (bytes.to_vec(), from + dice.below(to - from));
    bytes[at] ^= 1 << dice.below(8);
    bytes
}

fn heads_end(bytes: &[u8]) -> usize {
    FRONT + u32::from_be_bytes(bytes[23..27].try_into().unwrap()) as usize
}

const KINDS: [(&str, Kind); 30] = [
    ("a bit of the front", |world, dice| flipped(&world.good, 0, FRONT, dice)),
    ("a bit of the heads", |world, dice| flipped(&world.good, FRONT, heads_end(&world.good), dice)),
    ("a bit of the body", |world, dice| flipped(&world.good, heads_end(&world.good), world.good.len() - 64, dice)),
    ("a bit of the signature", |world, dice| flipped(&world.good, world.good.len() - 64, world.good.len(), dice)),
    ("a bit of a snapshot", |world, dice| flipped(&world.whole, 0, world.whole.len(), dice)),
    ("several bytes", |world, dice| {
        let mut bytes = world.good.clone();
        for _ in 0..2 + dice.below(6) {
            let at = dice.below(bytes.len());
            bytes[at] = bytes[at].wrapping_add(1 + u8::try_from(dice.below(255)).unwrap());
        }
        bytes
    }),
    ("truncated", |world, dice| world.good[..dice.below(world.good.len())].to_vec()),
    ("truncated in front", |world, dice| world.good[1 + dice.below(world.good.len() - 1)..].to_vec()),
    ("bytes appended", |world, dice| {
        let mut bytes = world.good.clone();
        bytes.extend(vec![u8::try_from(dice.below(256)).unwrap(); 1 + dice.below(200)]);
        bytes
    }),
    ("a piece cut out", |world, dice| {
        let mut bytes = world.good.clone();
        let at = dice.below(bytes.len() - 1);
        bytes.drain(at..(at + 1 + dice.below(80)).min(bytes.len()));
        bytes
    }),
    ("a piece twice", |world, dice| {
        let mut bytes = world.good.clone();
        let at = dice.below(bytes.len() - 1);
        let piece: Vec<u8> = bytes[at..(at + 1 + dice.below(80)).min(bytes.len())].to_vec();
        bytes.splice(at..at, piece);
        bytes
    }),
    ("the signature stripped", |world, dice| world.good[..world.good.len() - 1 - dice.below(64)].to_vec()),
    ("the signature of another delivery", |world, dice| {
        let other = world.center.delta(CENTER - 1 - dice.below(4) as u64, HOST);
        [&world.good[..world.good.len() - 64], &other[other.len() - 64..]].concat()
    }),
    ("the body of another delivery", |world, dice| {
        let other = world.center.delta(CENTER - 1 - dice.below(4) as u64, HOST);
        let mut bytes = world.good[..heads_end(&world.good)].to_vec();
        bytes.extend(&other[heads_end(&other)..]);
        bytes
    }),
    ("signed by a stranger", |world, dice| world.stranger.delta(HOST + 1 + dice.below(7) as u64, HOST)),
    ("a stranger's, with our key's id", |world, dice| {
        let mut bytes = world.stranger.delta(HOST + 1 + dice.below(7) as u64, HOST);
        bytes[7..15].copy_from_slice(&world.good[7..15]);
        bytes
    }),
    ("replayed", |world, dice| {
        let target = 1 + dice.below(5) as u64;
        let from = dice.below(usize::try_from(target).unwrap()) as u64;
        if dice.below(2) == 0 { world.center.delta(target, from) } else { world.center.snapshot(target, from) }
    }),
    ("forked by a restored backup", |world, dice| {
        let target = HOST + 1 + dice.below(15) as u64;
        if dice.below(2) == 0 { world.restored.snapshot(target, HOST) } else { world.restored.delta(target, HOST) }
    }),
    ("a snapshot that names no ancestors", |world, dice| world.center.snapshot(HOST + 2 + dice.below(6) as u64, 0)),
    ("a delta of another revision", |world, dice| {
        let from = [1, 2, 3, 4, 6, 7, 8][dice.below(7)];
        world.center.delta(9 + dice.below(4) as u64, from)
    }),
    ("heads in another order", |world, dice| {
        world.heads(|heads| {
            let others = dice.below(3);
            heads.extend((6..=8 + others as u64).map(|number| world.center.heads[&number].clone()));
            heads.reverse();
        })
    }),
    ("a head missing", |world, dice| {
        // From 5 to 11 the path has at least two heads.
        let (target, known) = (11, HOST);
        let mut heads = world.center.path(target, known);
        heads.remove(1 + dice.below(heads.len() - 1));
        let delta = world.center.contents[&known].delta_to(&world.center.contents[&target]);
        deliver_delta(&world.center.signer, known, &heads, &delta).unwrap()
    }),
    ("a stranger's head among ours", |world, dice| {
        world.heads(|heads| heads.insert(dice.below(heads.len() + 1), world.stranger.heads[&6].clone()))
    }),
    ("no head", |world, dice| {
        world.heads(|heads| {
            heads.clear();
            heads.extend((0..dice.below(3)).map(|_| Signed::from_bytes(Vec::new())));
        })
    }),
    ("expired", |world, dice| {
        let ago = dice.below(1_000_000) as u64;
        world.signed(|head| head.not_after = Moment(NOW.0 - ago))
    }),
    ("made in the future", |world, dice| {
        let later = 301_000 + dice.below(1_000_000) as u64;
        world.signed(|head| head.made = Moment(NOW.0 + later))
    }),
    ("for another group", |world, dice| world.signed(|head| head.group = format!("group-{}", dice.below(1000)))),
    ("another content than signed", |world, dice| {
        let at = dice.below(32);
        if dice.below(2) == 0 {
            world.signed(|head| head.content.0[at] ^= 1)
        } else {
            world.signed(|head| head.decisions += 1 + at as u64)
        }
    }),
    ("another body than signed", |world, dice| {
        world.body(|delta| match dice.below(4) {
            0 => drop(delta.put.pop()),
            1 => delta.remove.push(DecisionId(HOST << 20)),
            2 => delta.put.push(Arc::new(entry(100 + dice.below(100) as u64, 7))),
            _ => {
                let number = dice.below(1000);
                let group = (format!("group-{number}"), BTreeSet::new());
                delta.base = Some(Base { groups: [group].into(), ..Base::default() });
            }
        })
    }),
    ("a newer schema", |world, dice| {
        let mut bytes = world.good.clone();
        let schema = u16::try_from(2 + dice.below(60_000)).unwrap();
        bytes[4..6].copy_from_slice(&schema.to_be_bytes());
        bytes
    }),
];

#[test]
fn no_mutant_is_accepted_and_the_policy_stays() {
    let world = World::new();
    let mut replica = world.center.replica(HOST);
    let before = (replica.known(), replica.decisions_digest(), replica.content().len());
    let mut found: BTreeMap<&str, BTreeMap<&str, u64>> = BTreeMap::new();
    for (at, (name, spoil)) in KINDS.iter().enumerate() {
        let mut dice = Dice(at as u64);
        for _ in 0..MUTANTS {
            let mutant = spoil(&world, &mut dice);
            let flaw = replica.accept(&mutant, &["edge".to_owned()], Some(NOW)).err();
            let flaw = flaw.unwrap_or_else(|| panic!("a mutant was accepted: {name}"));
            *found.entry(name).or_default().entry(flaw.name()).or_default() += 1;
            assert_eq!((replica.known(), replica.content().len()), (before.0, before.2), "{name}");
        }
        assert_eq!(replica.decisions_digest(), before.1, "{name}");
    }
    assert_eq!((found.len(), found.values().flat_map(BTreeMap::values).sum::<u64>()), (30, 30_000), "{found:?}");
    // The sound one is still welcome, as a delta and, from the beginning, as a snapshot.
    replica.accept(&world.good, &[], Some(NOW)).unwrap();
    world.center.replica(HOST).accept(&world.whole, &[], Some(NOW)).unwrap();
}

#[test]
fn each_kind_is_refused_for_its_own_reason() {
    let world = World::new();
    let reason = |name: &str| {
        let (_, spoil) = KINDS.iter().find(|(known, _)| *known == name).unwrap();
        world.center.replica(HOST).accept(&spoil(&world, &mut Dice(7)), &[], Some(NOW)).unwrap_err()
    };
    assert_eq!(reason("a newer schema").name(), "newer_schema");
    assert_eq!(reason("signed by a stranger"), Flaw::OtherKey);
    assert_eq!(reason("a stranger's, with our key's id"), Flaw::Signature);
    assert_eq!(reason("forked by a restored backup"), Flaw::Forked { known: HOST });
    assert_eq!(reason("replayed").name(), "lower");
    assert_eq!(reason("expired"), Flaw::Expired);
    assert_eq!(reason("made in the future"), Flaw::Future);
    assert_eq!(reason("for another group"), Flaw::Group);
    assert_eq!(reason("another content than signed"), Flaw::Content);
    assert_eq!(reason("another body than signed"), Flaw::Content);
    assert_eq!(reason("truncated"), Flaw::Truncated);
    assert_eq!(reason("bytes appended"), Flaw::TooLarge);
}

#[test]
fn every_host_comes_to_every_revision_and_back() {
    let center = Center::new(1, 40, 0);
    for from in 0..40 {
        for target in from + 1..=40 {
            let mut replica = center.replica(from);
            let before = (replica.known(), replica.decisions_digest());
            let bytes = if from == 0 { center.snapshot(target, 0) } else { center.delta(target, from) };
            let accepted =
                replica.accept(&bytes, &[], Some(NOW)).unwrap_or_else(|flaw| panic!("{from} {target}: {flaw}"));
            assert_eq!((replica.known().number, replica.known().hash), (target, center.hash(target)));
            let heads = path(target, from);
            assert!(heads.len() <= 12, "{from} to {target} takes {heads:?}");
            replica.undo(accepted);
            assert_eq!((replica.known(), replica.decisions_digest()), before);
        }
    }
}

#[test]
fn the_way_from_far_behind_is_short() {
    let longest =
        (1..5000).flat_map(|known| [path(1_000_000, known * 200), path(1_000_000, known)]).map(|way| way.len()).max();
    assert!(longest <= Some(64), "{longest:?} heads");
}

#[test]
fn what_has_become_too_old_meanwhile_still_comes_from_the_hosts_own_disk() {
    let center = Center::new(1, 3, 0);
    let late = Moment(NOW.0 + 2 * DAY);
    let mut replica = Replica::new(center.signer.public());
    assert_eq!(replica.accept(&center.snapshot(3, 0), &[], Some(late)).unwrap_err(), Flaw::Expired);
    replica.accept(&center.snapshot(3, 0), &[], None).unwrap();
}
