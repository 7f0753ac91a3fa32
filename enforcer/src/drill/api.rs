//! The API of a drill: accounts, documents, a login, a search. In: connections on one port, one request each. Out: fixed answers. Never
//! here: anything that an attack could reach: requests are not carried out.
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

/// The port.
pub(super) const PORT: u16 = 8080;

/// Serves until the process ends or the listener fails; each connection on a thread of its own.
pub(super) fn serve(listener: &TcpListener) {
    for stream in listener.incoming().flatten() {
        // A client that goes away, or no thread for it: its own loss.
        let _ = std::thread::Builder::new().spawn(move || answer(stream));
    }
}

fn answer(mut stream: TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let line = request(&mut BufReader::new(stream.try_clone()?))?;
    let (status, body) = judge(&line);
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

/// The request line, after the whole request was read.
fn request(reader: &mut BufReader<TcpStream>) -> io::Result<String> {
    let (mut first, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.take(LONGEST).read_line(&mut line)? == 0 || line.trim_end().is_empty() {
            break;
        }
        if first.is_empty() {
            line.trim_end().clone_into(&mut first);
        } else if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0).min(LONGEST);
        }
    }
    io::copy(&mut reader.take(length), &mut io::sink())?;
    Ok(first)
}

fn judge(line: &str) -> (&'static str, String) {
    let path = line.split(' ').nth(1).unwrap_or_default();
    if path.starts_with("/login") {
        return ("401 Unauthorized", "{\"error\":\"wrong user or password\"}".to_owned());
    }
    let id = path.strip_prefix("/accounts/").filter(|id| id.bytes().all(|byte| byte.is_ascii_digit()));
    match id {
        Some(id) => ("200 OK", format!("{{\"id\":{id},\"balance\":1200}}")),
        None => ("200 OK", "{\"items\":[]}".to_owned()),
    }
}

/// Bytes of a line, and of a body.
const LONGEST: u64 = 8192;
const PATIENCE: Duration = Duration::from_secs(5);
