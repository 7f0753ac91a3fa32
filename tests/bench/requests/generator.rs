//! The same request over kept-alive connections: as many as go, or at fixed times.
//!
//! In: connections. Out: how many were answered, what they cost the sender, how long each took. At fixed times a request is due when
//! its time comes, whether or not the server has kept up, and its wait counts from then: what is slow is not asked less
//! often (no coordinated omission). Never here: a second thread; the sender has one processor, the worker the other.

use std::{
    fs,
    io::{ErrorKind, Read as _, Write as _},
    net::TcpStream,
    os::fd::AsFd as _,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use nix::poll::{PollFd, PollFlags, ppoll};

use super::heads::{Head, Ids, ORDINARY};

/// The connections of one variant.
pub(crate) struct Generator {
    lines: Vec<TcpStream>,
    states: Vec<State>,
    head: Head,
    ids: Ids,
    /// Bytes of an answer: all are alike.
    answer: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    received: usize,
    /// When the request under way was due, in time since the start.
    due: Duration,
}

/// What sending as much as goes brought.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rush {
    /// Requests answered.
    pub(crate) requests: u64,
    /// How long it took.
    pub(crate) took: Duration,
    /// Nanoseconds of processor time of the sender.
    pub(crate) busy: u64,
}

impl Generator {
    /// Takes over the connections, and asks once on each: the answer's length is learnt by that.
    pub(crate) fn new(lines: Vec<TcpStream>) -> anyhow::Result<Self> {
        let states = vec![State::default(); lines.len()];
        let mut generator = Self { lines, states, head: Head::new(ORDINARY), ids: Ids::clean(), answer: 0 };
        for at in 0..generator.lines.len() {
            generator.ask(at, Duration::ZERO)?;
            let mut answer = vec![0; 4096];
            let length = (&generator.lines[at]).read(&mut answer)?;
            answer.truncate(length);
            generator.answer = whole(&answer)?;
            generator.lines[at].set_nonblocking(true)?;
        }
        Ok(generator)
    }

    /// A request on each connection at all times.
    pub(crate) fn rush(&mut self, length: Duration) -> anyhow::Result<Rush> {
        let lines = self.lines()?;
        let mut watched = watch(&lines);
        let (started, before, mut requests) = (Instant::now(), own_time()?, 0);
        (0..lines.len()).try_for_each(|at| self.ask(at, Duration::ZERO))?;
        let mut open = lines.len();
        while open > 0 {
            ensure!(ppoll(&mut watched, Some(PATIENCE.into()), None)? > 0, "no answer any more");
            let goes_on = started.elapsed() < length;
            for at in answered(&watched) {
                if self.take(at)? {
                    requests += 1;
                    if goes_on { self.ask(at, Duration::ZERO)? } else { open -= 1 }
                }
            }
        }
        Ok(Rush { requests, took: started.elapsed(), busy: own_time()? - before })
    }

    /// A request every `pause`: the time from when each was due to its answer, in microseconds.
    pub(crate) fn pace(&mut self, pause: Duration, length: Duration) -> anyhow::Result<Vec<f64>> {
        let lines = self.lines()?;
        let mut watched = watch(&lines);
        let (started, mut due) = (Instant::now(), Duration::ZERO);
        let (mut idle, mut times) = ((0..lines.len()).collect::<Vec<usize>>(), Vec::new());
        while due < length || idle.len() < lines.len() {
            while due < length && due <= started.elapsed() {
                let Some(at) = idle.pop() else { break };
                self.ask(at, due)?;
                due += pause;
            }
            let free = due < length && !idle.is_empty();
            let patience = if free { due.saturating_sub(started.elapsed()) } else { PATIENCE };
            ppoll(&mut watched, Some(patience.into()), None)?;
            for at in answered(&watched) {
                if self.take(at)? {
                    times.push(started.elapsed().saturating_sub(self.states[at].due).as_secs_f64() * 1e6);
                    idle.push(at);
                }
            }
            ensure!(started.elapsed() < length * HOPELESS, "requests come back slower than they are sent");
        }
        Ok(times)
    }

    fn lines(&self) -> anyhow::Result<Vec<TcpStream>> {
        Ok(self.lines.iter().map(TcpStream::try_clone).collect::<Result<_, _>>()?)
    }

    fn ask(&mut self, at: usize, due: Duration) -> anyhow::Result<()> {
        self.states[at] = State { received: 0, due };
        let id = self.ids.next();
        (&self.lines[at]).write_all(self.head.with(&id)).context("a request could not be sent")
    }

    /// True when the answer is there.
    fn take(&mut self, at: usize) -> anyhow::Result<bool> {
        let mut piece = [0; 4096];
        let length = match (&self.lines[at]).read(&mut piece) {
            Ok(0) => bail!("the server closed a connection"),
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error).context("a connection broke"),
        };
        let state = &mut self.states[at];
        ensure!(state.received > 0 || piece.starts_with(GOOD), "not a 200: {}", String::from_utf8_lossy(&piece));
        state.received += length;
        ensure!(state.received <= self.answer, "an answer of another length");
        Ok(state.received == self.answer)
    }
}

fn watch(lines: &[TcpStream]) -> Vec<PollFd<'_>> {
    lines.iter().map(|line| PollFd::new(line.as_fd(), PollFlags::POLLIN)).collect()
}

fn answered(watched: &[PollFd<'_>]) -> impl Iterator<Item = usize> {
    watched.iter().enumerate().filter(|(_, line)| line.any() == Some(true)).map(|(at, _)| at)
}

/// Bytes of the whole answer, which came in one piece.
fn whole(answer: &[u8]) -> anyhow::Result<usize> {
    let text = String::from_utf8_lossy(answer);
    let (head, body) = text.split_once("\r\n\r\n").context("an answer in pieces")?;
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).context("no length")?;
    ensure!(answer.starts_with(GOOD) && length.parse() == Ok(body.len()), "a strange answer: {text}");
    Ok(answer.len())
}

/// Processor time of this thread, nanoseconds.
fn own_time() -> anyhow::Result<u64> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(text.split(' ').next().unwrap_or_default().parse()?)
}

const GOOD: &[u8] = b"HTTP/1.1 200 ";
const PATIENCE: Duration = Duration::from_secs(10);
/// A pace that takes so many times as long as planned is given up.
const HOPELESS: u32 = 20;
