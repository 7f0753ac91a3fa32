//! One HTTPS connection to the center: HTTP/1.1 over TLS 1.3 or 1.2, the authority pinned.
//!
//! In: method, path, body. Out: status and body, bounded in time and size. Never here: what the bytes mean.
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use enforcer_policy::revision::Digest;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring::default_provider;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::SyncError;

/// Where a center is, and how it is known.
#[derive(Clone)]
pub struct Server {
    host: String,
    port: u16,
    tls: Arc<ClientConfig>,
}

/// An open connection.
pub struct Https {
    sender: SendRequest<Full<Bytes>>,
    host: String,
    token: Option<String>,
    spread: Option<Duration>,
    asks: Option<Asks>,
    /// The last question that was put on this connection, and whether it is still to be looked at.
    question: (u64, bool),
    /// Which modules the center last said to publish for this host, and whether that is still to be told.
    modules: (Option<Digest>, bool),
}

impl Server {
    /// Known by its authority's certificate; we are known by ours, if we have one.
    pub fn pinned(url: &str, authority: &str, own: Option<&str>) -> Result<Self, SyncError> {
        let authority = certificate(authority)?;
        let mut roots = RootCertStore::empty();
        roots.add(authority).map_err(|_unusable| SyncError::Meaningless("the center's authority"))?;
        let builder = builder()?.with_root_certificates(roots);
        let tls = match own {
            None => builder.with_no_client_auth(),
            Some(own) => {
                let key = PrivateKeyDer::from_pem_slice(own.as_bytes());
                let key = key.map_err(|_form| SyncError::Meaningless("this host's key"))?;
                builder.with_client_auth_cert(vec![certificate(own)?], key).map_err(SyncError::line)?
            }
        };
        Self::new(url, tls)
    }

    /// Known by the SHA-256 of its authority's certificate, in hexadecimal digits.
    pub fn fingerprinted(url: &str, fingerprint: &str) -> Result<Self, SyncError> {
        let verifier = Fingerprint { digits: fingerprint.to_owned(), provider: Arc::new(default_provider()) };
        let builder = builder()?.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
        Self::new(url, builder.with_no_client_auth())
    }

    fn new(url: &str, tls: ClientConfig) -> Result<Self, SyncError> {
        let wrong = || SyncError::Meaningless("the center's address (https://NAME:PORT)");
        let rest = url.strip_prefix("https://").ok_or_else(wrong)?.trim_end_matches('/');
        let uri: hyper::http::uri::Authority = rest.parse().map_err(|_form| wrong())?;
        let host = uri.host().trim_matches(['[', ']']).to_owned();
        Ok(Self { host, port: uri.port_u16().unwrap_or(PORT), tls: Arc::new(tls) })
    }

    /// Connects.
    pub async fn connect(&self) -> Result<Https, SyncError> {
        tokio::time::timeout(CONNECT, self.dial()).await.map_err(|_late| SyncError::line("no answer in time"))?
    }

    async fn secured(&self, stream: TcpStream) -> Result<TlsStream<TcpStream>, SyncError> {
        let name = ServerName::try_from(self.host.clone()).map_err(SyncError::line)?;
        TlsConnector::from(Arc::clone(&self.tls)).connect(name, stream).await.map_err(SyncError::line)
    }

    async fn dial(&self) -> Result<Https, SyncError> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await.map_err(SyncError::line)?;
        stream.set_nodelay(true).map_err(SyncError::line)?;
        let stream = self.secured(stream).await?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(SyncError::line)?;
        // Its end shows in the next request.
        tokio::spawn(connection);
        Ok(Https {
            sender,
            host: self.host.clone(),
            token: None,
            spread: None,
            asks: None,
            question: (0, false),
            modules: (None, false),
        })
    }
}

/// What a center wants to hear beyond what every agent tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Asks {
    /// Requests so far.
    pub traffic: bool,
    /// So often, in seconds.
    pub every: Option<u64>,
    /// Whom a decision would have hit, when somebody thinks of one.
    pub foresight: bool,
    /// Which modules it knows the center to publish.
    pub modules: bool,
}

