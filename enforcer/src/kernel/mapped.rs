//! Memory shared with the kernel: an array map as a slice of atomic words.
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::ptr::NonNull;
use std::slice;
use std::sync::atomic::AtomicU64;

use aya::maps::MapData;

use super::KernelError;

/// An array map of whole words, mapped for reading and writing. Gone from memory when dropped; the map stays.
pub(super) struct Mapped {
    words: NonNull<AtomicU64>,
    count: usize,
    /// A program that is loaded later names the map by its descriptor, so that must stay open.
    _map: MapData,
}

impl Mapped {
    /// Maps `count` words of the array map `map`, which must have been made `BPF_F_MMAPABLE`.
    pub(super) fn new(map: MapData, count: usize) -> Result<Self, KernelError> {
        let descriptor = map.fd().as_fd().as_raw_fd();
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping of a live descriptor; the kernel chooses the place.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), count * 8, protection, libc::MAP_SHARED, descriptor, 0) };
        if start == libc::MAP_FAILED {
            return Err(KernelError::last("map a source table into memory"));
        }
        let words = NonNull::new(start.cast()).ok_or_else(|| KernelError::System {
            step: "map a source table into memory",
            source: io::Error::other("mapped at address zero"),
        })?;
        Ok(Self { words, count, _map: map })
    }

    /// The words. The kernel reads them at any time, so they are only ever written whole.
    pub(super) fn words(&self) -> &[AtomicU64] {
        // SAFETY: the mapping is `count` words long, page-aligned, and lives as long as `self`; atomics may be shared.
        unsafe { slice::from_raw_parts(self.words.as_ptr(), self.count) }
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        // SAFETY: exactly what `new` mapped; no slice outlives `self`.
        unsafe { libc::munmap(self.words.as_ptr().cast(), self.count * 8) };
    }
}

// SAFETY: the memory is only reached through atomics.
unsafe impl Send for Mapped {}
// SAFETY: the memory is only reached through atomics.
unsafe impl Sync for Mapped {}
