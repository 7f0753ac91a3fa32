//! A real nginx on the API host, with a small JSON API behind it, and what it has served.
//!
//! In: a network. Out: requests answered on every address of the host, ports [`WEB_PORT`], [`SECOND_PORT`] and, behind a
//! PROXY header, [`PROXIED_PORT`]; the access log as values. Never here: the system's nginx; this one has its own folder,
//! configuration and log.
//!
//! `/api/...` is proxied over kept-alive connections to a second server on a unix socket, as a gateway does it; `/health`
//! is answered directly; `/large/...` is a file; `/api/chunked/...` is answered in chunks; what is sent to `/api/upload` is kept.
//! `/shop/...` has endpoints with names and numbers in their paths, and nothing else.

use std::{
    fs,
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    links::{CLIENT, PROXIED_PORT, SECOND_PORT, WEB_PORT},
    namespace::Namespace,
    netns::Net,
    process::Process,
    wait::eventually,
};

/// A running nginx.
#[derive(Debug)]
pub struct Nginx {
    process: Process,
    host: Namespace,
    folder: PathBuf,
}

/// One line of the access log.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Served {
    /// The request's number, if it came from the harness.
    pub number: Option<usize>,
    /// The status code it was answered with.
    pub status: u16,
    /// Path and query.
    pub uri: String,
    /// The device id header.
    pub device: Option<String>,
}

/// What nginx says of one answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Answered {
    /// Path and query.
    pub uri: String,
    /// The status code.
    pub status: u16,
    /// Bytes sent, head included.
    pub bytes: u64,
    /// From the first byte of the request to the last of the answer, in whole milliseconds.
    pub seconds: f64,
}

impl Answered {
    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.split(' ');
        let (uri, status, bytes, seconds) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        let (status, bytes, seconds) = (status.parse().ok()?, bytes.parse().ok()?, seconds.parse().ok()?);
        Some(Self { uri: uri.to_owned(), status, bytes, seconds })
    }
}

impl Nginx {
    /// Starts it in the network's API host, and returns when it accepts connections.
    pub fn start(net: &Net) -> Self {
        Self::start_with_room(net, 4096)
    }

    /// The same with room for so many connections in each of its two workers.
    pub fn start_with_room(net: &Net, connections: usize) -> Self {
        let folder = net.folder().join("nginx");
        for folder in ["tmp", "large"].map(|name| folder.join(name)) {
            fs::create_dir_all(folder).expect("a folder can be made");
        }
        fs::write(folder.join("large/large.bin"), vec![b'.'; LARGE]).expect("a file can be written");
        fs::write(folder.join("nginx.conf"), configuration(&folder, connections))
            .expect("the configuration can be written");
        let prefix = folder.display().to_string();
        let mut command = net.host.command("nginx");
        command.args(["-p", &prefix, "-c", "nginx.conf", "-e", "error.log"]);
        let process = Process::start(&mut command);
        let nginx = Self { process, host: net.host.clone(), folder };
        eventually(DEADLINE, "nginx accepts connections", || nginx.accepts());
        nginx
    }

    /// Everything served so far, in order.
    pub fn served(&self) -> Vec<Served> {
        let log = fs::read_to_string(self.folder.join("access.log")).expect("nginx has made its log");
        log.lines()
            .map(|line| Served::parse(line).unwrap_or_else(|| panic!("strange line in the log: {line}")))
            .collect()
    }

    /// The same as text, for requests that are not of the harness.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.folder.join("access.log")).expect("nginx has made its log")).into_owned()
    }

    /// Begins its logs anew; it goes on at their ends.
    pub fn forget(&self) {
        for log in ["access.log", "answers.log"] {
            fs::File::create(self.folder.join(log)).expect("a log can be emptied");
        }
    }

    /// Everything served, once it is `count` requests; nginx writes its log after the answer.
    #[track_caller]
    pub fn served_when(&self, count: usize) -> Vec<Served> {
        eventually(DEADLINE, "nginx has logged all requests", || self.served().len() >= count);
        self.served()
    }

    /// What it says of its answers, once there are `count`: in order.
    #[track_caller]
    pub fn answered_when(&self, count: usize) -> Vec<Answered> {
        let read = || fs::read_to_string(self.folder.join("answers.log")).expect("nginx has made its log");
        eventually(DEADLINE, "nginx has logged all answers", || read().lines().count() >= count);
        let log = read();
        let strange = |line: &str| panic!("strange line in the log: {line}");
        log.lines().map(|line| Answered::parse(line).unwrap_or_else(|| strange(line))).collect()
    }

    /// The bodies sent to `/api/upload`, in order.
    pub fn uploads(&self) -> Vec<Vec<u8>> {
        let folder = fs::read_dir(self.folder.join("tmp/body")).expect("nginx has made its folders");
        let mut files: Vec<PathBuf> = folder.map(|entry| entry.expect("a folder can be read").path()).collect();
        files.sort();
        files.iter().map(|file| fs::read(file).expect("a body can be read")).collect()
    }

    /// Connections that nginx holds open to clients.
    pub fn open_connections(&self) -> usize {
        self.host.sockets("connected", WEB_PORT).len()
    }

    /// The other ends of those.
    pub fn peers(&self) -> Vec<SocketAddr> {
        let sockets = self.host.sockets("connected", WEB_PORT);
        sockets.iter().filter_map(|line| line.split_whitespace().last()?.parse().ok()).collect()
    }

    /// What nginx complained about.
    pub fn complaints(&self) -> String {
        fs::read_to_string(self.folder.join("error.log")).unwrap_or_default()
    }

    fn accepts(&self) -> bool {
        self.host.inside(|| TcpStream::connect(CLIENT.web4()).is_ok() && TcpStream::connect(CLIENT.web6()).is_ok())
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let complaints = self.complaints();
            let lines: Vec<&str> = complaints.lines().rev().take(LAST_LINES).collect();
            let last: Vec<&str> = lines.into_iter().rev().collect();
            eprintln!("nginx complained, at last:\n{}", last.join("\n"));
        }
        // Its workers outlive a master that is merely killed.
        self.process.put_down(DEADLINE);
    }
}

