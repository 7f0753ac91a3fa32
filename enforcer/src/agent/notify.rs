//! The service manager's protocol: a datagram to the socket named in `NOTIFY_SOCKET`. Nothing happens without it.
use std::env;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Once;

/// That it fails is said once: it is told every second.
static SAID: Once = Once::new();

/// Tells `state`, such as `READY=1`.
pub(super) fn tell(state: &str) {
    let Ok(name) = env::var("NOTIFY_SOCKET") else { return };
    let address = match name.strip_prefix('@') {
        Some(abstract_name) => SocketAddr::from_abstract_name(abstract_name),
        None => SocketAddr::from_pathname(&name),
    };
    let sent = address.and_then(|to| UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &to));
    if let Err(error) = sent {
        SAID.call_once(|| tracing::warn!(%error, "the service manager could not be told"));
    }
}
