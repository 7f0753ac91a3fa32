//! TCP by hand: a chosen source address, chosen segments, and exactly how the other side ended it.
//!
//! In: bytes to send. Out: bytes received and the [`Ending`]. Never here: HTTP.

use std::{
    io::{self, Read as _, Write as _},
    net::{IpAddr, SocketAddr, TcpStream},
    os::fd::AsRawFd as _,
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    sys::{
        socket::{self, AddressFamily, SockFlag, SockType, SockaddrStorage, sockopt},
        time::TimeVal,
    },
};

use crate::{namespace::Namespace, wait::patient};

/// Connects from the calling thread's namespace. Both connecting and each later read and write take at most `patience`.
pub fn connect(from: Option<IpAddr>, to: SocketAddr, patience: Duration) -> io::Result<TcpStream> {
    let family = if to.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let socket = socket::socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    let seconds = i64::try_from(patience.as_secs()).unwrap_or(i64::MAX);
    socket::setsockopt(&socket, sockopt::SendTimeout, &TimeVal::new(seconds, patience.subsec_micros().into()))?;
    if let Some(from) = from {
        let own = SockaddrStorage::from(SocketAddr::new(from, 0));
        socket::bind(socket.as_raw_fd(), &own)?;
    }
    // The kernel reports a connect that ran out of time as "in progress".
    socket::connect(socket.as_raw_fd(), &SockaddrStorage::from(to)).map_err(|error| {
        if error == Errno::EINPROGRESS { io::ErrorKind::TimedOut.into() } else { io::Error::from(error) }
    })?;
    let stream = TcpStream::from(socket);
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(patience))?;
    Ok(stream)
}

/// How the other side left the connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ending {
    /// It closed it properly.
    Closed,
    /// It is still open: nothing more came in time.
    Open,
    /// It reset it.
    Reset,
}

/// A connection on which every write is a segment of its own.
#[derive(Debug)]
pub struct RawTcp {
    stream: TcpStream,
}

impl RawTcp {
    /// Connects.
    #[track_caller]
    pub fn connect(space: &Namespace, to: SocketAddr) -> Self {
        let stream = space.inside(|| connect(None, to, patient(PATIENCE)));
        Self { stream: stream.unwrap_or_else(|error| panic!("failed to connect to {to}: {error}")) }
    }

    /// The address and port of this end.
    pub fn own(&self) -> SocketAddr {
        self.stream.local_addr().expect("a connected socket has an address")
    }

    /// Sends each piece in its own segment, as far as it fits into one. Writing into a connection that was reset is an
    /// answer too, so it doesn't panic.
    pub fn send(&mut self, pieces: &[&[u8]]) -> io::Result<()> {
        pieces.iter().try_for_each(|piece| self.stream.write_all(piece))
    }

    /// Sends the bytes in segments of `size`.
    pub fn send_chopped(&mut self, bytes: &[u8], size: usize) -> io::Result<()> {
        bytes.chunks(size).try_for_each(|piece| self.stream.write_all(piece))
    }

    /// Reads until the other side ends the connection, or `patience` has passed.
    pub fn read_to_end(&mut self, patience: Duration) -> (Vec<u8>, Ending) {
        self.read_until(patience, |_| false)
    }

    /// Reads until `enough`, the end of the connection, or the end of `patience`.
    pub fn read_until(&mut self, patience: Duration, enough: impl Fn(&[u8]) -> bool) -> (Vec<u8>, Ending) {
        let (started, mut received, mut piece) = (Instant::now(), Vec::new(), vec![0; 65_536]);
        while !enough(&received) {
            let left = patience.saturating_sub(started.elapsed());
            if left.is_zero() {
                break;
            }
            self.stream.set_read_timeout(Some(left)).expect("a timeout above zero is accepted");
            match self.stream.read(&mut piece) {
                Ok(0) => return (received, Ending::Closed),
                Ok(length) => received.extend_from_slice(&piece[..length]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => return (received, Ending::Reset),
            }
        }
        (received, Ending::Open)
    }
}

const PATIENCE: Duration = Duration::from_secs(5);
