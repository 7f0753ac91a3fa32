//! What comes back from a journal: after a clean end, a crash at any byte, a damaged byte, a full disk.
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use enforcer_common::{Address, AllowKind, FlowKey, Rate};
use enforcer_policy::{Origin, Subject, Token};
use proptest::prelude::*;
use tempfile::{TempDir, tempdir};

use super::frame::HEADER;
use super::replay::scan;
use super::*;

fn note(reason: &str) -> Arc<Note> {
    let (reason, approved_by) = (reason.to_owned(), "ops".to_owned());
    Arc::new(Note { reason, origin: Origin::Cli, approved_by, created: Moment(1_700_000_000_000) })
}

fn v4(last: u8) -> Prefix {
    Prefix::host(Address::v4([192, 0, 2, last]))
}

fn decision(id: u64, subject: Subject) -> Decision {
    let until = id.is_multiple_of(2).then_some(Moment(id * 1000));
    let (scope, action, note) = (Scope::All, Action::Drop, note("test"));
    Decision { id: DecisionId(id), subject, scope, action, rate: None, until, note }
}

fn many(items: impl IntoIterator<Item = (u64, Prefix)>) -> Record {
    let items = items.into_iter().map(|(id, prefix)| (DecisionId(id), prefix)).collect();
    Record::PutMany { note: note("list"), scope: Scope::All, action: Action::Observe, until: None, items }
}

fn allowed(last: u8) -> Allowed {
    Allowed { prefix: v4(last), kind: AllowKind::Proxy, until: Some(Moment(9)), note: note("balancer") }
}

/// One record of every kind, some undone by later ones.
fn story() -> Vec<Record> {
    let token = Token { digest: u64::MAX, masked: "ab…yz".into() };
    let device =
        Decision { scope: Scope::Service("pay".into()), action: Action::Deny, ..decision(2, Subject::Device(token)) };
    let token = |digest| Token { digest, masked: "cd…wx".into() };
    let endpoint = Scope::parse("pay:GET /accounts/{id}").unwrap();
    let rate = Some(Rate { per_minute: 60, burst: 3 });
    let limited = Decision { scope: endpoint, action: Action::Limit, rate, ..decision(7, Subject::ApiKey(token(5))) };
    let flow = FlowKey::new(Address::v4([1, 2, 3, 4]), 5555, Address::v4([10, 0, 0, 1]), 80, 6);
    let v6 = Prefix::new(Address::from_halves(0x2001_0db8_0000_0000, 0), 32);
    vec![
        Record::Put(decision(1, Subject::Ip(v4(1)))),
        Record::Put(device.clone()),
        many([(3, v4(3)), (4, v6), (5, v4(5))]),
        Record::Allow(allowed(1)),
        Record::Bypass(true),
        Record::Put(Decision { until: None, action: Action::Reset, ..device }),
        Record::Put(decision(6, Subject::Flow(flow))),
        Record::RemoveMany(vec![DecisionId(3), DecisionId(5)]),
        Record::Put(limited),
        Record::Put(decision(8, Subject::Session(token(6)))),
        Record::Put(decision(9, Subject::User(token(7)))),
        Record::Allow(allowed(2)),
        Record::Disallow(v4(1)),
        Record::Remove(DecisionId(1)),
        Record::Bypass(false),
    ]
}

/// What the first `count` records of the story amount to, worked out the plain way.
fn told(records: &[Record]) -> Recovered {
    let mut state = Recovered::default();
    let put = |state: &mut Recovered, decision: Decision| {
        state.decisions.retain(|known| known.id != decision.id);
        state.decisions.push(decision);
        state.decisions.sort_by_key(|decision| decision.id);
    };
    for record in records {
        match record.clone() {
            Record::Put(decision) => put(&mut state, decision),
            Record::PutMany { note, scope, action, until, items } => items.into_iter().for_each(|(id, prefix)| {
                let (note, scope) = (note.clone(), scope.clone());
                put(&mut state, Decision { id, subject: Subject::Ip(prefix), scope, action, rate: None, until, note });
            }),
            Record::Remove(id) => state.decisions.retain(|known| known.id != id),
            Record::RemoveMany(ids) => state.decisions.retain(|known| !ids.contains(&known.id)),
            Record::Allow(entry) => {
                state.allowed.retain(|known| known.prefix != entry.prefix);
                state.allowed.push(entry);
            }
            Record::Disallow(prefix) => state.allowed.retain(|known| known.prefix != prefix),
            Record::Bypass(on) => state.bypass = on,
        }
    }
    state
}

