//! Services and filters that only the center names.

use std::fs;
use std::thread;
use std::time::Duration;

use enforcer_tests::{Agent, CLIENT, Center, Client, Net, Nginx, Request, eventually};
use serde_json::Value;

const SOON: Duration = Duration::from_secs(20);

/// The service of most tests, in words of the center.
const SERVICE: &str = "[service.pay]\nports = [8080]\ndevice = [{header = \"X-Device-Id\"}]\ngroups = [\"edge\"]\n\
                       owners = [\"payments\"]\n[group.edge]\nhosts = [\"host-0\"]\n";
const DECISION: &str = "[[decision]]\ndevice = \"stolen\"\nscope = \"pay\"\naction = \"deny\"\n";

struct Lab {
    agent: Agent,
    _server: Nginx,
    center: Center,
    token: String,
    net: Net,
}

impl Lab {
    /// A host whose file names interfaces and no service.
    fn start() -> Self {
        let net = Net::new();
        let server = Nginx::start(&net);
        let center = Center::start(std::slice::from_ref(&net));
        let token = center.token("ada", "operator");
        let mut agent = Agent::start(&net, "");
        center.enroll(&net, &mut agent, 0, &["edge"]);
        Self { agent, _server: server, center, token, net }
    }

    #[track_caller]
    fn apply(&self, policy: &str) -> (Option<i32>, String) {
        let (file, token) = (self.net.folder().join("policy.toml"), self.net.folder().join("token"));
        fs::write(&file, policy).expect("a file can be written");
        fs::write(&token, &self.token).expect("a file can be written");
        let paths = [&file, &token, &self.center.authority()].map(|path| path.display().to_string());
        let [file, token, authority] = &paths;
        let center =
            ["--center", "https://10.78.0.1:9443", "--token-file", token.as_str(), "--authority", authority.as_str()];
        let output = self.agent.cli(&[&["policy", "apply", file.as_str()][..], &center].concat());
        (output.code, output.stdout + &output.stderr)
    }

    #[track_caller]
    fn answers(&self, device: &str, status: u16) {
        eventually(SOON, &format!("{device} gets {status}"), || self.net.answer_to(device) == status);
    }

    fn services(&self) -> Vec<Value> {
        self.agent.json(&["status"])["services"].as_array().cloned().unwrap_or_default()
    }
}

/// Given a host whose file names no service. When the center names one with a decision on it, then the host refuses the device; and
/// goes on doing so while its agent is killed and starts again without the center. When the center takes the service back, then
/// requests are nobody's business again.
#[test]
fn a_service_of_the_center_is_enforced_on_hosts_that_did_not_know_it() {
    let mut lab = Lab::start();
    assert_eq!((lab.net.answer_to("stolen"), lab.services().len()), (200, 0));
    assert_eq!(lab.apply(&format!("{SERVICE}{DECISION}")).0, Some(0));
    lab.answers("stolen", 403);
    assert_eq!(lab.net.answer_to("somebody"), 200);
    let services = lab.services();
    assert_eq!((&services[0]["name"], &services[0]["from"]), (&Value::from("pay"), &Value::from("center")));
    eventually(SOON, "the center knows", || lab.center.states(&lab.token) == [("in sync".to_owned(), 1)]);

    lab.center.kill9();
    let space = lab.net.client.clone();
    let probes = thread::spawn(move || {
        let probe = |_| {
            let mut client = Client::connect(&space, CLIENT.web4()).expect("connects");
            client.request(&Request::get("/health").device("stolen")).expect("an answer").status
        };
        (0..400).map(probe).filter(|status| *status != 403).count()
    });
    for _ in 0..3 {
        lab.agent.kill9();
        lab.agent.restart();
    }
    assert_eq!(probes.join().expect("the probes end"), 0, "requests passed while the agent started");
    assert_eq!(lab.services().len(), 1);

    lab.center.restart();
    eventually(SOON, "the host is back", || {
        lab.agent.json(&["status"])["center"]["connected"] == true
            && lab.apply("[group.edge]\nhosts = [\"host-0\"]\n").0 == Some(0)
    });
    lab.answers("stolen", 200);
    assert_eq!(lab.services().len(), 0);
}

