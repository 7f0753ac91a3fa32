//! The real agent, running in the API host, and its command line.
//!
//! In: a network and the part of the configuration that the test is about. Out: a running agent with a state folder,
//! socket and BPF file system of its own. Never here: knowledge of its insides; it is used as its users use it.

use std::{
    env,
    fs::{self, File},
    io::Write as _,
    os::unix::net::UnixDatagram,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

use nix::{
    mount::{MntFlags, MsFlags, mount, umount2},
    sys::signal::Signal,
};
use serde_json::Value;

use crate::{
    links::{ATTACKER, CLIENT},
    namespace::Namespace,
    netns::Net,
    process::Process,
};

/// A running agent. Dropping it takes everything off the host's interfaces.
#[derive(Debug)]
pub struct Agent {
    host: Namespace,
    folder: PathBuf,
    program: PathBuf,
    process: Process,
}

/// What a command printed, and how it ended.
#[derive(Clone, Debug)]
pub struct Output {
    /// Its exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it complained about.
    pub stderr: String,
}

impl Agent {
    /// Starts it, and returns when it says that it is ready.
    ///
    /// `configuration` is TOML. Its `[agent]` section gets the folders of this test; `[fastpath]` names both cables unless
    /// it is given.
    #[track_caller]
    pub fn start(net: &Net, configuration: &str) -> Self {
        Self::start_program(net, program(), configuration)
    }

    /// Starts another build of it.
    #[track_caller]
    pub fn start_program(net: &Net, program: &Path, configuration: &str) -> Self {
        Self::start_in(net, net.folder().join("agent"), program, configuration)
    }

    /// Starts a second one on the same host, in another folder.
    #[track_caller]
    pub fn start_beside(net: &Net, name: &str, configuration: &str) -> Self {
        Self::start_in(net, net.folder().join(name), program(), configuration)
    }

    #[track_caller]
    fn start_in(net: &Net, folder: PathBuf, program: &Path, configuration: &str) -> Self {
        mount_bpf(&folder);
        write_configuration(&folder, configuration);
        let process = ready(launch(&net.host, &folder, program));
        Self { host: net.host.clone(), folder, program: program.to_owned(), process }
    }

    /// Kills it like a crash would.
    pub fn kill9(&mut self) {
        self.process.kill9();
    }

    /// Ends it as the service manager would.
    pub fn stop(&mut self) {
        self.process.terminate(DEADLINE);
    }

    /// Starts it again with all that it left behind; it must not be running.
    #[track_caller]
    pub fn restart(&mut self) {
        self.try_restart().unwrap_or_else(|why| panic!("{why}"));
    }

    /// The same; what it logged, when it ended before it was ready.
    #[track_caller]
    pub fn try_restart(&mut self) -> Result<(), String> {
        assert!(!self.is_running(), "the agent is still running");
        launch(&self.host, &self.folder, &self.program).map(|process| self.process = process)
    }

    /// Starts it, and kills it so long afterwards, wherever its start has got to.
    pub fn launch_and_kill(&mut self, after: Duration) {
        assert!(!self.is_running(), "the agent is still running");
        let mut process = start(&self.host, &self.folder, &self.program);
        thread::sleep(after);
        process.kill9();
    }

    /// Waits until it has ended by itself.
    #[track_caller]
    pub fn wait_for_end(&mut self) {
        self.process.wait(DEADLINE);
    }

    /// Like [`Self::restart`], with another build of the program from now on.
    #[track_caller]
    pub fn restart_as(&mut self, program: &Path) {
        program.clone_into(&mut self.program);
        self.restart();
    }

    /// Replaces its configuration, and tells nobody.
    pub fn configure(&self, configuration: &str) {
        write_configuration(&self.folder, configuration);
    }

    /// Replaces its configuration and sends the signal to read it.
    pub fn reload(&mut self, configuration: &str) {
        write_configuration(&self.folder, configuration);
        self.process.signal(Signal::SIGHUP);
    }

    /// Sends it a signal.
    pub fn signal(&mut self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Which program it is started from next.
    pub fn become_program(&mut self, program: &Path) {
        program.clone_into(&mut self.program);
    }

    /// Differences between the kernel and what was decided that it has mended.
    #[track_caller]
    pub fn repaired(&self) -> u64 {
        // `status` ends with 3 while the last comparison found something.
        self.cli(&["-o", "json", "status"]).json()["drift"]["repaired"].as_u64().expect("a number")
    }

    /// Takes its BPF file system away, with everything that is pinned there.
    pub fn unmount_bpf(&self) {
        self.try_unmount_bpf().expect("a BPF file system can be unmounted");
    }

    /// The harness has mounted the one, or the agent the other.
    fn try_unmount_bpf(&self) -> nix::Result<()> {
        let unmount = |path| umount2(&self.folder.join(path), MntFlags::MNT_DETACH);
        unmount("bpf/enforcer").or_else(|_absent| unmount("bpf"))
    }

    /// Mounts one again, an empty one.
    pub fn mount_bpf(&self) {
        mount_bpf(&self.folder);
    }

    /// Whether the process runs.
    pub fn is_running(&mut self) -> bool {
        self.process.ended().is_none()
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// A command of its command line, to add to and to run.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.host.command(&self.program);
        command.arg("--socket").arg(self.socket()).args(arguments);
        command
    }

    /// Runs a command of its command line.
    pub fn cli(&self, arguments: &[&str]) -> Output {
        self.cli_with(arguments, b"")
    }

    /// Runs a command that reads its standard input.
    pub fn cli_with(&self, arguments: &[&str], input: &[u8]) -> Output {
        let mut command = self.command(arguments);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("failed to start {command:?}: {error}"));
        let pipe = child.stdin.take();
        let output = thread::scope(|scope| {
            // A command may refuse before it has read everything.
            scope.spawn(|| pipe.map(|mut pipe| pipe.write_all(input)));
            child.wait_with_output().expect("a command's output can be read")
        });
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Output { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }

    /// Runs a command that must succeed, and returns what it printed.
    #[track_caller]
    pub fn done(&self, arguments: &[&str]) -> String {
        let output = self.cli(arguments);
        assert_eq!(output.code, Some(0), "`enforcer {}` failed: {output:#?}", arguments.join(" "));
        output.stdout
    }

    /// Runs a command with `-o json` that must succeed, and returns what it printed.
    #[track_caller]
    pub fn json(&self, arguments: &[&str]) -> Value {
        let output = self.cli(&[&["-o", "json"], arguments].concat());
        assert_eq!(output.code, Some(0), "`enforcer -o json {}` failed: {output:#?}", arguments.join(" "));
        output.json()
    }

    /// The sum of a metric's series that carry all of these labels; none if there is no such series.
    #[track_caller]
    pub fn metric(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let page = self.metrics();
        let is_wanted = |line: &&str| {
            let rest = line.strip_prefix(name).filter(|rest| rest.starts_with(['{', ' ']));
            rest.is_some_and(|rest| labels.iter().all(|(label, value)| rest.contains(&format!("{label}=\"{value}\""))))
        };
        let values: Vec<f64> =
            page.lines().filter(is_wanted).filter_map(|line| line.rsplit(' ').next()?.parse().ok()).collect();
        (!values.is_empty()).then(|| values.iter().sum())
    }

    /// The whole page of metrics.
    #[track_caller]
    pub fn metrics(&self) -> String {
        self.host.exec(&format!("curl --silent --show-error --fail --max-time 5 http://{METRICS}/metrics"))
    }

    /// Its socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.join("enforcer.sock")
    }

    /// Its state folder.
    pub fn state(&self) -> PathBuf {
        self.folder.join("state")
    }

    /// Its folder in the BPF file system.
    pub fn pins(&self) -> PathBuf {
        self.folder.join("bpf/enforcer")
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("the agent logged:\n{}", self.log());
        }
        if self.process.ended().is_none() {
            let mut detach = Process::start(self.command(&["detach"]).stdout(Stdio::null()).stderr(Stdio::null()));
            detach.wait_quietly(DEADLINE);
        }
        self.process.put_down(DEADLINE);
        // Whatever it left pinned goes with the file system.
        if let Err(error) = self.try_unmount_bpf() {
            eprintln!("the agent's BPF file system could not be unmounted: {error}");
        }
    }
}

