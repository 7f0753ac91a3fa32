//! Uploads far larger than a window: refused at once, or delivered whole.

use std::{fs, net::SocketAddr, path::PathBuf};

use enforcer_tests::{Agent, CLIENT, Net, Nginx, PAY, notice};

/// Given a blocked device. When it posts 5 MB, with and without waiting for permission. Then curl reads the refusal and
/// ends without an error, and nothing of it reaches nginx.
#[test]
fn a_refused_upload_reads_its_refusal() {
    let net = Net::new();
    let (nginx, agent) = (Nginx::start(&net), Agent::start(&net, PAY));
    let id = agent.block_device("mallory", "deny");
    let file = upload(&net, "upload", 1);
    for web in [CLIENT.web4(), CLIENT.web6()] {
        for expect in ["Expect: 100-continue", "Expect:"] {
            let answer = net.folder().join("answer");
            let mut curl = net.client.command("curl");
            curl.args([
                "--silent",
                "--show-error",
                "--max-time",
                "10",
                "--write-out",
                "%{http_code}",
                "--header",
                expect,
            ]);
            curl.args(["--header", "X-Device-Id: mallory", "--data-binary"]).arg(format!("@{}", file.display()));
            let done = curl.arg("--output").arg(&answer).arg(target(web)).output().expect("curl starts");
            assert!(done.status.success(), "{expect} to {web}: {}", String::from_utf8_lossy(&done.stderr));
            assert_eq!(String::from_utf8_lossy(&done.stdout), "403", "{expect} to {web}");
            assert_eq!(fs::read_to_string(&answer).expect("an answer"), notice(&id));
        }
    }
    assert!(nginx.served().is_empty());
    assert_eq!((nginx.uploads().len(), nginx.open_connections()), (0, 0));
}

/// Given a service. When a clean device posts 5 MB twice over one connection. Then nginx has both, byte for byte.
#[test]
fn clean_uploads_arrive_whole() {
    let net = Net::new();
    let (nginx, agent) = (Nginx::start(&net), Agent::start(&net, PAY));
    agent.block_device("mallory", "deny");
    let files = [1, 2].map(|seed| upload(&net, &format!("upload-{seed}"), seed));
    for (round, web) in [CLIENT.web4(), CLIENT.web6()].into_iter().enumerate() {
        let mut curl = net.client.command("curl");
        for (file, next) in files.iter().zip(["--next", "--silent"]) {
            curl.args(["--silent", "--max-time", "10", "--header", "X-Device-Id: alice", "--output", "/dev/null"]);
            curl.args(["--write-out", "%{http_code} %{num_connects};", "--data-binary"]);
            curl.arg(format!("@{}", file.display())).arg(target(web)).arg(next);
        }
        let done = curl.output().expect("curl starts");
        assert_eq!(String::from_utf8_lossy(&done.stdout), "200 1;200 0;", "to {web}");
        let sent = files.each_ref().map(|file| fs::read(file).expect("the upload"));
        assert!(nginx.uploads()[2 * round..] == sent, "to {web}: what arrived is not what was sent");
    }
}

fn target(web: SocketAddr) -> String {
    format!("http://{web}/api/upload")
}

/// Five million bytes without a pattern.
fn upload(net: &Net, name: &str, seed: u64) -> PathBuf {
    let path = net.folder().join(name);
    let step =
        |state: &u64| Some(state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407));
    let bytes: Vec<u8> =
        std::iter::successors(Some(seed), step).take(5_000_000).map(|state| state.to_be_bytes()[0]).collect();
    fs::write(&path, bytes).expect("the upload can be written");
    path
}
