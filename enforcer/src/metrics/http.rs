//! The smallest HTTP server that a scraper needs: `/metrics`, `/healthz`, `/readyz`.
//!
//! In: a listener and a [`Source`]. Out: one response per connection. A head is at most 8 KiB and must come within 5
//! seconds, at most 32 connections are open; more wait in the kernel's queue. Never here: what the pages say, or anything
//! that changes the agent.
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

/// Where the pages come from.
pub trait Source: Send + Sync + 'static {
    /// The page of `/metrics`, see [`super::render`].
    fn metrics(&self) -> impl Future<Output = String> + Send;

    /// Whether the kernel enforces; if not, why.
    fn ready(&self) -> impl Future<Output = Result<(), String>> + Send;
}

/// Serves until the future is dropped. Nothing a client does ends it, nor does running out of descriptors.
pub async fn serve<S: Source>(listener: TcpListener, source: Arc<S>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let Ok((mut stream, _)) = listener.accept().await else {
            sleep(PAUSE).await;
            continue;
        };
        let source = Arc::clone(&source);
        tokio::spawn(async move {
            // A client that went away is no news.
            let _ = answer(&mut stream, &*source).await;
            drop(place);
        });
    }
}

/// One request, one response.
async fn answer(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), source: &impl Source) -> std::io::Result<()> {
    let Ok(asked) = timeout(PATIENCE, read(stream)).await else { return Ok(()) };
    let response = match asked? {
        Asked::Nothing => return Ok(()),
        Asked::Wrong(status) => Response::text(status, status.1),
        Asked::Page { path, body } => Response { with_body: body, ..page(&path, source).await },
    };
    let bytes = response.bytes();
    match timeout(PATIENCE, async {
        stream.write_all(&bytes).await?;
        stream.shutdown().await
    })
    .await
    {
        Ok(written) => written,
        Err(_too_slow) => Ok(()),
    }
}

async fn page(path: &str, source: &impl Source) -> Response {
    match path {
        "/metrics" => Response { status: OK, kind: OPEN_METRICS, body: source.metrics().await, with_body: true },
        "/healthz" => Response::text(OK, "ok"),
        "/readyz" => match source.ready().await {
            Ok(()) => Response::text(OK, "ok"),
            Err(why) => Response::text(UNAVAILABLE, &why),
        },
        _ => Response::text(NOT_FOUND, "not found; there are /metrics, /healthz and /readyz"),
    }
}

/// What a client wants.
#[derive(PartialEq, Eq, Debug)]
enum Asked {
    /// It hung up.
    Nothing,
    /// This page; `body` is false for HEAD.
    Page { path: String, body: bool },
    /// Something that is not served.
    Wrong(Status),
}