impl Output {
    /// What it printed, as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("no JSON ({error}): {self:#?}"))
    }
}

/// The agent's program: `$ENFORCER_BIN`, or the one built beside this test, built now if it isn't there.
pub fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| env::var_os("ENFORCER_BIN").map_or_else(beside, PathBuf::from))
}

fn beside() -> PathBuf {
    let own = env::current_exe().expect("a program knows its own file");
    let profile = own.ancestors().skip(1).find(|folder| !folder.ends_with("deps")).expect("programs lie in folders");
    let program = profile.join("enforcer");
    if !program.is_file() {
        build(profile);
    }
    program
}

fn build(profile: &Path) {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--package", "enforcer", "--bin", "enforcer"]);
    if profile.ends_with("release") {
        cargo.arg("--release");
    }
    cargo.arg("--target-dir").arg(profile.parent().unwrap_or(profile));
    assert!(cargo.status().is_ok_and(|status| status.success()), "the agent could not be built");
}

fn mount_bpf(folder: &Path) {
    let bpf = folder.join("bpf");
    fs::create_dir_all(&bpf).expect("a folder can be made");
    mount(Some("bpf"), &bpf, Some("bpf"), MsFlags::empty(), None::<&str>).expect("a BPF file system can be mounted");
}

fn write_configuration(folder: &Path, configuration: &str) {
    let place = |name: &str| folder.join(name).display().to_string();
    // A second agent of the same host must not want the same port.
    let metrics = if folder.ends_with("agent") { METRICS } else { "off" };
    let own = format!(
        "[agent]\nstate_dir = {:?}\nsocket = {:?}\nbpffs = {:?}\nmetrics = {metrics:?}\n",
        place("state"),
        place("enforcer.sock"),
        place("bpf/enforcer")
    );
    let agent = if configuration.contains("[agent]\n") {
        configuration.replacen("[agent]\n", &own, 1)
    } else {
        format!("{own}{configuration}")
    };
    let fastpath = if configuration.contains("[fastpath]") {
        String::new()
    } else {
        format!("\n[fastpath]\ninterfaces = [{:?}, {:?}]\n", CLIENT.interface, ATTACKER.interface)
    };
    fs::write(folder.join("enforcer.toml"), agent + &fastpath).expect("the configuration can be written");
}

