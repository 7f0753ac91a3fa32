//! A list from a web server.
//!
//! In: where it is, and what is known of it. Out: its bytes, or that it has not changed. Never here: redirects (an address that leads elsewhere
//! is written as it is now, by a person), compression, what the bytes say. Bounded: bytes, and time as a whole.
use std::time::Duration;

use anyhow::{Context as _, bail};
use axum::body::Bytes;
use enforcer_policy::Moment;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::handshake;
use hyper::header::{
    ACCEPT, ETAG, HOST, HeaderName, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, LOCATION, USER_AGENT,
};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;

use super::place::{Mark, Reading, Web};
use crate::export::connect;
use crate::sources::AGENT;

/// Asks for a list, unless it is the one of this mark.
pub(super) async fn get(web: &Web, known: &Mark, most: usize) -> anyhow::Result<Reading> {
    let whole = tokio::time::timeout(PATIENCE, ask(web, known, most)).await;
    whole.context("it takes too long").flatten().with_context(|| web.shown())
}

async fn ask(web: &Web, known: &Mark, most: usize) -> anyhow::Result<Reading> {
    let authority = trusted(web).await?;
    let stream = connect(&web.address, &web.host, authority.as_deref()).await?;
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
    // It ends with the sender.
    tokio::spawn(connection);
    let answer = sender.send_request(request(web, known)?).await.context("no answer")?;
    match answer.status() {
        StatusCode::NOT_MODIFIED => Ok(Reading::Same),
        StatusCode::OK => body(answer, most).await,
        status if status.is_redirection() => {
            let to = text(&answer, LOCATION).unwrap_or_else(|| "nowhere".to_owned());
            bail!("it has moved to {}: write that address, if it is the right one", shortened(&to))
        }
        status => bail!("it answers {status}"),
    }
}

fn request(web: &Web, known: &Mark) -> anyhow::Result<Request<Empty<Bytes>>> {
    let named = if web.host.contains(':') || !is_usual(web) { &web.address } else { &web.host };
    let mut request = Request::get(&web.path).header(HOST, named).header(USER_AGENT, AGENT).header(ACCEPT, "*/*");
    if let Some(tag) = &known.tag {
        request = request.header(IF_NONE_MATCH, tag);
    }
    if let Some(modified) = &known.modified {
        request = request.header(IF_MODIFIED_SINCE, modified);
    }
    Ok(request.body(Empty::new())?)
}

/// Whether the port goes without saying.
fn is_usual(web: &Web) -> bool {
    web.address.ends_with(if web.secure { ":443" } else { ":80" })
}

async fn body(answer: Response<Incoming>, most: usize) -> anyhow::Result<Reading> {
    let (tag, modified) = (text(&answer, ETAG), text(&answer, LAST_MODIFIED));
    // One that ends before its announced length is an error here: half a list is never read.
    let read = Limited::new(answer.into_body(), most).collect().await;
    let bytes = read.map_err(|error| anyhow::anyhow!("its body: {error}"))?.to_bytes().to_vec();
    let since = modified.as_deref().and_then(|text| httpdate::parse_http_date(text).ok());
    let since = since.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    let since = since.and_then(|since| u64::try_from(since.as_millis()).ok()).map(Moment);
    Ok(Reading::New { bytes, mark: Mark { file: None, tag, modified }, modified: since })
}

/// Who vouches for the server; nobody has to without TLS.
async fn trusted(web: &Web) -> anyhow::Result<Option<String>> {
    if !web.secure {
        return Ok(None);
    }
    let path = web.authority.as_deref().unwrap_or_else(|| SYSTEM.as_ref());
    let read = tokio::fs::read_to_string(path).await;
    read.map(Some).with_context(|| format!("reading {}, who is trusted: name a file as authority", path.display()))
}

fn text(answer: &Response<Incoming>, name: HeaderName) -> Option<String> {
    let value = answer.headers().get(name)?.to_str().ok()?;
    (value.len() <= HEADER).then(|| value.to_owned())
}

fn shortened(text: &str) -> String {
    text.chars().take(200).collect()
}

/// The authorities of Debian's ca-certificates.
const SYSTEM: &str = "/etc/ssl/certs/ca-certificates.crt";
/// Bytes of a header that is sent back.
const HEADER: usize = 1024;
/// From the first byte to the last.
const PATIENCE: Duration = Duration::from_mins(2);

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::thread::{JoinHandle, spawn};

    use super::*;

    /// Answers one request with these bytes, and gives what was asked.
    fn server(answer: &'static str) -> (Web, JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/list?a=1", listener.local_addr().unwrap());
        let asked = spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() > 0 {
                head.extend(byte);
            }
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8(head).unwrap().to_lowercase()
        });
        (Web::parse(&url, None).unwrap(), asked)
    }

    async fn failure(answer: &'static str, most: usize) -> String {
        let (web, _asked) = server(answer);
        format!("{:#}", get(&web, &Mark::default(), most).await.unwrap_err())
    }

    #[tokio::test]
    async fn a_list_is_asked_for_and_then_whether_it_has_changed() {
        let (web, asked) = server(
            "HTTP/1.1 200 OK\r\nETag: \"v1\"\r\nLast-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\nContent-Length: 9\r\n\r\n20.0.0.1\n",
        );
        let Reading::New { bytes, mark, modified } = get(&web, &Mark::default(), 100).await.unwrap() else {
            panic!("nothing was read")
        };
        assert_eq!((bytes.as_slice(), modified), (&b"20.0.0.1\n"[..], Some(Moment(1_767_225_600_000))));
        let head = asked.join().unwrap();
        assert!(head.starts_with("get /list?a=1 http/1.1\r\n") && !head.contains("if-none-match"), "{head}");
        let (web, asked) = server("HTTP/1.1 304 Not Modified\r\n\r\n");
        assert!(matches!(get(&web, &mark, 100).await.unwrap(), Reading::Same));
        let head = asked.join().unwrap();
        assert!(head.contains("if-none-match: \"v1\"\r\n"), "{head}");
        assert!(head.contains("if-modified-since: thu, 01 jan 2026 00:00:00 gmt\r\n"), "{head}");
    }

    #[tokio::test]
    async fn half_a_list_and_too_much_of_one_are_errors() {
        let cut = failure("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n20.0.0.1\n", 1000).await;
        assert!(cut.contains("its body"), "{cut}");
        let large = failure("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n20.0.0.1\n", 8).await;
        assert!(large.contains("its body"), "{large}");
        let chunks = failure("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n20.0.0.1\n\r\n", 1000).await;
        assert!(chunks.contains("its body"), "{chunks}");
    }

    #[tokio::test]
    async fn whoever_has_no_list_says_so() {
        let moved = failure("HTTP/1.1 301 Moved\r\nLocation: https://elsewhere.example/list\r\n\r\n", 10).await;
        assert!(moved.contains("moved to https://elsewhere.example/list") && moved.contains("/list?a=1"), "{moved}");
        let broken = failure("HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", 10).await;
        assert!(broken.contains("500"), "{broken}");
        let dead = Web::parse("http://127.0.0.1:1/", None).unwrap();
        assert!(format!("{:#}", get(&dead, &Mark::default(), 10).await.unwrap_err()).contains("127.0.0.1:1"));
    }
}