fn write(dir: &Path, records: &[Record]) {
    let (mut journal, _) = Journal::open(dir).unwrap();
    for record in records {
        journal.append(record).unwrap();
    }
    journal.commit().unwrap();
}

fn open(dir: &Path) -> Recovered {
    Journal::open(dir).unwrap().1
}

/// The bytes of the story's journal, and where each record ends.
fn story_bytes() -> (Vec<u8>, Vec<usize>) {
    let mut bytes = HEADER.as_bytes().to_vec();
    let ends = story().into_iter().map(|record| {
        assert!(frame::push(&mut bytes, &form::write(&record).unwrap()));
        bytes.len()
    });
    let ends = ends.collect();
    (bytes, ends)
}

#[test]
fn what_was_committed_comes_back() {
    let dir = tempdir().unwrap();
    assert_eq!(open(dir.path()), Recovered::default());
    write(dir.path(), &story());
    assert_eq!(open(dir.path()), told(&story()));
    assert_eq!(fs::read(dir.path().join("journal")).unwrap(), story_bytes().0);
}

#[test]
fn what_is_written_later_is_added() {
    let dir = tempdir().unwrap();
    for record in story() {
        write(dir.path(), &[record]);
    }
    assert_eq!(open(dir.path()), told(&story()));
}

#[test]
fn a_crash_at_any_byte_keeps_exactly_the_whole_records_before_it() {
    let (bytes, ends) = story_bytes();
    for length in HEADER.len()..=bytes.len() {
        let whole = ends.iter().filter(|end| **end <= length).count();
        let scan = scan(&bytes[..length]).unwrap();
        assert_eq!(scan.records, whole as u64, "{length}");
        assert_eq!(scan.end, if whole == 0 { HEADER.len() } else { ends[whole - 1] } as u64, "{length}");
        assert_eq!(scan.recovered, told(&story()[..whole]), "{length}");
    }
}

#[test]
fn a_damaged_byte_anywhere_costs_exactly_its_own_record() {
    let (bytes, ends) = story_bytes();
    for at in HEADER.len()..bytes.len() {
        let before = ends.iter().filter(|end| **end <= at).count();
        for bit in 0..8 {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1 << bit;
            let scan = scan(&bytes).unwrap();
            let mut rest = story();
            rest.remove(before);
            assert_eq!(scan.records, rest.len() as u64, "byte {at} bit {bit}");
            assert_eq!(scan.recovered, told(&rest), "byte {at} bit {bit}");
            let is_last = before == rest.len();
            let start = if before == 0 { HEADER.len() } else { ends[before - 1] };
            let expected = if is_last { vec![] } else { vec![(start, ends[before])] };
            assert_eq!(scan.damaged, expected, "byte {at} bit {bit}");
        }
    }
}

#[test]
fn damage_inside_is_kept_beside_the_journal_and_met_once() {
    let (mut bytes, ends) = story_bytes();
    let dir = tempdir().unwrap();
    bytes[ends[0] + 9] ^= 4;
    bytes[ends[2] + 1] ^= 1;
    fs::write(dir.path().join("journal"), &bytes).unwrap();
    let mut rest = story();
    rest.remove(3);
    rest.remove(1);
    let recovered = open(dir.path());
    let torn = recovered.torn.clone().unwrap();
    assert_eq!((torn.inside, torn.kept_records), (2, rest.len() as u64));
    let lost = [&bytes[ends[0]..ends[1]], &bytes[ends[2]..ends[3]]].concat();
    assert_eq!(fs::read(&torn.saved_as).unwrap(), lost);
    assert_eq!(Recovered { torn: None, ..recovered }, told(&rest));
    assert_eq!(open(dir.path()), told(&rest));
}

