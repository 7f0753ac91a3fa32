//! Lines of a file.
//!
//! In: events. Out: one line each, synced. Never here: rotation: the file is opened for each batch, so whoever renames it gets whole
//! lines, and a torn last line of a crash is cut off before the next one.
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::super::format::{Format, line};
use crate::store::KeptEvent;

/// A file.
pub(in super::super) struct FileSink {
    path: PathBuf,
}

impl FileSink {
    pub(super) const fn new(path: PathBuf) -> Self {
        Self { path }
    }

    pub(super) async fn send(&self, events: &[KeptEvent], format: Format) -> anyhow::Result<()> {
        let lines: String = events.iter().map(|event| line(event, format) + "\n").collect();
        let path = self.path.clone();
        let written = tokio::task::spawn_blocking(move || append(&path, lines.as_bytes())).await?;
        written.with_context(|| format!("writing {}", self.path.display()))
    }
}

fn append(path: &Path, lines: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o640).open(path)?;
    let end = whole(&mut file)?;
    file.set_len(end)?;
    if let Err(error) = file.write_all(lines) {
        // Half a batch would be followed by the whole one.
        file.set_len(end)?;
        return Err(error);
    }
    file.sync_data()
}

/// Where the last whole line ends.
fn whole(file: &mut File) -> io::Result<u64> {
    let length = file.seek(SeekFrom::End(0))?;
    let from = length.saturating_sub(LONGEST);
    file.seek(SeekFrom::Start(from))?;
    let mut tail = Vec::new();
    file.take(LONGEST).read_to_end(&mut tail)?;
    let end = tail.iter().rposition(|byte| *byte == b'\n').map(|at| from + at as u64 + 1);
    // A line that is longer than any of ours is not ours to cut.
    Ok(end.unwrap_or(if from == 0 { 0 } else { length }))
}

/// Bytes that a torn line may have.
const LONGEST: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_line_is_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        append(&path, b"one\ntwo\n").unwrap();
        std::fs::write(&path, b"one\ntwo\nthr").unwrap();
        append(&path, b"three\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\ntwo\nthree\n");
        std::fs::rename(&path, folder.path().join("old")).unwrap();
        append(&path, b"four\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "four\n");
    }
}
