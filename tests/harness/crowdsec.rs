//! Debian's CrowdSec: its local API alone, on the loopback interface of a namespace, with a folder of its own.
//!
//! In: a namespace; the package as `cargo xtask setup` unpacked it. Out: a running API with a bouncer's key, and `cscli`. Never here: its
//! service, the package's post-install step, or anything outside: there is no way out of the namespace.

use std::{
    env,
    fs::{self, File},
    net::TcpStream,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{namespace::Namespace, process::Process, wait::eventually};

/// A running local API.
#[derive(Debug)]
pub struct CrowdSec {
    space: Namespace,
    folder: PathBuf,
    process: Option<Process>,
}

impl CrowdSec {
    /// Starts one in a namespace; what it needs is written into `folder`.
    #[track_caller]
    pub fn start(space: &Namespace, folder: &Path) -> Self {
        let folder = folder.join("crowdsec");
        for part in ["data", "hub", "notifications", "plugins"] {
            fs::create_dir_all(folder.join(part)).expect("a folder can be made");
        }
        let write = |name: &str, text: &str| fs::write(folder.join(name), text).expect("a file can be written");
        write("config.yaml", &CONFIG.replace("DIR", &folder.display().to_string()));
        write("profiles.yaml", PROFILES);
        write("simulation.yaml", "simulation: false\n");
        write("hub/.index.json", "{}");
        write("lapi.yaml", "");
        let mut crowdsec = Self { space: space.clone(), folder, process: None };
        for (machine, password) in [("test", "test-password"), Self::machine()] {
            crowdsec.cscli(&["machines", "add", machine, "--password", password, "--force", "-f", "/dev/null"]);
        }
        write_credentials(&crowdsec.folder);
        crowdsec.cscli(&["bouncers", "add", "enforcer", "-k", KEY]);
        fs::write(crowdsec.key_file(), format!("{KEY}\n")).expect("a file can be written");
        crowdsec.restart();
        crowdsec
    }

    /// Where it listens.
    pub fn url() -> &'static str {
        "http://127.0.0.1:18080"
    }

    /// A machine that it knows, and its password.
    pub fn machine() -> (&'static str, &'static str) {
        ("enforcer", "a-password-of-a-machine-in-a-test")
    }

    /// The file with the bouncer's key.
    pub fn key_file(&self) -> PathBuf {
        self.folder.join("key")
    }

    /// Runs `cscli`, which must succeed.
    #[track_caller]
    pub fn cscli(&self, arguments: &[&str]) -> String {
        let mut command = self.space.command(program("cscli"));
        let output = command.arg("-c").arg(self.folder.join("config.yaml")).args(arguments).output();
        let output = output.expect("cscli starts");
        assert!(output.status.success(), "`cscli {}` failed: {output:#?}", arguments.join(" "));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Starts Debian's firewall bouncer beside it, on nftables; none when it was not unpacked.
    #[track_caller]
    pub fn bouncer(&self, seconds: u32) -> Option<Process> {
        let program = package("crowdsec-firewall-bouncer").join("usr/bin/crowdsec-firewall-bouncer");
        if !program.exists() {
            return None;
        }
        let config = self.folder.join("bouncer.yaml");
        let text = BOUNCER.replace("SECONDS", &seconds.to_string()).replace("URL", Self::url()).replace("KEY", KEY);
        fs::write(&config, text.replace("DIR", &self.folder.display().to_string())).expect("a file can be written");
        let log = File::create(self.folder.join("bouncer.log")).expect("a log can be made");
        Some(Process::start(self.space.command(program).arg("-c").arg(config).stdout(log)))
    }

    /// Kills it like a crash would.
    pub fn kill9(&mut self) {
        self.process.iter_mut().for_each(Process::kill9);
        self.process = None;
    }

    /// Starts it (again), and returns when it listens.
    #[track_caller]
    pub fn restart(&mut self) {
        let log = File::options().create(true).append(true).open(self.folder.join("log")).expect("a log can be opened");
        let errors = log.try_clone().expect("a file can be shared");
        let mut command = self.space.command(program("crowdsec"));
        command.arg("-c").arg(self.folder.join("config.yaml")).arg("-no-cs").stdout(log).stderr(errors);
        self.process = Some(Process::start(&mut command));
        eventually(DEADLINE, &format!("CrowdSec listens; it said {}", self.log()), || {
            self.space.inside(|| TcpStream::connect(("127.0.0.1", 18080)).is_ok())
        });
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }
}

impl Drop for CrowdSec {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("CrowdSec logged:\n{}", self.log());
        }
    }
}

fn write_credentials(folder: &Path) {
    let text = format!("url: {}\nlogin: test\npassword: test-password\n", CrowdSec::url());
    fs::write(folder.join("lapi.yaml"), text).expect("a file can be written");
}

/// A program of the package, where `cargo xtask setup` unpacked it.
fn program(name: &str) -> PathBuf {
    let path = package("crowdsec").join("usr/bin").join(name);
    assert!(path.exists(), "{} is missing: cargo xtask setup", path.display());
    path
}

/// Where `cargo xtask setup` unpacked a package.
fn package(name: &str) -> PathBuf {
    let set = |variable: &str| env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from);
    let tools = set("ENFORCER_TOOLS")
        .or_else(|| set("XDG_CACHE_HOME").map(|cache| cache.join("enforcer")))
        .or_else(|| set("HOME").map(|home| home.join(".cache/enforcer")));
    tools.expect("a home folder").join(name)
}

const CONFIG: &str = "\
common:
  daemonize: false
  log_media: stdout
  log_level: info
  working_dir: DIR
config_paths:
  config_dir: DIR/
  data_dir: DIR/data/
  simulation_path: DIR/simulation.yaml
  hub_dir: DIR/hub/
  index_path: DIR/hub/.index.json
  notification_dir: DIR/notifications/
  plugin_dir: DIR/plugins/
db_config:
  log_level: error
  type: sqlite
  db_path: DIR/data/crowdsec.db
api:
  client:
    insecure_skip_verify: false
    credentials_path: DIR/lapi.yaml
  server:
    log_level: error
    listen_uri: 127.0.0.1:18080
    profiles_path: DIR/profiles.yaml
prometheus:
  enabled: false
";
const BOUNCER: &str = "\
mode: nftables
pid_dir: DIR/
update_frequency: SECONDSs
daemonize: false
log_mode: stdout
log_level: info
api_url: URL/
api_key: KEY
disable_ipv6: true
deny_action: DROP
deny_log: false
supported_decisions_types: [ban]
blacklists_ipv4: crowdsec-blacklists
blacklists_ipv6: crowdsec6-blacklists
nftables:
  ipv4: {enabled: true, set-only: false, table: crowdsec, chain: crowdsec-chain}
  ipv6: {enabled: false}
prometheus: {enabled: false}
";
const PROFILES: &str = "\
name: default_ip_remediation
filters:
 - Alert.Remediation == true && Alert.GetScope() == \"Ip\"
decisions:
 - type: ban
   duration: 4h
on_success: break
";
const KEY: &str = "a-key-of-a-bouncer-in-a-test";
const DEADLINE: Duration = Duration::from_secs(30);
