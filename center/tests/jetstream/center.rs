//! Real centers: folders that are copies of one, processes, and somebody who asks them.
//!
//! In: a log. Out: centers that serve, killed and started again; answers over HTTPS. Never here: what they should answer.
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use enforcer_center::folder::Folder;
use enforcer_center::log::{Log, Settings};
use enforcer_center::store::Store;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

/// A center, as it was made and before it ever ran.
pub(crate) struct Office {
    folder: tempfile::TempDir,
    url: String,
    pub(crate) token: String,
}

/// One of several centers.
pub(crate) struct Center {
    folder: PathBuf,
    url: String,
    pub(crate) port: u16,
    process: Option<Child>,
}

impl Office {
    pub(crate) fn new(url: String) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let first = folder.path().join("first");
        answer(program(&first).args(["init", "--name", "127.0.0.1"]));
        let token = answer(program(&first).args(["token", "add", "--name", "ada", "--role", "operator"]));
        let token = token.lines().next().unwrap().to_owned();
        Self { folder, url, token }
    }

    /// A center with a copy of the folder, which serves.
    pub(crate) fn center(&self, name: &str) -> Center {
        let folder = self.folder.path().join(name);
        fs::create_dir(&folder).unwrap();
        for file in fs::read_dir(self.folder.path().join("first")).unwrap().flatten() {
            fs::copy(file.path(), folder.join(file.file_name())).unwrap();
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut center = Center { folder, url: self.url.clone(), port, process: None };
        center.run();
        center
    }

    /// Somebody who trusts these centers.
    pub(crate) fn client(&self) -> Client {
        let pem = fs::read(self.folder.path().join("first/ca.pem")).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(&pem).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let tls = TlsConnector::from(Arc::new(config.with_root_certificates(roots).with_no_client_auth()));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Client { runtime, tls, token: self.token.clone() }
    }
}

impl Center {
    /// Starts it, and waits until it serves.
    pub(crate) fn run(&mut self) {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", env!("CARGO_BIN_EXE_enforcer-center"), "--folder"]).arg(&self.folder);
        command.args(["--store", &self.url, "run", "--listen", &format!("127.0.0.1:{}", self.port)]);
        let log = fs::File::options().create(true).append(true).open(self.folder.with_extension("log")).unwrap();
        self.process = Some(command.stdin(Stdio::null()).stderr(log).spawn().unwrap());
        until("the center serves", || std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok());
    }

    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// Another process that looks after the store, as the command line does.
    pub(crate) fn command(&self, words: &[&str]) -> String {
        answer(program(&self.folder).args(["--store", &self.url]).args(words))
    }

    /// What it signs with.
    pub(crate) fn signer(&self) -> enforcer_policy::revision::Signer {
        Folder::at(&self.folder).signer().unwrap()
    }

    /// Its store, with all that the log holds.
    pub(crate) fn store(&self) -> (Store, Arc<Log>) {
        let secrets = Folder::at(&self.folder).shared_secrets().unwrap();
        let secrets: Vec<&[u8]> = secrets.iter().map(String::as_bytes).collect();
        let log = Log::connect(&Settings::parse(&self.url, None, None).unwrap(), &secrets).unwrap();
        (Store::open_shared(&self.folder.join("center.db"), Arc::clone(&log)).unwrap(), log)
    }
}

impl Drop for Center {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let said = fs::read_to_string(self.folder.with_extension("log")).unwrap_or_default();
            let lines: Vec<&str> = said.lines().collect();
            eprintln!("{}:\n{}", self.folder.display(), lines[lines.len().saturating_sub(30)..].join("\n"));
        }
    }
}

/// Somebody with a token.
pub(crate) struct Client {
    runtime: tokio::runtime::Runtime,
    tls: TlsConnector,
    token: String,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) status: u16,
    pub(crate) kind: String,
    pub(crate) body: serde_json::Value,
}

impl Client {
    /// Reads something.
    pub(crate) fn get(&self, port: u16, path: &str) -> Result<Said, String> {
        self.ask(port, Request::get(path), "")
    }

    /// Blocks an address, with an idempotency key.
    pub(crate) fn block(&self, port: u16, key: &str, address: &str) -> Result<Said, String> {
        let body =
            serde_json::json!({"kind": "ip", "value": address, "action": "drop", "seconds": 3600, "reason": key});
        self.ask(port, Request::post("/v1/decisions").header("idempotency-key", key), &body.to_string())
    }

    fn ask(&self, port: u16, request: hyper::http::request::Builder, body: &str) -> Result<Said, String> {
        let authorization = format!("Bearer {}", self.token);
        let request = request.header("host", "127.0.0.1").header("authorization", authorization);
        let request = request.body(Full::new(Bytes::from(body.to_owned()))).unwrap();
        let asked = async { tokio::time::timeout(PATIENCE, self.converse(port, request)).await };
        self.runtime.block_on(asked).map_err(|_late| "no answer".to_owned())?
    }

    async fn converse(&self, port: u16, request: Request<Full<Bytes>>) -> Result<Said, String> {
        let told = |error: &dyn std::fmt::Display| error.to_string();
        let stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.map_err(|error| told(&error))?;
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let stream = self.tls.connect(name, stream).await.map_err(|error| told(&error))?;
        let shaken = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = shaken.map_err(|error| told(&error))?;
        tokio::spawn(connection);
        let answer = sender.send_request(request).await.map_err(|error| told(&error))?;
        let (status, kind) = (answer.status().as_u16(), answer.headers().get("content-type").cloned());
        let body = answer.into_body().collect().await.map_err(|error| told(&error))?.to_bytes();
        let kind = kind.map_or_else(String::new, |kind| kind.to_str().unwrap().to_owned());
        Ok(Said { status, kind, body: serde_json::from_slice(&body).unwrap_or_default() })
    }
}

/// Waits for something, not for ever.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_enforcer-center"));
    command.arg("--folder").arg(folder);
    command
}

fn answer(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

const PATIENCE: Duration = Duration::from_secs(40);