/// Given a service and an allowlist of the center. When what this host has kept of its revisions is cut off or written over, and the
/// agent starts without the center, then both stay in force, also over a reload; and the center brings the rest when it is back.
#[test]
fn what_is_damaged_on_the_disk_stays_in_force() {
    let mut lab = Lab::start();
    let allow = "[[allow]]\nnetwork = \"203.0.113.7\"\n";
    assert_eq!(lab.apply(&format!("{SERVICE}{DECISION}{allow}")).0, Some(0));
    lab.answers("stolen", 403);
    let kept = lab.agent.state().join("center/deliveries");
    eventually(SOON, "the center knows", || lab.center.states(&lab.token) == [("in sync".to_owned(), 1)]);
    lab.center.kill9();
    let whole = fs::read(&kept).expect("it is there");
    let (half, garbled) = (whole[..whole.len() / 2].to_vec(), vec![0x5a; whole.len()]);
    for damaged in [half, garbled, Vec::new()] {
        lab.agent.kill9();
        fs::write(&kept, damaged).expect("it is written");
        lab.agent.restart();
        assert_eq!((lab.net.answer_to("stolen"), lab.net.answer_to("somebody")), (403, 200));
        assert_eq!(lab.agent.cli(&["reload"]).code, Some(0));
        assert_eq!((lab.net.answer_to("stolen"), lab.services().len()), (403, 1));
        let allowed = lab.agent.json(&["allow", "--list"]).to_string();
        assert!(allowed.contains("203.0.113.7"), "{allowed}");
    }
    lab.center.restart();
    eventually(SOON, "the center knows", || lab.center.states(&lab.token) == [("in sync".to_owned(), 1)]);
    assert_eq!((lab.net.answer_to("stolen"), lab.services().len()), (403, 1));
}

/// Given a service of the center. When its matrix lets a filter enforce there, then it runs so on the host, with its parameters; when it
/// names a filter that the host does not have, then the host and the center say so, and all else is carried out.
#[test]
fn the_matrix_of_the_center_says_which_filters_run() {
    let lab = Lab::start();
    let matrix = "[filter.walking]\nparameters = {objects = 50}\n[filter.logins]\n[filter.bola]\n[matrix.walking]\n\
                  pay = {mode = \"enforce\", objects = 20}\n[matrix.logins]\npay = \"off\"\n";
    assert_eq!(lab.apply(&format!("{SERVICE}{matrix}")).0, Some(0));
    eventually(SOON, "the filter runs as the matrix says", || mode(&lab, "walking") == "enforce");
    assert_eq!((mode(&lab, "logins").as_str(), mode(&lab, "sessions").as_str()), ("", "observe"));

    let (code, text) = lab.apply(&format!("{SERVICE}{matrix}{DECISION}[matrix.bola]\npay = \"observe\"\n"));
    assert_eq!(code, Some(0), "{text}");
    lab.answers("stolen", 403);
    let problems = lab.agent.json(&["status"])["problems"].to_string();
    assert!(problems.contains("filter bola on pay: this host has no such filter"), "{problems}");
    eventually(SOON, "the center knows", || lab.center.states(&lab.token) == [("differs".to_owned(), 2)]);
    assert_eq!(mode(&lab, "walking"), "enforce");
}

/// The mode in which a filter runs on the service; nothing when it does not.
fn mode(lab: &Lab, filter: &str) -> String {
    let running = lab.agent.json(&["filters"]).as_array().cloned().unwrap_or_default();
    let one = running.iter().find(|one| one["filter"] == filter && one["service"] == "pay");
    one.and_then(|one| one["mode"].as_str()).unwrap_or_default().to_owned()
}
