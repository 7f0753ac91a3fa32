//! What CrowdSec has decided, by id.
//!
//! In: answers and the time. Out: for each subject that changed, until when it is banned, or that it is not. Never here: what becomes of
//! it. Several ids may speak of one subject: it is banned until the last of them ends. Bounded by [`Book::most`].
use std::collections::{BTreeMap, BTreeSet, HashMap};

use enforcer_policy::Moment;

use super::stream::{Answer, Item, Who};

/// What should hold for a subject.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Wish {
    /// Banned until then.
    Ban(Who, Moment, String),
    /// No longer banned.
    Free(Who),
}

/// A full list that is not believed yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("CrowdSec's whole list has {now} decisions after {before}: it is believed when it says so again")]
pub struct Refused {
    /// Decisions before.
    pub before: usize,
    /// In the list.
    pub now: usize,
}

/// The decisions of CrowdSec.
#[derive(Debug)]
pub struct Book {
    items: HashMap<i64, (Who, Moment, String)>,
    by_who: BTreeMap<Who, BTreeSet<i64>>,
    most: usize,
    /// How many were in force before this book was opened.
    known: usize,
    doubted: bool,
    /// Items for which there was no room.
    pub without_room: u64,
}

impl Book {
    /// An empty one with room for so many; `known` are in force from an earlier life.
    pub fn new(most: usize, known: usize) -> Self {
        Self { items: HashMap::new(), by_who: BTreeMap::new(), most, known, doubted: false, without_room: 0 }
    }

    /// Takes a delta. Deletes first: they may be repeats of old ones. True beside the wishes: an id ended whose subject stays banned
    /// by another one, which a server that joins them may have forgotten to end: ask for the whole list next.
    pub fn take(&mut self, answer: Answer, now: Moment) -> (Vec<Wish>, bool) {
        let mut touched = BTreeSet::new();
        let mut doubtful = false;
        for id in answer.ended {
            if let Some(who) = self.forget(id) {
                doubtful |= self.by_who.contains_key(&who);
                touched.insert(who);
            }
        }
        for item in answer.new {
            touched.extend(self.learn(item, now));
        }
        (self.wishes(touched), doubtful)
    }

    /// Takes the whole list: what it does not name is over. One that shrank a lot is doubted once: a server whose database failed in the
    /// middle sends the beginning of a list as if it were all.
    pub fn take_whole(&mut self, answer: Answer, now: Moment) -> Result<Vec<Wish>, Refused> {
        let alive = self.items.values().filter(|(_, until, _)| *until > now).count().max(self.known);
        let shrank = alive >= SMALL && answer.new.len() < alive / 2;
        if shrank && !self.doubted {
            self.doubted = true;
            return Err(Refused { before: alive, now: answer.new.len() });
        }
        (self.doubted, self.known) = (false, 0);
        let mut touched: BTreeSet<Who> = std::mem::take(&mut self.by_who).into_keys().collect();
        self.items.clear();
        for item in answer.new {
            touched.extend(self.learn(item, now));
        }
        Ok(self.wishes(touched))
    }

    /// Forgets what has ended by itself.
    pub fn expire(&mut self, now: Moment) {
        let over: Vec<i64> = self.items.iter().filter(|(_, item)| item.1 <= now).map(|(id, _)| *id).collect();
        for id in over {
            self.forget(id);
        }
    }

    /// Subjects that are banned.
    pub fn len(&self) -> usize {
        self.by_who.len()
    }

    /// True when none is.
    pub fn is_empty(&self) -> bool {
        self.by_who.is_empty()
    }

    /// All that are banned.
    pub fn banned(&self) -> impl Iterator<Item = &Who> {
        self.by_who.keys()
    }

    fn learn(&mut self, item: Item, now: Moment) -> Option<Who> {
        let Item { id, who, lasts, reason } = item;
        if self.items.len() >= self.most && !self.items.contains_key(&id) {
            self.without_room += 1;
            return None;
        }
        self.forget(id);
        self.by_who.entry(who.clone()).or_default().insert(id);
        self.items.insert(id, (who.clone(), now.plus(lasts), reason));
        Some(who)
    }

