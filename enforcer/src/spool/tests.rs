//! The spool on a real disk: torn ends, bounds, restarts.
use enforcer_policy::{EventKind, Moment};

use super::*;

const ID_ONE: &str = "00000000000000aa";

fn event(number: u64) -> Event {
    Event::new(EventKind::Notice, Moment(number), "test", format!("event {number}"))
}

fn open(folder: &Path, most: u64) -> Spool {
    Spool::open(folder, most, ID_ONE).unwrap()
}

/// Numbers of what waits, read as the courier does; `settle` is called after each piece.
fn drain(spool: &mut Spool, most: usize) -> Vec<u64> {
    let mut numbers = Vec::new();
    while let Some((path, after)) = spool.waiting() {
        let piece = read_after(&path, after, most, 1 << 20).unwrap();
        let events = piece.events.iter().map(|json| serde_json::from_slice::<Event>(json).unwrap().sequence);
        numbers.extend(events);
        spool.settle(piece.last, "00000000000000ff");
    }
    numbers
}

#[test]
fn what_was_pushed_comes_out_once_and_in_order_over_restarts() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path(), 1 << 20);
    (1..=100).for_each(|number| spool.push(event(number)));
    drop(spool);
    let mut spool = open(folder.path(), 1 << 20);
    assert_eq!(spool.counts().waiting, 100);
    spool.settle(40, ID_ONE);
    (101..=2000).for_each(|number| spool.push(event(number)));
    assert_eq!(drain(&mut spool, 7), (41..=2000).collect::<Vec<_>>());
    let counts = spool.counts();
    assert_eq!((counts.waiting, counts.delivered, counts.dropped), (0, 2000, 0));
    assert!(fs::read_dir(folder.path()).unwrap().count() <= 3, "delivered files stay");
    drop(spool);
    let mut spool = open(folder.path(), 1 << 20);
    spool.push(event(2001));
    spool.settle(2000, ID_ONE);
    assert_eq!(drain(&mut spool, 7), [2001]);
}

#[test]
fn a_torn_end_costs_only_itself() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path(), 1 << 20);
    (1..=10).for_each(|number| spool.push(event(number)));
    let path = spool.waiting().unwrap().0;
    drop(spool);
    let whole = fs::read(&path).unwrap();
    let mut ends = vec![0];
    while let Some(length) = whole.get(ends[ends.len() - 1]..ends[ends.len() - 1] + 4) {
        ends.push(ends[ends.len() - 1] + 8 + u32::from_le_bytes(length.try_into().unwrap()) as usize);
    }
    assert_eq!(ends.len(), 11);
    for cut in 0..whole.len() {
        fs::write(&path, &whole[..cut]).unwrap();
        let mut spool = open(folder.path(), 1 << 20);
        let left = spool.counts().waiting;
        let ended = ends.iter().skip(1).filter(|end| **end <= cut).count();
        assert_eq!(left, ended as u64, "cut at {cut}");
        spool.push(event(99));
        assert_eq!(drain(&mut spool, 3), (1..=left + 1).collect::<Vec<_>>());
    }
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    fs::write(&path, &flipped).unwrap();
    assert!(open(folder.path(), 1 << 20).counts().waiting < 10);
}

#[test]
fn the_oldest_give_way_and_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let most = 1 << 18;
    let mut spool = open(folder.path(), most);
    (1..=10_000).for_each(|number| spool.push(event(number)));
    let counts = spool.counts();
    assert!(counts.bytes <= most && counts.dropped > 0, "{counts:?}");
    assert_eq!(counts.waiting + counts.dropped, 10_000);
    let left = drain(&mut spool, 100);
    assert_eq!(left, (counts.dropped + 1..=10_000).collect::<Vec<_>>());
}

#[test]
fn a_center_that_knows_an_older_life_gets_a_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path(), 1 << 20);
    (1..=5).for_each(|number| spool.push(event(number)));
    assert_eq!(spool.id(), (ID_ONE, 0));
    spool.settle(2, ID_ONE);
    spool.settle(900, "00000000000000bb");
    assert_eq!((spool.id(), spool.counts().waiting), (("00000000000000bb", 2), 3));
    drop(spool);
    assert_eq!(open(folder.path(), 1 << 20).id(), ("00000000000000bb", 2));
}

#[test]
fn what_the_disk_refuses_leaves_a_gap() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path(), 1 << 20);
    spool.push(event(1));
    // A file that is only read stands for a disk that is full.
    let path = spool.waiting().unwrap().0;
    let writable = std::mem::replace(&mut spool.segments[0], Segment::create(folder.path(), 900).unwrap());
    spool.segments[0].stand_in(File::open(&path).unwrap(), &writable);
    spool.push(event(2));
    assert_eq!(spool.counts().dropped, 1);
    spool.segments[0] = writable;
    spool.push(event(3));
    assert_eq!(drain(&mut spool, 10), [1, 3]);
}