#[test]
fn the_torn_end_is_kept_beside_the_journal_and_the_journal_goes_on() {
    let (bytes, ends) = story_bytes();
    let dir = tempdir().unwrap();
    for (round, length) in [(1, ends[1] + 3), (2, HEADER.len() + 1), (3, 5)] {
        fs::write(dir.path().join("journal"), &bytes[..length]).unwrap();
        let (mut journal, recovered) = Journal::open(dir.path()).unwrap();
        let torn = recovered.torn.unwrap();
        let whole = ends.iter().filter(|end| **end <= length).count();
        let end = [0, HEADER.len(), ends[1]].into_iter().filter(|end| *end <= length).max().unwrap();
        assert_eq!((torn.kept_records, torn.lost_bytes), (whole as u64, (length - end) as u64));
        assert_eq!(torn.saved_as, dir.path().join(format!("journal.torn-{round}")));
        assert_eq!(fs::read(&torn.saved_as).unwrap(), bytes[end..length]);
        journal.append(&Record::Bypass(true)).unwrap();
        journal.commit().unwrap();
        drop(journal);
        let recovered = open(dir.path());
        assert!(recovered.bypass && recovered.torn.is_none());
        assert_eq!(recovered.decisions, told(&story()[..whole]).decisions);
    }
}

#[test]
fn a_damaged_header_is_refused_with_what_to_do() {
    let (bytes, _) = story_bytes();
    let dir = tempdir().unwrap();
    let path = dir.path().join("journal");
    for at in 0..HEADER.len() {
        let mut bytes = bytes.clone();
        bytes[at] ^= 1;
        fs::write(&path, &bytes).unwrap();
        let error = Journal::open(dir.path()).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, StoreError::Header { .. } | StoreError::Version { .. }), "{text}");
        assert!(text.contains(path.to_str().unwrap()), "{text}");
        assert_eq!(fs::read(&path).unwrap(), bytes, "touched");
    }
}

#[test]
fn a_record_of_another_version_is_refused_and_not_taken_for_damage() {
    let dir = tempdir().unwrap();
    let (mut bytes, _) = story_bytes();
    let offset = bytes.len();
    assert!(frame::push(&mut bytes, &[99, 1, 2, 3]));
    fs::write(dir.path().join("journal"), &bytes).unwrap();
    let error = Journal::open(dir.path()).unwrap_err();
    assert!(matches!(error, StoreError::Foreign { offset: at, .. } if at == offset as u64), "{error}");
    assert_eq!(fs::read(dir.path().join("journal")).unwrap(), bytes);
}

/// Made by the first release: a device reset on one service, a network dropped, a list observed, an allowlist entry.
#[test]
fn a_journal_of_the_first_release_is_read_and_becomes_one_of_this_release() {
    let payloads: [&[u8]; 4] = [
        b"\x00\x02\x00\x07\x03\xe2\x80\xa6\x01\x03pay\x03\x00\x01x\x01\x03ops\x05",
        b"\x00\x03\x02\x00\xc0\x00\x02\x01\x80\x00\x04\x01\x09\x01x\x01\x03ops\x05",
        b"\x01\x01x\x02\x03ops\x05\x00\x01\x00\x01\x04\x00\xc0\x00\x02\x02\x80",
        b"\x00\x05\x00\x08\x03\xe2\x80\xa6\x00\x02\x00\x01x\x01\x03ops\x05",
    ];
    let mut bytes = frame::OLDER.as_bytes().to_vec();
    assert!(payloads.iter().all(|payload| frame::push(&mut bytes, payload)));
    let dir = tempdir().unwrap();
    fs::write(dir.path().join("journal"), &bytes).unwrap();
    let recovered = open(dir.path());
    let read: Vec<_> =
        recovered.decisions.iter().map(|one| (one.id.0, one.subject.kind().name(), one.action)).collect();
    let expected = [
        (2, "device", Action::Reset),
        (3, "ip", Action::Drop),
        (4, "ip", Action::Observe),
        (5, "device", Action::Deny),
    ];
    assert_eq!(read, expected);
    assert_eq!(recovered.decisions[0].scope, Scope::named("pay"));
    let now = fs::read(dir.path().join("journal")).unwrap();
    assert!(now.starts_with(HEADER.as_bytes()) && recovered.torn.is_none());
    assert_eq!(open(dir.path()), recovered);
}