type Status = (u16, &'static str);

/// Reads until the head is whole.
async fn read(stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<Asked> {
    let mut head = Vec::with_capacity(1024);
    while head.len() < HEAD {
        let room = (HEAD - head.len()) as u64;
        if (&mut *stream).take(room).read_buf(&mut head).await? == 0 {
            return Ok(if head.is_empty() { Asked::Nothing } else { Asked::Wrong(BAD_REQUEST) });
        }
        if let Some(asked) = parse(&head) {
            return Ok(asked);
        }
    }
    Ok(Asked::Wrong(TOO_LARGE))
}

/// What the head says; `None` while it is not whole.
fn parse(head: &[u8]) -> Option<Asked> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(head) {
        Ok(httparse::Status::Partial) => None,
        Err(httparse::Error::TooManyHeaders) => Some(Asked::Wrong(TOO_LARGE)),
        Err(_) => Some(Asked::Wrong(BAD_REQUEST)),
        Ok(httparse::Status::Complete(_)) => {
            let target = request.path.unwrap_or_default();
            let path = target.split_once('?').map_or(target, |(path, _)| path).to_owned();
            Some(match request.method {
                Some("GET") => Asked::Page { path, body: true },
                Some("HEAD") => Asked::Page { path, body: false },
                Some(_) | None => Asked::Wrong(NOT_ALLOWED),
            })
        }
    }
}

/// What goes back.
struct Response {
    status: Status,
    kind: &'static str,
    body: String,
    with_body: bool,
}

impl Response {
    fn text(status: Status, body: &str) -> Self {
        Self { status, kind: PLAIN, body: format!("{body}\n"), with_body: true }
    }

    fn bytes(&self) -> Vec<u8> {
        let (code, phrase) = self.status;
        let allow = if self.status == NOT_ALLOWED { "allow: GET, HEAD\r\n" } else { "" };
        let (kind, length) = (self.kind, self.body.len());
        let head = format!(
            "HTTP/1.1 {code} {phrase}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n{allow}connection: close\r\n\r\n"
        );
        let body = if self.with_body { self.body.as_bytes() } else { b"" };
        [head.as_bytes(), body].concat()
    }
}

/// Bytes of a request head.
const HEAD: usize = 8192;
/// Headers of a request.
const HEADERS: usize = 64;
/// Open connections.
const CONNECTIONS: usize = 32;
/// How long a client may take to ask, and to take its answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long to wait when connections cannot be accepted.
const PAUSE: Duration = Duration::from_millis(100);

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const PLAIN: &str = "text/plain; charset=utf-8";

const OK: Status = (200, "OK");
const BAD_REQUEST: Status = (400, "Bad Request");
const NOT_FOUND: Status = (404, "Not Found");
const NOT_ALLOWED: Status = (405, "Method Not Allowed");
const TOO_LARGE: Status = (431, "Request Header Fields Too Large");
const UNAVAILABLE: Status = (503, "Service Unavailable");

#[cfg(test)]
mod tests {
    use tokio::net::TcpStream;

    use super::*;

    struct Fixed(Result<(), String>);

    impl Source for Fixed {
        async fn metrics(&self) -> String {
            "# EOF\n".to_owned()
        }

        async fn ready(&self) -> Result<(), String> {
            self.0.clone()
        }
    }

    async fn ask(source: Fixed, request: &[u8]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(serve(listener, Arc::new(source)));
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        server.abort();
        text
    }

    #[tokio::test(flavor = "current_thread")]
    async fn pages_have_their_types() {
        let page = ask(Fixed(Ok(())), b"GET /metrics?x=1 HTTP/1.1\r\nhost: a\r\n\r\n").await;
        assert!(
            page.starts_with("HTTP/1.1 200 OK\r\ncontent-type: application/openmetrics-text; version=1.0.0"),
            "{page}"
        );
        assert!(page.ends_with("content-length: 6\r\nconnection: close\r\n\r\n# EOF\n"), "{page}");
        let head = ask(Fixed(Ok(())), b"HEAD /metrics HTTP/1.0\r\n\r\n").await;
        assert!(head.ends_with("content-length: 6\r\nconnection: close\r\n\r\n"), "{head}");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn every_wrong_request_gets_its_status() {
        let long = [b"GET / HTTP/1.1\r\nx: ".as_slice(), &[b'x'; HEAD]].concat();
        let cases: [(&[u8], &str); 6] = [
            (b"GET /healthz HTTP/1.1\r\n\r\n", "200 OK"),
            (b"GET /readyz HTTP/1.1\r\n\r\n", "503 Service Unavailable"),
            (b"GET / HTTP/1.1\r\n\r\n", "404 Not Found"),
            (b"POST /metrics HTTP/1.1\r\n\r\n", "405 Method Not Allowed"),
            (b"\x16\x03\x01\x02\x00", "400 Bad Request"),
            (&long, "431 Request Header Fields Too Large"),
        ];
        for (request, status) in cases {
            let text = ask(Fixed(Err("maps are missing".to_owned())), request).await;
            assert!(text.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{status}: {text}");
        }
        assert_eq!(ask(Fixed(Ok(())), b"").await, "");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn silent_clients_do_not_keep_others_out() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(serve(listener, Arc::new(Fixed(Ok(())))));
        let mut silent = Vec::new();
        for _ in 0..CONNECTIONS - 1 {
            silent.push(TcpStream::connect(address).await.unwrap());
        }
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET /healthz HTTP/1.1\r\n\r\n").await.unwrap();
        let mut text = String::new();
        timeout(PATIENCE / 2, stream.read_to_string(&mut text)).await.unwrap().unwrap();
        assert!(text.ends_with("ok\n"), "{text}");
        server.abort();
    }
}
