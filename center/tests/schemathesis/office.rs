//! A real center on loopback, in a folder of its own, and those who may speak to it.
//!
//! In: the center's program. Out: where it serves, tokens, an enrolled host. Never here: what is asked.
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use enforcer_policy::revision::Signer;
use serde_json::Value;

use super::run::Tool;

/// A center that serves until it is dropped.
pub(crate) struct Office {
    folder: tempfile::TempDir,
    process: Child,
    address: SocketAddr,
}

/// Files of an enrolled host: its certificate and its key.
pub(crate) struct Host {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

impl Office {
    /// Starts one with these rules on who may change what alone, and waits until it serves.
    pub(crate) fn open(rules: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        said(program(folder.path()).args(["init", "--name", "127.0.0.1"]));
        fs::write(folder.path().join("center/approvals.toml"), rules).unwrap();
        let log = File::create(folder.path().join("log")).unwrap();
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(env!("CARGO_BIN_EXE_enforcer-center"));
        command.arg("--folder").arg(folder.path().join("center")).args(["run", "--listen", "127.0.0.1:0"]);
        let mut process =
            command.env("RUST_LOG", "enforcer_center=debug").stdin(Stdio::null()).stderr(log).spawn().unwrap();
        let address = listens(&mut process, &folder.path().join("log"));
        Self { folder, process, address }
    }

    /// Who asks it whatever can be asked.
    pub(crate) fn tool(&self) -> Tool {
        Tool::new(&self.url(""), &self.authority(), self.folder.path())
    }

    /// A token of this role.
    pub(crate) fn token(&self, name: &str, role: &str) -> String {
        let text = self.command(&["token", "add", "--name", name, "--role", role]);
        let made: Value = serde_json::from_str(&text).unwrap();
        made["token"].as_str().unwrap().to_owned()
    }

    /// A host that has enrolled.
    pub(crate) fn enrol(&self, name: &str) -> Host {
        let invited: Value = serde_json::from_str(&self.command(&["hosts", "invite", name])).unwrap();
        let parts: Vec<&str> = invited["token"].as_str().unwrap().split('_').collect();
        let key = rcgen::KeyPair::generate().unwrap();
        let request = rcgen::CertificateParams::default().serialize_request(&key).unwrap().pem().unwrap();
        let body = serde_json::json!({"id": parts[1], "secret": parts[2], "request": request});
        let enrolled = self.ask("POST", "/enrol", None, &body);
        let place = |name: &str, text: &str| {
            let path = self.folder.path().join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let certificate = place("host.pem", enrolled["certificate"].as_str().unwrap());
        Host { certificate, key: place("host.key", &key.serialize_pem()) }
    }

    /// What a command of its command line prints.
    fn command(&self, words: &[&str]) -> String {
        said(program(self.folder.path()).args(["-o", "json"]).args(words))
    }

    /// Somebody makes so many decisions.
    pub(crate) fn decide(&self, count: usize) {
        let token = self.token("first", "operator");
        for number in 0..count {
            let body = serde_json::json!({"kind": "device", "value": format!("A1B2C3D{number}"), "action": "deny"});
            self.ask("POST", "/decisions", Some(&token), &body);
        }
    }

    /// Somebody publishes a module.
    pub(crate) fn publish(&self) {
        let module = [b"\0asm\x01\0\0\0".as_slice(), &section(b"enforcer.manifest", MANIFEST.as_bytes())].concat();
        let signed = enforcer_module::sign(&module, &Signer::from_seed(&[7; 32]));
        let body = serde_json::json!({"module": STANDARD.encode(signed), "comment": "a test"});
        self.ask("POST", "/modules", Some(&self.token("publisher", "operator")), &body);
    }

    /// How many revisions somebody has made.
    pub(crate) fn revisions_of(&self, author: &str) -> usize {
        let page = self.ask("GET", "/revisions?limit=1000", Some(&self.token("auditor", "viewer")), &Value::Null);
        page["items"].as_array().unwrap().iter().filter(|head| head["author"] == author).count()
    }

    fn ask(&self, method: &str, path: &str, token: Option<&str>, body: &Value) -> Value {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--fail-with-body", "--noproxy", "*", "--request", method, "--cacert"]);
        curl.arg(self.authority()).args(["--data", &body.to_string()]);
        curl.args(token.iter().flat_map(|token| ["--header".to_owned(), format!("Authorization: Bearer {token}")]));
        serde_json::from_str(&said(curl.arg(self.url(path)))).unwrap()
    }

    fn url(&self, path: &str) -> String {
        format!("https://{}/v1{path}", self.address)
    }

    fn authority(&self) -> PathBuf {
        self.folder.path().join("center/ca.pem")
    }
}

impl Drop for Office {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let said = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            let lines: Vec<&str> = said.lines().filter(|line| !line.contains(" INFO ")).collect();
            eprintln!("the center said:\n{}", lines[lines.len().saturating_sub(30)..].join("\n"));
        }
        let ended = self.process.kill().and_then(|()| self.process.wait());
        if let Err(error) = ended {
            eprintln!("the center could not be ended: {error}");
        }
    }
}

/// A custom section; its lengths are numbers of two bytes and of one.
fn section(name: &[u8], content: &[u8]) -> Vec<u8> {
    let length = 1 + name.len() + content.len();
    let low = u8::try_from(length & 0x7f).unwrap() | 0x80;
    let head = [0, low, u8::try_from(length >> 7).unwrap(), u8::try_from(name.len()).unwrap()];
    [&head, name, content].concat()
}

/// Where it says that it listens.
fn listens(process: &mut Child, log: &Path) -> SocketAddr {
    let begun = Instant::now();
    loop {
        let said = fs::read_to_string(log).unwrap();
        let told = said.lines().find_map(|line| line.split_once("ready listen=")?.1.split(' ').next()?.parse().ok());
        if let Some(address) = told {
            return address;
        }
        let ended = process.try_wait().unwrap();
        assert!(ended.is_none() && begun.elapsed() < PATIENCE, "the center does not serve: {said}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_enforcer-center"));
    command.arg("--folder").arg(folder.join("center"));
    command
}

fn said(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let (out, error) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{command:?}: {out}{error}");
    out.into_owned()
}

const PATIENCE: Duration = Duration::from_secs(40);
/// Of a module that a center can publish.
const MANIFEST: &str = r#"{"abi":1,"name":"pages","version":"1.0.0","title":"pages","risk":"API4:2023","kinds":[{"name":"page","severity":"low","fix":"none"}],"parameters":[{"name":"page","count":[1,9],"default":"3","doc":"any"}]}"#;
