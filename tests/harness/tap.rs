//! Which frames get past the outermost program: sent raw at one end of a cable, watched at the other.
//!
//! In: frames. Out: for each, whether the host's network stack got it. Never here: a conclusion from silence. After the
//! frames comes one from the neighbour's own address; only what is missing when that one is there was dropped.

use std::{
    net::{IpAddr, SocketAddr},
    os::fd::{AsRawFd as _, OwnedFd},
    time::Duration,
};

use nix::{
    errno::Errno,
    ifaddrs::getifaddrs,
    sys::socket::{self, AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, sockopt},
};

use crate::{
    frames::Frame,
    links::{Link, PEER_INTERFACE},
    namespace::Namespace,
    netns::Net,
    reply::Reply,
    wait::eventually,
};

/// A cable that can be watched.
#[derive(Debug)]
pub struct Tap {
    link: &'static Link,
    sender: OwnedFd,
    watcher: OwnedFd,
}

impl Tap {
    /// Opens both ends.
    pub fn open(net: &Net, link: &'static Link) -> Self {
        let sender = packet_socket(net.peer(link), PEER_INTERFACE, None);
        let watcher = packet_socket(&net.host, link.interface, Some(SockProtocol::EthAll));
        Self { link, sender, watcher }
    }

    /// Sends one frame from the neighbour, and forgets it.
    pub fn send(&self, frame: &Frame) {
        let sent = socket::send(self.sender.as_raw_fd(), frame.bytes(), MsgFlags::empty());
        sent.unwrap_or_else(|error| panic!("failed to send a frame of {} bytes: {error}", frame.bytes().len()));
    }

    /// Sends the frames, and says of each whether the host got it. The neighbour's own address must not be blocked.
    #[track_caller]
    pub fn deliver(&self, frames: &[Frame]) -> Vec<bool> {
        let link = self.link;
        let last = Frame::on(link).udp(own(link), discard(link), b"last");
        self.drain();
        frames.iter().chain([&last]).for_each(|frame| self.send(frame));
        let mut arrived: Vec<Vec<u8>> = Vec::new();
        let has = |arrived: &[Vec<u8>], frame: &Frame| arrived.iter().any(|bytes| bytes.ends_with(frame.mark()));
        eventually(DEADLINE, "the closing frame from the neighbour's own address arrives", || {
            arrived.extend(self.drain());
            has(&arrived, &last)
        });
        frames.iter().map(|frame| has(&arrived, frame)).collect()
    }

    /// Sends a datagram from each of these addresses, and says of each whether the host got it.
    #[track_caller]
    pub fn passing(&self, sources: &[&str]) -> Vec<bool> {
        let datagram = |source: &&str| {
            let from = SocketAddr::new(source.parse().unwrap_or_else(|_bad| panic!("no address: {source}")), 40_001);
            let to = if from.is_ipv4() { self.link.web4() } else { self.link.web6() };
            Frame::on(self.link).udp(from, to, b"probe")
        };
        self.deliver(&sources.iter().map(datagram).collect::<Vec<_>>())
    }

    /// The same for one address.
    #[track_caller]
    pub fn passes(&self, source: &str) -> bool {
        self.passing(&[source]) == [true]
    }

    /// The TCP segments seen at the host's end since the last look, in both directions.
    pub fn segments(&self) -> Vec<Reply> {
        self.drain().iter().filter_map(|frame| Reply::parse(frame)).collect()
    }

    /// What has arrived since the last look.
    fn drain(&self) -> Vec<Vec<u8>> {
        let (mut frames, mut buffer) = (Vec::new(), vec![0; 65_536]);
        loop {
            match socket::recv(self.watcher.as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT) {
                Ok(length) => frames.push(buffer[..length].to_vec()),
                Err(Errno::EAGAIN) => return frames,
                Err(error) => panic!("failed to watch {}: {error}", self.link.interface),
            }
        }
    }
}

fn own(link: &Link) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(link.peer4), 40_000)
}

fn discard(link: &Link) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(link.host4), 9)
}

/// A socket for whole frames of one interface; without a protocol it only sends.
pub(crate) fn packet_socket(space: &Namespace, interface: &str, protocol: Option<SockProtocol>) -> OwnedFd {
    space.inside(|| {
        let opened = socket::socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol);
        let socket = opened.expect("root may open a packet socket");
        let mut entries = getifaddrs().expect("interfaces can be listed");
        let address = entries.find_map(|entry| {
            let address = entry.address.filter(|_| entry.interface_name == interface)?;
            address.as_link_addr().copied()
        });
        let address = address.unwrap_or_else(|| panic!("{} has no interface {interface}", space.name()));
        socket::bind(socket.as_raw_fd(), &address).expect("a packet socket can be bound to an interface");
        socket::setsockopt(&socket, sockopt::RcvBufForce, &(64 << 20)).expect("root may ask for a large buffer");
        socket
    })
}

const DEADLINE: Duration = Duration::from_secs(5);
