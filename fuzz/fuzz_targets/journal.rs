//! The journal: any bytes behind its header are opened, what is whole is kept, and a second opening finds the same.
#![no_main]

use std::fs;

use enforcer::store::Journal;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let folder = tempfile::tempdir().expect("a folder");
    let bytes = [b"enforcer-journal 2\n", data].concat();
    fs::write(folder.path().join("journal"), bytes).expect("a file");
    let Ok((journal, first)) = Journal::open(folder.path()) else { return };
    drop(journal);
    let (_, second) = Journal::open(folder.path()).expect("what was mended once is whole");
    assert_eq!((first.decisions, first.allowed, first.bypass), (second.decisions, second.allowed, second.bypass));
    assert!(second.torn.is_none());
});
