//! What the kernel tells the agent, one record in the ring buffer per event.
use crate::Address;

/// A refused or observed packet or request. Packet events are sampled (the counters are exact), refused requests are not.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Event {
    /// Monotonic nanoseconds.
    pub time: u64,
    /// The decision's id; 0 where the kernel does not hold it (sources).
    pub decision: u64,
    /// The digest that matched; 0 for packets.
    pub digest: u64,
    /// The packet's source.
    pub source: Address,
    /// The packet's destination.
    pub destination: Address,
    /// The service's id; 0 for packets.
    pub service: u32,
    /// Interface index.
    pub ifindex: u32,
    /// Bytes on the wire.
    pub length: u32,
    /// Source port, host order.
    pub source_port: u16,
    /// Destination port, host order.
    pub destination_port: u16,
    /// [`crate::Reason`] by number.
    pub reason: u8,
    /// [`crate::Verdict`] by number.
    pub verdict: u8,
    /// [`crate::SubjectKind`] by number.
    pub kind: u8,
    /// IANA protocol number.
    pub protocol: u8,
    /// Zero.
    pub pad: u32,
}

const _: () = assert!(size_of::<Event>() == 80);
