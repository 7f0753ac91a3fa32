//! The real control center in a namespace of its own, cabled to the hosts of several networks.
//!
//! In: networks with agents. Out: a running center, its command line and its API (by curl, as its users do). Never here:
//! knowledge of its insides, but for its folder, which a test may copy as a backup would.

use std::{
    fs::{self, File},
    io::Write as _,
    net::TcpStream,
    path::{Path, PathBuf},
    process::{self, Command},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use nix::{
    mount::{MsFlags, mount},
    sys::signal::Signal,
};
use serde_json::Value;

use crate::{
    agent::{Agent, program},
    namespace::{Namespace, ip},
    netns::Net,
    process::Process,
    sweep,
    wait::eventually,
};

/// A running center.
#[derive(Debug)]
pub struct Center {
    space: Namespace,
    folder: PathBuf,
    process: Option<Process>,
}

impl Center {
    /// Makes one, cables it to the host of each network, and starts it.
    #[track_caller]
    pub fn start(nets: &[Net]) -> Self {
        Self::start_on(nets, None)
    }

    /// The same, with a disk of its own of so many mebibytes.
    #[track_caller]
    pub fn start_on(nets: &[Net], disk: Option<u32>) -> Self {
        let world = format!("{}{}-{}", sweep::PREFIX, process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        let space = Namespace::new(&format!("{world}-center"));
        let folder = std::env::temp_dir().join(&world);
        fs::create_dir_all(folder.join("state")).expect("a temporary folder can be made");
        if let Some(size) = disk {
            let (state, options) = (folder.join("state"), format!("size={size}m,mode=700"));
            mount(Some("tmpfs"), &state, Some("tmpfs"), MsFlags::empty(), Some(options.as_str()))
                .expect("a disk in memory can be mounted");
        }
        ip(&[], &format!("netns add {}", space.name()));
        space.ip("link set lo up");
        let mut center = Self { space, folder, process: None };
        for (number, net) in nets.iter().enumerate() {
            center.plug(net, number);
        }
        let names: Vec<String> = (0..nets.len()).map(address).collect();
        let names: Vec<&str> = names.iter().flat_map(|name| ["--name", name]).chain(["--name", "127.0.0.1"]).collect();
        center.cli(&[&["init"], &names[..]].concat());
        center.restart();
        center
    }

    /// Runs a command of its command line that must succeed, and returns what it printed.
    #[track_caller]
    pub fn cli(&self, arguments: &[&str]) -> Value {
        let mut command = self.command();
        let output = command.args(["-o", "json"]).args(arguments).output().expect("the center's program starts");
        assert!(output.status.success(), "`enforcer-center {}` failed: {output:#?}", arguments.join(" "));
        serde_json::from_slice(&output.stdout).expect("it prints JSON")
    }

    /// A token of this role.
    #[track_caller]
    pub fn token(&self, name: &str, role: &str) -> String {
        let made = self.cli(&["token", "add", "--name", name, "--role", role]);
        made["token"].as_str().expect("a token").to_owned()
    }

    /// Makes a host one of this center's; its agent is restarted.
    #[track_caller]
    pub fn enroll(&self, net: &Net, agent: &mut Agent, number: usize, groups: &[&str]) {
        let name = format!("host-{number}");
        let groups: Vec<&str> = groups.iter().flat_map(|group| ["--group", group]).collect();
        let invited = self.cli(&[&["hosts", "invite", &name], &groups[..]].concat());
        let token = net.folder().join("invitation");
        fs::write(&token, invited["token"].as_str().expect("a token")).expect("a file can be written");
        let (url, config) = (format!("https://{}:9443", address(number)), net.folder().join("agent/enforcer.toml"));
        let (token, config) = (token.display().to_string(), config.display().to_string());
        agent.done(&[
            "enroll",
            "--config",
            &config,
            "--center",
            &url,
            "--token-file",
            &token,
            "--replace-identity-key",
        ]);
        agent.stop();
        agent.restart();
    }

    /// One request to the API: status and body.
    #[track_caller]
    pub fn ask(&self, token: &str, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let output = self.curl(token, method, path, body);
        let text = String::from_utf8_lossy(&output.stdout);
        let (body, status) = text.rsplit_once('\n').unwrap_or_else(|| panic!("no answer: {output:#?}\n{}", self.log()));
        (status.parse().expect("a status"), serde_json::from_str(body).unwrap_or(Value::Null))
    }

    /// The status of one request to a center that may die meanwhile; none without an answer.
    pub fn try_ask(&self, token: &str, method: &str, path: &str, body: &Value) -> Option<u16> {
        let output = self.curl(token, method, path, body);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.rsplit_once('\n').and_then(|(_, status)| status.parse().ok()).filter(|status| *status != 0)
    }

    fn curl(&self, token: &str, method: &str, path: &str, body: &Value) -> process::Output {
        let mut command = self.space.command("curl");
        command.args([
            "--silent",
            "--show-error",
            "--max-time",
            "20",
            "--write-out",
            "\n%{http_code}",
            "--request",
            method,
        ]);
        command.arg("--cacert").arg(self.authority()).args(["--header", &format!("Authorization: Bearer {token}")]);
        command.args(["--header", "Content-Type: application/json", "--data", &body.to_string()]);
        command.arg(format!("https://127.0.0.1:9443/v1{path}")).output().expect("curl is installed")
    }

    /// Blocks a device on all hosts; the decision's id.
    #[track_caller]
    pub fn block_device(&self, token: &str, device: &str) -> String {
        let asked =
            serde_json::json!({"kind": "device", "value": device, "action": "deny", "seconds": 3600, "reason": "test"});
        let (status, answer) = self.ask(token, "POST", "/decisions", &asked);
        assert_eq!(status, 201, "{answer}");
        answer["decision"]["id"].as_str().expect("an id").to_owned()
    }

    /// The state of each host, by name.
    #[track_caller]
    pub fn states(&self, token: &str) -> Vec<(String, u64)> {
        let (_, answer) = self.ask(token, "GET", "/hosts", &Value::Null);
        let hosts = answer["items"].as_array().cloned().unwrap_or_default();
        let state = |host: &Value| {
            let state = host["state"].as_str().unwrap_or_default().to_owned();
            (state, host["ack"]["number"].as_u64().unwrap_or(0))
        };
        hosts.iter().map(state).collect()
    }

    /// Its process id.
    #[track_caller]
    pub fn id(&self) -> u32 {
        self.process.as_ref().map(Process::id).expect("it was started")
    }

    /// Its namespace.
    pub fn space(&self) -> &Namespace {
        &self.space
    }

    /// Says where its events go, and starts it again.
    #[track_caller]
    pub fn export(&mut self, exports: &str) {
        fs::write(self.folder.join("state/exports.toml"), exports).expect("a file can be written");
        self.kill9();
        self.restart();
    }

    /// Says where decisions come from that nobody makes by hand, and starts it again.
    #[track_caller]
    pub fn sources(&mut self, sources: &str) {
        fs::write(self.folder.join("state/sources.toml"), sources).expect("a file can be written");
        self.kill9();
        self.restart();
    }

    /// Says which lists it follows, and starts it again.
    #[track_caller]
    pub fn follow(&mut self, lists: &str) {
        fs::write(self.folder.join("state/lists.toml"), lists).expect("a file can be written");
        self.kill9();
        self.restart();
    }

    /// Says which changes need a second person, and starts it again.
    #[track_caller]
    pub fn rules(&mut self, rules: &str) {
        fs::write(self.folder.join("state/approvals.toml"), rules).expect("a file can be written");
        self.kill9();
        self.restart();
    }

    /// The certificate of its authority.
    pub fn authority(&self) -> PathBuf {
        self.folder.join("state/ca.pem")
    }

    /// Stops it where it is, or lets it go on.
    pub fn signal(&mut self, signal: Signal) {
        self.process.iter_mut().for_each(|process| process.signal(signal));
    }

    /// Takes the cable to the host of this number off, or puts it on again.
    pub fn cable(&self, number: usize, is_on: bool) {
        self.space.ip(&format!("link set host{number} {}", if is_on { "up" } else { "down" }));
    }

    /// Fills its disk to the last byte, or makes room again.
    pub fn fill(&self, is_full: bool) {
        let path = self.folder.join("state/filler");
        if !is_full {
            return fs::remove_file(path).expect("a file can be removed");
        }
        let mut file = File::create(path).expect("a file can be made");
        let mut size = 1 << 20;
        while size > 0 {
            // Ever smaller pieces, until not one byte finds room.
            if file.write_all(&vec![0; size]).is_err() {
                size /= 2;
            }
        }
    }

    /// Kills it like a crash would.
    pub fn kill9(&mut self) {
        self.process.iter_mut().for_each(Process::kill9);
    }

    /// Starts it (again), and returns when it answers.
    #[track_caller]
    pub fn restart(&mut self) {
        let log = File::options().create(true).append(true).open(self.folder.join("log")).expect("a log can be opened");
        let mut command = self.command();
        self.process = Some(Process::start(command.arg("run").stderr(log)));
        eventually(DEADLINE, "the center answers", || {
            self.space.inside(|| TcpStream::connect(("127.0.0.1", 9443)).is_ok())
        });
    }

    /// Copies its folder, as a backup would; it must not be running.
    pub fn backup(&self) {
        copy(&self.folder.join("state"), &self.folder.join("backup"));
    }

    /// Puts the copy in the folder's place; it must not be running.
    pub fn restore(&self) {
        fs::remove_dir_all(self.folder.join("state")).expect("the folder can be removed");
        copy(&self.folder.join("backup"), &self.folder.join("state"));
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    fn command(&self) -> Command {
        let mut command = self.space.command(program().with_file_name("enforcer-center"));
        command.arg("--folder").arg(self.folder.join("state"));
        command
    }

    fn plug(&mut self, net: &Net, number: usize) {
        let (here, there) = (address(number), format!("10.78.{number}.2"));
        let interface = format!("host{number}");
        self.space.ip(&format!(
            "link add {interface} type veth peer name center0 netns {}\nlink set {interface} up\naddr add {here}/24 dev {interface}",
            net.host.name()
        ));
        net.host.ip(&format!("link set center0 up\naddr add {there}/24 dev center0"));
    }
}

impl Drop for Center {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the center logged:\n{}", self.log());
        }
        self.process = None;
        sweep::remove([self.space.name()], &self.folder);
    }
}

/// Where the host of this number finds the center.
fn address(number: usize) -> String {
    format!("10.78.{number}.1")
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder can be made");
    for entry in fs::read_dir(from).expect("a readable folder").flatten() {
        // Copies keep the mode, and keys must not become readable.
        fs::copy(entry.path(), to.join(entry.file_name())).expect("a file can be copied");
    }
}

const DEADLINE: Duration = Duration::from_secs(20);
/// Networks count from 0: names must differ, and be names of worlds that `sweep` knows.
static MADE: AtomicU32 = AtomicU32::new(1_000_000);
