//! Answers of CrowdSec's local API: any bytes are a list of decisions or an error; its book stays within its bounds, an answer that comes
//! again changes nothing, and in the end nobody is banned.
#![no_main]

use std::collections::{BTreeMap, BTreeSet};

use enforcer_crowdsec::{Answer, Book, Who, Wish};
use enforcer_policy::Moment;
use libfuzzer_sys::fuzz_target;

const NOW: Moment = Moment(1_800_000_000_000);
const ROOM: usize = 3;

fuzz_target!(|data: &[u8]| {
    let Ok(answer) = Answer::read(data) else { return };
    let mut small = Book::new(ROOM, 0);
    small.take(answer.clone(), NOW);
    assert!(small.len() <= ROOM);
    let mut book = Book::new(data.len(), 0);
    let (wishes, _) = book.take(answer.clone(), NOW);
    let banned = held(&book);
    for wish in wishes {
        match wish {
            Wish::Ban(who, until, _) => assert!(banned.contains(&who) && until > NOW),
            Wish::Free(who) => assert!(!banned.contains(&who)),
        }
    }
    book.take(answer.clone(), NOW);
    assert_eq!(held(&book), banned);
    // Of several with one id the last one counts.
    let named: BTreeMap<i64, Who> = answer.new.iter().map(|item| (item.id, item.who.clone())).collect();
    book.take_whole(answer, NOW).expect("it is no shorter than before");
    assert_eq!(held(&book), named.into_values().collect());
    book.expire(Moment(u64::MAX));
    assert!(book.is_empty());
});

fn held(book: &Book) -> BTreeSet<Who> {
    book.banned().cloned().collect()
}
