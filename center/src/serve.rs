//! TLS: connections in, requests out to `api`.
//!
//! In: a listener. Out: answers over HTTP/1.1; who is at the other end by certificate, if there is one. Never here: what a
//! request means. Bounded: connections, time to shake hands, time to send a head.
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::authority::fingerprint;
use crate::folder::Folder;

/// Who is at the other end.
#[derive(Clone, Debug)]
pub struct Peer {
    /// From where.
    pub address: IpAddr,
    /// The SHA-256 of a certificate that this center's authority issued and that has not lapsed.
    pub certificate: Option<String>,
}

const CONNECTIONS: usize = 8192;
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long a client may go on sending what nobody reads.
const LINGER: Duration = Duration::from_secs(2);
/// Also between two requests of one connection.
const HEAD: Duration = Duration::from_secs(90);

/// Serves until the task is dropped.
pub async fn serve(listener: TcpListener, tls: Arc<ServerConfig>, router: Router) {
    let (acceptor, room) = (TlsAcceptor::from(tls), Arc::new(Semaphore::new(CONNECTIONS)));
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
        let Ok((stream, address)) = listener.accept().await else {
            // Out of descriptors: let others finish.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let (acceptor, router) = (acceptor.clone(), router.clone());
        tokio::spawn(async move {
            if let Err(error) = converse(stream, address, acceptor, router).await {
                tracing::debug!(%address, error = format!("{error:#}"), "a connection ended");
            }
            drop(permit);
        });
    }
}

async fn converse(stream: TcpStream, address: SocketAddr, acceptor: TlsAcceptor, router: Router) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let stream =
        tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await.context("the handshake took too long")??;
    let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first).map(|der| fingerprint(der));
    let peer = Peer { address: address.ip(), certificate };
    let router = TowerToHyperService::new(router);
    // In each request, not around the router: that would be a copy of all routes for each connection.
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer.clone());
        router.call(request)
    });
    let mut connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .serve_connection(TokioIo::new(stream), service);
    let ended = poll_fn(|context| connection.poll_without_shutdown(context)).await;
    let stream = connection.into_parts().io.into_inner();
    // Whoever does not stay for the end has gone already.
    drop(tokio::time::timeout(LINGER, take_leave(stream)).await);
    Ok(ended?)
}

/// Ends a connection so that the last answer arrives: one that is closed while the client still sends is reset, and what
/// was on its way to the client is lost. An answer to a head that makes no sense, or to a body that is too large, is such a one.
async fn take_leave(mut stream: TlsStream<TcpStream>) -> io::Result<()> {
    stream.shutdown().await?;
    let mut unread = [0; 4096];
    while stream.read(&mut unread).await? > 0 {}
    Ok(())
}

/// The center's certificate, its authority behind it, and certificates of hosts asked for but not demanded.
pub fn tls(folder: &Folder) -> anyhow::Result<Arc<ServerConfig>> {
    let authority = folder.read("ca.pem")?;
    let authority = CertificateDer::from_pem_slice(authority.as_bytes()).context("ca.pem is damaged")?;
    let own = folder.read("server.pem")?;
    let own = CertificateDer::from_pem_slice(own.as_bytes()).context("server.pem is damaged")?;
    let key = PrivateKeyDer::from_pem_slice(folder.read("server.key")?.as_bytes()).context("server.key is damaged")?;
    let mut roots = RootCertStore::empty();
    roots.add(authority.clone())?;
    let provider = Arc::new(default_provider());
    let hosts = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let hosts = hosts.allow_unauthenticated().build()?;
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let mut config = config.with_client_cert_verifier(hosts).with_single_cert(vec![own, authority], key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
