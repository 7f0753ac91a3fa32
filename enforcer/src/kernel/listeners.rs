//! Sockets that listen. In: nothing. Out: each TCP socket of this network namespace that waits for connections, with its owner's user and
//! control group. Never here: processes, names.
//!
//! The kernel tells this to everybody, of sockets of all users (`sock_diag`): it needs no capability.
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use rustix::net::netlink::SOCK_DIAG;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with};

use super::netlink::{ERROR, HEADER, KIND, attribute, error, half, word};

/// One of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Listener {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its number, as `/proc/PID/fd` shows it.
    pub inode: u32,
    /// The user that made it.
    pub user: u32,
    /// The number of the control group it was made in; `None` where the kernel does not say.
    pub cgroup: Option<u64>,
}

/// All of them.
pub fn listeners() -> io::Result<Vec<Listener>> {
    let mut found = Vec::new();
    for family in [AddressFamily::INET, AddressFamily::INET6] {
        dump(family, &mut found)?;
    }
    Ok(found)
}

fn dump(family: AddressFamily, found: &mut Vec<Listener>) -> io::Result<()> {
    let flags = SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::NETLINK, SocketType::DGRAM, flags, Some(SOCK_DIAG))?;
    set_socket_timeout(&socket, Timeout::Recv, Some(PATIENCE))?;
    let family = u8::try_from(family.as_raw()).unwrap_or_default();
    send(&socket, &question(family), SendFlags::empty())?;
    let mut buffer = vec![0_u8; BUFFER];
    for _ in 0..MOST_MESSAGES {
        let (length, _) = recv(&socket, &mut buffer[..], RecvFlags::empty())?;
        if read(buffer.get(..length).unwrap_or_default(), found)? {
            return Ok(());
        }
    }
    Err(io::Error::other("the kernel has more listening sockets than are read"))
}

/// `nlmsghdr` and `inet_diag_req_v2`: all sockets of TCP that listen.
fn question(family: u8) -> [u8; QUESTION] {
    let mut bytes = [0; QUESTION];
    let mut put = |at: usize, part: &[u8]| {
        bytes.iter_mut().skip(at).zip(part).for_each(|(byte, wanted)| *byte = *wanted);
    };
    put(0, &72_u32.to_ne_bytes());
    put(4, &SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    put(6, &REQUEST_DUMP.to_ne_bytes());
    put(16, &[family, TCP]);
    put(20, &(1_u32 << LISTEN).to_ne_bytes());
    bytes
}

/// Takes the sockets of one datagram; true when it was the last.
fn read(datagram: &[u8], found: &mut Vec<Listener>) -> io::Result<bool> {
    let mut rest = datagram;
    while let (Some(length), Some(kind)) = (word(rest, 0), half(rest, KIND)) {
        let length = usize::try_from(length).unwrap_or(usize::MAX).clamp(HEADER, rest.len().max(HEADER));
        let body = rest.get(HEADER..length).unwrap_or_default();
        match kind {
            DONE => return Ok(true),
            ERROR => {
                let code = error(body).unwrap_or_default();
                return if code == 0 { Ok(true) } else { Err(io::Error::from_raw_os_error(code)) };
            }
            _ => found.extend(listener(body)),
        }
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(false)
}

/// An `inet_diag_msg` with its attributes.
fn listener(body: &[u8]) -> Option<Listener> {
    let port = u16::from_be_bytes(body.get(4..6)?.try_into().ok()?);
    let address = match i32::from(*body.first()?) {
        libc::AF_INET => IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(body.get(8..12)?).ok()?)),
        libc::AF_INET6 => IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(body.get(8..24)?).ok()?)),
        _ => return None,
    };
    let (user, inode) = (word(body, 64)?, word(body, 68)?);
    Some(Listener { address: (address, port).into(), inode, user, cgroup: cgroup(body.get(MESSAGE..)?) })
}

fn cgroup(attributes: &[u8]) -> Option<u64> {
    attribute(attributes, CGROUP_ID)?.first_chunk().copied().map(u64::from_ne_bytes)
}

const PATIENCE: Duration = Duration::from_secs(2);
/// A dump of the kernel comes in datagrams of at most that.
const BUFFER: usize = 32 * 1024;
const MOST_MESSAGES: usize = 1024;
const QUESTION: usize = 72;
const MESSAGE: usize = 72;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
/// `NLM_F_REQUEST` and `NLM_F_DUMP`.
const REQUEST_DUMP: u16 = 0x301;
const DONE: u16 = 3;
const TCP: u8 = 6;
const LISTEN: u32 = 10;
/// `INET_DIAG_CGROUP_ID`
const CGROUP_ID: u16 = 21;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_of_this_process_is_found() {
        for any in ["127.0.0.1:0", "[::1]:0"] {
            let socket = std::net::TcpListener::bind(any).unwrap();
            let address = socket.local_addr().unwrap();
            let found: Vec<Listener> = listeners().unwrap().into_iter().filter(|one| one.address == address).collect();
            let link = std::fs::read_dir("/proc/self/fd")
                .unwrap()
                .filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok());
            let [one] = &found[..] else { panic!("{found:?}") };
            assert!(link.into_iter().any(|link| link.to_str() == Some(&format!("socket:[{}]", one.inode))), "{one:?}");
        }
    }

    #[test]
    fn whatever_comes_is_read_within_bounds() {
        let mut datagram = vec![0_u8; 16 + 72 + 12];
        datagram[0] = 100;
        datagram[4] = 20;
        datagram[16] = 2;
        datagram[20..22].copy_from_slice(&80_u16.to_be_bytes());
        datagram[24..28].copy_from_slice(&[10, 0, 0, 1]);
        datagram[80..84].copy_from_slice(&33_u32.to_ne_bytes());
        datagram[84..88].copy_from_slice(&44_u32.to_ne_bytes());
        datagram[88..92].copy_from_slice(&[12, 0, 21, 0]);
        datagram[92..100].copy_from_slice(&55_u64.to_ne_bytes());
        let mut found = Vec::new();
        assert!(!read(&datagram, &mut found).unwrap());
        let wanted = Listener { address: "10.0.0.1:80".parse().unwrap(), inode: 44, user: 33, cgroup: Some(55) };
        assert_eq!(found, [wanted]);
        for cut in 0..datagram.len() {
            assert!(!read(&datagram[..cut], &mut Vec::new()).unwrap(), "{cut}");
        }
        for at in 0..16 {
            let mut broken = datagram.clone();
            broken[at] = 255;
            let _ = read(&broken, &mut Vec::new());
        }
        assert!(read(&[20, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], &mut found).unwrap());
    }
}
