//! Asking the kernel which program is at our place on clsact. In: an interface, a way, a place. Out: the program's number, or that there is
//! none. Never here: changing anything; whoever removed a classifier with `tc` is only found out.
use std::io;

use rustix::io::Errno;
use rustix::net::{AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with};

use super::super::netlink::{ERROR, HEADER, KIND, attribute, error, half, word};

/// A place for a classifier on clsact.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) ifindex: u32,
    /// What leaves, not what comes in.
    pub(super) egress: bool,
    pub(super) priority: u16,
    pub(super) handle: u32,
}

/// The number of the program there; none where there is no clsact, no classifier, or one that is no program.
pub(super) fn program_at(place: Place) -> io::Result<Option<u32>> {
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, ROUTE)?;
    send(&socket, &question(place), SendFlags::empty())?;
    let mut answer = [0; ANSWER];
    // The kernel answers within the call that asks.
    let (length, _) = recv(&socket, &mut answer[..], RecvFlags::DONTWAIT)?;
    read(answer.get(..length).unwrap_or_default())
}

/// `RTM_GETTFILTER` for this place: a header, then `struct tcmsg`, all in the machine's own order.
fn question(place: Place) -> [u8; QUESTION] {
    let parent = if place.egress { CLSACT_EGRESS } else { CLSACT_INGRESS };
    let info = u32::from(place.priority) << 16 | u32::from(ALL_PROTOCOLS.to_be());
    let words = [HEADER_AND_MESSAGE, GET_FILTER | REQUEST << 16, 1, 0, 0, place.ifindex, place.handle, parent, info];
    let mut bytes = [0; QUESTION];
    for (to, word) in bytes.chunks_exact_mut(4).zip(words) {
        to.copy_from_slice(&word.to_ne_bytes());
    }
    bytes
}

/// The program's number in what the kernel answered.
fn read(answer: &[u8]) -> io::Result<Option<u32>> {
    match half(answer, KIND) {
        Some(NEW_FILTER) => {
            let options = attribute(answer.get(HEADER + MESSAGE..).unwrap_or_default(), OPTIONS);
            Ok(options.and_then(|options| word(attribute(options, BPF_ID)?, 0)))
        }
        Some(ERROR) => {
            let code = error(answer.get(HEADER..).unwrap_or_default());
            let error = code.map_or(Errno::PROTO, Errno::from_raw_os_error);
            // No filter, no qdisc, no interface.
            if [Errno::NOENT, Errno::INVAL, Errno::NODEV].contains(&error) { Ok(None) } else { Err(error.into()) }
        }
        _ => Err(Errno::PROTO.into()),
    }
}

/// The protocol of interfaces, addresses and routes: number 0.
const ROUTE: Option<Protocol> = None;
/// Bytes of `struct tcmsg`.
const MESSAGE: usize = 20;
const QUESTION: usize = HEADER + MESSAGE;
const HEADER_AND_MESSAGE: u32 = 36;
/// More than a classifier without actions has to say.
const ANSWER: usize = 4096;
/// As in the kernel's `rtnetlink.h`, `netlink.h`, `pkt_sched.h`, `if_ether.h` and `pkt_cls.h`.
const GET_FILTER: u32 = 46;
const NEW_FILTER: u16 = 44;
const REQUEST: u32 = 1;
const CLSACT_INGRESS: u32 = 0xffff_fff2;
const CLSACT_EGRESS: u32 = 0xffff_fff3;
const ALL_PROTOCOLS: u16 = 3;
const OPTIONS: u16 = 2;
const BPF_ID: u16 = 11;

#[cfg(test)]
mod tests {
    use super::*;

    /// An answer with these attributes.
    fn answer(kind: u16, behind: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; HEADER];
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes.extend(behind);
        bytes
    }

    fn attributes(list: &[(u16, &[u8])]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (kind, value) in list {
            let length = u16::try_from(value.len() + 4).unwrap();
            bytes.extend([length.to_ne_bytes(), kind.to_ne_bytes()].concat());
            bytes.extend(*value);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
        bytes
    }

    fn filter() -> Vec<u8> {
        let options = attributes(&[(7, b"enforcer_tc\0"), (BPF_ID, &77_u32.to_ne_bytes())]);
        let behind = attributes(&[(1, b"bpf\0"), (3, b"odd"), (OPTIONS | 0x8000, &options)]);
        answer(NEW_FILTER, &[vec![0; MESSAGE], behind].concat())
    }

    #[test]
    fn the_program_is_found_among_what_is_said_of_a_classifier() {
        assert_eq!(read(&filter()).unwrap(), Some(77));
        let other = attributes(&[(1, b"flower\0"), (OPTIONS, &attributes(&[(BPF_ID + 1, &[1, 0, 0, 0])]))]);
        assert_eq!(read(&answer(NEW_FILTER, &[vec![0; MESSAGE], other].concat())).unwrap(), None);
    }

    #[test]
    fn a_place_without_classifier_is_told_from_a_kernel_that_does_not_say() {
        let error = |code: i32| read(&answer(ERROR, &(-code).to_ne_bytes()));
        assert_eq!(
            [error(libc::ENOENT).unwrap(), error(libc::EINVAL).unwrap(), error(libc::ENODEV).unwrap()],
            [None; 3]
        );
        assert_eq!(error(libc::EPERM).unwrap_err().raw_os_error(), Some(libc::EPERM));
        read(&answer(3, &[])).unwrap_err();
    }

    #[test]
    fn no_answer_is_too_short_or_too_odd_to_read() {
        let whole = filter();
        for length in 0..whole.len() {
            let _ = read(&whole[..length]);
            for at in 0..length {
                let mut changed = whole.clone();
                changed[at] = 0xff;
                let _ = read(&changed[..length]);
            }
        }
    }

    /// There is no clsact on the loopback of a host that runs tests, and no interface with the highest number.
    #[test]
    fn the_kernel_answers() {
        let place = Place { ifindex: 1, egress: false, priority: 50, handle: 0xdead };
        assert_eq!(program_at(place).unwrap(), None);
        assert_eq!(program_at(Place { ifindex: i32::MAX.cast_unsigned(), egress: true, ..place }).unwrap(), None);
    }
}
