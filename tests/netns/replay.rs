//! A capture of what happened: it is noticed again, in the same words; and two policies can be tried on it.

use std::{fs, path::PathBuf, time::Duration};

use enforcer_tests::{Agent, CLIENT, Client, Net, Nginx, Output, PAY, Process, Request, eventually};
use serde_json::Value;

/// Given a capture by tcpdump of a device that walked through accounts beside honest ones, until it was refused. When it is replayed
/// with the host's key. Then what filters noticed then is noticed again under the same ids, and decides by itself; a second replay
/// is the same, byte for byte.
#[test]
fn what_was_noticed_is_noticed_again() {
    let lab = Lab::start();
    lab.walk_and_be_refused();
    let file = lab.end();
    let replayed = lab.replay(&file, &[]);
    let report = replayed.json();
    let all = report["findings"].as_array().expect("findings").clone();
    let ids: Vec<&Value> = all.iter().map(|finding| &finding["id"]).collect();
    let live = lab.agent.json(&["findings"])["findings"].as_array().cloned().unwrap_or_default();
    assert!(!live.is_empty() && live.iter().all(|finding| ids.contains(&&finding["id"])), "{live:#?}\n{report:#}");
    let walking = all.iter().find(|finding| finding["kind"] == "object_walking").expect("the walk");
    assert_eq!(walking["decides"], true, "{walking:#}");
    assert_eq!((&report["counts"]["lost"], &report["counts"]["unread"]), (&0.into(), &0.into()), "{report:#}");
    assert_eq!(replayed.stdout, lab.replay(&file, &[]).stdout, "the second is the same");
    let table = lab.agent.done(&["replay", &path(&file), "--config", &path(&lab.config)]);
    assert!(table.contains("object_walking") && table.contains("a decision") && !table.contains("walker"), "{table}");
}

/// Given the same, and two policies of which the second refuses one honest device on one endpoint. When both are tried. Then the
/// requests of that device there are told, and no others.
#[test]
fn two_policies_are_tried_on_it() {
    let lab = Lab::start();
    (0..40).for_each(|number| assert_eq!(lab.honest(number), Some(200)));
    let file = lab.end();
    let (old, new) = (lab.net.folder().join("old.toml"), lab.net.folder().join("new.toml"));
    let head = "[service.pay]\nports = [8080]\n";
    let more = "\n[[decision]]\ndevice = \"honest-7\"\nscope = \"pay:GET /api/accounts/{id}\"\naction = \"deny\"\nreason = \"a try\"\n";
    fs::write(&old, head).expect("a file can be written");
    fs::write(&new, format!("{head}{more}")).expect("a file can be written");
    let policies = [path(&old), path(&new)];
    let report = lab.replay(&file, &["--policy", &policies[0], "--policy", &policies[1]]).json();
    let [only] = &report["differences"].as_array().expect("differences")[..] else { panic!("{report:#}") };
    assert_eq!(
        (&only["old"], &only["new"], &only["requests"]),
        (&"pass".into(), &"deny".into(), &2.into()),
        "{only:#}"
    );
    assert_eq!(only["endpoint"], "GET /api/accounts/{}");
    let alike = lab.replay(&file, &["--policy", &policies[0], "--policy", &policies[0]]).json();
    assert_eq!(alike["differences"], Value::Array(Vec::new()));
}

/// A host whose packets are recorded.
struct Lab {
    // The agent goes before the network it lives in.
    agent: Agent,
    _nginx: Nginx,
    tcpdump: std::cell::RefCell<Process>,
    capture: PathBuf,
    config: PathBuf,
    net: Net,
}

impl Lab {
    fn start() -> Self {
        let net = Net::new();
        let configuration = format!("{PAY}filters = {{walking = {{mode = \"enforce\", objects = 20}}}}\n");
        let (nginx, agent) = (Nginx::start(&net), Agent::start(&net, &configuration));
        let config = net.folder().join("replay.toml");
        fs::write(&config, format!("[fastpath]\ninterfaces = [\"eth0\"]\n{configuration}"))
            .expect("a file can be written");
        let capture = net.folder().join("capture.pcap");
        let mut command = net.host.command("tcpdump");
        command
            .args(["-q", "-U", "--immediate-mode", "-B", "16384", "-Z", "root", "-i", CLIENT.interface, "-w"])
            .arg(&capture);
        let tcpdump = Process::start(command.args(["tcp", "port", "8080"]));
        let begins = || fs::metadata(&capture).is_ok_and(|file| file.len() >= 24);
        eventually(SOON, "tcpdump has begun", begins);
        Self { agent, _nginx: nginx, tcpdump: tcpdump.into(), capture, config, net }
    }

    /// The status; none when the connection is refused or dropped.
    fn ask(&self, request: &Request) -> Option<u16> {
        let mut client = Client::connect(&self.net.client, CLIENT.web4()).ok()?;
        client.request(request).ok().map(|response| response.status)
    }

    fn honest(&self, number: usize) -> Option<u16> {
        let own = format!("/api/accounts/{}", number % 20 * 977);
        self.ask(&Request::get(&own).device(&format!("honest-{}", number % 20)))
    }

    fn walk_and_be_refused(&self) {
        (0..80).for_each(|number| assert_eq!(self.honest(number), Some(200)));
        let mut account = 1000;
        eventually(SOON, "the walker is refused", || {
            account += 1;
            self.ask(&Request::get(&format!("/api/accounts/{account}")).device("walker")) == Some(403)
        });
    }

    /// Ends the capture once its last request is in it.
    fn end(&self) -> PathBuf {
        assert_eq!(self.ask(&Request::get(LAST)), Some(200));
        // The second time it is the body of the answer.
        let times = || {
            fs::read(&self.capture)
                .unwrap_or_default()
                .windows(LAST.len())
                .filter(|part| *part == LAST.as_bytes())
                .count()
        };
        eventually(SOON, "the last answer is recorded", || times() >= 2);
        self.tcpdump.borrow_mut().terminate(SOON);
        self.capture.clone()
    }

    fn replay(&self, file: &std::path::Path, more: &[&str]) -> Output {
        let key = path(&self.agent.state().join("identity.key"));
        let (file, config) = (path(file), path(&self.config));
        let arguments = ["-o", "json", "replay", &file, "--config", &config, "--identity-key", &key];
        let output = self.agent.cli(&[&arguments, more].concat());
        assert_eq!(output.code, Some(0), "{output:#?}");
        output
    }
}

fn path(path: &std::path::Path) -> String {
    path.display().to_string()
}

const LAST: &str = "/api/the-last-of-all";
const SOON: Duration = Duration::from_secs(20);
