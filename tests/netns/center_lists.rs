//! Lists that the center follows: from a real nginx, or a file, to the packets of a host.

use std::{fs, path::PathBuf, time::Duration};

use enforcer_tests::{ATTACKER, Namespace, Process, Tap, eventually};
use serde_json::{Value, json};

use crate::lab::Lab;

const SOON: Duration = Duration::from_mins(1);
const NAME: &str = "list:feed";

/// Given a list of sixty addresses, a private network, the center's own address and everything, on a web server. When it is read, stays as
/// it is, changes, is answered with an error, is cut off, shrinks, grows and is emptied. Then a host refuses exactly whom the last believable
/// state names, private addresses never, one revision for each change; and what a person has decided stays.
#[test]
fn a_host_refuses_whom_the_last_believable_state_of_a_list_names() {
    let mut lab = Lists(Lab::start());
    let feed = Feed::start(lab.center.space(), lab.net.folder().join("feed"));
    let wild = "192.168.0.0/16\n10.78.0.1\n0.0.0.0/0\n";
    feed.publish(&(addresses(0..60) + wild));
    lab.person_blocks("20.0.0.7");
    lab.follow("url = \"http://127.0.0.1:8081/list\"\nevery = \"1s\"\nagain = 1000\n");
    let tap = Tap::open(&lab.net, &ATTACKER);
    let passing = |sources: &[&str]| tap.passing(sources);
    lab.until("all of it is in the policy", |state| state["held"] == 59 && state["failing"].is_null());
    eventually(SOON, "the host refuses whom it names", || passing(&["20.0.0.5", "20.0.0.59"]) == [false; 2]);
    assert_eq!(passing(&["192.168.9.9", "20.0.0.60"]), [true; 2]);
    let list = lab.state()["list"].clone();
    assert_eq!((&list["networks"], &list["format"]), (&json!(60), &json!("plain")), "{list:#}");
    assert_eq!(list["removed"], json!({"everything": 1, "guarded": 1, "special": 1}), "{list:#}");

    let revision = lab.revision();
    eventually(SOON, "nginx says that nothing has changed", || feed.answers("304") > 2);
    assert_eq!(lab.revision(), revision, "a list that has not changed makes no revision");
    feed.publish(&(addresses(0..5) + &addresses(8..60)));
    eventually(SOON, "whom it no longer names is let go", || passing(&["20.0.0.5", "20.0.0.6"]) == [true; 2]);
    assert_eq!(lab.revision(), revision + 1);
    assert_eq!(passing(&["20.0.0.7", "20.0.0.8"]), [false; 2], "a person's decision stays");

    let head = "# ipv4 hash:ip ipset\n# Entries         : 57 unique IPs\n";
    for (text, word) in [
        (None, "500"),
        (Some(head.to_owned() + &addresses(0..30)), "cut off"),
        (Some("<html>\n<h1>It works</h1>\n</html>\n".to_owned()), "no list"),
        (Some(addresses(0..2)), "shrunk from 57 to 2"),
        (Some(addresses(0..300)), "grown from 57 to 300"),
        (Some(String::new()), "empty"),
    ] {
        feed.break_down(text.is_none());
        if let Some(text) = text {
            feed.publish(&text);
        }
        lab.until(word, |state| state["failing"]["why"].as_str().is_some_and(|why| why.contains(word)));
        assert_eq!((lab.revision(), lab.state()["held"].clone()), (revision + 1, json!(57)), "{word}");
        assert_eq!(passing(&["20.0.0.1", "20.0.0.200"]), [false, true], "{word}");
    }
    feed.publish(&addresses(0..2));
    lab.until("doubted", |state| state["failing"]["why"].as_str().is_some_and(|why| why.contains("shrunk")));
    let (status, answer) = lab.center.ask(&lab.token, "POST", &format!("/sources/{NAME}/accept"), &json!({}));
    assert_eq!(status, 204, "{answer}");
    eventually(SOON, "a person's word is believed", || passing(&["20.0.0.1", "20.0.0.8"]) == [false, true]);
    lab.until("well again", |state| state["failing"].is_null() && state["held"] == 2);
    let told: Vec<Value> = lab.events("&kind=notice").into_iter().map(|event| event["what"].clone()).collect();
    assert!(told.contains(&json!("source_failing")) && told.contains(&json!("source_well")), "{told:?}");
}

/// Given a list in a file. When it is read for longer than its decisions last, then removed. Then they are renewed without a gap, and end by
/// themselves after it is gone.
#[test]
fn a_list_that_nobody_keeps_dies_by_itself() {
    let mut lab = Lists(Lab::start());
    let path = lab.net.folder().join("list.txt");
    fs::write(&path, "20.0.0.1\n").expect("a file can be written");
    lab.follow(&format!("file = {:?}\nevery = \"1s\"\nlasts = \"12s\"\n", path.display().to_string()));
    let tap = Tap::open(&lab.net, &ATTACKER);
    eventually(SOON, "the host refuses whom it names", || !tap.passes("20.0.0.1"));
    let first = lab.end_of("20.0.0.1");
    eventually(SOON, "its end is renewed", || {
        assert!(!tap.passes("20.0.0.1"), "a gap");
        lab.end_of("20.0.0.1") != first
    });
    fs::remove_file(&path).expect("a file can be removed");
    lab.until("it is missed", |state| state["failing"]["why"].as_str().is_some_and(|why| why.contains("No such file")));
    assert!(!tap.passes("20.0.0.1"), "what it said last holds");
    eventually(SOON, "and ends by itself", || tap.passes("20.0.0.1"));
}

