//! A real CrowdSec and the center: its bans on the hosts, and findings of the hosts as its alerts.

use std::{fs, time::Duration};

use enforcer_tests::{CLIENT, Client, CrowdSec, Request, eventually};
use serde_json::{Value, json};

use crate::lab::Lab as Office;

const SOON: Duration = Duration::from_mins(1);

/// Given a center that asks a CrowdSec. When a device, an address and a network are banned, banned for longer and freed with `cscli`. Then each
/// host refuses and serves them; each change is one revision, and rounds without one are none.
#[test]
fn what_crowdsec_bans_is_refused_on_hosts_of_the_center() {
    let lab = Lab::start();
    assert_eq!(lab.ask("stolen-device-1"), Some(200));
    lab.ban(&["--scope", "DeviceId", "--value", "stolen-device-1"]);
    lab.answers("stolen-device-1", Some(403));
    assert_eq!(lab.ask("honest-device"), Some(200));
    let listed = lab.decisions();
    assert!(listed.iter().all(|one| one["source"] == "crowdsec" && one["kind"] == "device"), "{listed:#?}");
    assert!(!format!("{listed:?}").contains("stolen-device-1"));
    assert_eq!(lab.revision(), 1);
    eventually(SOON, "the host has it", || lab.office.center.states(&lab.office.token) == [("in sync".to_owned(), 1)]);

    // The client's address is in a network that is banned twice: it is free when both ends have come.
    let network = format!("{}/24", CLIENT.peer4);
    lab.ban(&["--range", &network]);
    lab.answers("honest-device", None);
    lab.ban(&["--ip", &CLIENT.peer4.to_string()]);
    eventually(SOON, "the address is banned beside its network", || lab.decisions().len() == 3);
    lab.crowdsec.cscli(&["decisions", "delete", "--range", &network]);
    eventually(SOON, "the network is free", || lab.decisions().len() == 2);
    assert_eq!(lab.ask("honest-device"), None);
    lab.crowdsec.cscli(&["decisions", "delete", "--ip", &CLIENT.peer4.to_string()]);
    lab.answers("honest-device", Some(200));
    assert_eq!(lab.revision(), 5);

    // Banned for longer: another end, and one revision; freed: no earlier ban stays behind.
    lab.ban(&["--scope", "DeviceId", "--value", "stolen-device-1", "--duration", "6h"]);
    eventually(SOON, "the end is put off", || lab.revision() == 6);
    lab.ban(&["--scope", "Country", "--value", "XX"]);
    lab.ban(&["--scope", "DeviceId", "--value", "honest-device", "--type", "captcha"]);
    eventually(SOON, "what means nothing here is counted", || lab.source()["ignored"]["measure"] == 1);
    lab.crowdsec.cscli(&["decisions", "delete", "--value", "stolen-device-1"]);
    lab.answers("stolen-device-1", Some(200));
    assert_eq!((lab.revision(), lab.decisions().len()), (7, 0), "rounds without a change were revisions");
    // What would cut hosts off from their center is left out.
    lab.ban(&["--ip", "10.78.0.1"]);
    eventually(SOON, "the center itself is spared", || lab.source()["left_out"][0]["why"] == "cuts_off");
    let shown = lab.sources();
    assert!(shown["items"][0]["name"] == "crowdsec" && shown["items"][0]["held"] == 0, "{shown}");
}

