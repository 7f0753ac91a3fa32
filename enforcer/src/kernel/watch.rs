//! Interfaces that come, go, or change. In: what the kernel announces about them. Out: that something changed. Never here: what it was;
//! whoever is told looks for itself, so nothing is lost when an announcement is.
use std::io;
use std::os::fd::OwnedFd;

use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, Protocol, RecvFlags, SocketFlags, SocketType, bind, recv, socket_with};
use tokio::io::unix::AsyncFd;

/// The kernel's announcements, from the moment it was opened.
pub struct LinkWatch(AsyncFd<OwnedFd>);

/// The group of announcements about interfaces (`RTMGRP_LINK`).
const LINKS: u32 = 1;
/// The protocol of interfaces, addresses and routes: number 0.
const ROUTE: Option<Protocol> = None;

impl LinkWatch {
    /// Begins to listen. On an async runtime.
    pub fn open() -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, ROUTE)?;
        bind(&socket, &SocketAddrNetlink::new(0, LINKS))?;
        // SAFETY: the socket owns its descriptor, gives out the same one always, and closes it only when dropped.
        Ok(Self(unsafe { AsyncFd::register(socket) }?))
    }

    /// Returns when something has changed since the last time.
    pub async fn changed(&self) -> io::Result<()> {
        let mut ready = self.0.readable().await?;
        // What it says is not read: any of it asks for a look.
        let mut unread = [0_u8; 64];
        loop {
            match recv(self.0.get_ref(), &mut unread[..], RecvFlags::empty()) {
                // More was announced than fits into the socket: a look, all the same.
                Ok(_) | Err(rustix::io::Errno::NOBUFS | rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => break,
                Err(error) => return Err(error.into()),
            }
        }
        ready.clear_ready();
        Ok(())
    }
}
