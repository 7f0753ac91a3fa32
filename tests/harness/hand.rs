//! A second hand of a client: sends frames from another processor, at the same time as the first. In: frames. Out: the same on the cable,
//! each judged on that processor. Never here: which frames.

use std::{
    hint,
    os::fd::{AsRawFd as _, OwnedFd},
    sync::mpsc::{Receiver, Sender, TryRecvError, channel},
    thread,
};

use nix::{
    errno::Errno,
    sched::{CpuSet, sched_setaffinity},
    sys::socket::{self, MsgFlags},
    unistd::Pid,
};

/// Sends from another processor until it is dropped.
#[derive(Debug)]
pub(crate) struct Hand(Sender<Vec<u8>>);

impl Hand {
    /// On the second processor; the calling thread is put on the first.
    pub(crate) fn beside(socket: OwnedFd) -> Self {
        let (frames, handed) = channel();
        stay_on(0);
        thread::spawn(move || {
            stay_on(1);
            work(&socket, &handed);
        });
        Self(frames)
    }

    pub(crate) fn send(&self, frame: &[u8]) {
        self.0.send(frame.to_vec()).expect("the other hand is at work");
    }
}

/// Never sleeps: what is handed over is to leave at the same time as what the first hand sends next.
fn work(socket: &OwnedFd, handed: &Receiver<Vec<u8>>) {
    loop {
        match handed.try_recv() {
            Ok(frame) => put(socket, &frame),
            Err(TryRecvError::Empty) => hint::spin_loop(),
            Err(TryRecvError::Disconnected) => return,
        }
    }
}

/// Sends one frame.
pub(crate) fn put(socket: &OwnedFd, frame: &[u8]) {
    loop {
        match socket::send(socket.as_raw_fd(), frame, MsgFlags::empty()) {
            Ok(_) => return,
            // The queue is full; what is sent too early is dropped there, as anywhere.
            Err(Errno::ENOBUFS | Errno::EINTR) => {}
            Err(error) => panic!("failed to send a frame of {} bytes: {error}", frame.len()),
        }
    }
}

fn stay_on(processor: usize) {
    let mut set = CpuSet::new();
    set.set(processor).expect("a machine has fewer processors than a set");
    sched_setaffinity(Pid::from_raw(0), &set).expect("there are two processors");
}
