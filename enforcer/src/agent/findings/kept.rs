//! Findings, kept over restarts. In: findings and what they have led to; what was kept before. Out: a file in the state folder, and all
//! as it was. Never here: signs, decisions made.
//!
//! What is in the file is at most a minute old. A file that cannot be read is put aside; it stops nothing.
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use enforcer_insight::findings::{Finding, FindingId};
use enforcer_policy::DecisionId;
use serde::{Deserialize, Serialize};

use super::super::core::Core;
use super::super::{SAVED, Shared, until_saved_again};
use super::Watch;
use crate::sync::{SyncError, keep_secret};

/// Longest file that is read: several times of what all findings take.
const LONGEST: u64 = 256 << 20;

/// What the file holds.
#[derive(Serialize, Deserialize, Default)]
struct Kept {
    findings: Vec<Finding>,
    decided: Vec<(FindingId, DecisionId)>,
}

impl Watch {
    /// What tells whether there is something that the file does not hold.
    fn version(&self) -> (u64, u64, usize) {
        let counts = self.findings.counts();
        (counts.new + counts.again, counts.excepted, self.decided.len())
    }

    fn take_news(&mut self) -> Option<Vec<u8>> {
        let version = self.version();
        if std::mem::replace(&mut self.kept, version) == version {
            return None;
        }
        let findings = self.findings.iter().cloned().collect();
        let decided = self.decided.iter().map(|(id, decision)| (*id, *decision)).collect();
        serde_json::to_vec(&Kept { findings, decided }).ok()
    }
}

impl Core {
    /// Reads what was kept.
    pub(super) fn open_findings(&mut self) {
        let path = path(&self.config.agent.state_dir);
        match read(&path) {
            Ok(kept) => {
                self.watch.findings.restore(kept.findings);
                self.watch.decided = kept.decided.into_iter().collect();
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                crate::agent::put_aside(&path, &error, "findings begin anew");
            }
        }
    }

    /// Writes them, at the end.
    pub(in crate::agent) fn save_findings(&mut self) {
        if let Some(text) = self.watch.take_news() {
            let kept = keep_secret(&path(&self.config.agent.state_dir), &text);
            self.findings_kept(kept);
        }
    }

    fn findings_kept(&mut self, kept: Result<(), SyncError>) {
        match kept {
            Ok(()) => drop(self.problems.remove("findings")),
            Err(error) => {
                // So that it is tried again.
                self.watch.kept = Default::default();
                self.problems.insert("findings", format!("a restart would forget findings: {error}"));
            }
        }
    }
}

/// Writes them now and then, until dropped.
pub(in crate::agent) async fn keep_findings(core: Shared) {
    let mut pause = SAVED;
    loop {
        tokio::time::sleep(std::mem::replace(&mut pause, SAVED)).await;
        let (path, text) = {
            let mut core = core.lock();
            (path(&core.config.agent.state_dir), core.watch.take_news())
        };
        let Some(text) = text else { continue };
        // A disk may take its time; requests are answered meanwhile.
        let kept = tokio::task::spawn_blocking(move || keep_secret(&path, &text)).await;
        if let Ok(kept) = kept {
            pause = until_saved_again(&kept);
            core.lock().findings_kept(kept);
        }
    }
}

fn path(state: &Path) -> PathBuf {
    state.join("findings")
}

fn read(path: &Path) -> io::Result<Kept> {
    if fs::metadata(path)?.len() > LONGEST {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the file is too long"));
    }
    Ok(serde_json::from_slice(&fs::read(path)?)?)
}
