//! Whom a list may never hit.
//!
//! In: networks with whose they are, the widest that is taken, a list. Out: its networks, sorted, each once and none inside another;
//! and every entry that was removed, with why and because of whom. Never here: who is guarded (host and center say that).
//!
//! An entry that holds a guarded network is removed whole, not split around it. A list that names our proxy, or a /8 in which it
//! lies, is wrong about that network, and the rest of it says no more than that; splitting a /8 around one host would make
//! twenty-four decisions that nobody has written, and block nearly all of what was a mistake. Who wants the rest decides so by hand.
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use enforcer_common::{Address, Prefix};
use serde::Serialize;

use super::change::Size;
use super::index::{Index, Touch};
use super::reader::Flaw;
use super::special::{Special, table};
use super::whole::{List, REPORTED};

/// What a list may hold.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Networks that must never be hit, and whose they are.
    pub guarded: Vec<(Prefix, Cow<'static, str>)>,
    /// Which networks that belong to nobody are removed.
    pub special: Special,
    /// The shortest length of an IPv4 network.
    pub widest_v4: u8,
    /// The shortest length of an IPv6 network.
    pub widest_v6: u8,
    /// Networks of a whole list, after all else.
    pub most: u64,
    /// IPv4 addresses of a whole list, after all else.
    pub most_addresses: u64,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            guarded: Vec::new(),
            special: Special::All,
            widest_v4: 10,
            widest_v6: 20,
            most: 500_000,
            // A thirty-second of all there are: no list of attackers has more.
            most_addresses: 1 << 27,
        }
    }
}

impl Rules {
    /// Guards a network.
    pub fn guard(&mut self, network: Prefix, whose: impl Into<Cow<'static, str>>) {
        self.guarded.push((network, whose.into()));
    }
}

/// Why an entry is removed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Removal {
    /// It holds all of IPv4, or of IPv6.
    Everything,
    /// It holds, or lies in, a network that must never be hit.
    Guarded {
        /// That network.
        network: Prefix,
        /// Whose it is.
        whose: Cow<'static, str>,
        /// It holds all of it, and more.
        holds: bool,
    },
    /// It holds, or lies in, a network that belongs to nobody on the Internet.
    Special {
        /// That network.
        network: Prefix,
        /// What it is for.
        what: &'static str,
        /// It holds all of it, and more.
        holds: bool,
    },
    /// It is wider than allowed.
    TooWide {
        /// The shortest length that is taken.
        widest: u8,
    },
}

impl Removal {
    /// A word for counts.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Everything => "everything",
            Self::Guarded { .. } => "guarded",
            Self::Special { .. } => "special",
            Self::TooWide { .. } => "too_wide",
        }
    }
}

impl fmt::Display for Removal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let touch = |holds: &bool| if *holds { "holds" } else { "lies in" };
        match self {
            Self::Everything => write!(f, "is everything"),
            Self::Guarded { network, whose, holds } => write!(f, "{} {network}: {whose}", touch(holds)),
            Self::Special { network, what, holds } => write!(f, "{} {network}: {what}", touch(holds)),
            Self::TooWide { widest } => write!(f, "wider than /{widest}, the widest that is taken"),
        }
    }
}

/// Judges one network after the other.
#[derive(Clone, Debug)]
pub struct Lint {
    rules: Rules,
    guarded: Index,
    special: Index,
    rows: Vec<super::special::Row>,
}

impl Lint {
    /// By these rules.
    pub fn new(rules: Rules) -> Self {
        let networks: Vec<Prefix> = rules.guarded.iter().map(|(network, _)| *network).collect();
        let rows = table();
        let special: Vec<Prefix> = rows.iter().map(|row| row.network).collect();
        Self { guarded: Index::of(&networks), special: Index::of(&special), rules, rows }
    }

    /// Why a network is not taken; nothing when it is.
    pub fn removes(&self, network: Prefix) -> Option<Removal> {
        if !network.is_v4() && (network.length() == 0 || network.contains(Address::v4([0; 4]))) || is_all_v4(network) {
            return Some(Removal::Everything);
        }
        self.is_guarded(network).or_else(|| self.is_special(network)).or_else(|| self.is_wide(network))
    }

    fn is_guarded(&self, network: Prefix) -> Option<Removal> {
        let (at, holds) = apart(self.guarded.touched(network)?);
        let (guarded, whose) = self.rules.guarded.get(at)?;
        Some(Removal::Guarded { network: *guarded, whose: whose.clone(), holds })
    }

    fn is_special(&self, network: Prefix) -> Option<Removal> {
        let (at, holds) = apart(self.special.touched(network)?);
        let row = self.rows.get(at)?;
        let narrow = length(network) >= if network.is_v4() { 24 } else { 48 };
        let taken = self.rules.special == Special::Wide && row.inside && narrow && !holds && network != row.network;
        (!taken).then_some(Removal::Special { network: row.network, what: row.what, holds })
    }

