//! One network namespace, and running things in it.
//!
//! In: commands and closures. Out: their results. Never here: any other namespace than the network's; programs keep the
//! file system of this host, or the agent would look for its BPF file system in vain (`ip netns exec` replaces `/sys`).

use std::{
    ffi::OsStr,
    fs::{self, File},
    io::Write as _,
    panic::resume_unwind,
    path::PathBuf,
    process::{Command, Stdio},
    sync::Arc,
    thread,
};

use nix::sched::{CloneFlags, setns};

use crate::process::Process;

/// A handle on a namespace; the network it belongs to removes it.
#[derive(Clone, Debug)]
pub struct Namespace {
    name: Arc<str>,
}

impl Namespace {
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.into() }
    }

    /// Its name in `ip netns`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it can be opened.
    pub fn path(&self) -> PathBuf {
        PathBuf::from("/run/netns").join(&*self.name)
    }

    /// A command that will run inside. It becomes the program itself, so its process id is the program's.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", self.path().display())).arg("--").arg(program).stdin(Stdio::null());
        command
    }

    /// Runs a command line (words separated by blanks) to its end, and returns what it printed.
    #[track_caller]
    pub fn exec(&self, line: &str) -> String {
        let mut words = line.split_whitespace();
        let output = self.command(words.next().unwrap_or_default()).args(words).output().expect("nsenter starts");
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "`{line}` in {} failed ({}): {complaint}", self.name, output.status);
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Starts a command line in the background; it is killed when the returned guard goes.
    #[track_caller]
    pub fn spawn(&self, line: &str) -> Process {
        let mut words = line.split_whitespace();
        Process::start(self.command(words.next().unwrap_or_default()).args(words))
    }

    /// Runs a closure on a thread inside. Sockets made there stay in the namespace wherever they are used.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let entered = || {
            self.enter();
            work()
        };
        thread::scope(|scope| scope.spawn(entered).join()).unwrap_or_else(|panic| resume_unwind(panic))
    }

    /// Moves the calling thread inside, for good.
    pub fn enter(&self) {
        let door = File::open(self.path()).unwrap_or_else(|error| panic!("failed to open {}: {error}", self.name));
        setns(&door, CloneFlags::CLONE_NEWNET).unwrap_or_else(|error| panic!("failed to enter {}: {error}", self.name));
    }

    /// Sets kernel settings below `/proc/sys/net`; the path decides, the namespace is that of the thread that writes.
    pub fn settings(&self, settings: &[(&str, &str)]) {
        self.inside(|| {
            for (path, value) in settings {
                fs::write(format!("/proc/sys/net/{path}"), value)
                    .unwrap_or_else(|error| panic!("failed to set {path} to {value}: {error}"));
            }
        });
    }

    /// Runs `ip` commands, one per line.
    pub(crate) fn ip(&self, lines: &str) {
        ip(&["-n", &self.name], lines);
    }

    /// TCP sockets whose own port is `port`, in the given state of `ss` (`established`, `time-wait`, `connected`, ...).
    pub fn sockets(&self, state: &str, port: u16) -> Vec<String> {
        let printed = self.exec(&format!("ss -Htn state {state} sport = :{port}"));
        printed.lines().map(str::to_owned).collect()
    }
}

/// Runs `ip` commands, one per line, in one process.
pub(crate) fn ip(options: &[&str], lines: &str) {
    let mut child = Command::new("ip")
        .args(options)
        .args(["-batch", "-"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("ip is installed (see `cargo xtask setup`)");
    // Dropping the pipe is what ends the batch.
    child.stdin.take().map(|mut pipe| pipe.write_all(lines.as_bytes()));
    let output = child.wait_with_output().expect("ip ends");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "`ip {}` failed: {complaint}in:\n{lines}", options.join(" "));
}