    fn forget(&mut self, id: i64) -> Option<Who> {
        let (who, ..) = self.items.remove(&id)?;
        if let Some(ids) = self.by_who.get_mut(&who) {
            ids.remove(&id);
            if ids.is_empty() {
                self.by_who.remove(&who);
            }
        }
        Some(who)
    }

    /// What should hold for these.
    pub fn wishes(&self, touched: BTreeSet<Who>) -> Vec<Wish> {
        let wish = |who: Who| {
            let ids = self.by_who.get(&who).into_iter().flatten();
            let longest = ids.filter_map(|id| self.items.get(id)).max_by_key(|(_, until, _)| *until);
            match longest {
                Some((_, until, reason)) => Wish::Ban(who, *until, reason.clone()),
                None => Wish::Free(who),
            }
        };
        touched.into_iter().map(wish).collect()
    }
}

/// Fewer decisions than this may go at once.
const SMALL: usize = 50;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use enforcer_policy::parse_prefix;

    use super::*;

    fn who(number: u64) -> Who {
        Who::Ip(parse_prefix(&format!("192.0.{}.{}", number / 250, number % 250 + 1)).unwrap())
    }

    fn item(id: i64, number: u64, seconds: u64) -> Item {
        Item { id, who: who(number), lasts: Duration::from_secs(seconds), reason: format!("{id}") }
    }

    fn answer(new: impl IntoIterator<Item = Item>, ended: &[i64]) -> Answer {
        Answer { new: new.into_iter().collect(), ended: ended.to_vec(), ..Answer::default() }
    }

    fn ban(number: u64, until: u64, id: i64) -> Wish {
        Wish::Ban(who(number), Moment(until), format!("{id}"))
    }

    #[test]
    fn a_subject_is_banned_until_its_last_id_ends() {
        let mut book = Book::new(10, 0);
        let (wishes, _) = book.take(answer([item(1, 1, 10), item(2, 1, 30), item(3, 2, 5)], &[]), Moment(0));
        assert_eq!(wishes, [ban(1, 30_000, 2), ban(2, 5000, 3)]);
        assert_eq!(book.take(answer([], &[2]), Moment(0)), (vec![ban(1, 10_000, 1)], true));
        assert_eq!(book.take(answer([], &[2, 77]), Moment(0)), (vec![], false), "a repeat changes nothing");
        assert_eq!(book.take(answer([], &[1]), Moment(0)), (vec![Wish::Free(who(1))], false));
        // Ended and made anew in one answer.
        assert_eq!(book.take(answer([item(4, 2, 9)], &[3]), Moment(0)), (vec![ban(2, 9000, 4)], false));
        book.expire(Moment(9000));
        assert!(book.is_empty());
    }

    #[test]
    fn the_whole_list_ends_what_it_does_not_name_and_a_short_one_is_doubted_once() {
        let mut book = Book::new(1000, 70);
        let list = |count| answer((1..=count).map(|id| item(id, id.unsigned_abs(), 60)), &[]);
        assert_eq!(book.take_whole(list(9), Moment(0)).unwrap_err(), Refused { before: 70, now: 9 });
        assert_eq!(book.take_whole(list(100), Moment(0)).unwrap().len(), 100);
        let free = book.take_whole(list(90), Moment(0)).unwrap();
        assert_eq!(free.iter().filter(|wish| matches!(wish, Wish::Free(_))).count(), 10);
        assert_eq!(book.take_whole(list(3), Moment(0)).unwrap_err(), Refused { before: 90, now: 3 });
        assert_eq!(book.len(), 90);
        book.take_whole(list(3), Moment(0)).unwrap();
        assert_eq!(book.len(), 3);
    }

    #[test]
    fn there_is_room_for_so_many_and_no_more() {
        let mut book = Book::new(5, 0);
        book.take(answer((1..=9).map(|id| item(id, id.unsigned_abs(), 60)), &[]), Moment(0));
        assert_eq!((book.len(), book.without_room), (5, 4));
        book.take(answer([item(1, 1, 90)], &[]), Moment(0));
        assert_eq!(book.without_room, 4, "one that is known needs no room");
    }
}
