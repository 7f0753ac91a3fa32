//! Decisions of a real CrowdSec, in the kernel of this host.

use std::time::Duration;

use enforcer_tests::{Agent, CLIENT, Client, CrowdSec, Net, Nginx, PAY, Request, eventually};
use serde_json::Value;

const SOON: Duration = Duration::from_secs(20);

/// Given a CrowdSec and an agent that asks it. When a device, an address and a network are banned, banned for longer, and freed with
/// `cscli`. Then each is refused in the kernel with the origin `crowdsec`, and served again; countries and captchas change nothing.
#[test]
fn what_crowdsec_bans_is_refused_and_what_it_frees_is_served() {
    let lab = Lab::start("");
    let ban = |more: &[&str]| lab.crowdsec.cscli(&[&["decisions", "add", "--duration", "1h"], more].concat());
    assert_eq!(lab.ask("stolen-device-1"), Some(200));
    ban(&["--scope", "DeviceId", "--value", "stolen-device-1"]);
    lab.answers("stolen-device-1", Some(403));
    assert_eq!(lab.ask("honest-device"), Some(200));
    let listed = lab.listed();
    assert!(listed.iter().all(|one| one["origin"] == "crowdsec" && one["kind"] == "device"), "{listed:#?}");
    assert!(!format!("{listed:?}").contains("stolen-device-1"));
    ban(&["--scope", "Country", "--value", "XX"]);
    ban(&["--scope", "DeviceId", "--value", "honest-device", "--type", "captcha"]);
    let left_out = |why| lab.agent.metric("enforcer_crowdsec_left_out_total", &[("why", why)]);
    eventually(SOON, "what means nothing here is counted", || left_out("measure") > Some(0.0));
    assert_eq!(lab.ask("honest-device"), Some(200));

    // The client's address is in a network that is banned twice: it is free when both ends have come.
    let network = format!("{}/24", CLIENT.peer4);
    ban(&["--range", &network]);
    lab.answers("honest-device", None);
    ban(&["--ip", &CLIENT.peer4.to_string()]);
    eventually(SOON, "the address is banned beside its network", || lab.listed().len() == 3);
    lab.crowdsec.cscli(&["decisions", "delete", "--range", &network]);
    eventually(SOON, "the network is free", || lab.listed().len() == 2);
    assert_eq!(lab.ask("honest-device"), None);
    lab.crowdsec.cscli(&["decisions", "delete", "--ip", &CLIENT.peer4.to_string()]);
    lab.answers("honest-device", Some(200));

    // Banned again for longer, then freed: no earlier ban stays behind.
    for hours in ["2h", "6h", "3h"] {
        lab.crowdsec.cscli(&[
            "decisions",
            "add",
            "--duration",
            hours,
            "--scope",
            "DeviceId",
            "--value",
            "stolen-device-1",
        ]);
    }
    lab.crowdsec.cscli(&["decisions", "delete", "--value", "stolen-device-1"]);
    lab.answers("stolen-device-1", Some(200));
    assert_eq!(lab.agent.metric("enforcer_drift_entries", &[]), Some(0.0));
}

/// Given a ban of CrowdSec. When CrowdSec dies, the agent is killed, and both come back. Then the ban holds all the time; what CrowdSec
/// freed meanwhile is free soon after, and a ban ends by itself where CrowdSec stays away.
#[test]
fn a_ban_outlives_crowdsec_and_the_agent() {
    let mut lab = Lab::start("");
    lab.device_ban("stolen-device-1", "1h");
    lab.device_ban("stolen-device-2", "1h");
    lab.answers("stolen-device-1", Some(403));
    lab.answers("stolen-device-2", Some(403));
    lab.device_ban("short-ban", "20s");
    lab.answers("short-ban", Some(403));
    lab.crowdsec.cscli(&["decisions", "delete", "--value", "stolen-device-2"]);
    lab.crowdsec.kill9();
    let told = |lab: &Lab| lab.agent.json(&["status"])["problems"].to_string().contains("CrowdSec");
    eventually(SOON, "status says that CrowdSec is away", || told(&lab));
    lab.agent.kill9();
    lab.agent.restart();
    assert_eq!(lab.ask("stolen-device-1"), Some(403));
    eventually(Duration::from_secs(40), "a ban ends by itself", || lab.ask("short-ban") == Some(200));
    assert_eq!(lab.ask("stolen-device-1"), Some(403));
    lab.crowdsec.restart();
    lab.answers("stolen-device-2", Some(200));
    eventually(SOON, "status is content again", || !told(&lab));
    assert_eq!(lab.ask("stolen-device-1"), Some(403));
}

