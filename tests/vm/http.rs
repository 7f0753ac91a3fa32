//! As little HTTP as the acts need. In: addresses, headers. Out: a server that says yes to everything, and status codes.

use std::{
    fs::File,
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
    time::Duration,
};

use anyhow::{Context as _, anyhow};
use nix::sched::{CloneFlags, setns};

use crate::stage::{INSIDE, OUTSIDE_SPACE};

/// Answers every request with 200, for as long as the machine is on.
pub(crate) fn serve() -> anyhow::Result<()> {
    let listener = TcpListener::bind((INSIDE, PORT)).context("failed to listen")?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A client that is refused goes away in the middle; that is no reason to stop serving.
            thread::spawn(move || answer(stream).ok());
        }
    });
    Ok(())
}

fn answer(mut stream: TcpStream) -> io::Result<()> {
    let mut head = Vec::new();
    let mut part = [0; 1024];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut part)? {
            0 => return Ok(()),
            length => head.extend_from_slice(&part[..length]),
        }
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nyes")
}

/// The status of a request from the other end of the cable, with its head in one segment or in two.
pub(crate) fn ask(device: &str, segments: usize) -> anyhow::Result<u16> {
    let head = format!("GET /pay HTTP/1.1\r\nHost: api\r\nX-Device-Id: {device}\r\nConnection: close\r\n\r\n");
    let asked = thread::spawn(move || {
        // A namespace belongs to a thread; this one ends with its request.
        setns(File::open(OUTSIDE_SPACE)?, CloneFlags::CLONE_NEWNET)?;
        exchange(&format!("{INSIDE}:{PORT}"), &head, segments)
    });
    let reply = asked.join().map_err(|panic| anyhow!("the client panicked: {panic:?}"))??;
    let status = reply.split(' ').nth(1).with_context(|| format!("no answer: {reply:?}"))?;
    Ok(status.parse()?)
}

/// The agent's page of metrics.
pub(crate) fn metrics() -> anyhow::Result<String> {
    exchange("127.0.0.1:9920", "GET /metrics HTTP/1.1\r\nHost: enforcer\r\nConnection: close\r\n\r\n", 1)
}

fn exchange(address: &str, head: &str, segments: usize) -> anyhow::Result<String> {
    let address: SocketAddr = address.parse()?;
    let mut stream = TcpStream::connect_timeout(&address, DROPPED).context("failed to connect")?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    for part in head.as_bytes().chunks(head.len().div_ceil(segments)) {
        stream.write_all(part)?;
        // Nothing tells when a segment has been judged, and two at once could travel as one.
        thread::sleep(Duration::from_millis(50));
    }
    let mut reply = Vec::new();
    let done = stream.read_to_end(&mut reply);
    // The reset behind a refusal may overtake the end of the stream, not the answer itself.
    done.map(drop).or_else(|error| if reply.is_empty() { Err(error) } else { Ok(()) })?;
    Ok(String::from_utf8_lossy(&reply).into_owned())
}

const PORT: u16 = 8080;
/// A connection that is not there by then was dropped: the kernel alone answers it.
const DROPPED: Duration = Duration::from_secs(3);
/// An answer may wait for a program, which may wait for the emulated processor.
const PATIENCE: Duration = Duration::from_secs(30);
