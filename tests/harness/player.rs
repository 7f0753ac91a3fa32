//! Plays connections segment by segment over a raw socket, hundreds at a time, from addresses that no kernel owns.
//!
//! In: [`Play`]s. Out: what came of each ([`Played`]). Never here: a judgement, or a wait for a time to pass. It does what
//! TCP demands of a client (acknowledges, sends again what is not acknowledged), and nothing else behind the play's back.
//!
//! The addresses lie behind the client's, which does not forward: its kernel throws away what comes back after the raw
//! socket has had its copy, and never resets anything.

use std::{
    cell::Cell,
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::fd::{AsRawFd as _, OwnedFd},
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    sys::{
        socket::{self, MsgFlags, SockProtocol, sockopt},
        time::TimeVal,
    },
};

use crate::{
    connection::Connection,
    frames::Frame,
    hand::{Hand, put},
    links::{Link, PEER_INTERFACE},
    netns::Net,
    play::{Manner, Play},
    reply::Reply,
    segments::Ends,
    tap::packet_socket,
};

/// A raw socket at the neighbour's end of a cable.
#[derive(Debug)]
pub struct Player {
    link: &'static Link,
    socket: OwnedFd,
    played: Cell<usize>,
    other_hand: Option<Hand>,
    sent: Cell<usize>,
}

/// What came of one play.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Played {
    /// The client's address and port.
    pub own: SocketAddr,
    /// The statuses of all whole answers.
    pub statuses: Vec<u16>,
    /// How the server left it.
    pub ending: Finish,
    /// What came behind the last whole answer.
    pub rest: Vec<u8>,
    /// How many bytes of the client's stream the server has acknowledged.
    pub acknowledged: usize,
    /// How often the client had to send something again.
    pub repeated: usize,
    /// From the first segment to the last.
    pub took: Duration,
}

/// How the server left a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Finish {
    /// With the expected answers; it may have closed it since.
    Answered,
    /// Closed, before all answers had come.
    Closed,
    /// Reset.
    Reset,
    /// Nothing more came in time.
    TimedOut,
}

impl Player {
    /// Opens the socket, and tells the host where the addresses are.
    pub fn open(net: &Net, link: &'static Link) -> Self {
        for (family, network, gateway) in [
            ("-4", format!("{}/24", address(link, false, 0)), link.peer4.to_string()),
            ("-6", format!("{}/64", address(link, true, 0)), link.peer6.to_string()),
        ] {
            net.host.exec(&format!("ip {family} route replace {network} via {gateway} dev {}", link.interface));
        }
        let socket = packet_socket(net.peer(link), PEER_INTERFACE, Some(SockProtocol::EthAll));
        socket::setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::new(0, 1000)).expect("a timeout can be set");
        Self { link, socket, played: Cell::new(0), other_hand: None, sent: Cell::new(0) }
    }

    /// Sends every other frame from another processor.
    #[must_use]
    pub fn with_both_hands(mut self) -> Self {
        self.other_hand = Some(Hand::beside(self.socket.try_clone().expect("a socket can be shared")));
        self
    }

    /// Plays one.
    pub fn play(&self, play: Play) -> Played {
        let mut play = Some(play);
        self.perform(1, 1, |_| play.take().expect("there is one")).remove(0)
    }

    /// Plays so many, so many of them at a time, and returns what came of each.
    pub fn perform(&self, total: usize, together: usize, mut make: impl FnMut(usize) -> Play) -> Vec<Played> {
        let (mut open, mut done, mut looked) = (HashMap::new(), Vec::new(), Instant::now());
        done.resize_with(total, || None);
        let mut waiting = (0..total).peekable();
        while !open.is_empty() || waiting.peek().is_some() {
            for number in waiting.by_ref().take(together.min(NUMBERS) - open.len()) {
                let play = make(number);
                let ends = self.ends(play.is(Manner::Six));
                open.insert(ends.own, (number, Connection::begin(ends, play, &mut |frame| self.send(frame))));
            }
            for (number, played) in self.dispatch(&mut open) {
                done[number] = Some(played);
            }
            if looked.elapsed() < TICK {
                continue;
            }
            looked = Instant::now();
            open.retain(|_, (number, connection)| {
                connection.tick(looked, &mut |frame| self.send(frame));
                done[*number] = connection.played();
                done[*number].is_none()
            });
        }
        done.into_iter().flatten().collect()
    }

    /// Hands what has come to those it is for, and says what came of those that are over; waits a moment if there is nothing.
    fn dispatch(&self, open: &mut HashMap<SocketAddr, (usize, Connection)>) -> Vec<(usize, Played)> {
        let (mut buffer, mut flags, mut over) = (vec![0; 66_000], MsgFlags::empty(), Vec::new());
        loop {
            let length = match socket::recv(self.socket.as_raw_fd(), &mut buffer, flags) {
                Ok(length) => length,
                Err(Errno::EAGAIN | Errno::EINTR) => return over,
                Err(error) => panic!("failed to receive: {error}"),
            };
            flags = MsgFlags::MSG_DONTWAIT;
            let Some(reply) = Reply::parse(&buffer[..length]) else { continue };
            let own = reply.to;
            if let Some((number, connection)) = open.get_mut(&own).filter(|(_, open)| open.is_from(reply.from)) {
                connection.receive(reply, &mut |frame| self.send(frame));
                if let Some(played) = connection.played() {
                    over.push((*number, played));
                    open.remove(&own);
                }
            }
        }
    }

    fn send(&self, frame: &Frame) {
        let turn = self.sent.replace(self.sent.get() + 1);
        match &self.other_hand {
            Some(other) if turn.is_multiple_of(2) => other.send(frame.bytes()),
            _ => put(&self.socket, frame.bytes()),
        }
    }

    /// Ends that no other play of this socket has had.
    fn ends(&self, six: bool) -> Ends {
        let played = self.played.replace(self.played.get() + 1);
        let number = u16::try_from(played % NUMBERS + 1).expect("few addresses");
        let port = u16::try_from(played / NUMBERS % PORTS).expect("few ports") + FIRST_PORT;
        let own = SocketAddr::new(address(self.link, six, number), port);
        let server = if six { self.link.web6() } else { self.link.web4() };
        Ends { link: self.link, own, server }
    }
}

/// The n-th address behind the neighbour; number 0 is the network itself.
fn address(link: &Link, six: bool, number: u16) -> IpAddr {
    let third = link.peer4.octets()[2];
    if six {
        Ipv6Addr::new(0xfd88, third.into(), 0, 0, 0, 0, 0, number).into()
    } else {
        let [_, last] = number.to_be_bytes();
        Ipv4Addr::new(10, 88, third, last).into()
    }
}

/// How often clocks are looked at.
const TICK: Duration = Duration::from_millis(1);
/// Few enough for the last byte of an address.
const NUMBERS: usize = 250;
const FIRST_PORT: u16 = 10_000;
const PORTS: usize = 50_000;
