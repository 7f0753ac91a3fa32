//! The event ring: bytes from the kernel become [`Event`]s.
use std::io;
use std::os::fd::{AsRawFd, RawFd};

use aya::maps::{MapData, RingBuf};
use enforcer_common::Event;
use tokio::io::unix::AsyncFd;

use super::{Kernel, KernelError};

/// The reading end.
pub struct EventRing(AsyncFd<Ring>);

struct Ring(RingBuf<MapData>);

impl AsRawFd for Ring {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl Kernel {
    /// Takes the reading end; once.
    pub fn event_ring(&mut self) -> Result<EventRing, KernelError> {
        let unusable = |reason: String| KernelError::Map { map: "EVENTS", reason };
        let map = self.ebpf.take_map("EVENTS").ok_or_else(|| unusable("it was taken before".to_owned()))?;
        let ring = RingBuf::try_from(map).map_err(|error| unusable(error.to_string()))?;
        // SAFETY: the ring owns its descriptor, gives out the same one always, and closes it only when dropped.
        let ring = unsafe { AsyncFd::register(Ring(ring)) }.map_err(|error| unusable(error.to_string()))?;
        Ok(EventRing(ring))
    }
}

impl EventRing {
    /// Waits until there is something, then hands every event to `with`.
    pub async fn drain(&mut self, mut with: impl FnMut(Event)) -> io::Result<()> {
        let mut ready = self.0.readable_mut().await?;
        let ring = &mut ready.get_inner_mut().0;
        while let Some(record) = ring.next() {
            if record.len() == size_of::<Event>() {
                // SAFETY: as long as an event, any bytes are a valid one, and the read asks for no alignment.
                with(unsafe { record.as_ptr().cast::<Event>().read_unaligned() });
            }
        }
        ready.clear_ready();
        Ok(())
    }
}
