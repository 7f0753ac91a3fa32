//! One call of an API: a request, who sent it, what the kernel made of it, and its answer. In: what the agent joined, or a
//! capture. Out: parsed heads, and the first bytes of bodies, without their framing. Never here: values judged.
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use enforcer_common::{KINDS, Reason, SubjectKind, Verdict};
use enforcer_policy::{DecisionId, Moment};

use crate::classes::Sensitive;
use crate::http::{Framing, Head, Header};

/// Headers of an answer that are read.
const HEADERS: usize = 64;

/// A request and what came of it.
#[derive(Clone, PartialEq, Debug)]
pub struct Call {
    /// Its number, unique on its host.
    pub id: u64,
    /// When its head was complete.
    pub time: Moment,
    /// The service it was sent to.
    pub service: Arc<str>,
    /// The other end of the connection.
    pub source: IpAddr,
    /// And its port: with the address, it tells connections apart.
    pub source_port: u16,
    /// Who asked, behind trusted proxies; the source where there are none.
    pub client: IpAddr,
    /// Keyed digests of the identities it bears, by the number of their kind; 0 for none.
    pub digests: [u64; KINDS],
    /// What the kernel found.
    pub reason: Reason,
    /// What happened to it.
    pub verdict: Verdict,
    /// The decision that matched.
    pub decision: Option<DecisionId>,
    /// Its head.
    pub head: Head,
    /// The first bytes of its body, without chunk framing; empty when there is none, or none was recorded.
    pub body: Bytes,
    /// Where it went, as the inventory knows it; `None` where it does not.
    pub placed: Option<Placed>,
    /// The classes of data in it; none when nobody has looked for them.
    pub sensitive: Sensitive,
    /// `None` for a refused request, and for one whose answer was not seen.
    pub answer: Option<Answer>,
}

impl Call {
    /// The digest of an identity it bears.
    pub fn digest(&self, kind: SubjectKind) -> Option<u64> {
        self.digests.get(kind as usize).copied().filter(|digest| *digest != 0)
    }

    /// True when the application never saw it: then nothing is learned from it.
    pub fn is_refused(&self) -> bool {
        self.verdict > Verdict::Observe
    }

    /// The answer's status, once there is one.
    pub fn status(&self) -> Option<u16> {
        self.answer.as_ref().map(|answer| answer.status)
    }
}

/// A path as a template and what stood in its places.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Placed {
    /// Such as `/accounts/{}/items`; `/**` at the end where the rest is not told apart.
    pub template: String,
    /// What stood where braces are, in that order.
    pub parameters: Vec<Bytes>,
}

impl Placed {
    /// Adds a fixed segment.
    pub fn push_word(&mut self, word: &str) {
        self.template.push('/');
        self.template.push_str(word);
    }

    /// Adds what may be anything.
    pub fn push_parameter(&mut self, value: Bytes) {
        self.template.push_str("/{}");
        self.parameters.push(value);
    }
}

/// What the server answered.
#[derive(Clone, PartialEq, Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// From the end of the request's head to the answer's first byte.
    pub first_byte: Duration,
    /// From the end of the request's head to the last byte that was seen.
    pub whole: Duration,
    /// Bytes on the connection, head included.
    pub bytes: u64,
    /// False when it was not seen to its end.
    pub complete: bool,
    /// Its headers; none when its head was not recorded whole.
    pub headers: Vec<Header>,
    /// The first bytes of its body, without chunk framing.
    pub body: Bytes,
}

impl Answer {
    /// The values of a header, its name in any case.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Bytes> {
        let named = move |header: &&Header| header.name.eq_ignore_ascii_case(name.as_bytes());
        self.headers.iter().filter(named).map(|header| &header.value)
    }
}

/// The head of an answer, and where its body begins.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AnswerHead {
    /// Its headers.
    pub headers: Vec<Header>,
    /// The first bytes of its body, without chunk framing.
    pub body: Bytes,
}

impl AnswerHead {
    /// Reads the first bytes of an answer; what comes before the final head (`100 Continue`) is skipped. Nothing is found where
    /// the head is cut off or is none.
    pub fn read(prefix: &Bytes) -> Self {
        let mut rest = prefix.clone();
        loop {
            let mut headers = [httparse::EMPTY_HEADER; HEADERS];
            let mut response = httparse::Response::new(&mut headers);
            let Ok(httparse::Status::Complete(end)) = response.parse(&rest) else { return Self::default() };
            if response.code.is_some_and(|code| (102..200).contains(&code) || code == 100) {
                rest = rest.slice(end..);
                continue;
            }
            let view = |part: &[u8]| rest.slice_ref(part);
            let own = |header: &httparse::Header<'_>| Header {
                name: view(header.name.as_bytes()),
                value: view(header.value),
            };
            let headers: Vec<Header> = response.headers.iter().map(own).collect();
            let chunked = headers.iter().any(|header| {
                header.name.eq_ignore_ascii_case(b"transfer-encoding") && header.value.eq_ignore_ascii_case(b"chunked")
            });
            let body = rest.slice(end..);
            return Self { headers, body: if chunked { unchunk(&body) } else { body } };
        }
    }
}

/// The first bytes of a request's body without its framing; `bytes` are what follows the head.
pub fn body(head: &Head, bytes: &Bytes) -> Bytes {
    match head.framing {
        Framing::Chunked => unchunk(bytes),
        Framing::Length(length) => bytes.slice(..bytes.len().min(usize::try_from(length).unwrap_or(usize::MAX))),
        Framing::None | Framing::Refused(_) => Bytes::new(),
    }
}

/// The data of the chunks that `bytes` begin with, as far as they go.
fn unchunk(bytes: &Bytes) -> Bytes {
    let (mut data, mut rest) = (BytesMut::new(), &bytes[..]);
    while let Ok(httparse::Status::Complete((begin, size))) = httparse::parse_chunk_size(rest) {
        let from = rest.get(begin..).unwrap_or_default();
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let chunk = from.get(..size).unwrap_or(from);
        data.extend_from_slice(chunk);
        rest = from.get(size.saturating_add(2)..).unwrap_or_default();
        if size == 0 {
            break;
        }
    }
    data.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_joined_as_far_as_they_go() {
        let joined = |text: &'static str| unchunk(&Bytes::from_static(text.as_bytes()));
        assert_eq!(joined("3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"), "abcde");
        assert_eq!(joined("a\r\nabc"), "abc", "the rest was not recorded");
        assert_eq!(joined("zz\r\nabc"), "", "no chunk");
        assert_eq!(joined("3\r\nabc\r\n0\r\n\r\n3\r\nxyz\r\n"), "abc", "what follows is another answer");
    }

    #[test]
    fn the_final_head_counts() {
        let text =
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok";
        let head = AnswerHead::read(&Bytes::from_static(text.as_bytes()));
        assert_eq!((head.headers.len(), &head.body[..]), (2, &b"ok"[..]));
        assert_eq!(AnswerHead::read(&Bytes::from_static(b"HTTP/1.1 200 OK\r\nConte")), AnswerHead::default());
    }
}
