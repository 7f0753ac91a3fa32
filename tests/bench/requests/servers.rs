//! The nginx variants: plain, with a map of the blocked ids, with `ModSecurity` and the Core Rule Set.
//!
//! In: a network. Out: one nginx each, with one worker on the receiver's processor. All serve the same small file: an answer by
//! `return` would leave before most rules of `ModSecurity`. Never here: the system's configuration of nginx; that of
//! `ModSecurity` and the rules are Debian's, with the engine on and the audit log off.

use std::{
    fmt::Write as _,
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::Path,
    time::Duration,
};

use anyhow::{Context as _, ensure};
use enforcer_tests::{ATTACKER, CLIENT, Link, Namespace, Net, Process, connect, eventually};

use super::heads::{Head, Ids, ORDINARY, id};
use crate::cables::{RECEIVER, pin_first};

/// Where plain nginx listens; the agent's service.
pub(crate) const PLAIN_PORT: u16 = 8080;

/// Who looks at the requests.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Variant {
    /// Nobody.
    Plain,
    /// The kernel, in front of the same nginx.
    Enforcer,
    /// nginx, by a map of the ids.
    Map,
    /// `ModSecurity` with the Core Rule Set, in nginx.
    Rules,
}

/// All of them, running.
pub(crate) struct Servers<'a> {
    net: &'a Net,
    plain: Server,
    map: Server,
    rules: Server,
}

struct Server {
    worker: u32,
    _master: Process,
}

impl Variant {
    /// In the order of a round.
    pub(crate) const ALL: [Self; 4] = [Self::Plain, Self::Enforcer, Self::Map, Self::Rules];

    /// As it is called in the report.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain nginx",
            Self::Enforcer => "enforcer, plain nginx",
            Self::Map => "nginx map, 100,000 ids",
            Self::Rules => "nginx, ModSecurity, CRS",
        }
    }

    const fn port(self) -> u16 {
        match self {
            Self::Plain | Self::Enforcer => PLAIN_PORT,
            Self::Map => 8090,
            Self::Rules => 8091,
        }
    }

    /// The agent's programs hang on the client's cable; the other cable is bare.
    const fn link(self) -> &'static Link {
        match self {
            Self::Enforcer => &CLIENT,
            Self::Map | Self::Plain | Self::Rules => &ATTACKER,
        }
    }

    /// Where it is reached.
    pub(crate) fn address(self) -> SocketAddr {
        (self.link().host4, self.port()).into()
    }
}

impl<'a> Servers<'a> {
    /// Starts them.
    pub(crate) fn start(net: &'a Net) -> anyhow::Result<Self> {
        let server = |variant, load: &str, http: &str, location: &str| start(net, variant, load, http, location);
        let blocked = map(net.folder())?;
        let rules = net.folder().join("rules.conf");
        fs::write(&rules, RULES).context("the list of rules")?;
        Ok(Self {
            net,
            plain: server(Variant::Plain, "", "", "")?,
            map: server(Variant::Map, "", &blocked, "if ($blocked) { return 403; }")?,
            rules: server(
                Variant::Rules,
                "load_module /usr/lib/nginx/modules/ngx_http_modsecurity_module.so;",
                &format!("modsecurity on; modsecurity_rules_file {};", rules.display()),
                "",
            )?,
        })
    }

    /// The worker that serves a variant.
    pub(crate) const fn worker(&self, variant: Variant) -> u32 {
        match variant {
            Variant::Plain | Variant::Enforcer => self.plain.worker,
            Variant::Map => self.map.worker,
            Variant::Rules => self.rules.worker,
        }
    }

    /// Where requests to a variant come from.
    pub(crate) fn peer(&self, variant: Variant) -> &Namespace {
        self.net.peer(variant.link())
    }

    /// A connection to a variant.
    pub(crate) fn connect(&self, variant: Variant) -> anyhow::Result<TcpStream> {
        let connected = self.peer(variant).inside(|| connect(None, variant.address(), PATIENCE));
        connected.with_context(|| format!("no connection to {}", variant.name()))
    }

