//! The one value every packet reads first, and the shape of the source tables.
use crate::{SipKey, siphash};

/// The shape of the source tables; fixed for as long as the tables live.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Geometry {
    /// Secret of the tables: nobody outside can aim at a bucket.
    pub key: SipKey,
    /// Number of IPv4 buckets minus one; a power of two minus one.
    pub mask4: u32,
    /// Number of IPv6 buckets minus one; a power of two minus one.
    pub mask6: u32,
    /// Secrets of the two IPv6 digests, made from the key.
    pub digest: [[u32; 4]; 2],
}

impl Geometry {
    /// From the secret and the numbers of buckets, which are powers of two.
    pub fn new(key: SipKey, buckets4: u32, buckets6: u32) -> Self {
        let word = |index: u8| siphash(key, &[index]) as u32;
        Self {
            key,
            mask4: buckets4 - 1,
            mask6: buckets6 - 1,
            digest: [[0, 1, 2, 3], [4, 5, 6, 7]].map(|half| half.map(word)),
        }
    }
}

/// Switches and constants of the data path, in one array element.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// The layout the maps were made with.
    pub abi: u32,
    /// Not zero: everything passes.
    pub bypass: u32,
    /// Nanoseconds without a heartbeat after which everything passes; 0 means decisions hold without an agent.
    pub lease: u64,
    /// Least nanoseconds between two packet events of one CPU.
    pub event_gap: u64,
    /// Secret of the identity digests.
    pub identity_key: SipKey,
    /// Shape of the source tables.
    pub geometry: Geometry,
    /// Strata that hold IPv4 networks: bit n is [`crate::stratum_of`] n.
    pub strata4: u32,
    /// Strata that hold IPv6 networks.
    pub strata6: u32,
    /// Not zero: the flow map has entries.
    pub flows: u32,
    /// Not zero: the allowlist has entries.
    pub allow: u32,
    /// Words of the filter in use, minus one; a power of two minus one. It grows with the lists.
    pub filter: u32,
    /// Places for open heads.
    pub heads: u32,
    /// Words of the filter of identities, minus one; a power of two minus one.
    pub named: u32,
    /// Words of the gate in use, minus one: [`crate::gate_mask`] of the filter's.
    pub gate: u32,
}

/// A counter of packets (or requests) and their bytes.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counter {
    /// Packets or requests.
    pub count: u64,
    /// Bytes on the wire, link header included.
    pub bytes: u64,
}

const _: () = assert!(size_of::<Geometry>() == 56);
const _: () = assert!(size_of::<Settings>() == 128);
const _: () = assert!(size_of::<Counter>() == 16);
