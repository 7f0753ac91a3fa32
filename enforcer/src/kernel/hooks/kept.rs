//! What keeps the programs and maps in the kernel: their pins, looked after while the agent lives. In: the folder on bpffs. Out: pins that
//! somebody removed are made again; without bpffs the agent itself holds the links, until there is one again.
use std::fmt;
use std::path::{Path, PathBuf};

use aya::maps::MapData;
use aya::programs::links::FdLink;

use super::super::maps::PINNED;
use super::super::{Kernel, KernelError, bpffs};
use super::unlink::is_attached;
use super::{Hook, Refused};

/// Links without a pin, and all maps.
#[derive(Default)]
pub(in crate::kernel) struct Kept {
    loose: Vec<(Hook, PathBuf, FdLink)>,
    maps: Vec<(&'static str, MapData)>,
}

impl fmt::Debug for Kept {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Kept").field("loose", &self.loose.len()).field("maps", &self.maps.len()).finish()
    }
}

impl Kept {
    /// The maps that are pinned in this folder.
    pub(in crate::kernel) fn new(maps: &Path) -> Self {
        let map = |name| Some((name, MapData::from_pin(maps.join(name)).ok()?));
        Self { loose: Vec::new(), maps: PINNED.into_iter().filter_map(map).collect() }
    }
}

impl Kernel {
    /// Pins a new link, or holds it where there is nothing to pin it in.
    pub(super) fn keep_link(&mut self, hook: &Hook, link: FdLink, path: PathBuf) -> Result<(), Refused> {
        if self.has_bpffs() {
            link.pin(path)?;
        } else {
            self.kept.loose.push((hook.clone(), path, link));
        }
        Ok(())
    }

    /// Links that hang only as long as this agent lives.
    pub fn loose_links(&self) -> usize {
        self.kept.loose.len()
    }

    /// Pins again what somebody unpinned, and what was held without a pin; gives how many maps that were.
    pub fn keep_pins(&mut self) -> Result<u64, KernelError> {
        if self.unpinned || !self.has_bpffs() {
            return Ok(0);
        }
        for (hook, path, link) in std::mem::take(&mut self.kept.loose) {
            link.pin(path).map_err(|error| super::failure(&hook, error.to_string()))?;
        }
        let folder = bpffs::maps(&self.bpffs);
        bpffs::make(&folder)?;
        let mut made = 0;
        for (name, map) in &self.kept.maps {
            let path = folder.join(name);
            if !path.exists() {
                map.pin(path).map_err(|error| KernelError::Map { map: name, reason: error.to_string() })?;
                made += 1;
            }
        }
        Ok(made)
    }

    /// Whether the hook's link is there and hangs. One that was detached keeps its pin, and hangs nowhere.
    pub(super) fn hangs(&self, hook: &Hook) -> bool {
        if self.kept.loose.iter().any(|(held, _, _)| held == hook) {
            return true;
        }
        match super::find_pin(&self.bpffs, hook) {
            Some((_, "clsact")) => self.hangs_on_clsact(hook),
            Some((path, _)) => is_attached(&path),
            None => false,
        }
    }

    pub(super) fn let_go(&mut self, hook: &Hook) {
        self.kept.loose.retain(|(held, _, _)| held != hook);
    }

    fn has_bpffs(&self) -> bool {
        let links = self.bpffs.join("links");
        bpffs::make(&links).is_ok() && bpffs::is_bpffs(&links).unwrap_or(false)
    }
}
