//! Faults of the disk: the journal cut or flipped, a full disk, one that cannot be written.
//!
//! In: a ground under traffic, whose state lies on a disk of its own. Out: what the sums must know. Never here: a sum.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::Write as _,
    path::Path,
};

use enforcer_tests::eventually;
use nix::mount::{MsFlags, mount};

use crate::{
    ground::{Ground, PATIENCE},
    sums::Fate,
    table::Fault,
    traffic::Traffic,
};

/// All of them.
pub(crate) const FAULTS: &[Fault] = &[
    Fault::new("journal-cut", "the journal loses its last bytes while no agent runs", cut),
    Fault::new(
        "journal-flip",
        "one bit of a record in the middle of the journal is flipped while no agent runs",
        flipped,
    ),
    Fault::new("disk-full", "the disk of the state folder is full while decisions are made", full).on_disk(),
    Fault::new("disk-read-only", "the disk of the state folder cannot be written while an agent starts", read_only)
        .on_disk(),
];

fn cut(ground: &mut Ground, traffic: &Traffic, nth: usize) -> Fate {
    let last = ground.block(&["ip", &format!("192.0.2.{}", nth % 200 + 1)]);
    let fate = ground.kill();
    let journal = ground.agent.state().join("journal");
    let file = File::options().write(true).open(&journal).expect("the journal is there");
    let length = file.metadata().expect("a length").len();
    file.set_len(length - 1 - nth as u64 % 20).expect("cut");
    ground.book.remove(&last);
    traffic.goes_on();
    ground.revive();
    Fate { told: vec!["the journal ended in".to_owned()], ..fate }
}

/// The one decision whose record is damaged may be lost, and must be told; every other is in force.
fn flipped(ground: &mut Ground, traffic: &Traffic, nth: usize) -> Fate {
    let fate = ground.kill();
    let journal = ground.agent.state().join("journal");
    let mut bytes = fs::read(&journal).expect("the journal can be read");
    // The first two decisions are those of the traffic.
    let records = records(&bytes);
    let (start, end) = records[2 + nth % (records.len() - 2)];
    let at = start + 8 + (nth * 7) % (end - start - 8);
    bytes[at] ^= 1 << (nth % 8);
    fs::write(&journal, &bytes).expect("the journal can be written");
    traffic.goes_on();
    ground.revive();
    let listed: BTreeSet<String> = ground.listed_ids();
    let lost: Vec<String> = ground.book.difference(&listed).cloned().collect();
    assert!(lost.len() <= 1, "more than one decision is lost: {lost:?}");
    // A decision that was taken back may stand again: that is told, too, and no worse than one that is lost.
    ground.book = listed;
    Fate { told: vec!["the journal".to_owned()], ..fate }
}

/// Where each record begins and ends: length, checksum, payload.
fn records(bytes: &[u8]) -> Vec<(usize, usize)> {
    let mut at = bytes.iter().position(|byte| *byte == b'\n').expect("a header") + 1;
    let mut found = Vec::new();
    while let Some((length, _)) = bytes.get(at..).and_then(<[u8]>::split_first_chunk) {
        let end = at + 8 + u32::from_le_bytes(*length) as usize;
        found.push((at, end));
        at = end;
    }
    found
}

fn full(ground: &mut Ground, traffic: &Traffic, nth: usize) -> Fate {
    let filler = ground.agent.state().join("filler");
    fill(&filler);
    let mut number = 0;
    eventually(PATIENCE, "status tells of it", || {
        // What is left of the last page may take a few.
        ground.block(&["device", "--value", &format!("full-{nth}-{number}"), "--service", "pay", "--action", "deny"]);
        number += 1;
        ground.status()["problems"].to_string().contains("not saved")
    });
    traffic.goes_on();
    fs::remove_file(filler).expect("a file can be removed");
    ground.order();
    eventually(PATIENCE, "it is saved again", || ground.status()["problems"] == serde_json::json!([]));
    Fate::default()
}

fn fill(path: &Path) {
    let mut file = File::create(path).expect("a file can be made");
    let mut size = 1 << 20;
    while size > 0 {
        // Ever smaller pieces, until not one byte finds room.
        if file.write_all(&vec![0; size]).is_err() {
            size /= 2;
        }
    }
}

fn read_only(ground: &mut Ground, traffic: &Traffic, _nth: usize) -> Fate {
    let fate = ground.kill();
    let remount = |flags: MsFlags| {
        let state = ground.agent.state();
        mount(None::<&str>, &state, None::<&str>, MsFlags::MS_REMOUNT | flags, None::<&str>).expect("remounted");
    };
    remount(MsFlags::MS_RDONLY);
    let started = ground.agent.try_restart();
    traffic.goes_on();
    if started.is_ok() {
        ground.agent.kill9();
    }
    let state = ground.agent.state();
    mount(None::<&str>, &state, None::<&str>, MsFlags::MS_REMOUNT, None::<&str>).expect("remounted");
    ground.revive();
    fate
}