impl Asks {
    fn parse(words: &str) -> Self {
        let mut words = words.split_ascii_whitespace();
        let traffic = words.next() == Some("traffic");
        let (mut every, mut foresight, mut modules) = (None, false, false);
        for word in words {
            foresight |= word == "foresight";
            modules |= word == "modules";
            every = every.or_else(|| word.parse().ok()).filter(|seconds| traffic && *seconds > 0);
        }
        Self { traffic, every, foresight, modules }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl Https {
    /// The same, with a person's token.
    #[must_use]
    pub fn with_token(mut self, token: &str) -> Self {
        self.token = Some(token.trim().to_owned());
        self
    }

    /// Over how long a time the center wants its hosts to come back; none when it has not said so.
    pub const fn spread(&self) -> Option<Duration> {
        self.spread
    }

    /// What the center of this connection wants to hear; nothing of one that does not ask.
    pub fn asks(&self) -> Asks {
        self.asks.unwrap_or_default()
    }

    /// The question that the center has put since the last call.
    pub fn question(&mut self) -> Option<u64> {
        let (number, is_new) = self.question;
        self.question.1 = false;
        is_new.then_some(number)
    }

    /// The last question that was put on this connection; 0 before the first.
    pub const fn answered(&self) -> u64 {
        self.question.0
    }

    /// Which modules the center publishes for this host, if it has said so since the last call.
    pub fn modules_news(&mut self) -> Option<Digest> {
        let is_new = std::mem::take(&mut self.modules.1);
        self.modules.0.filter(|_| is_new)
    }

    /// The same, whenever it has said so on this connection.
    pub const fn modules(&self) -> Option<Digest> {
        self.modules.0
    }

    /// One request; an answer that is no success is an error with the center's words.
    pub async fn ask(
        &mut self,
        method: Method,
        path: &str,
        body: Vec<u8>,
        patience: Duration,
    ) -> Result<(StatusCode, Bytes), SyncError> {
        let mut request = Request::builder().method(method).uri(path).header(HOST, &self.host);
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = request.header(CONTENT_TYPE, "application/json").body(Full::new(Bytes::from(body)));
        let request = request.map_err(SyncError::line)?;
        let exchange = async {
            self.sender.ready().await.map_err(SyncError::line)?;
            let answer = self.sender.send_request(request).await.map_err(SyncError::line)?;
            let status = answer.status();
            let spread = answer.headers().get(SPREAD).and_then(|spread| spread.to_str().ok()?.parse().ok());
            self.spread = spread.map(Duration::from_millis).or(self.spread);
            let asks = answer.headers().get(ASKS).and_then(|asks| asks.to_str().ok());
            self.asks = asks.map(Asks::parse).or(self.asks);
            let question = answer.headers().get(QUESTION).and_then(|number| number.to_str().ok()?.parse().ok());
            self.question = question.map_or(self.question, |number| (number, true));
            let modules = answer.headers().get(MODULES).and_then(|digest| digest.to_str().ok()?.parse().ok());
            self.modules = modules.map_or(self.modules, |digest| (Some(digest), true));
            let body = Limited::new(answer.into_body(), enforcer_policy::revision::LONGEST_DELIVERY);
            Ok::<_, SyncError>((status, body.collect().await.map_err(SyncError::line)?.to_bytes()))
        };
        let late = || SyncError::line("no answer in time");
        let (status, body) = tokio::time::timeout(patience, exchange).await.map_err(|_late| late())??;
        if status.is_success() { Ok((status, body)) } else { Err(refusal(status, &body)) }
    }
}

/// The center's words in a problem document.
fn refusal(status: StatusCode, body: &[u8]) -> SyncError {
    let problem: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let part = |name: &str| problem.get(name).and_then(|value| value.as_str()).unwrap_or_default().to_owned();
    let (detail, mend) = (part("detail"), part("mend"));
    let detail = if mend.is_empty() { detail } else { format!("{detail}; {mend}") };
    SyncError::Answer { status: status.as_u16(), detail }
}

type Builder = rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>;

fn builder() -> Result<Builder, SyncError> {
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
    builder.with_safe_default_protocol_versions().map_err(SyncError::line)
}

fn certificate(pem: &str) -> Result<CertificateDer<'static>, SyncError> {
    CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|_form| SyncError::Meaningless("a certificate"))
}

/// Trusts a center whose chain ends in the one authority that a one-time token names.
#[derive(Debug)]
struct Fingerprint {
    digits: String,
    provider: Arc<CryptoProvider>,
}

impl Fingerprint {
    fn is_of(&self, certificate: &CertificateDer<'_>) -> bool {
        let digest: [u8; 32] = Sha256::digest(certificate).into();
        Digest(digest).to_string() == self.digits
    }
}

impl ServerCertVerifier for Fingerprint {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let unknown = || rustls::Error::General("the center is not the one that the token names".to_owned());
        let authority = intermediates.iter().find(|one| self.is_of(one)).ok_or_else(unknown)?;
        let mut roots = RootCertStore::empty();
        roots.add(authority.clone().into_owned())?;
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&self.provider));
        let verifier = verifier.build().map_err(|error| rustls::Error::General(error.to_string()))?;
        verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Where centers listen unless told otherwise.
const PORT: u16 = 9443;
/// A center's header, in milliseconds.
const SPREAD: &str = "enforcer-spread";
/// Another one: `traffic`, perhaps with `SECONDS`, perhaps with `foresight` and `modules`. Centers from before do not send it, and would not take what it
/// asks for.
const ASKS: &str = "enforcer-asks";
/// A third one: the number of a question that this host has not answered.
const QUESTION: &str = "enforcer-question";
/// A fourth one: the digest of what is published for this host.
const MODULES: &str = "enforcer-modules";
const CONNECT: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_center_asks_for_is_read_and_nonsense_is_nothing() {
        let asks = |traffic, every| Asks { traffic, every, ..Asks::default() };
        for (words, meant) in [
            ("traffic", asks(true, None)),
            ("traffic 2", asks(true, Some(2))),
            ("traffic foresight", Asks { foresight: true, ..asks(true, None) }),
            ("traffic 2 foresight modules", Asks { foresight: true, modules: true, ..asks(true, Some(2)) }),
            ("traffic 2 foresight", Asks { foresight: true, ..asks(true, Some(2)) }),
            ("traffic 0", asks(true, None)),
            ("traffic soon", asks(true, None)),
            ("weather 2", asks(false, None)),
            ("", asks(false, None)),
        ] {
            assert_eq!(Asks::parse(words), meant, "{words}");
        }
    }
}
