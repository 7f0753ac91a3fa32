//! Packet readers on the host: known packets, and every prefix of each.
use std::net::IpAddr;

use proptest::prelude::*;

use super::*;

const V4: &[u8] = &[
    0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, 6, 0, 0, 203, 0, 113, 7, 10, 0, 0, 1, // IPv4
    0x9c, 0x40, 0x1f, 0x90, 0, 0, 0, 1, 0, 0, 0, 2, 0x50, 0x18, 0, 0, 0, 0, 0, 0, // TCP 40000 > 8080
];

fn ethernet(tags: &[u16], ethertype: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![2; 12];
    for tag in tags {
        frame.extend(tag.to_be_bytes());
        frame.extend([0, 7]);
    }
    frame.extend(ethertype.to_be_bytes());
    frame.extend(payload);
    frame
}

/// An IPv6 packet whose extension headers are `chain` (number, body), then `last` with its bytes.
fn ipv6_packet(chain: &[(u8, Vec<u8>)], last: u8, body: &[u8]) -> Vec<u8> {
    let mut payload = Vec::new();
    for (at, (_, bytes)) in chain.iter().enumerate() {
        let next = chain.get(at + 1).map_or(last, |(number, _)| *number);
        payload.push(next);
        payload.extend(bytes);
    }
    payload.extend(body);
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
    packet.extend([chain.first().map_or(last, |(number, _)| *number), 64]);
    packet.extend("2001:db8::7".parse::<std::net::Ipv6Addr>().unwrap().octets());
    packet.extend("2001:db8::1".parse::<std::net::Ipv6Addr>().unwrap().octets());
    packet.extend(payload);
    packet
}

fn read(frame: &[u8]) -> (Result<Network, Reason>, Option<Result<Ports, Reason>>) {
    let network = network(&frame);
    (network, network.ok().map(|n| ports(&frame, &n)))
}

#[test]
fn reads_tcp_over_ipv4_behind_up_to_two_tags() {
    for tags in [&[][..], &[0x8100], &[0x88a8, 0x8100]] {
        let (network, ports) = read(&ethernet(tags, 0x0800, V4));
        assert_eq!(network.unwrap().source, Address::v4([203, 0, 113, 7]));
        assert_eq!(ports.unwrap(), Ok(Ports { source: 40000, destination: 8080 }));
    }
    assert_eq!(read(&ethernet(&[0x88a8, 0x8100, 0x8100], 0x0800, V4)).0, Err(Reason::VlanTooDeep));
}

#[test]
fn reads_tcp_over_ipv6_behind_extension_headers() {
    let options = (0, [&[0][..], &[1, 4, 0, 0, 0, 0]].concat());
    let fragment = (44, vec![0, 0, 0, 0, 0, 0, 9]);
    let packet = ipv6_packet(&[options.clone(), fragment], TCP, &V4[20..]);
    let (network, ports) = read(&ethernet(&[], 0x86dd, &packet));
    assert_eq!(network.unwrap().source, Address::v6("2001:db8::7".parse::<IpAddr>().map(octets).unwrap()));
    assert_eq!(ports.unwrap(), Ok(Ports { source: 40000, destination: 8080 }));
    let deep = vec![options; EXTENSIONS + 1];
    assert_eq!(read(&ethernet(&[], 0x86dd, &ipv6_packet(&deep, TCP, &V4[20..]))).0, Err(Reason::Ipv6TooDeep));
}

#[test]
fn later_fragments_have_no_ports() {
    let mut v4 = V4.to_vec();
    v4[7] = 9;
    assert_eq!(read(&ethernet(&[], 0x0800, &v4)).1, Some(Err(Reason::Fragment)));
    let v6 = ipv6_packet(&[(44, vec![0, 0, 8, 0, 0, 0, 9])], UDP, &[1, 2, 3]);
    assert_eq!(read(&ethernet(&[], 0x86dd, &v6)).1, Some(Err(Reason::Fragment)));
}

#[test]
fn every_prefix_of_a_packet_gives_a_reason() {
    for frame in [ethernet(&[0x8100], 0x0800, V4), ethernet(&[], 0x86dd, &ipv6_packet(&[], TCP, &V4[20..]))] {
        for end in 0..frame.len() - 12 {
            let (network, ports) = read(&frame[..end]);
            assert!(network.is_err() || ports == Some(Err(Reason::TransportMalformed)), "prefix of {end} bytes");
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(frame in proptest::collection::vec(any::<u8>(), 0..200), kind in 0..3) {
        let mut frame = frame;
        if frame.len() > 14 && kind > 0 {
            frame[12..14].copy_from_slice(if kind == 1 { &[8, 0] } else { &[0x86, 0xdd] });
        }
        let _ = read(&frame);
    }
}

fn octets(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}
