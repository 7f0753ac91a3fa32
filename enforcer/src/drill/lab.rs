//! The place of a drill: two namespaces with a cable between them, and an agent in one. In: a folder of its own. Out: threads and
//! programs that live inside. Everything goes when the lab does. Never here: the host's own namespace.
use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::api::PORT;

/// Where the API answers.
pub(super) const API: ([u8; 4], u16) = ([10, 79, 0, 1], PORT);

/// The last part of the first customer's address; the attacker has the one before, and those of the others follow.
pub(super) const FIRST: u8 = 100;

/// Two namespaces and an agent.
pub(super) struct Lab {
    folder: PathBuf,
    api: Space,
    people: Space,
    agent: Option<Child>,
}

/// A namespace; it goes with this.
pub(super) struct Space(String);

impl Lab {
    /// Builds it in a folder that is empty.
    pub(super) fn build(folder: &Path) -> io::Result<Self> {
        sweep(folder.parent().unwrap_or(folder));
        let number = std::process::id();
        let api = Space::new(format!("enforcer-drill-{number}-api"))?;
        let people = Space::new(format!("enforcer-drill-{number}-people"))?;
        let lab = Self { folder: folder.to_owned(), api, people, agent: None };
        let (near, far) = (format!("drill{number}"), &lab.people.0);
        done(
            Command::new("ip").args(["-n", &lab.api.0, "link", "add", "drill0", "type", "veth", "peer", "name", &near]),
        )?;
        done(Command::new("ip").args(["-n", &lab.api.0, "link", "set", &near, "netns", far, "name", "drill1"]))?;
        for (space, link, address) in [(&lab.api, "drill0", "10.79.0.1/24"), (&lab.people, "drill1", "10.79.0.2/24")] {
            done(Command::new("ip").args(["-n", &space.0, "address", "add", address, "dev", link]))?;
            done(Command::new("ip").args(["-n", &space.0, "link", "set", link, "up"]))?;
        }
        for last in FIRST - 1..FIRST + MOST {
            let address = format!("10.79.0.{last}/24");
            done(Command::new("ip").args(["-n", far, "address", "add", &address, "dev", "drill1"]))?;
        }
        fs::create_dir(lab.pins())?;
        done(Command::new("mount").args(["-t", "bpf", "bpf"]).arg(lab.pins()))?;
        Ok(lab)
    }

    /// Starts this binary as the agent, with filters that enforce.
    pub(super) fn start_agent(&mut self) -> io::Result<()> {
        let (path, log) = (self.folder.join("enforcer.toml"), File::create(self.folder.join("agent.log"))?);
        fs::write(&path, self.configuration())?;
        let mut command = self.api.command("setpriv");
        // It ends with whoever plays the drill, however that is.
        command.args(["--pdeathsig", "KILL", "--"]).arg(std::env::current_exe()?);
        command.arg("run").arg("--config").arg(path).stdout(Stdio::null()).stderr(log);
        self.agent = Some(command.spawn()?);
        Ok(())
    }

    fn configuration(&self) -> String {
        let folder = self.folder.display();
        format!(
            "[agent]\nstate_dir = \"{folder}/state\"\nsocket = \"{}\"\nbpffs = \"{}/agent\"\nmetrics = \"off\"\n\
             [fastpath]\ninterfaces = [\"drill0\"]\n[[service]]\nname = \"drill\"\nports = [{PORT}]\n\
             device = [{{ header = \"X-Device-Id\" }}]\nfilters = {{ all = \"enforce\" }}\n",
            self.socket().display(),
            self.pins().display()
        )
    }

    /// The agent's socket.
    pub(super) fn socket(&self) -> PathBuf {
        self.folder.join("socket")
    }

