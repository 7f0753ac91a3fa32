//! Who is served at which address: what is dropped there, others pay for. In: calls as filters see them. Out: whether several people live
//! behind an address. Never here: who they are.
use std::time::Duration;

use enforcer_common::SubjectKind;
use enforcer_policy::Moment;

use super::Seen;
use super::state::{Book, Distinct, Window};

/// Who is served at which address.
pub(super) struct Crowds {
    addresses: Book<Crowd>,
    regulars: Book<Regular>,
}

/// Who was served at an address.
#[derive(Default)]
struct Crowd {
    window: Window,
    people: Distinct<1>,
}

/// How often a device was served at an address, and since when.
struct Regular {
    since: Moment,
    served: u8,
}

impl Crowds {
    pub(super) fn new() -> Self {
        Self { addresses: Book::new(CROWDS), regulars: Book::new(REGULARS) }
    }

    /// Counts who is served at the address of a call; true when these are several.
    pub(super) fn count(&mut self, seen: &Seen<'_>) -> bool {
        let address = seen.address().key;
        let served = !seen.call.is_refused() && seen.call.status().is_some_and(|status| status < 300);
        let person = if served { self.person(address, seen) } else { None };
        let Some(person) = person else {
            return self.addresses.peek(address).is_some_and(|crowd| crowd.people.count() >= CROWD);
        };
        let crowd = self.addresses.entry(address);
        if crowd.window.turn(seen.now(), DAY) {
            crowd.people = Distinct::default();
        }
        crowd.people.add(person);
        crowd.people.count() >= CROWD
    }

    /// Whoever the server knows, or a device that has been served there for a while: names of devices are made up in no time.
    fn person(&mut self, address: u64, seen: &Seen<'_>) -> Option<u64> {
        let known = seen.key(SubjectKind::User).or_else(|| seen.key(SubjectKind::Session));
        if known.is_some() {
            return known;
        }
        let device = seen.key(SubjectKind::Device)?;
        let key = seen.seed.words(address, device);
        let regular = self.regulars.entry_with(key, || Regular { since: seen.now(), served: 0 });
        regular.served = regular.served.saturating_add(1);
        (regular.served >= OFTEN && regular.since.until(seen.now()) >= A_WHILE).then_some(device)
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.addresses.held_bytes() + self.regulars.held_bytes()
    }
}

/// Addresses whose people are counted.
const CROWDS: usize = 32_768;
/// People that are several.
const CROWD: u32 = 3;
/// Devices whose visits are counted.
const REGULARS: usize = 16_384;
/// Answers, and the time between the first and the last, after which a device is somebody.
const OFTEN: u8 = 8;
const A_WHILE: Duration = Duration::from_mins(1);
const DAY: Duration = Duration::from_hours(24);
