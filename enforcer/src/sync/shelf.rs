//! What was accepted, on disk: deliveries as they came, one after the other.
//!
//! In: verified deliveries. Out: the same at the next start, where each is verified again; a torn end is left off. Never here: policy.
use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use enforcer_policy::DecisionId;
use enforcer_policy::revision::{Kind, Replica};

use super::enrolment::keep_secret;
use super::{Enrolment, SyncError};

/// The folder's changing files.
pub struct Shelf {
    folder: PathBuf,
    bytes: u64,
}

impl Shelf {
    /// Of a state folder; what lies there moves the replica forward.
    pub fn open(state: &Path, replica: &mut Replica, groups: &[String]) -> Result<Self, SyncError> {
        let mut shelf = Self { folder: Enrolment::folder(state), bytes: 0 };
        let path = shelf.deliveries();
        let kept = match fs::read(&path) {
            Ok(kept) => kept,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(SyncError::file("read", &path)(error)),
        };
        let mut rest = &kept[..];
        while let Some((length, after)) = rest.split_first_chunk::<4>() {
            let Some((bytes, after)) = after.split_at_checked(u32::from_be_bytes(*length) as usize) else { break };
            if let Err(flaw) = replica.accept(bytes, groups, None) {
                tracing::error!(%flaw, "a kept delivery is damaged; what follows it comes from the center again");
                break;
            }
            rest = after;
        }
        shelf.bytes = (kept.len() - rest.len()) as u64;
        if !rest.is_empty() {
            let file = OpenOptions::new().write(true).open(&path).and_then(|file| file.set_len(shelf.bytes));
            file.map_err(SyncError::file("cut", &path))?;
        }
        Ok(shelf)
    }

    /// Keeps a delivery, durably. A snapshot replaces what was there.
    pub fn keep(&mut self, bytes: &[u8], kind: Kind) -> Result<(), SyncError> {
        let path = self.deliveries();
        let length = u32::try_from(bytes.len()).map_err(|_long| SyncError::Meaningless("a delivery"))?;
        let framed = [&length.to_be_bytes()[..], bytes].concat();
        if kind == Kind::Snapshot {
            keep_secret(&path, &framed)?;
            self.bytes = framed.len() as u64;
            return Ok(());
        }
        let append = || {
            let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(&path)?;
            // What a failed write may have left is not followed by anything.
            file.set_len(self.bytes)?;
            file.write_all(&framed)?;
            file.sync_data()
        };
        append().map_err(SyncError::file("write", &path))?;
        self.bytes += framed.len() as u64;
        Ok(())
    }

    /// True when a snapshot would be shorter to read.
    pub const fn is_long(&self) -> bool {
        self.bytes > LONG
    }

    /// Decisions that were ended by hand.
    pub fn lifted(&self) -> BTreeSet<DecisionId> {
        let text = fs::read_to_string(self.folder.join("lifted")).unwrap_or_default();
        text.lines().filter_map(|line| line.parse().ok()).collect()
    }

    /// Keeps them, in a state folder.
    pub fn keep_lifted(state: &Path, lifted: &BTreeSet<DecisionId>) -> Result<(), SyncError> {
        let lines: Vec<String> = lifted.iter().map(|id| format!("{id}\n")).collect();
        keep_secret(&Enrolment::folder(state).join("lifted"), lines.concat().as_bytes())
    }

    fn deliveries(&self) -> PathBuf {
        self.folder.join("deliveries")
    }
}

/// Bytes of deltas after which everything is asked for once.
const LONG: u64 = 64 << 20;