#[test]
fn two_agents_cannot_share_a_directory() {
    let dir = tempdir().unwrap();
    let first = Journal::open(dir.path()).unwrap();
    assert!(matches!(Journal::open(dir.path()), Err(StoreError::Locked { .. })));
    drop(first);
    open(dir.path());
}

#[test]
fn only_the_owner_can_read_it() {
    let parent = tempdir().unwrap();
    let dir = parent.path().join("state");
    write(&dir, &story());
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&dir), 0o700);
    assert_eq!(mode(&dir.join("journal")), 0o600);
    assert_eq!(mode(&dir.join("lock")), 0o600);
}

/// A journal with one committed decision, on a disk with `room` bytes left.
fn nearly_full(room: u64) -> (TempDir, Journal) {
    let dir = tempdir().unwrap();
    write(dir.path(), &story()[..1]);
    let (mut journal, _) = Journal::open(dir.path()).unwrap();
    let length = fs::metadata(dir.path().join("journal")).unwrap().len();
    journal.tape().disk = Some(length + room);
    (dir, journal)
}

#[test]
fn a_full_disk_leaves_what_was_committed() {
    for room in [0, 1, 30] {
        let (dir, mut journal) = nearly_full(room);
        let before = fs::read(dir.path().join("journal")).unwrap();
        journal.append(&story()[1]).unwrap();
        let error = journal.commit().unwrap_err();
        assert!(error.to_string().starts_with("failed to write") && error.to_string().contains("journal"), "{error}");
        assert_eq!(fs::read(dir.path().join("journal")).unwrap(), before);
        journal.tape().disk = None;
        journal.append(&Record::Bypass(true)).unwrap();
        journal.commit().unwrap();
        drop(journal);
        let recovered = open(dir.path());
        assert_eq!(recovered, told(&[story()[0].clone(), Record::Bypass(true)]));
    }
}

#[test]
fn a_disk_that_fills_up_amid_a_long_batch_takes_the_batch_back() {
    let (dir, mut journal) = nearly_full(3_000_000);
    let path = dir.path().join("journal");
    let before = fs::read(&path).unwrap();
    let part = many((0..70_000).map(|id| (id + (1 << 60), v4(1))));
    let results: Vec<_> = (0..3).map(|_| journal.append(&part).is_ok()).collect();
    assert_eq!(results, [true, true, false], "two are written, the third finds no room");
    assert_eq!(fs::read(&path).unwrap(), before);
    assert!(!journal.wants_compaction());
    journal.append(&Record::Bypass(true)).unwrap();
    journal.commit().unwrap();
    drop(journal);
    assert_eq!(open(dir.path()), told(&[story()[0].clone(), Record::Bypass(true)]));
}

#[test]
fn a_full_disk_during_a_rewrite_changes_nothing() {
    let (dir, mut journal) = nearly_full(0);
    let before = fs::read(dir.path().join("journal")).unwrap();
    journal.append(&story()[1]).unwrap();
    journal.tape().disk = Some(40);
    journal.compact(&story()).unwrap_err();
    assert_eq!(fs::read(dir.path().join("journal")).unwrap(), before);
    assert!(!dir.path().join("journal.new").exists());
    journal.tape().disk = None;
    journal.commit().unwrap();
    drop(journal);
    assert_eq!(open(dir.path()), told(&story()[..2]), "what was appended is still there");
}

