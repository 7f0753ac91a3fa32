//! The journal written anew: whatever whole records a journal has, their meaning is written as a snapshot and read again as it was.
//! The data are the payloads of records, each behind its length; a journal of a meaning that nobody knows is refused.
#![no_main]

use std::fs;

use enforcer::store::{Journal, Recovered, snapshot};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("journal"), journal(data)).expect("a file");
    let Ok((mut journal, first)) = Journal::open(folder.path()) else { return };
    let Recovered { decisions, allowed, bypass, torn } = &first;
    assert!(torn.is_none(), "all records are whole");
    journal.compact(&snapshot(decisions, allowed, *bypass)).expect("what was read can be written");
    drop(journal);
    let (_, second) = Journal::open(folder.path()).expect("what was written is whole");
    assert_eq!(second, first);
});

/// A header and whole records.
fn journal(data: &[u8]) -> Vec<u8> {
    let (mut bytes, mut rest) = (b"enforcer-journal 2\n".to_vec(), data);
    while let Some((length, behind)) = rest.split_first() {
        let (payload, behind) = behind.split_at(usize::from(*length).min(behind.len()));
        rest = behind;
        let length = (payload.len() as u32).to_le_bytes();
        let mut sum = crc32fast::Hasher::new();
        sum.update(&length);
        sum.update(payload);
        bytes.extend([length, sum.finalize().to_le_bytes()].concat());
        bytes.extend(payload);
    }
    bytes
}
