//! The kernel's reader of headers, at every cut: a shorter frame is cut off or says the same, and what is read stands in the frame.
#![no_main]

use enforcer_common::Reason;
use enforcer_kernel_rooms::{Network, Ports, TCP, UDP, read_headers};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|frame: &[u8]| {
    let whole = read_headers(frame);
    for cut in 0..frame.len().min(DEEP) {
        let part = read_headers(&frame[..cut]);
        assert!(part == whole || is_cut_off(&part), "{cut} bytes are {part:?}, all are {whole:?}");
    }
    let Ok((network, ports)) = whole else { return };
    assert_eq!(network.halves.address(), network.source);
    let stands = |at: usize, bytes: &[u8]| frame.get(network.start + at..).is_some_and(|rest| rest.starts_with(bytes));
    let (source, destination) = (network.source.octets(), network.destination.octets());
    if frame[network.start] >> 4 == 4 {
        assert!(stands(12, &source[12..]) && stands(16, &destination[12..]));
    } else {
        assert!(stands(8, source) && stands(24, destination));
    }
    if let (TCP | UDP, Ok(ports)) = (network.protocol, ports) {
        let there = [ports.source.to_be_bytes(), ports.destination.to_be_bytes()].concat();
        assert!(frame[network.transport..].starts_with(&there));
        assert_eq!(read_headers(&frame[..network.transport + 8]), whole, "what stands behind changes something");
    }
});

type Read = Result<(Network, Result<Ports, Reason>), Reason>;

fn is_cut_off(read: &Read) -> bool {
    let reason = match read {
        Ok((_, Ok(_))) => return false,
        Ok((_, Err(reason))) | Err(reason) => *reason,
    };
    matches!(
        reason,
        Reason::EthernetTruncated | Reason::Ipv4Malformed | Reason::Ipv6Malformed | Reason::TransportMalformed
    )
}

/// More bytes than headers that are walked usually have.
const DEEP: usize = 512;