/// Given decisions that were made by hand and an allowlist. When CrowdSec speaks of the same subjects. Then what was made by hand stands,
/// what is allowed is served, and what a person ended stays ended.
#[test]
fn what_was_decided_here_stands_before_crowdsec() {
    let lab = Lab::start(&format!("[[allow]]\nnetwork = \"{}/32\"\nas = \"full\"\n", CLIENT.peer4));
    lab.agent.block(&["device", "--value", "by-hand", "--action", "observe"]);
    lab.device_ban("by-hand", "1h");
    lab.device_ban("marker", "1h");
    lab.crowdsec.cscli(&["decisions", "add", "--ip", &CLIENT.peer4.to_string(), "--duration", "1h"]);
    eventually(SOON, "CrowdSec was heard", || lab.listed().len() == 3);
    let origins: Vec<Value> = lab.listed().iter().map(|one| one["origin"].clone()).collect();
    assert!(origins.contains(&"cli".into()), "{origins:?}");
    // On the allowlist in full: neither the ban of its address nor that of its device counts.
    assert_eq!((lab.ask("by-hand"), lab.ask("marker")), (Some(200), Some(200)));
    lab.agent.done(&["unblock", "ip", &CLIENT.peer4.to_string()]);
    lab.device_ban("marker-2", "1h");
    eventually(SOON, "CrowdSec was heard again", || lab.listed().len() == 3);
    assert!(lab.listed().iter().all(|one| one["kind"] == "device"), "{:#?}", lab.listed());
    // What stood in the way ends: CrowdSec's counts.
    lab.agent.done(&["unblock", "device", "--value", "by-hand"]);
    eventually(SOON, "CrowdSec's takes its place", || {
        lab.listed().len() == 3 && lab.listed().iter().all(|one| one["origin"] == "crowdsec")
    });
}

struct Lab {
    // The agent goes before the network it lives in.
    agent: Agent,
    crowdsec: CrowdSec,
    _nginx: Nginx,
    net: Net,
}

impl Lab {
    fn start(more: &str) -> Self {
        let net = Net::new();
        let nginx = Nginx::start(&net);
        let crowdsec = CrowdSec::start(&net.host, net.folder());
        let (url, key) = (CrowdSec::url(), crowdsec.key_file());
        let section = format!("[crowdsec]\nurl = \"{url}\"\nkey_file = \"{}\"\ninterval = \"1s\"\n", key.display());
        let agent = Agent::start(&net, &format!("{PAY}{more}{section}"));
        Self { agent, crowdsec, _nginx: nginx, net }
    }

    fn device_ban(&self, device: &str, time: &str) {
        self.crowdsec.cscli(&["decisions", "add", "--duration", time, "--scope", "DeviceId", "--value", device]);
    }

    /// The status; none when the connection is dropped.
    fn ask(&self, device: &str) -> Option<u16> {
        let (from, to) = (CLIENT.peer4.into(), CLIENT.web4());
        let mut client = Client::connect_from(&self.net.client, from, to, Duration::from_millis(500)).ok()?;
        client.request(&Request::get("/health").device(device)).ok().map(|response| response.status)
    }

    #[track_caller]
    fn answers(&self, device: &str, status: Option<u16>) {
        eventually(SOON, &format!("{device} gets {status:?}"), || self.ask(device) == status);
    }

    fn listed(&self) -> Vec<Value> {
        self.agent.json(&["list"])["decisions"].as_array().cloned().unwrap_or_default()
    }
}
