//! Whose objects are whose. In: objects that were read, and by whom. Out: how many owners' private objects a caller has read.
//! Never here: objects that everybody reads: an endpoint whose objects are shared has no owners.
use crate::filters::state::{Book, Steps};
use crate::filters::{Distinct, Object, Party, Seen};

/// Owners of objects: who read one first.
pub(super) struct Owners {
    objects: Book<Owner>,
    spots: Book<Privacy>,
    foreign: Book<Foreign>,
}

#[derive(Default)]
struct Owner {
    key: u64,
    shared: bool,
}

/// How private the objects of an endpoint are.
#[derive(Default)]
struct Privacy {
    own: u32,
    foreign: u32,
    readers: Distinct<2>,
}

/// What a caller read of others on an endpoint.
#[derive(Default)]
struct Foreign {
    owners: Distinct<2>,
    told: Steps,
}

impl Owners {
    pub(super) fn new(objects: usize, callers: usize) -> Self {
        Self { objects: Book::new(objects), spots: Book::new(SPOTS), foreign: Book::new(callers) }
    }

    /// Someone read an object. How many owners' objects it has read, when that is a step from `first` on.
    pub(super) fn read(&mut self, seen: &Seen<'_>, who: &Party, object: Object, first: u32) -> Option<u32> {
        let spot = seen.spot.key;
        let owner = self.objects.entry(seen.seed.words(object.digest, spot));
        let privacy = self.spots.entry(spot);
        if owner.key == 0 {
            (owner.key, owner.shared) = (who.key, false);
        }
        if owner.key == who.key {
            privacy.count(true, who.key);
            return None;
        }
        // Once told, what a caller does is not what is usual.
        let foreign = self.foreign.entry(seen.seed.words(who.key, spot));
        if foreign.told == Steps::default() && !owner.shared {
            privacy.count(false, who.key);
        }
        owner.shared = true;
        foreign.owners.add(owner.key);
        let count = foreign.owners.count();
        (privacy.is_private() && foreign.told.reach(count, first)).then_some(count)
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.objects.held_bytes() + self.spots.held_bytes() + self.foreign.held_bytes()
    }

    pub(super) const fn forgotten(&self) -> u64 {
        self.objects.forgotten() + self.spots.forgotten() + self.foreign.forgotten()
    }
}

impl Privacy {
    fn count(&mut self, own: bool, reader: u64) {
        if self.own + self.foreign >= FADES {
            (self.own, self.foreign) = (self.own / 2, self.foreign / 2);
        }
        *(if own { &mut self.own } else { &mut self.foreign }) += 1;
        self.readers.add(reader);
    }

    /// Hardly anybody reads what others read.
    const fn is_private(&self) -> bool {
        self.own >= ENOUGH && self.readers.count() >= READERS && self.foreign * 25 <= self.own
    }
}

/// Endpoints that are remembered.
const SPOTS: usize = 2_048;
/// Reads before an endpoint is called private.
const ENOUGH: u32 = 200;
/// Readers before an endpoint is called private.
const READERS: u32 = 10;
/// More reads than this, and the old ones fade.
const FADES: u32 = 20_000;