/// Given a ban of CrowdSec and a person's decision on the same address. When CrowdSec is killed, and comes back, and the center is killed
/// meanwhile. Then bans hold all the time, the trouble is told once when it begins and once when it ends, and the person's word stands.
#[test]
fn bans_outlive_crowdsec_and_the_center_and_a_persons_word_stands() {
    let mut lab = Lab::start();
    let observed = json!({"kind": "device", "value": "by-hand", "action": "observe", "reason": "a customer"});
    let (status, made) = lab.office.center.ask(&lab.office.token, "POST", "/decisions", &observed);
    assert_eq!(status, 201, "{made}");
    for device in ["by-hand", "stolen-device-1", "stolen-device-2"] {
        lab.ban(&["--scope", "DeviceId", "--value", device]);
    }
    lab.answers("stolen-device-2", Some(403));
    lab.answers("stolen-device-1", Some(403));
    eventually(SOON, "the person's word stands before CrowdSec's", || {
        lab.source()["left_out"][0]["why"] == "decided" && lab.source()["wanted"] == 3
    });
    assert_eq!(lab.ask("by-hand"), Some(200));

    lab.crowdsec.kill9();
    eventually(SOON, "it is told that CrowdSec is away", || lab.told("source_failing") == 1);
    assert!(lab.source()["failing"]["why"].to_string().contains("CrowdSec"), "{}", lab.source());
    lab.office.center.kill9();
    assert_eq!(lab.ask("stolen-device-1"), Some(403));
    lab.office.center.restart();
    eventually(SOON, "the center tells it again in its new life", || lab.told("source_failing") == 2);
    assert_eq!((lab.ask("stolen-device-1"), lab.decisions().len()), (Some(403), 3));
    lab.crowdsec.restart();
    lab.crowdsec.cscli(&["decisions", "delete", "--value", "stolen-device-2"]);
    lab.answers("stolen-device-2", Some(200));
    eventually(SOON, "it is told that CrowdSec is back", || lab.told("source_well") == 1);
    assert_eq!(lab.told("source_failing"), 2);
    assert_eq!((lab.ask("stolen-device-1"), lab.ask("by-hand")), (Some(403), Some(200)));

    // The person's ends: CrowdSec's takes its place.
    let id = made["decision"]["id"].as_str().expect("an id");
    let path = format!("/decisions/{id}");
    assert_eq!(lab.office.center.ask(&lab.office.token, "DELETE", &path, &json!(null)).0, 200);
    lab.answers("by-hand", Some(403));
    // A person ends one of CrowdSec's: it stays ended, whatever CrowdSec repeats.
    let ours = lab.decisions().into_iter().find(|one| one["source"] == "crowdsec").expect("a decision");
    let path = format!("/decisions/{}", ours["id"].as_str().expect("an id"));
    assert_eq!(lab.office.center.ask(&lab.office.token, "DELETE", &path, &json!(null)).0, 200);
    eventually(SOON, "it is left out", || lab.source()["left_out"][0]["why"] == "lifted");
    lab.ban(&["--scope", "DeviceId", "--value", "marker"]);
    lab.answers("marker", Some(403));
    assert_eq!(lab.decisions().len(), 2, "{:#?}", lab.decisions());
}

/// Given an export to a CrowdSec that knows the center as a machine, and is dead. When passwords are tried from an address, and the CrowdSec comes back,
/// dies again and comes back. Then it lists each finding about an address as one alert, once; what its profiles make of it is refused on the host,
/// and comes back to it as nothing.
#[test]
fn a_finding_about_an_address_is_one_alert() {
    let mut lab = Lab::start_with(LOGINS);
    lab.crowdsec.kill9();
    lab.export("");
    lab.try_passwords();
    let export = |lab: &Lab| lab.get("/exports")["items"][0].clone();
    eventually(SOON, "it is told that CrowdSec takes nothing", || !export(&lab)["failing"].is_null());
    lab.crowdsec.restart();
    eventually(SOON, "each finding is an alert", || {
        !lab.alerts().is_empty() && lab.alerts().len() == lab.findings().len()
    });
    let (alerts, findings) = (lab.alerts(), lab.findings());
    assert_eq!(alerts[0]["source"]["value"], CLIENT.peer4.to_string(), "{alerts:#?}");
    let scenarios = findings.iter().map(|one| format!("enforcer/{}", one["what"].as_str().expect("a word")));
    assert!(scenarios.into_iter().any(|one| alerts[0]["scenario"] == one), "{alerts:#?}");
    // The profile of this CrowdSec bans for four hours.
    lab.answers("anybody", None);
    let bans = lab.decisions();
    assert!(bans.len() == 1 && bans[0]["source"] == "crowdsec" && bans[0]["kind"] == "ip", "{bans:#?}");

    lab.crowdsec.kill9();
    lab.crowdsec.restart();
    lab.office.center.kill9();
    lab.office.center.restart();
    lab.office.agent.block_device("somebody", "observe");
    eventually(SOON, "the export has seen what came after", || {
        !lab.office.reasons().is_empty() && export(&lab)["behind"] == 0 && export(&lab)["failing"].is_null()
    });
    let mut ids: Vec<String> = lab.alerts().iter().map(|alert| alert["events"][0]["meta"].to_string()).collect();
    let brought = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!((brought, ids.len()), (lab.findings().len(), brought), "an alert came twice: {ids:#?}");
    assert!(!lab.office.center.log().contains(CrowdSec::machine().1), "a secret in the log");
}

