//! Streams of a capture: however what a client sends is cut, repeated and put out of order, the calls are those of the stream in order.
//! The data are the order, a zero byte, and the stream.
#![no_main]

use enforcer_common::SipKey;
use enforcer_insight::Call;
use enforcer_insight::capture::{Counts, Scene, Served, read};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some(at) = data.iter().position(|byte| *byte == 0) else { return };
    let (order, stream) = (&data[..at], &data[at + 1..]);
    let answers = ANSWER.repeat(4);
    let (expected, counts) = calls(&[(0, stream)], &answers);
    // What is no HTTP is given up at once; how much was read until then is another matter.
    if counts.lost == 0 {
        let (found, counts) = calls(&pieces(order, stream), &answers);
        assert_eq!((found, counts.lost), (expected, 0));
    }
});

/// The stream in pieces: of each two bytes of the order, the first says where a piece begins and the second how long it is. At last all
/// comes that is still missing.
fn pieces<'s>(order: &[u8], stream: &'s [u8]) -> Vec<(usize, &'s [u8])> {
    let piece = |two: &[u8]| {
        let from = usize::from(two[0]) * stream.len() / 256;
        let until = stream.len().min(from + usize::from(two[1]));
        (from, &stream[from..until])
    };
    let cut: Vec<_> = order.chunks_exact(2).map(piece).collect();
    cut.into_iter().chain([(0, stream)]).collect()
}

/// What comes of a connection whose client sends these pieces, and whose server answers at last.
fn calls(pieces: &[(usize, &[u8])], answers: &[u8]) -> (Vec<Call>, Counts) {
    let mut file = Vec::new();
    for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 262_144, 101] {
        file.extend(word.to_le_bytes());
    }
    let sent = pieces.last().map_or(0, |(_, bytes)| bytes.len());
    let asked = |number: usize| 1_000_u32.wrapping_add(number as u32);
    packet(&mut file, true, asked(0), SYN, &[]);
    packet(&mut file, false, asked(0), SYN | ACK, &[]);
    for (at, bytes) in pieces {
        packet(&mut file, true, asked(1 + at), ACK, bytes);
    }
    packet(&mut file, false, asked(1), ACK, answers);
    packet(&mut file, true, asked(1 + sent), FIN | ACK, &[]);
    packet(&mut file, false, asked(1 + answers.len()), FIN | ACK, &[]);
    let served = Served { name: "pay".into(), ports: vec![80], hosts: vec![], paths: vec![], identities: vec![] };
    let scene = Scene { services: vec![served], proxies: vec![], key: SipKey([1, 2]) };
    let mut calls = Vec::new();
    let counts = read(&file[..], &scene, &mut |call| calls.push(call)).expect("the file is whole");
    (calls, counts)
}

/// All at the same time: how long something took is not what is compared.
fn packet(file: &mut Vec<u8>, asks: bool, sequence: u32, flags: u8, bytes: &[u8]) {
    let length = 40 + bytes.len();
    for word in [1_800_000_000, 0, length as u32, length as u32] {
        file.extend(word.to_le_bytes());
    }
    let (client, server, far, near) = ([192, 0, 2, 10], [192, 0, 2, 1], 40_000_u16.to_be_bytes(), 80_u16.to_be_bytes());
    let (from, to, ports) = if asks { (client, server, [far, near]) } else { (server, client, [near, far]) };
    file.extend([0x45, 0]);
    file.extend((length as u16).to_be_bytes());
    file.extend([0, 0, 0x40, 0, 64, 6, 0, 0]);
    file.extend([from, to].concat());
    file.extend(ports.concat());
    file.extend(sequence.to_be_bytes());
    file.extend([0, 0, 0, 1, 0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
    file.extend(bytes);
}

const FIN: u8 = 1;
const SYN: u8 = 2;
const ACK: u8 = 16;
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
