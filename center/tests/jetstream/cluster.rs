//! Three servers of NATS with `JetStream`.
//!
//! In: nothing. Out: addresses; servers killed and started again. Never here: a server that outlives this process, however it ends: the
//! kernel kills them with the thread that started them, and that thread ends with the process.
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, OnceLock};
use std::thread;

/// The servers.
pub(crate) struct Cluster {
    folder: PathBuf,
    ports: [u16; 3],
    servers: Mutex<[Option<Child>; 3]>,
    keeper: Sender<Start>,
}

/// What to start, and whom to give it.
type Start = (Command, Sender<Child>);

impl Cluster {
    /// One that nobody kills.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        SHARED.get_or_init(|| Self::start("shared"))
    }

    /// Three servers that look for each other.
    pub(crate) fn start(name: &str) -> Self {
        Self::start_with(name, "")
    }

    /// The same, with more in their configuration.
    pub(crate) fn start_with(name: &str, more: &str) -> Self {
        let parent = Path::new(env!("CARGO_TARGET_TMPDIR"));
        sweep(parent);
        let version = Command::new("nats-server").env("PATH", path()).arg("--version").output();
        assert!(version.is_ok(), "nats-server is missing: cargo xtask setup");
        let folder = parent.join(format!("nats-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let free: Vec<TcpListener> = (0..6).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let port = |at: usize| free[at].local_addr().unwrap().port();
        let (ports, routes) = ([0, 1, 2].map(port), [3, 4, 5].map(port));
        for (at, port) in ports.into_iter().enumerate() {
            let text = configuration(&folder, at, port, routes) + more;
            fs::write(folder.join(format!("{at}.conf")), text).unwrap();
        }
        drop(free);
        let cluster = Self { folder, ports, servers: Mutex::default(), keeper: keeper() };
        (0..3).for_each(|at| cluster.run(at));
        cluster
    }

    /// Where they are, with the name of a log.
    pub(crate) fn url(&self, log: &str) -> String {
        let servers = self.ports.map(|port| format!("127.0.0.1:{port}"));
        format!("nats://{}/{log}", servers.join(","))
    }

    /// Which one leads the log of this name.
    pub(crate) fn leader(&self, log: &str) -> usize {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let servers: Vec<String> = self.ports.iter().map(|port| format!("nats://127.0.0.1:{port}")).collect();
        let leader = runtime.block_on(async {
            let client = async_nats::connect(servers).await.unwrap();
            let stream = async_nats::jetstream::new(client).get_stream(log).await.unwrap();
            stream.cached_info().cluster.as_ref().and_then(|cluster| cluster.leader.clone())
        });
        leader.unwrap()[1..].parse().unwrap()
    }

    /// Starts one.
    pub(crate) fn run(&self, at: usize) {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "nats-server", "-c"]).arg(self.folder.join(format!("{at}.conf")));
        command.env("PATH", path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let (sender, started) = channel();
        self.keeper.send((command, sender)).unwrap();
        let child = started.recv().unwrap();
        self.servers.lock().unwrap()[at] = Some(child);
    }

    /// Kills one, as a power cut would.
    pub(crate) fn kill(&self, at: usize) {
        if let Some(mut child) = self.servers.lock().unwrap()[at].take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        (0..3).for_each(|at| self.kill(at));
        drop(fs::remove_dir_all(&self.folder));
    }
}

/// A thread that starts what it is given, and outlives every test.
fn keeper() -> Sender<Start> {
    let (sender, coming) = channel::<Start>();
    thread::spawn(move || {
        for (mut command, sender) in coming {
            drop(sender.send(command.spawn().unwrap()));
        }
    });
    sender
}

fn configuration(folder: &Path, at: usize, port: u16, routes: [u16; 3]) -> String {
    let others = routes.map(|port| format!("nats://127.0.0.1:{port}")).join(", ");
    format!(
        "server_name: n{at}\nlisten: 127.0.0.1:{port}\n\
         jetstream {{ store_dir: \"{}/{at}\", max_memory_store: 64MB, max_file_store: 1TB }}\n\
         cluster {{ name: test, listen: 127.0.0.1:{}, routes: [{others}] }}\n",
        folder.display(),
        routes[at]
    )
}

/// Debian keeps it where only root looks.
fn path() -> String {
    format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default())
}

/// Folders of processes that were killed.
fn sweep(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let process = name.strip_prefix("nats-").and_then(|rest| rest.split('-').next()).map(str::to_owned);
        if process.is_some_and(|process| !Path::new("/proc").join(process).exists()) {
            drop(fs::remove_dir_all(entry.path()));
        }
    }
}
