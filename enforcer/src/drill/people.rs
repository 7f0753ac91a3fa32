//! Who calls the API of a drill. In: an address, requests. Out: statuses. Never here: what becomes of them.
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddrV4, TcpStream};
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketType, bind, socket};

use super::lab::API;

/// One request.
pub(super) struct Request {
    line: String,
    body: String,
}

impl Request {
    fn get(target: &str) -> Self {
        Self { line: format!("GET {target}"), body: String::new() }
    }

    /// Sends it as a device, from an address of the people's side, on a connection of its own; the status.
    pub(super) fn ask(&self, from: u8, device: &str) -> io::Result<u16> {
        let mut stream = connect(from)?;
        let Self { line, body } = self;
        let length = body.len();
        stream.write_all(
            format!(
                "{line} HTTP/1.1\r\nHost: drill.example\r\nX-Device-Id: {device}\r\nContent-Type: application/json\r\n\
                 Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            )
            .as_bytes(),
        )?;
        let mut answer = Vec::new();
        stream.take(LONGEST).read_to_end(&mut answer)?;
        let status = answer.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok());
        status.and_then(|digits| digits.parse().ok()).ok_or_else(|| io::Error::other("no answer of HTTP"))
    }
}

/// A connection from this address of the cable's far end.
fn connect(from: u8) -> io::Result<TcpStream> {
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None)?;
    bind(&socket, &SocketAddrV4::new([10, 79, 0, from].into(), 0))?;
    set_socket_timeout(&socket, Timeout::Send, Some(PATIENCE))?;
    set_socket_timeout(&socket, Timeout::Recv, Some(PATIENCE))?;
    rustix::net::connect(&socket, &SocketAddrV4::new(API.0.into(), API.1))?;
    Ok(TcpStream::from(socket))
}

/// What a customer does: the own account mostly, a search now and then.
pub(super) fn customer(person: u8, number: u64) -> Request {
    const WORDS: [&str; 4] = ["umbrella", "red%20shoes", "O%27Brien", "tea%20%26%20cups"];
    let word = WORDS.get(usize::try_from(number).unwrap_or(0) % WORDS.len()).copied().unwrap_or_default();
    if number.is_multiple_of(5) {
        Request::get(&format!("/search?q={word}"))
    } else {
        Request::get(&format!("/accounts/{}", 100_000 + u64::from(person) * 977))
    }
}

pub(super) fn object_walk(number: u64) -> Request {
    Request::get(&format!("/accounts/{}", 5000 + number))
}

pub(super) fn password_guessing(number: u64) -> Request {
    let body = format!("{{\"user\":\"user{number}\",\"password\":\"guess{number}\"}}");
    Request { line: "POST /login".to_owned(), body }
}

pub(super) fn injection(number: u64) -> Request {
    let attacks = [
        format!("{number}%27%20OR%20%271%27=%271"),
        format!("1%20UNION%20SELECT%20name,pin%20FROM%20users--{number}"),
        format!("%3Cscript%3Ealert({number})%3C/script%3E"),
        format!(";cat%20/etc/passwd%20%23{number}"),
    ];
    let attack = attacks.get(usize::try_from(number).unwrap_or(0) % attacks.len()).cloned().unwrap_or_default();
    Request::get(&format!("/search?q={attack}"))
}

pub(super) fn traversal(number: u64) -> Request {
    let up = "../".repeat(3 + usize::try_from(number % 5).unwrap_or(0)).replace('/', "%2f");
    Request::get(&format!("/documents?name={up}etc%2fpasswd"))
}

/// An address that is dropped makes a connection wait for ever.
const PATIENCE: Duration = Duration::from_millis(500);
/// Bytes of an answer.
const LONGEST: u64 = 65_536;
