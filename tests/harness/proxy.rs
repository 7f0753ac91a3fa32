//! A reverse proxy on the API host, as one that ends TLS would stand there: requests come in on a cable and go on over `lo`.
//!
//! In: a network with nginx running. Out: the same API on [`Proxy::PORT`] of every address. Never here: TLS itself; what
//! matters is on which interface the plain request is seen.

use std::{
    fs,
    net::{IpAddr, SocketAddr, TcpStream},
    time::Duration,
};

use crate::{
    links::{CLIENT, WEB_PORT},
    netns::Net,
    process::Process,
    wait::eventually,
};

/// A running proxy; it ends with the guard.
#[derive(Debug)]
pub struct Proxy {
    _process: Process,
}

impl Proxy {
    /// Where it listens.
    pub const PORT: u16 = 8000;

    /// Starts it in front of the API at this loopback address, and returns when it accepts connections.
    pub fn start(net: &Net, api: IpAddr) -> Self {
        let folder = net.folder().join("proxy");
        fs::create_dir_all(&folder).expect("a folder can be made");
        let configuration = CONFIGURATION
            .replace("@FOLDER@", &folder.display().to_string())
            .replace("@PORT@", &Self::PORT.to_string())
            .replace("@API@", &SocketAddr::new(api, WEB_PORT).to_string());
        fs::write(folder.join("nginx.conf"), configuration).expect("the configuration can be written");
        let mut command = net.host.command("nginx");
        command.arg("-p").arg(&folder).args(["-c", "nginx.conf", "-e", "error.log"]);
        let process = Process::start(&mut command);
        let address = SocketAddr::new(CLIENT.host4.into(), Self::PORT);
        eventually(DEADLINE, "the proxy accepts connections", || {
            net.host.inside(|| TcpStream::connect(address).is_ok())
        });
        Self { _process: process }
    }
}

const DEADLINE: Duration = Duration::from_secs(10);

/// One process, so that it ends with its guard.
const CONFIGURATION: &str = r#"
daemon off;
master_process off;
user root;
pid @FOLDER@/nginx.pid;
error_log @FOLDER@/error.log warn;
events { worker_connections 1024; }
http {
    access_log off;
    client_body_temp_path @FOLDER@/body;
    proxy_temp_path @FOLDER@/proxy;
    fastcgi_temp_path @FOLDER@/fastcgi;
    uwsgi_temp_path @FOLDER@/uwsgi;
    scgi_temp_path @FOLDER@/scgi;
    keepalive_requests 100000000;
    upstream api {
        server @API@;
        keepalive 16;
        keepalive_requests 100000000;
    }
    server {
        listen @PORT@ backlog=1024;
        listen [::]:@PORT@ ipv6only=on backlog=1024;
        location / {
            proxy_pass http://api;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }
    }
}
"#;
