//! Frames of a file in the formats pcap and pcapng. In: a file. Out: [`Frame`]s with their times. Never here: what is in them.
use std::io::Read;

use pcap_parser::traits::{PcapNGPacketBlock as _, PcapReaderIterator};
use pcap_parser::{Block, Linktype, PcapBlockOwned, PcapError, create_reader};

/// One captured frame.
pub(super) struct Frame<'f> {
    /// Nanoseconds since 1970.
    pub(super) time: u64,
    /// How it begins.
    pub(super) link: Linktype,
    /// As much of it as was captured.
    pub(super) bytes: &'f [u8],
}

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// It is in no format that is known.
    #[error("this is no capture in the format pcap or pcapng")]
    Format,
    /// It is damaged.
    #[error("the capture is damaged behind packet {packets}: {what}")]
    Damaged {
        /// How many packets could be read.
        packets: u64,
        /// What is wrong.
        what: String,
    },
}

/// Hands over each frame.
pub(super) fn each(file: impl Read + Send, take: &mut dyn FnMut(Frame<'_>)) -> Result<(), CaptureError> {
    let mut reader = create_reader(BUFFER, file).map_err(|_unknown| CaptureError::Format)?;
    let (mut links, mut packets, mut waits) = (Links::default(), 0, false);
    loop {
        let step = match reader.next() {
            Ok((length, block)) => {
                if let Some(frame) = links.frame(&block) {
                    packets += 1;
                    take(frame);
                }
                Step::Took(length)
            }
            Err(PcapError::Eof) => return Ok(()),
            Err(PcapError::Incomplete(_)) if !waits => Step::Wait,
            Err(error) => return Err(CaptureError::Damaged { packets, what: words(&error) }),
        };
        waits = step.go_on(&mut *reader, packets)?;
    }
}

/// What to do once the block is not looked at any more.
enum Step {
    Took(usize),
    Wait,
}

impl Step {
    /// True when nothing more can come, and what is there is not whole.
    fn go_on(self, reader: &mut dyn PcapReaderIterator, packets: u64) -> Result<bool, CaptureError> {
        match self {
            Self::Took(length) => {
                reader.consume(length);
                Ok(false)
            }
            Self::Wait => {
                let before = reader.data().len();
                let failed = |error: PcapError<&[u8]>| CaptureError::Damaged { packets, what: words(&error) };
                reader.refill().map_err(failed)?;
                Ok(reader.data().len() == before)
            }
        }
    }
}

fn words(error: &PcapError<&[u8]>) -> String {
    match error {
        PcapError::Incomplete(_) | PcapError::UnexpectedEof => {
            "it ends in the middle of one, or one is too long".to_owned()
        }
        PcapError::ReadError => "it could not be read on".to_owned(),
        PcapError::BufferTooSmall => "one is too long".to_owned(),
        PcapError::Eof | PcapError::HeaderNotRecognized | PcapError::NomError(..) | PcapError::OwnedNomError(..) => {
            "what follows is no packet".to_owned()
        }
    }
}

/// What the file says of the interfaces its frames come from.
#[derive(Default)]
struct Links {
    /// Of a file in the older format: how frames begin, and nanoseconds of a unit of its times.
    all: (Linktype, u64),
    /// Of the newer: how they begin, seconds that are added, units of a second.
    each: Vec<(Linktype, u64, u64)>,
}

impl Links {
    fn frame<'f>(&mut self, block: &'f PcapBlockOwned<'_>) -> Option<Frame<'f>> {
        match block {
            PcapBlockOwned::LegacyHeader(header) => {
                self.all = (header.network, if header.is_nanosecond_precision() { 1 } else { 1_000 });
                None
            }
            PcapBlockOwned::Legacy(frame) => {
                let (link, unit) = self.all;
                let time = u64::from(frame.ts_sec) * SECOND + u64::from(frame.ts_usec) * unit;
                Some(Frame { time, link, bytes: frame.data })
            }
            PcapBlockOwned::NG(Block::SectionHeader(_)) => {
                self.each.clear();
                None
            }
            PcapBlockOwned::NG(Block::InterfaceDescription(one)) => {
                let offset = u64::try_from(one.ts_offset()).unwrap_or(0);
                self.each.push((one.linktype, offset, one.ts_resolution().unwrap_or(MICROS).max(1)));
                None
            }
            PcapBlockOwned::NG(Block::EnhancedPacket(frame)) => {
                let (link, offset, units) = *self.each.get(usize::try_from(frame.if_id).ok()?)?;
                let count = u64::from(frame.ts_high) << 32 | u64::from(frame.ts_low);
                let rest = u128::from(count % units) * u128::from(SECOND) / u128::from(units);
                let time = (offset.saturating_add(count / units)).saturating_mul(SECOND);
                Some(Frame { time: time.saturating_add(u64::try_from(rest).ok()?), link, bytes: frame.packet_data() })
            }
            // Frames without times, statistics, names: nothing that calls are made of.
            PcapBlockOwned::NG(_) => None,
        }
    }
}

const SECOND: u64 = 1_000_000_000;
/// Units of a second where a file does not say.
const MICROS: u64 = 1_000_000;
/// The longest block: packets that offloads have joined are at most 64 KiB, and blocks may have notes.
const BUFFER: usize = 1 << 18;