/// Starts the program and waits for the words that a service manager waits for; gives its log, when it ended instead.
#[track_caller]
fn launch(host: &Namespace, folder: &Path, program: &Path) -> Result<Process, String> {
    let notify = folder.join("notify");
    // Left by the last start.
    let _gone = fs::remove_file(&notify);
    let listener = UnixDatagram::bind(&notify).expect("a socket can be made");
    let mut process = start(host, folder, program);
    wait_until_ready(&listener, &mut process, folder).map(|()| process)
}

fn start(host: &Namespace, folder: &Path, program: &Path) -> Process {
    let log = File::options().create(true).append(true).open(folder.join("log")).expect("a log can be opened");
    let second = log.try_clone().expect("a file can be opened twice");
    let mut command = host.command(program);
    command.args(["run", "--config"]).arg(folder.join("enforcer.toml")).env("NOTIFY_SOCKET", folder.join("notify"));
    Process::start(command.stdout(log).stderr(second))
}

#[track_caller]
fn ready(launched: Result<Process, String>) -> Process {
    launched.unwrap_or_else(|why| panic!("{why}"))
}

#[track_caller]
fn wait_until_ready(listener: &UnixDatagram, process: &mut Process, folder: &Path) -> Result<(), String> {
    let (started, mut message) = (Instant::now(), [0; 4096]);
    let log = || fs::read_to_string(folder.join("log")).unwrap_or_default();
    listener.set_read_timeout(Some(Duration::from_millis(50))).expect("a timeout above zero is accepted");
    loop {
        let length = listener.recv(&mut message).unwrap_or(0);
        if message[..length].split(|byte| *byte == b'\n').any(|line| line == b"READY=1") {
            return Ok(());
        }
        if let Some(status) = process.ended() {
            return Err(format!("the agent ended before it was ready ({status}); it logged:\n{}", log()));
        }
        assert!(started.elapsed() < DEADLINE, "the agent was not ready within {DEADLINE:?}; it logged:\n{}", log());
    }
}

const DEADLINE: Duration = Duration::from_secs(30);
/// Every host namespace has a loopback of its own.
const METRICS: &str = "127.0.0.1:9920";
