//! The pure rooms `http` and `packet` of the kernel programs, for tests and fuzzers on the host. In: bytes as they come over the wire.
//! Out: what the kernel would find in them. Never here: maps, verdicts; for the kernel this library is empty.
#![cfg_attr(target_arch = "bpf", no_std)]
#![cfg_attr(
    not(target_arch = "bpf"),
    expect(
        unreachable_pub,
        clippy::cast_possible_truncation,
        clippy::inline_always,
        clippy::manual_div_ceil,
        reason = "the room is the kernel's own, as in main.rs"
    ),
    allow(dead_code, unused_imports, reason = "the programs use more of the room than is asked of it here")
)]

#[cfg(not(target_arch = "bpf"))]
mod http;
#[cfg(not(target_arch = "bpf"))]
mod packet;

#[cfg(not(target_arch = "bpf"))]
pub use host::{Chunks, Found, Scanned, read_chunks, read_headers, scan_answer_bytes, scan_bytes};
#[cfg(not(target_arch = "bpf"))]
pub use http::Odd;
#[cfg(not(target_arch = "bpf"))]
pub use packet::{Network, Ports, TCP, UDP};

#[cfg(not(target_arch = "bpf"))]
mod host {
    use enforcer_common::limits::HEAD_WINDOW;
    use enforcer_common::{Phase, Place, Reason, SipKey, Watchlist};

    use crate::http::{self, Framing, TOKENS, Token, Work};
    use crate::packet::{self, Network, Ports};

    /// A head as the kernel reads it.
    pub struct Scanned {
        work: Box<Work>,
        /// What the scratch space points to.
        list: Box<Watchlist>,
        outcome: Result<(), Reason>,
    }

    /// An identity in a head.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct Found {
        /// As `SubjectKind`.
        pub kind: u16,
        /// The watch that found it.
        pub watch: u16,
        /// Its bytes.
        pub text: Vec<u8>,
        /// Their digest, as the kernel computes it.
        pub digest: u64,
    }

    /// Scans the bytes from a request boundary on, as the kernel does with what it has of them.
    pub fn scan_bytes(bytes: &[u8], list: &Watchlist) -> Scanned {
        let mut scanned = Scanned { work: work_with(bytes), list: Box::new(*list), outcome: Ok(()) };
        scanned.work.list = &raw const *scanned.list;
        scanned.outcome = http::scan(&mut scanned.work);
        scanned
    }

    /// The status of the answer that the bytes begin with, and where its head ends.
    pub fn scan_answer_bytes(bytes: &[u8]) -> Result<(u32, usize), Reason> {
        let list = Watchlist::new();
        let mut work = work_with(bytes);
        work.list = &raw const list;
        let status = http::scan_answer(&mut work)?;
        Ok((status, work.end as usize))
    }

    /// What the headers of a frame say, up to the ports.
    pub fn read_headers(frame: &[u8]) -> Result<(Network, Result<Ports, Reason>), Reason> {
        packet::network(&frame).map(|network| (network, packet::ports(&frame, &network)))
    }

    /// Behind the bytes lies what earlier segments left: here it is ends of lines, which would end every head.
    fn work_with(bytes: &[u8]) -> Box<Work> {
        // SAFETY: all fields are plain numbers and a pointer; on the heap from the start, since it is large.
        let mut work: Box<Work> = unsafe { Box::<Work>::new_zeroed().assume_init() };
        work.head.fill(b'\n');
        let length = bytes.len().min(HEAD_WINDOW);
        for (to, from) in work.head.iter_mut().zip(bytes.iter().take(length)) {
            *to = *from;
        }
        work.length = length as u32;
        work.watches = u32::MAX;
        work
    }

    impl Scanned {
        /// Where the head ends, or why it does not.
        pub fn end(&self) -> Result<usize, Reason> {
            self.outcome.map(|()| self.work.end as usize)
        }

        /// The identities that were found.
        pub fn found(&mut self, key: SipKey) -> Vec<Found> {
            let count = (self.work.found as usize).min(TOKENS);
            let tokens = self.work.tokens;
            let named = tokens.iter().take(count).filter(|token| token.kind != Token::VALUE);
            named.map(|token| self.one(*token, key)).collect()
        }

        fn one(&mut self, token: Token, key: SipKey) -> Found {
            let digest = http::digest_token(&mut self.work, token, key);
            let text = self.work.head.iter().skip(usize::from(token.start)).take(usize::from(token.length));
            Found { kind: token.kind, watch: token.watch, text: text.copied().collect(), digest }
        }

        /// Identities that were too long or too many.
        pub fn missed(&self) -> u32 {
            self.work.missed
        }

        /// What servers read differently, as [`http::Odd`].
        pub fn odd(&self) -> u32 {
            self.work.odd
        }

        /// What `Content-Length` says.
        pub fn length(&self) -> Option<u64> {
            (self.work.framing & Framing::LENGTH != 0).then_some(self.work.body)
        }

        /// True when the last coding is `chunked`.
        pub fn is_chunked(&self) -> bool {
            self.work.framing & Framing::CHUNKED != 0
        }

        /// True when the request lies in `place`, whose digests were made with `key`.
        pub fn lies_in(&mut self, place: &Place, key: SipKey) -> bool {
            http::read_target(&mut self.work, key);
            http::read_host(&mut self.work, key);
            http::is_in(place, &self.work)
        }

        /// True when the path, or the host, could be read differently.
        pub fn odd_place(&self) -> (bool, bool) {
            (self.work.odd_path != 0, self.work.odd_host != 0)
        }
    }

    /// A chunked body as the kernel reads it.
    #[derive(Clone, PartialEq, Eq, Debug, Default)]
    pub struct Chunks {
        /// Bytes of the body.
        pub body: Vec<u8>,
        /// Where the message ends; `None` while it is open.
        pub end: Option<usize>,
        /// A size is malformed.
        pub malformed: bool,
    }

    /// Reads a chunked body that comes in pieces of `piece` bytes.
    pub fn read_chunks(bytes: &[u8], piece: usize) -> Chunks {
        let (mut chunks, mut at) = (Chunks::default(), 0);
        let (mut phase, mut left, mut digits) = (Phase::ChunkSize as u32, 0_u64, 0);
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            if phase == Phase::ChunkData as u32 {
                let count = rest.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                chunks.body.extend(rest.iter().take(count));
                (at, left) = (at + count, left - count as u64);
                phase = if left == 0 { Phase::ChunkEnd as u32 } else { phase };
                continue;
            }
            let mut work = work_with(rest.get(..piece.clamp(1, rest.len())).unwrap_or(rest));
            (work.phase, work.left, work.digits) = (phase, left, digits);
            http::read_chunk_text(&mut work);
            (phase, left, digits) = (work.phase, work.left, work.digits);
            at += work.consumed as usize;
            chunks.malformed = work.odd != 0;
            if chunks.malformed {
                break;
            }
            if phase == Phase::Head as u32 {
                chunks.end = Some(at);
                break;
            }
        }
        chunks
    }
}
