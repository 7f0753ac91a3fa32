//! The rings: bytes from the kernel become [`Event`]s and [`Sample`]s.
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::path::Path;

use aya::maps::{Map, MapData, RingBuf};
use enforcer_common::{ABI_VERSION, Answering, Asking, Bodying, Event, SampleKind};
use tokio::io::unix::AsyncFd;

use super::object::settings;
use super::{Kernel, KernelError};

/// The reading end of the events.
pub struct EventRing(AsyncFd<Ring>);

/// The reading end of the samples. The kernel wakes nobody for them: whoever wants them comes for them.
pub struct SampleRing(RingBuf<MapData>);

struct Ring(RingBuf<MapData>);

impl AsRawFd for Ring {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// What the kernel tells of requests and answers.
#[derive(Clone, Copy, Debug)]
pub enum Sample<'a> {
    /// A request that was judged, with the beginning of its head, and of its body where both came together.
    Asking(Asking, &'a [u8], &'a [u8]),
    /// A part of a request's body, with its bytes.
    Bodying(Bodying, &'a [u8]),
    /// A part of an answer, with its bytes.
    Answering(Answering, &'a [u8]),
}

/// What lies between an [`Asking`] and the bytes of the head: where the head stands in the connection, and its length.
const BETWEEN: usize = 8;

impl<'a> Sample<'a> {
    /// Reads a record; nothing when it is none of these.
    pub fn read(record: &'a [u8]) -> Option<Self> {
        let kind = u32::from_ne_bytes(*record.first_chunk()?);
        if kind == SampleKind::Asking as u32 {
            let asking: Asking = plain(record)?;
            let bytes = record.get(size_of::<Asking>() + BETWEEN..)?;
            let length = usize::try_from(asking.head).unwrap_or(usize::MAX).min(bytes.len());
            let (head, body) = bytes.split_at_checked(length)?;
            Some(Self::Asking(asking, head, body))
        } else if kind == SampleKind::Bodying as u32 {
            let part: Bodying = plain(record)?;
            let length = usize::try_from(part.length).ok()?;
            let from = size_of::<Bodying>();
            Some(Self::Bodying(part, record.get(from..from.checked_add(length)?)?))
        } else if kind == SampleKind::Answering as u32 {
            let answering: Answering = plain(record)?;
            let length = usize::try_from(answering.length).ok()?;
            let from = size_of::<Answering>();
            Some(Self::Answering(answering, record.get(from..from.checked_add(length)?)?))
        } else {
            None
        }
    }
}

/// Types of the border that any bytes are a value of.
trait Plain: Copy {}
impl Plain for Answering {}
impl Plain for Asking {}
impl Plain for Bodying {}
impl Plain for Event {}

/// The value at the beginning of a record.
fn plain<T: Plain>(record: &[u8]) -> Option<T> {
    let bytes = record.get(..size_of::<T>())?;
    // SAFETY: as many bytes as the value has, any are valid, and the read asks for no alignment.
    Some(unsafe { bytes.as_ptr().cast::<T>().read_unaligned() })
}

impl Kernel {
    /// Takes the reading end of the events; once.
    pub fn event_ring(&mut self) -> Result<EventRing, KernelError> {
        let ring = self.ring("EVENTS")?;
        // SAFETY: the ring owns its descriptor, gives out the same one always, and closes it only when dropped.
        let registered = unsafe { AsyncFd::register(Ring(ring)) };
        registered.map(EventRing).map_err(|error| KernelError::Map { map: "EVENTS", reason: error.to_string() })
    }

    /// Takes the reading end of the samples; once.
    pub fn sample_ring(&mut self) -> Result<SampleRing, KernelError> {
        self.ring("SAMPLES").map(SampleRing)
    }

    fn ring(&mut self, map: &'static str) -> Result<RingBuf<MapData>, KernelError> {
        let unusable = |reason: String| KernelError::Map { map, reason };
        let taken = self.ebpf.take_map(map).ok_or_else(|| unusable("it was taken before".to_owned()))?;
        RingBuf::try_from(taken).map_err(|error| unusable(error.to_string()))
    }
}

/// The rings of maps that are being replaced: what was told while no agent ran is read to the end, or counted.
pub(super) struct Left {
    events: Option<RingBuf<MapData>>,
    samples: Option<RingBuf<MapData>>,
    /// The records are those of this agent's layout.
    readable: bool,
}

impl Left {
    /// Of a folder of pinned maps. What is not there has nothing to tell.
    pub(super) fn open(folder: &Path) -> Self {
        let readable = settings(folder).is_some_and(|settings| settings.abi == ABI_VERSION);
        let ring = |name| {
            let map = Map::from_map_data(MapData::from_pin(folder.join(name)).ok()?).ok()?;
            RingBuf::try_from(map).ok()
        };
        Self { events: ring("EVENTS"), samples: ring("SAMPLES"), readable }
    }
}

impl Kernel {
    /// Hands over the events that the programs of replaced maps have told; gives how many events and samples could not be read, and are
    /// lost. Nothing is added once no link holds these programs, but one that runs just now may be late: so this is called twice.
    pub fn drain_left(&mut self, mut with: impl FnMut(Event)) -> [u64; 2] {
        let Some(left) = &mut self.left else { return [0; 2] };
        let mut lost = [0; 2];
        while let Some(record) = left.events.as_mut().and_then(RingBuf::next) {
            match plain(&record).filter(|_| left.readable && record.len() == size_of::<Event>()) {
                Some(event) => with(event),
                None => lost[0] += 1,
            }
        }
        while left.samples.as_mut().and_then(RingBuf::next).is_some() {
            lost[1] += 1;
        }
        lost
    }

    /// No more will come of those.
    pub fn forget_left(&mut self) {
        self.left = None;
    }
}

impl EventRing {
    /// Waits until there is something, then hands every event to `with`.
    pub async fn drain(&mut self, mut with: impl FnMut(Event)) -> io::Result<()> {
        let mut ready = self.0.readable_mut().await?;
        let ring = &mut ready.get_inner_mut().0;
        while let Some(record) = ring.next() {
            if record.len() == size_of::<Event>() {
                plain(&record).map(&mut with);
            }
        }
        ready.clear_ready();
        Ok(())
    }
}

impl SampleRing {
    /// Hands what is there to `with`, at most so many; gives how many.
    pub fn drain(&mut self, most: usize, mut with: impl FnMut(Sample<'_>)) -> usize {
        let mut drained = 0;
        while let Some(record) = self.0.next() {
            Sample::read(&record).map(&mut with);
            drained += 1;
            if drained == most {
                break;
            }
        }
        drained
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_that_are_cut_are_none() {
        let mut record = vec![0; size_of::<Answering>() + 3];
        record[0] = 2;
        record[4] = 3;
        assert!(
            matches!(Sample::read(&record), Some(Sample::Answering(part, bytes)) if part.length == 3 && bytes.len() == 3)
        );
        for length in 0..record.len() {
            assert!(Sample::read(&record[..length]).is_none(), "{length}");
        }
        let mut record = vec![0; size_of::<Asking>() + BETWEEN + 9];
        (record[0], record[4]) = (1, 5);
        let lengths = |record: &[u8]| match Sample::read(record) {
            Some(Sample::Asking(_, head, body)) => Some((head.len(), body.len())),
            _ => None,
        };
        assert_eq!(lengths(&record), Some((5, 4)), "the body follows the head");
        record[4] = 50;
        assert_eq!(lengths(&record), Some((9, 0)), "the head was cut");
        assert!(Sample::read(&record[..size_of::<Asking>()]).is_none());
        record[0] = 9;
        assert!(Sample::read(&record).is_none());
    }
}