    fn is_wide(&self, network: Prefix) -> Option<Removal> {
        let widest = if network.is_v4() { self.rules.widest_v4 } else { self.rules.widest_v6 };
        (length(network) < widest).then_some(Removal::TooWide { widest })
    }

    /// The networks of a whole list that may be hit.
    pub fn list(&self, list: &List) -> Linted {
        let excepted = self.clone_for(list);
        let judge = excepted.as_ref().unwrap_or(self);
        let mut linted = Linted { flaw: list.flaw, ..Linted::default() };
        let mut networks = Vec::with_capacity(list.entries.len());
        for entry in &list.entries {
            match judge.removes(entry.network) {
                None => networks.push(entry.network),
                Some(why) => linted.remove(Removed { line: entry.line, network: entry.network, why }),
            }
        }
        linted.fold(networks);
        linted.flaw = linted.flaw.or_else(|| self.too_much(&linted));
        linted
    }

    /// With what the list itself excepts among the guarded.
    fn clone_for(&self, list: &List) -> Option<Self> {
        let mut rules = (!list.excepted.is_empty()).then(|| self.rules.clone())?;
        for entry in &list.excepted {
            rules.guard(entry.network, "excepted by the list itself (nomatch)");
        }
        Some(Self::new(rules))
    }

    fn too_much(&self, linted: &Linted) -> Option<Flaw> {
        let bounds = [
            ("networks", linted.networks.len() as u64, self.rules.most),
            ("IPv4 addresses", linted.addresses, self.rules.most_addresses),
        ];
        let over = bounds.into_iter().find(|(_, found, limit)| found > limit);
        over.map(|(what, _, limit)| Flaw::TooLarge { what, limit })
    }
}

/// A line that is not taken, for whoever has to mend the list.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct NotTaken {
    /// Which.
    pub line: u64,
    /// What it names, when it could be read.
    pub network: Option<String>,
    /// Why.
    pub why: String,
}

impl fmt::Display for NotTaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: ", self.line)?;
        self.network.iter().try_for_each(|network| write!(f, "{network} "))?;
        f.write_str(&self.why)
    }
}

/// An entry that was removed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Removed {
    /// Its line.
    pub line: u64,
    /// What it names.
    pub network: Prefix,
    /// Why.
    pub why: Removal,
}

/// What is left of a list.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Linted {
    /// Its networks, in order, none inside another.
    pub networks: Vec<Prefix>,
    /// IPv4 addresses in them.
    pub addresses: u64,
    /// Entries that were there more than once.
    pub duplicates: u64,
    /// Entries inside of wider ones.
    pub inside: u64,
    /// Removed entries by [`Removal::name`].
    pub removed: BTreeMap<&'static str, u64>,
    /// The first of them.
    pub first_removed: Vec<Removed>,
    /// Why the list as a whole is not to be believed.
    pub flaw: Option<Flaw>,
}

impl Linted {
    /// How large it is.
    pub const fn size(&self) -> Size {
        Size { networks: self.networks.len() as u64, addresses: self.addresses }
    }

    /// The first lines that could not be read or were removed, in order.
    pub fn not_taken(&self, list: &List) -> Vec<NotTaken> {
        let rejected = list.first_rejected.iter();
        let rejected = rejected.map(|(line, why)| NotTaken { line: *line, network: None, why: why.to_string() });
        let removed = self.first_removed.iter().map(|one| NotTaken {
            line: one.line,
            network: Some(one.network.to_string()),
            why: one.why.to_string(),
        });
        let mut not_taken: Vec<NotTaken> = rejected.chain(removed).collect();
        not_taken.sort_by_key(|one| one.line);
        not_taken
    }

    fn remove(&mut self, removed: Removed) {
        *self.removed.entry(removed.why.name()).or_default() += 1;
        if self.first_removed.len() < REPORTED {
            self.first_removed.push(removed);
        }
    }

    /// Each network once, and none that another one holds: in order, a wider one comes before those in it.
    fn fold(&mut self, mut networks: Vec<Prefix>) {
        networks.sort_unstable();
        let mut kept: Option<Prefix> = None;
        networks.retain(|network| match kept {
            Some(wider) if wider.contains(network.address()) => {
                *if wider == *network { &mut self.duplicates } else { &mut self.inside } += 1;
                false
            }
            _ => {
                kept = Some(*network);
                true
            }
        });
        self.addresses = networks.iter().copied().fold(Size::default(), Size::with).addresses;
        self.networks = networks;
    }
}

/// The length as its family counts it.
const fn length(network: Prefix) -> u8 {
    if network.is_v4() { network.length() - 96 } else { network.length() }
}

const fn is_all_v4(network: Prefix) -> bool {
    network.is_v4() && network.length() == 96
}

const fn apart(touch: Touch) -> (usize, bool) {
    match touch {
        Touch::Holds(at) => (at, true),
        Touch::Within(at) => (at, false),
    }
}