/// `20.0.0.N`, one per line.
fn addresses(numbers: std::ops::Range<u32>) -> String {
    let lines: Vec<String> = numbers.map(|number| format!("20.0.{}.{}", number / 256, number % 256)).collect();
    lines.join("\n") + "\n"
}

/// A host, and a center that follows one list.
struct Lists(Lab);

impl std::ops::Deref for Lists {
    type Target = Lab;

    fn deref(&self) -> &Lab {
        &self.0
    }
}

impl Lists {
    fn follow(&mut self, list: &str) {
        self.0.center.follow(&format!("[list.feed]\n{list}"));
    }

    fn state(&self) -> Value {
        let (status, answer) = self.center.ask(&self.token, "GET", "/sources", &Value::Null);
        assert_eq!(status, 200, "{answer}");
        let items = answer["items"].as_array().cloned().unwrap_or_default();
        items.into_iter().find(|item| item["name"] == NAME).unwrap_or_default()
    }

    #[track_caller]
    fn until(&self, what: &str, is_so: impl Fn(&Value) -> bool) {
        let mut last = Value::Null;
        let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            eventually(SOON, what, || {
                last = self.state();
                is_so(&last)
            });
        }));
        assert!(found.is_ok(), "{what}: {last:#}");
    }

    fn revision(&self) -> u64 {
        let (_, answer) = self.center.ask(&self.token, "GET", "/health", &Value::Null);
        answer["revision"].as_u64().expect("a revision")
    }

    fn person_blocks(&self, address: &str) {
        let asked = json!({"kind": "ip", "value": address, "action": "drop", "reason": "by hand"});
        let (status, answer) = self.center.ask(&self.token, "POST", "/decisions", &asked);
        assert_eq!(status, 201, "{answer}");
    }

    /// The end of the decision on an address.
    fn end_of(&self, address: &str) -> Value {
        let (_, page) = self.center.ask(&self.token, "GET", "/decisions", &Value::Null);
        let items = page["items"].as_array().cloned().unwrap_or_default();
        items.into_iter().find(|item| item["subject"] == address).map(|item| item["until"].clone()).unwrap_or_default()
    }
}

/// A web server with one list, beside the center.
struct Feed {
    process: Process,
    folder: PathBuf,
}

impl Feed {
    fn start(space: &Namespace, folder: PathBuf) -> Self {
        for name in ["www", "tmp"] {
            fs::create_dir_all(folder.join(name)).expect("a folder can be made");
        }
        let text = CONFIGURATION.replace("@FOLDER@", &folder.display().to_string());
        fs::write(folder.join("nginx.conf"), text).expect("a file can be written");
        let mut command = space.command("nginx");
        command.args(["-p", &folder.display().to_string(), "-c", "nginx.conf", "-e", "error.log"]);
        let process = Process::start(&mut command);
        eventually(SOON, "nginx accepts connections", || {
            space.inside(|| std::net::TcpStream::connect("127.0.0.1:8081").is_ok())
        });
        Self { process, folder }
    }

    /// Puts the list there as a whole, as whoever publishes one does.
    fn publish(&self, text: &str) {
        fs::write(self.folder.join("tmp/list"), text).expect("a file can be written");
        fs::rename(self.folder.join("tmp/list"), self.folder.join("www/list")).expect("a file can be moved");
    }

    fn break_down(&self, is_broken: bool) {
        let path = self.folder.join("broken");
        if is_broken {
            fs::write(path, "").expect("a file can be written");
        } else {
            // It may not have been broken before.
            let _ = fs::remove_file(path);
        }
    }

    /// How many times it has answered so.
    fn answers(&self, status: &str) -> usize {
        let log = fs::read_to_string(self.folder.join("access.log")).unwrap_or_default();
        log.lines().filter(|line| *line == status).count()
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        // Its workers outlive a master that is merely killed.
        self.process.put_down(SOON);
    }
}

const CONFIGURATION: &str = r"
daemon off;
user root;
worker_processes 1;
pid @FOLDER@/nginx.pid;
error_log @FOLDER@/error.log warn;
events { worker_connections 64; }
http {
    log_format status '$status';
    access_log @FOLDER@/access.log status;
    client_body_temp_path @FOLDER@/tmp/body;
    proxy_temp_path @FOLDER@/tmp/proxy;
    fastcgi_temp_path @FOLDER@/tmp/fastcgi;
    uwsgi_temp_path @FOLDER@/tmp/uwsgi;
    scgi_temp_path @FOLDER@/tmp/scgi;
    server {
        listen 127.0.0.1:8081;
        root @FOLDER@/www;
        default_type text/plain;
        location / {
            if (-f @FOLDER@/broken) { return 500; }
        }
    }
}
";