impl Served {
    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.splitn(4, ' ');
        let (number, status, uri, device) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        let device = (device != "-").then(|| device.to_owned());
        Some(Self { number: number.parse().ok(), status: status.parse().ok()?, uri: uri.to_owned(), device })
    }
}

fn configuration(folder: &Path, connections: usize) -> String {
    CONFIGURATION
        .replace("@CONNECTIONS@", &connections.to_string())
        .replace("@FILES@", &(2 * connections + 1024).to_string())
        .replace("@PROXIED@", &PROXIED_PORT.to_string())
        .replace("@FOLDER@", &folder.display().to_string())
        .replace("@PORT@", &WEB_PORT.to_string())
        .replace("@SECOND@", &SECOND_PORT.to_string())
}

const DEADLINE: Duration = Duration::from_secs(10);
/// Bytes of what lies at `/large/...`.
const LARGE: usize = 300_000;
/// Of complaints that are shown when a test fails.
const LAST_LINES: usize = 20;

/// Limits are out of the way: a test must never meet nginx's own refusals.
const CONFIGURATION: &str = r#"
daemon off;
user root;
worker_processes 2;
worker_rlimit_nofile @FILES@;
pid @FOLDER@/nginx.pid;
error_log @FOLDER@/error.log warn;
events { worker_connections @CONNECTIONS@; multi_accept on; }
http {
    log_format served '$http_x_request_number $status $request_uri $http_x_device_id';
    log_format answered '$request_uri $status $bytes_sent $request_time';
    access_log @FOLDER@/access.log served;
    access_log @FOLDER@/answers.log answered;
    client_body_temp_path @FOLDER@/tmp/body;
    proxy_temp_path @FOLDER@/tmp/proxy;
    fastcgi_temp_path @FOLDER@/tmp/fastcgi;
    uwsgi_temp_path @FOLDER@/tmp/uwsgi;
    scgi_temp_path @FOLDER@/tmp/scgi;
    default_type application/json;
    server_tokens off;
    tcp_nodelay on;
    keepalive_timeout 3600s;
    keepalive_requests 100000000;
    client_header_timeout 3600s;
    client_max_body_size 64m;
    client_header_buffer_size 4k;
    large_client_header_buffers 4 128k;
    upstream api {
        server unix:@FOLDER@/api.sock;
        keepalive 64;
        keepalive_requests 100000000;
    }
    server {
        listen @PORT@ backlog=4096;
        listen [::]:@PORT@ ipv6only=on backlog=4096;
        listen @SECOND@;
        listen [::]:@SECOND@ ipv6only=on;
        listen @PROXIED@ proxy_protocol;
        listen [::]:@PROXIED@ proxy_protocol ipv6only=on;
        location = /api/upload {
            client_body_in_file_only on;
            proxy_pass http://api;
        }
        location /large/ {
            default_type application/octet-stream;
            alias @FOLDER@/large/;
            try_files /large.bin =404;
        }
        location = /health { return 200 '{"health":"good"}\n'; }
        location / {
            proxy_pass http://api;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $host;
        }
    }
    server {
        listen unix:@FOLDER@/api.sock;
        access_log off;
        location ~ ^/api/accounts/(?<account>[0-9]+)$ {
            return 200 '{"account":$account,"owner":"owner-$account","balance":1234.56,"currency":"EUR"}\n';
        }
        location /api/chunked/ {
            sub_filter_types *;
            sub_filter chunk piece;
            return 200 '{"chunk":"$uri","more":"chunk chunk chunk"}\n';
        }
        location /api/ { return 200 '{"path":"$uri"}\n'; }
        location = /login { return 401 '{"error":"wrong"}\n'; }
        location = /shop/orders { return 201 '{"order":17,"total":12.5}\n'; }
        location = /shop/items { return 200 '[{"item":1,"price":2.5,"tags":["new"]}]\n'; }
        location ~ ^/shop/users/(?<user>[a-z]+)$ {
            return 200 '{"name":"$user","mail":"$user@bank.example","since":"2026-01-01"}\n';
        }
        location ~ ^/shop/users/[a-z]+/orders$ { return 200 '[{"order":17,"total":12.5}]\n'; }
        location ~ ^/shop/orders/[0-9]+$ { return 200 '{"order":17,"total":12.5}\n'; }
        location / { return 404 '{"error":"no such resource"}\n'; }
    }
}
"#;

#[cfg(test)]
mod tests {
    use super::Served;

    #[test]
    fn a_line_of_the_log_keeps_blanks_in_the_device_id() {
        let served = Served::parse("17 200 /api/x?y=1 a b").expect("a line");
        assert_eq!((served.number, served.status, served.device.as_deref()), (Some(17), 200, Some("a b")));
        let plain = Served::parse("- 404 / -").expect("a line");
        assert_eq!((plain.number, plain.device), (None, None));
    }
}