    /// What the agent said last, when it has ended.
    pub(super) fn has_ended(&mut self) -> Option<String> {
        self.agent.as_mut()?.try_wait().ok()??;
        let log = fs::read_to_string(self.folder.join("agent.log")).unwrap_or_default();
        Some(log.lines().rev().take(3).collect::<Vec<_>>().join(" | "))
    }

    fn pins(&self) -> PathBuf {
        self.folder.join("bpf")
    }

    /// A thread on the API's side.
    pub(super) fn beside_api<T: Send + 'static>(
        &self,
        run: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<JoinHandle<Option<T>>> {
        self.api.thread(run)
    }

    /// A thread among the people.
    pub(super) fn among_people<T: Send + 'static>(
        &self,
        run: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<JoinHandle<Option<T>>> {
        self.people.thread(run)
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if let Some(agent) = &mut self.agent {
            let _ = agent.kill();
            let _ = agent.wait();
        }
        // With the file system go the pins, and with them programs and maps.
        let _ = done(Command::new("umount").arg(self.pins()));
    }
}

impl Space {
    fn new(name: String) -> io::Result<Self> {
        done(Command::new("ip").args(["netns", "add", &name]))?;
        let space = Self(name);
        done(Command::new("ip").args(["-n", &space.0, "link", "set", "lo", "up"]))?;
        Ok(space)
    }

    fn path(&self) -> PathBuf {
        Path::new("/run/netns").join(&self.0)
    }

    /// A command inside. Not by `ip netns exec`, which hides `/sys`.
    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", self.path().display())).arg("--").arg(program).stdin(Stdio::null());
        command
    }

    /// A thread inside; one that cannot get there is an error, so what it gives is never `None`.
    fn thread<T: Send + 'static>(&self, run: impl FnOnce() -> T + Send + 'static) -> io::Result<JoinHandle<Option<T>>> {
        let space = File::open(self.path())?;
        let (told, entered) = std::sync::mpsc::sync_channel(1);
        let thread = std::thread::Builder::new().spawn(move || {
            let moved = move_into_link_name_space(space.as_fd(), Some(LinkNameSpaceType::Network));
            let is_inside = moved.is_ok();
            // Whoever waits for it is there.
            let _ = told.send(moved);
            is_inside.then(run)
        })?;
        entered.recv().map_err(io::Error::other)??;
        Ok(thread)
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        let _ = done(Command::new("ip").args(["netns", "delete", &self.0]));
    }
}

/// Takes away what drills have left that were killed: namespaces, and folders beside ours.
fn sweep(folders: &Path) {
    for space in left_over(Path::new("/run/netns")) {
        drop(Space(space.file_name().to_string_lossy().into_owned()));
    }
    // Only those of root: nobody else is helped to have something unmounted or removed.
    let own = |folder: &fs::DirEntry| folder.metadata().is_ok_and(|about| about.is_dir() && about.uid() == 0);
    for folder in left_over(folders).into_iter().filter(own) {
        let _ = done(Command::new("umount").arg(folder.path().join("bpf")));
        let _ = fs::remove_dir_all(folder.path());
    }
}

fn left_over(place: &Path) -> Vec<fs::DirEntry> {
    let entries = fs::read_dir(place).into_iter().flatten().flatten();
    entries.filter(|entry| is_left_over(&entry.file_name().to_string_lossy())).collect()
}

fn is_left_over(name: &str) -> bool {
    let number = name.strip_prefix("enforcer-drill-").and_then(|rest| rest.split('-').next());
    number
        .and_then(|number| number.parse::<u32>().ok())
        .is_some_and(|number| !Path::new(&format!("/proc/{number}")).exists())
}

/// Customers that have an address.
const MOST: u8 = 100;

/// Runs a command to its end.
fn done(command: &mut Command) -> io::Result<()> {
    let output = command.stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(());
    }
    let (name, complaint) = (command.get_program().to_string_lossy(), String::from_utf8_lossy(&output.stderr));
    Err(io::Error::other(format!("{name}: {}", complaint.trim())))
}