/// Given the same with bans of its own. When passwords are tried. Then the alert bears the ban, no profile is asked, and the ban comes back to the host.
#[test]
fn a_finding_can_bring_its_own_ban() {
    let mut lab = Lab::start_with(LOGINS);
    lab.export("ban = \"10m\"\n");
    lab.try_passwords();
    lab.answers("anybody", None);
    let listed = lab.crowdsec.cscli(&["decisions", "list", "-a", "-o", "json"]);
    let listed: Value = serde_json::from_str(&listed).expect("JSON");
    let bans = listed.as_array().into_iter().flatten().filter_map(|alert| alert["decisions"].as_array()).flatten();
    let bans: Vec<&Value> = bans.collect();
    assert!(!bans.is_empty() && bans.iter().all(|ban| ban["origin"] == "enforcer"), "{listed:#}");
    let decisions = lab.decisions();
    assert!(decisions.len() == 1 && decisions[0]["source"] == "crowdsec", "{decisions:#?}");
    assert!(decisions[0]["reason"].to_string().contains("enforcer/"), "{decisions:#?}");
    eventually(SOON, "each finding is an alert", || lab.alerts().len() == lab.findings().len());
}

/// Only what tells who tries passwords.
const LOGINS: &str = "filters = {all = \"off\", logins = \"observe\"}\n";

struct Lab {
    office: Office,
    crowdsec: CrowdSec,
}

impl Lab {
    fn start() -> Self {
        Self::start_with("")
    }

    fn start_with(more: &str) -> Self {
        let mut office = Office::start_on(None, more);
        let crowdsec = CrowdSec::start(office.center.space(), office.net.folder());
        let (url, key) = (CrowdSec::url(), crowdsec.key_file());
        let key = key.display();
        office.center.sources(&format!("[crowdsec]\nurl = \"{url}\"\nkey_file = \"{key}\"\ninterval_seconds = 1\n"));
        Self { office, crowdsec }
    }

    fn ban(&self, more: &[&str]) {
        let given = if more.contains(&"--duration") { &[][..] } else { &["--duration", "1h"] };
        self.crowdsec.cscli(&[&["decisions", "add"], given, more].concat());
    }

    fn request(&self, request: &Request) -> Option<u16> {
        let (from, to) = (CLIENT.peer4.into(), CLIENT.web4());
        let mut client = Client::connect_from(&self.office.net.client, from, to, Duration::from_millis(500)).ok()?;
        client.request(request).ok().map(|response| response.status)
    }

    /// The status; none when the connection is dropped.
    fn ask(&self, device: &str) -> Option<u16> {
        self.request(&Request::get("/health").device(device))
    }

    #[track_caller]
    fn answers(&self, device: &str, status: Option<u16>) {
        eventually(SOON, &format!("{device} gets {status:?}"), || self.ask(device) == status);
    }

    fn get(&self, path: &str) -> Value {
        let (status, answer) = self.office.center.ask(&self.office.token, "GET", path, &json!(null));
        assert_eq!(status, 200, "{answer}");
        answer
    }

    fn decisions(&self) -> Vec<Value> {
        self.get("/decisions")["items"].as_array().cloned().unwrap_or_default()
    }

    fn revision(&self) -> u64 {
        self.get("/health")["revision"].as_u64().expect("a number")
    }

    fn source(&self) -> Value {
        self.get("/sources")["items"][0].clone()
    }

    /// How often the center has told this of itself.
    fn told(&self, what: &str) -> usize {
        self.office.events("&host=center").iter().filter(|event| event["what"] == what).count()
    }

    /// Lets the center export to CrowdSec.
    fn export(&mut self, more: &str) {
        let ((machine, password), url) = (CrowdSec::machine(), CrowdSec::url());
        let secret = self.office.net.folder().join("machine-password");
        fs::write(&secret, format!("{password}\n")).expect("a file can be written");
        let secret = secret.display();
        self.office.center.export(&format!(
            "[export.crowdsec]\nto = \"crowdsec\"\nurl = \"{url}\"\nmachine = \"{machine}\"\npassword_file = \"{secret}\"\n{more}"
        ));
    }

    /// From the client's address, until the center has heard of it.
    fn try_passwords(&self) {
        let mut tries = 0;
        eventually(SOON, "somebody is found to try passwords", || {
            tries += 1;
            let body = format!("{{\"user\":\"user{tries}\",\"password\":\"hunter{tries}\"}}");
            self.request(&Request::post("/login", &body).header("Content-Type", "application/json"));
            !self.findings().is_empty()
        });
    }

    /// Findings about addresses.
    fn findings(&self) -> Vec<Value> {
        let findings = self.office.events("&kind=finding");
        findings.into_iter().filter(|one| one["subject_kind"] == "ip").collect()
    }

    /// What the command line shows of sources.
    fn sources(&self) -> Value {
        self.office.fleet_of("sources", &[])
    }

    fn alerts(&self) -> Vec<Value> {
        let listed = self.crowdsec.cscli(&["alerts", "list", "-a", "-o", "json"]);
        let listed: Value = serde_json::from_str(&listed).unwrap_or_default();
        listed.as_array().cloned().unwrap_or_default()
    }
}
