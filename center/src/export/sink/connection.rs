//! A connection to a receiver, or to a publisher of lists: TCP, or TLS with trusted authorities.
//!
//! In: host and port, the authority's certificate. Out: bytes both ways. Never here: what they mean. A receiver that takes no byte
//! for [`SILENT`] is taken for dead, and one that is gone is noticed without writing.
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Bytes both ways.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// Connects.
pub(crate) async fn connect(address: &str, host: &str, authority: Option<&str>) -> anyhow::Result<Box<dyn Stream>> {
    let dialled = tokio::time::timeout(CONNECT, TcpStream::connect(address)).await;
    let stream = dialled.with_context(|| format!("{address} does not answer"))?;
    let stream = stream.with_context(|| format!("connecting to {address}"))?;
    let socket = SockRef::from(&stream);
    socket.set_tcp_user_timeout(Some(SILENT))?;
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(SILENT / 2).with_interval(SILENT / 4))?;
    stream.set_nodelay(true)?;
    let Some(authority) = authority else { return Ok(Box::new(stream)) };
    let name = ServerName::try_from(host.to_owned()).with_context(|| format!("{host} is no name"))?;
    let connector = TlsConnector::from(Arc::new(trusting(authority)?));
    let stream = tokio::time::timeout(CONNECT, connector.connect(name, stream)).await;
    Ok(Box::new(stream.context("the handshake took too long")?.with_context(|| format!("TLS with {address}"))?))
}

fn trusting(authority: &str) -> anyhow::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(authority.as_bytes()).collect();
    // Of a system's authorities one may be too odd for us; the others count.
    roots.add_parsable_certificates(certificates.context("the authority is no certificate")?);
    anyhow::ensure!(!roots.is_empty(), "the authority is no certificate");
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
    Ok(builder.with_safe_default_protocol_versions()?.with_root_certificates(roots).with_no_client_auth())
}

/// How long a receiver may leave bytes untaken.
pub(super) const SILENT: Duration = Duration::from_secs(15);
const CONNECT: Duration = Duration::from_secs(10);
