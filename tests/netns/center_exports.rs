//! Events out of the center: to a file, to Debian's rsyslog, to a collector that speaks as Splunk's does.

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use enforcer_tests::{Namespace, Process, eventually};
use serde_json::{Value, json};

use crate::lab::Lab;

const SOON: Duration = Duration::from_secs(40);

/// Given exports to a file, rsyslog, a collector that says no, and a receiver that never reads. When events flow, receivers die and come
/// back, and the center is killed. Then each event is at the file, at rsyslog and at the collector; none waits for another.
#[test]
fn every_receiver_gets_every_event_and_none_waits_for_another() {
    let mut lab = Exports(Lab::start());
    let stuck = lab.center.space().inside(|| TcpListener::bind("127.0.0.1:5141")).expect("a port is free");
    let mut rsyslog = lab.rsyslog();
    let collector = Collector::start(lab.center.space());
    let exports = lab.exports();
    lab.center.export(&exports);
    lab.act(0..20);
    eventually(SOON, "file and rsyslog have all, whatever the others do", || {
        lab.acts().len() == 20 && lab.in_file() == lab.acts() && lab.in_rsyslog() == lab.acts()
    });
    let state = |name: &str| lab.state(name);
    eventually(SOON, "the collector's no is told", || state("splunk")["failing"]["why"].to_string().contains("503"));
    assert_eq!((state("splunk")["cursor"].as_u64(), &state("archive")["failing"]), (Some(0), &Value::Null));
    assert!(collector.taken().is_empty());

    rsyslog.kill9();
    lab.act(20..30);
    eventually(SOON, "the file goes on without rsyslog", || lab.in_file().len() == 30);
    collector.works.store(true, Ordering::SeqCst);
    eventually(SOON, "the collector has all", || collector.taken() == lab.acts());
    lab.center.kill9();
    lab.act(30..40);
    drop(rsyslog);
    let _rsyslog = lab.rsyslog();
    lab.center.restart();
    eventually(SOON, "all receivers have all", || {
        let all = lab.acts();
        all.len() == 40 && lab.in_file() == all && lab.in_rsyslog() == all && collector.taken() == all
    });
    let text = fs::read_to_string(lab.folder().join("archive.jsonl")).expect("a file");
    assert!(text.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{text}");
    assert!(text.lines().count() < 140, "everything was written again and again");
    assert!(!lab.center.log().contains("collector-token"), "a secret in the log");
    drop(stuck);
}

/// What exports need beside a host and its center.
struct Exports(Lab);

impl std::ops::Deref for Exports {
    type Target = Lab;

    fn deref(&self) -> &Lab {
        &self.0
    }
}

impl std::ops::DerefMut for Exports {
    fn deref_mut(&mut self) -> &mut Lab {
        &mut self.0
    }
}

impl Exports {
    fn folder(&self) -> PathBuf {
        self.net.folder().to_owned()
    }

    fn exports(&self) -> String {
        let folder = self.folder();
        fs::write(folder.join("hec-token"), "collector-token\n").expect("a file can be written");
        let folder = folder.display();
        format!(
            "[export.archive]\nto = \"file\"\npath = \"{folder}/archive.jsonl\"\n\
             [export.siem]\nto = \"syslog\"\naddress = \"127.0.0.1:5140\"\nformat = \"cef\"\n\
             [export.stuck]\nto = \"syslog\"\naddress = \"127.0.0.1:5141\"\nformat = \"ocsf\"\n\
             [export.splunk]\nto = \"hec\"\nurl = \"http://127.0.0.1:8088\"\ntoken_file = \"{folder}/hec-token\"\n"
        )
    }

    /// Debian's, on the loopback interface of the center's namespace.
    fn rsyslog(&self) -> Process {
        let folder = self.folder();
        let config = folder.join("rsyslog.conf");
        let text = format!(
            "global(workDirectory=\"{0}\" maxMessageSize=\"64k\")\nmodule(load=\"imtcp\")\n\
             input(type=\"imtcp\" address=\"127.0.0.1\" port=\"5140\")\n\
             template(name=\"told\" type=\"string\" string=\"%app-name% %msgid% %structured-data% %msg%\\n\")\n\
             action(type=\"omfile\" file=\"{0}/syslog.txt\" template=\"told\" flushOnTXEnd=\"on\")\n",
            folder.display()
        );
        fs::write(&config, text).expect("a file can be written");
        let pid = folder.join("rsyslog.pid");
        // What a killed one left behind would keep the next one from starting.
        let _ = fs::remove_file(&pid);
        let mut command = self.center.space().command("rsyslogd");
        command.arg("-n").arg("-f").arg(&config).arg("-i").arg(&pid);
        let process = Process::start(&mut command);
        eventually(SOON, "rsyslog listens", || {
            self.center.space().inside(|| TcpStream::connect("127.0.0.1:5140").is_ok())
        });
        process
    }

    fn act(&self, numbers: std::ops::Range<u32>) {
        for number in numbers {
            let device = format!("device-number-{number}");
            self.agent.done(&["block", "device", "--value", &device, "--action", "deny", "--reason", "an act"]);
        }
    }

    /// Ids of the acts that the center has.
    fn acts(&self) -> BTreeSet<String> {
        let (status, page) = self.center.ask(&self.token, "GET", "/events?kind=act&limit=1000", &json!(null));
        assert_eq!(status, 200, "{page}");
        let id = |event: &Value| {
            let part = |name: &str| event[name].to_string().trim_matches('"').to_owned();
            format!("{}/{}/{}", part("host"), part("spool"), part("sequence"))
        };
        page["items"].as_array().into_iter().flatten().map(id).collect()
    }

    fn in_file(&self) -> BTreeSet<String> {
        let text = fs::read_to_string(self.folder().join("archive.jsonl")).unwrap_or_default();
        text.lines().filter_map(|line| act(&serde_json::from_str(line).ok()?)).collect()
    }

    fn in_rsyslog(&self) -> BTreeSet<String> {
        let text = fs::read_to_string(self.folder().join("syslog.txt")).unwrap_or_default();
        let acts = text.lines().filter(|line| line.starts_with("enforcer act [meta sequenceId="));
        let id = |line: &str| Some(line.split_once("externalId=")?.1.split(' ').next()?.to_owned());
        acts.filter_map(id).collect()
    }

    fn state(&self, name: &str) -> Value {
        let (status, page) = self.center.ask(&self.token, "GET", "/exports", &json!(null));
        assert_eq!(status, 200, "{page}");
        let found = page["items"].as_array().and_then(|all| all.iter().find(|one| one["name"] == name));
        found.cloned().unwrap_or_else(|| panic!("{page}"))
    }
}

/// The id of an event in ECS, if it is an act.
fn act(event: &Value) -> Option<String> {
    let is_act = event["event"]["dataset"] == "enforcer.act";
    event["event"]["id"].as_str().filter(|_| is_act).map(str::to_owned)
}

/// Speaks as much HTTP as a collector must.
struct Collector {
    works: Arc<AtomicBool>,
    taken: Arc<Mutex<Vec<Value>>>,
}

impl Collector {
    fn start(space: &Namespace) -> Self {
        let listener = space.inside(|| TcpListener::bind("127.0.0.1:8088")).expect("a port is free");
        let (works, taken) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let collector = Self { works: Arc::clone(&works), taken: Arc::clone(&taken) };
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (works, taken) = (Arc::clone(&works), Arc::clone(&taken));
                // Ends when the center hangs up.
                thread::spawn(move || while answer(&stream, &works, &taken).is_some() {});
            }
        });
        collector
    }

    fn taken(&self) -> BTreeSet<String> {
        self.taken.lock().expect("nobody panicked").iter().filter_map(|one| act(&one["event"])).collect()
    }
}

/// One request; none when there are no more.
fn answer(stream: &TcpStream, works: &AtomicBool, taken: &Mutex<Vec<Value>>) -> Option<()> {
    let (mut reader, mut length, mut known) = (BufReader::new(stream), 0, false);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end().to_ascii_lowercase();
        known |= line == "authorization: splunk collector-token";
        if let Some(text) = line.strip_prefix("content-length: ") {
            length = text.parse().ok()?;
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let (status, said) = if !known {
        ("403 Forbidden", r#"{"text":"Invalid token","code":4}"#)
    } else if works.load(Ordering::SeqCst) {
        let events = serde_json::Deserializer::from_slice(&body).into_iter::<Value>().flatten();
        taken.lock().ok()?.extend(events);
        ("200 OK", r#"{"text":"Success","code":0}"#)
    } else {
        ("503 Service Unavailable", r#"{"text":"Server is busy","code":9}"#)
    };
    let mut stream = stream;
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{said}", said.len()).ok()
}
