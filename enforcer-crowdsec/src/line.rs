//! One request on a connection of its own: HTTP/1.1, plain or over TLS with one trusted authority.
//!
//! In: where CrowdSec is, a request. Out: status and body, bounded in time and size. Never here: keys, what bytes mean.
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::handshake;
use hyper::header::{HOST, HeaderValue, USER_AGENT};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::CrowdSecError;

/// Where a local API is.
#[derive(Clone)]
pub struct Place {
    host: String,
    port: u16,
    /// `type/version`, exactly one slash: what CrowdSec expects.
    agent: &'static str,
    tls: Option<Arc<ClientConfig>>,
}

impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl Place {
    /// For `http://HOST:PORT`, or `https://` with the certificate of its authority. `agent`: who asks, as `type/version`.
    pub fn new(url: &str, authority: Option<&Path>, agent: &'static str) -> Result<Self, CrowdSecError> {
        let tls = authority.map(|path| trusting(&text_of(path)?)).transpose()?;
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest).trim_end_matches('/');
        let address: hyper::http::uri::Authority = rest.parse().map_err(CrowdSecError::line)?;
        let host = address.host().trim_matches(['[', ']']).to_owned();
        Ok(Self { host, port: address.port_u16().unwrap_or(PORT), agent, tls: tls.map(Arc::new) })
    }

    /// One request and its answer.
    pub(super) async fn ask(&self, mut request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes), CrowdSecError> {
        let host = HeaderValue::from_str(&self.host).map_err(CrowdSecError::line)?;
        request.headers_mut().insert(HOST, host);
        request.headers_mut().insert(USER_AGENT, HeaderValue::from_static(self.agent));
        let asked = tokio::time::timeout(PATIENCE, self.exchange(request)).await;
        asked.map_err(|_late| CrowdSecError::line("no answer in time"))?
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes), CrowdSecError> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await.map_err(CrowdSecError::line)?;
        match &self.tls {
            Some(tls) => {
                let name = ServerName::try_from(self.host.clone()).map_err(CrowdSecError::line)?;
                let stream = TlsConnector::from(Arc::clone(tls)).connect(name, stream).await;
                speak(stream.map_err(CrowdSecError::line)?, request).await
            }
            None => speak(stream, request).await,
        }
    }
}

async fn speak(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> Result<(StatusCode, Bytes), CrowdSecError> {
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await.map_err(CrowdSecError::line)?;
    let connection = tokio::spawn(connection);
    let answer = sender.send_request(request).await.map_err(CrowdSecError::line)?;
    let status = answer.status();
    let body = Limited::new(answer.into_body(), LARGEST).collect().await.map_err(CrowdSecError::line)?;
    connection.abort();
    Ok((status, body.to_bytes()))
}

/// A file's text.
pub(super) fn text_of(path: &Path) -> Result<String, CrowdSecError> {
    let failed = |source| CrowdSecError::File { path: path.display().to_string(), source };
    std::fs::read_to_string(path).map_err(failed)
}

fn trusting(authority: &str) -> Result<ClientConfig, CrowdSecError> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(authority.as_bytes()) {
        roots.add(certificate.map_err(CrowdSecError::line)?).map_err(CrowdSecError::line)?;
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
    let builder = builder.with_safe_default_protocol_versions().map_err(CrowdSecError::line)?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// Where CrowdSec listens unless told otherwise.
const PORT: u16 = 8080;
/// Bytes of an answer: about a million decisions.
const LARGEST: usize = 256 << 20;
const PATIENCE: Duration = Duration::from_mins(1);