#[test]
fn a_rewrite_keeps_what_holds_and_drops_the_rest() {
    let dir = tempdir().unwrap();
    let (mut journal, _) = Journal::open(dir.path()).unwrap();
    let batch = many((1..40_001).map(|id| (id, v4(1))));
    for _ in 0..4 {
        journal.append(&batch).unwrap();
    }
    journal.append(&Record::RemoveMany((11..40_001).map(DecisionId).collect())).unwrap();
    journal.commit().unwrap();
    assert!(journal.wants_compaction());
    let before = told(&[many((1..11).map(|id| (id, v4(1)))), Record::Allow(allowed(7)), Record::Bypass(true)]);
    journal.compact(&snapshot(&before.decisions, &before.allowed, true)).unwrap();
    assert!(!journal.wants_compaction());
    assert!(fs::metadata(dir.path().join("journal")).unwrap().len() < 1000);
    journal.append(&Record::Remove(DecisionId(1))).unwrap();
    journal.commit().unwrap();
    drop(journal);
    let after = open(dir.path());
    assert_eq!(after.decisions, before.decisions[1..]);
    assert_eq!((after.allowed, after.bypass), (before.allowed, true));
}

#[test]
fn an_unfinished_rewrite_is_ignored() {
    let dir = tempdir().unwrap();
    write(dir.path(), &story());
    fs::write(dir.path().join("journal.new"), b"enforcer-journal 1\nhalf").unwrap();
    assert_eq!(open(dir.path()), told(&story()));
}

#[test]
fn a_journal_that_is_reopened_knows_that_it_is_mostly_over() {
    let dir = tempdir().unwrap();
    let batch = many((1..80_001).map(|id| (id, v4(1))));
    write(dir.path(), &[batch.clone(), batch.clone()]);
    assert!(!Journal::open(dir.path()).unwrap().0.wants_compaction());
    write(dir.path(), &[batch]);
    assert!(Journal::open(dir.path()).unwrap().0.wants_compaction());
}

#[test]
fn a_snapshot_joins_what_shares_a_note() {
    let state = told(&story());
    let records = snapshot(&state.decisions, &state.allowed, state.bypass);
    assert_eq!(told(&records), state);
    let shared = note("list");
    let decisions = (0..70_000).map(|id| Decision {
        note: shared.clone(),
        until: None,
        ..decision(id + 1, Subject::Ip(v4(u8::try_from(id % 256).unwrap())))
    });
    let records = snapshot(decisions, Vec::<Allowed>::new(), false);
    assert_eq!(records.len(), 3, "the switch, and two full records");
}

#[test]
fn a_snapshot_keeps_the_rate_of_an_address() {
    let rate = Some(Rate { per_minute: 60, burst: 3 });
    let limited = Decision { action: Action::Limit, rate, ..decision(1, Subject::Ip(v4(7))) };
    let records = snapshot([&limited], Vec::<Allowed>::new(), false);
    assert_eq!(told(&records).decisions, [limited]);
}

proptest! {
    #[test]
    fn any_bytes_after_the_header_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut file = HEADER.as_bytes().to_vec();
        assert!(frame::push(&mut file, &bytes));
        file.extend_from_slice(&bytes);
        let _ = scan(&file);
    }

    #[test]
    fn any_record_comes_back_from_its_form(
        id in 1_u64..1 << 50, octets in any::<[u8; 16]>(), length in 0_u8..=128, until in any::<Option<u64>>(),
        reason in ".*", service in "[a-z0-9-]{1,20}", name in ".*", digest in any::<u64>(), per_minute in any::<u32>(),
    ) {
        let prefix = Prefix::new(Address::v6(octets), length);
        let scope = Scope::Service(service.into());
        let subject = Subject::Device(Token { digest, masked: name.into() });
        let until = until.map(Moment);
        let one = Decision { scope, until, note: note(&reason), ..decision(id, subject) };
        let rate = Some(Rate { per_minute, burst: 1 });
        let limited = Decision { action: Action::Limit, rate, ..one.clone() };
        let allow = Allowed { prefix, kind: AllowKind::Full, until, note: note(&reason) };
        for record in [Record::Put(one), Record::Put(limited), Record::Allow(allow), Record::Disallow(prefix), many([(id, prefix)])] {
            prop_assert_eq!(form::read(&form::write(&record).unwrap()), Some(record));
        }
    }
}