    /// The status of one request on a connection of its own.
    pub(crate) fn ask(&self, variant: Variant, head: &[u8]) -> anyhow::Result<u16> {
        let mut connection = self.connect(variant)?;
        connection.write_all(head)?;
        let mut answer = [0; 4096];
        let length = connection.read(&mut answer)?;
        let text = String::from_utf8_lossy(&answer[..length]).into_owned();
        text.split(' ').nth(1).and_then(|word| word.parse().ok()).with_context(|| format!("a strange answer: {text}"))
    }

    /// Each variant refuses what it is for, and nothing else.
    pub(crate) fn prove(&self) -> anyhow::Result<()> {
        let mut head = Head::new(ORDINARY);
        let attack = String::from_utf8_lossy(head.with(&Ids::clean().next())).replace("owner", "'+OR+1=1--+-");
        for variant in Variant::ALL {
            let clean = self.ask(variant, head.with(&Ids::clean().next()))?;
            let blocked = self.ask(variant, head.with(&id(99_999)))?;
            let attack = self.ask(variant, attack.as_bytes())?;
            let by_id = matches!(variant, Variant::Enforcer | Variant::Map);
            let expected = (200, if by_id { 403 } else { 200 }, if variant == Variant::Rules { 403 } else { 200 });
            let found = (clean, blocked, attack);
            ensure!(found == expected, "{} answers {found:?}, expected {expected:?}", variant.name());
        }
        Ok(())
    }
}

fn start(net: &Net, variant: Variant, load: &str, http: &str, location: &str) -> anyhow::Result<Server> {
    let folder = net.folder().join(format!("nginx{}", variant.port()));
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("answer.json"), ANSWER)?;
    let text = CONFIGURATION.replace("@LOAD@", load).replace("@HTTP@", http).replace("@LOCATION@", location);
    let text = text.replace("@PORT@", &variant.port().to_string()).replace("@FOLDER@", &folder.display().to_string());
    fs::write(folder.join("nginx.conf"), text)?;
    let mut command = net.host.command("nginx");
    let master = Process::start(command.arg("-p").arg(&folder).args(["-c", "nginx.conf", "-e", "error.log"]));
    let id = master.id();
    // The worker is made once everything is read and listened on.
    let mut children = String::new();
    eventually(DEADLINE, variant.name(), || {
        children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
        !children.is_empty()
    });
    let worker = children.split_whitespace().next().context("nginx has no worker")?.parse()?;
    pin_first(i32::try_from(worker)?, RECEIVER)?;
    Ok(Server { worker, _master: master })
}

/// The ids as a map of nginx.
fn map(folder: &Path) -> anyhow::Result<String> {
    let path = folder.join("map.conf");
    let mut text = String::new();
    for id in Ids::blocked() {
        let _ = writeln!(text, "{id} 1;");
    }
    fs::write(&path, text).context("the map of nginx")?;
    let sizes = "map_hash_max_size 524288; map_hash_bucket_size 256;";
    Ok(format!("{sizes} map $http_x_device_id $blocked {{ default 0; include {}; }}", path.display()))
}

const PATIENCE: Duration = Duration::from_secs(10);
const DEADLINE: Duration = Duration::from_secs(30);
/// 104 bytes.
const ANSWER: &str = "{\"account\":4711,\"owner\":\"owner-4711\",\"balance\":1234.56,\"currency\":\"EUR\",\
                      \"status\":\"open\",\"limit\":500.00}\n";
const RULES: &str = "Include /etc/nginx/modsecurity.conf
SecRuleEngine On
SecAuditEngine Off
Include /etc/modsecurity/crs/crs-setup.conf
Include /usr/share/modsecurity-crs/rules/*.conf
";
const CONFIGURATION: &str = "daemon off;
user root;
worker_processes 1;
pid nginx.pid;
error_log error.log crit;
@LOAD@
events { worker_connections 1024; }
http {
    access_log off;
    keepalive_timeout 300s;
    keepalive_requests 1000000000;
    default_type application/json;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    @HTTP@
    server {
        listen @PORT@ backlog=1024;
        root @FOLDER@;
        location / {
            @LOCATION@
            try_files /answer.json =404;
        }
    }
}
";
