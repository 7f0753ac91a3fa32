//! Asks a CrowdSec local API.
//!
//! In: its address and a bouncer's key. Out: answers, bounded in time and size. Never here: what they mean; the key in any error.
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::handshake;
use hyper::header::{HOST, USER_AGENT};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::CrowdSecError;
use super::stream::SCOPES;
use crate::sync::Server;

/// Who asks.
pub struct Client {
    host: String,
    port: u16,
    key: String,
    tls: Option<Server>,
}

impl Client {
    /// For `http://HOST:PORT`, or `https://` with the certificate of its authority.
    pub fn new(url: &str, key_file: &Path, authority: Option<&Path>) -> Result<Self, CrowdSecError> {
        let read = |path: &Path| {
            let failed = |source| CrowdSecError::File { path: path.display().to_string(), source };
            std::fs::read_to_string(path).map_err(failed)
        };
        let key = read(key_file)?.trim().to_owned();
        let tls = match authority {
            Some(path) => Some(Server::pinned(url, &read(path)?, None).map_err(CrowdSecError::line)?),
            None => None,
        };
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest).trim_end_matches('/');
        let address: hyper::http::uri::Authority = rest.parse().map_err(CrowdSecError::line)?;
        let host = address.host().trim_matches(['[', ']']).to_owned();
        Ok(Self { host, port: address.port_u16().unwrap_or(PORT), key, tls })
    }

    /// The whole list, or what changed since the last time this key asked.
    pub async fn ask(&self, whole: bool) -> Result<Bytes, CrowdSecError> {
        let asked = tokio::time::timeout(PATIENCE, self.exchange(whole)).await;
        asked.map_err(|_late| CrowdSecError::line("no answer in time"))?
    }

    async fn exchange(&self, whole: bool) -> Result<Bytes, CrowdSecError> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await.map_err(CrowdSecError::line)?;
        match &self.tls {
            Some(server) => {
                let stream = server.secured(stream).await.map_err(CrowdSecError::line)?;
                self.speak(stream, whole).await
            }
            None => self.speak(stream, whole).await,
        }
    }

    async fn speak(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        whole: bool,
    ) -> Result<Bytes, CrowdSecError> {
        let (mut sender, connection) = handshake(TokioIo::new(stream)).await.map_err(CrowdSecError::line)?;
        let connection = tokio::spawn(connection);
        // Without joining what is on one value: an end of one id then says nothing about the others.
        let path = format!("/v1/decisions/stream?startup={whole}&scopes={SCOPES}&dedup=false");
        let request = Request::get(path)
            .header(HOST, &self.host)
            .header("X-Api-Key", &self.key)
            .header(USER_AGENT, concat!("enforcer-agent/v", env!("CARGO_PKG_VERSION")))
            .body(Full::<Bytes>::default())
            .map_err(|_form| CrowdSecError::line("the key file holds no key"))?;
        let answer = sender.send_request(request).await.map_err(CrowdSecError::line)?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), LARGEST).collect().await.map_err(CrowdSecError::line)?;
        connection.abort();
        if status == StatusCode::OK { Ok(body.to_bytes()) } else { Err(CrowdSecError::Answer(status.as_u16())) }
    }
}

/// Where CrowdSec listens unless told otherwise.
const PORT: u16 = 8080;
/// Bytes of an answer: about a million decisions.
const LARGEST: usize = 256 << 20;
const PATIENCE: Duration = Duration::from_mins(1);
