//! Answers: what the kernel says of them is what the server's own log says.

use std::{
    collections::BTreeMap,
    env, fs,
    io::{BufRead as _, BufReader},
    process::{Child, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::Duration,
};

use enforcer_tests::{Agent, Answered, CLIENT, Client, Net, Nginx, PAY, Play, Player, Request, eventually};
use serde_json::Value;

/// Given a service whose requests are followed. When 100,000 requests (`ENFORCER_ANSWERS`), half of them pipelined, are answered
/// with short bodies, chunks and files. Then status and bytes of each are what nginx has logged, line by line, and so are the times.
#[test]
fn every_answer_is_what_nginx_has_logged() {
    let net = Net::new();
    // Room for as much as comes while the agent waits for a processor.
    let roomy = format!("{PAY}\n[limits]\nsample_bytes = 67_108_864\n");
    let (nginx, agent) = (Nginx::start(&net), Agent::start(&net, &roomy));
    let follower = Follower::start(&net, &agent);
    wrk(&net);
    assert_eq!(agent.metric("enforcer_samples_lost_total", &[]), Some(0.0));
    assert_eq!(agent.counted("answer_lost"), 0);
    let ours = follower.take(total());
    let theirs: BTreeMap<String, Answered> =
        nginx.answered_when(ours.len()).into_iter().map(|line| (line.uri.clone(), line)).collect();
    let mut ends: BTreeMap<u64, f64> = BTreeMap::new();
    let mut differences = Vec::new();
    for line in &ours {
        let path = line["path"].as_str().expect("a path");
        let logged = theirs.get(path).unwrap_or_else(|| panic!("nginx knows nothing of {path}"));
        assert_eq!(
            (&line["status"], &line["bytes"]),
            (&logged.status.into(), &logged.bytes.into()),
            "{line} {logged:?}"
        );
        assert_eq!(line["complete"], true, "{line}");
        let number = |name: &str| line[name].as_f64().expect("a number");
        assert!(number("first_byte_seconds") <= number("took_seconds"), "{line}");
        // nginx begins with a pipelined request when it is done with the one before.
        let (begin, before) = (began(line), ends.entry(line["source_port"].as_u64().expect("a port")).or_default());
        let end = begin + number("took_seconds");
        differences.push(end - begin.max(*before) - logged.seconds);
        *before = end;
    }
    // A request may wait for a processor before nginx sees it, and that time is ours alone; so ours may be longer, not shorter.
    differences.sort_by(f64::total_cmp);
    let (shortest, middle) = (differences[differences.len() / 100], differences[differences.len() / 2]);
    assert!(
        shortest >= -CLOCK && middle <= CLOCK,
        "1 of 100 is {shortest} s less than nginx says, the middle {middle} s more"
    );
    let answered = |class| agent.metric("enforcer_responses_total", &[("service", "pay"), ("class", class)]);
    let counted: f64 = ["2xx", "4xx"].map(|class| answered(class).expect("it is counted")).into_iter().sum();
    assert!(counted >= float(ours.len()), "{counted}");
}

/// Given the same. When answers have no body for reasons of their own, come in between, or end with their connection. Then each
/// request has its own answer.
#[test]
fn answers_without_length_are_followed() {
    let net = Net::new();
    let (_nginx, agent) = (Nginx::start(&net), Agent::start(&net, PAY));
    let follower = Follower::start(&net, &agent);
    let head = |method: &str, path: &str, more: &str| {
        format!("{method} {path} HTTP/1.1\r\nHost: a\r\nX-Request-Number: 1\r\n{more}\r\n").into_bytes()
    };
    let waits = head("POST", "/api/waits", "Content-Length: 2\r\nExpect: 100-continue\r\n");
    let player = Player::open(&net, &CLIENT);
    for (play, count) in [
        (Play::new().send(&[head("HEAD", "/large/h", ""), head("HEAD", "/api/h", "")].concat()).heads_only(), 2),
        (Play::new().send(&waits).answered(0).send(b"ok"), 1),
        (Play::new().send(b"GET /old HTTP/1.0\r\nHost: a\r\n\r\n"), 1),
    ] {
        let outcome = player.play(play.answers(count));
        assert_eq!(outcome.statuses.len(), count, "{outcome:?}");
    }
    let ours: BTreeMap<String, Value> =
        follower.take(4).into_iter().map(|line| (line["path"].as_str().expect("a path").to_owned(), line)).collect();
    let status = |path: &str| ours.get(path).and_then(|line| line["status"].as_u64());
    assert_eq!((status("/large/h"), status("/api/h"), status("/api/waits")), (Some(200), Some(200), Some(200)));
    assert_eq!(status("/old"), Some(404));
}

/// Given a decision on a user. When the server has served a token that names the user. Then the next request of that session is
/// refused, and sessions of others are served.
#[test]
fn the_user_of_a_session_is_learned() {
    let net = Net::new();
    let _nginx = Nginx::start(&net);
    let agent = Agent::start(&net, &format!("{PAY}session = [{{ bearer = true }}]\n"));
    agent.block(&["user", "--value", "mallory", "--service", "pay", "--action", "deny"]);
    let ask = |token: &str| {
        let mut client = Client::connect(&net.client, CLIENT.web4()).expect("connects");
        let request = Request::get("/health").header("Authorization", &format!("Bearer {token}"));
        client.request(&request).map(|response| response.status)
    };
    // {"alg":"none"}, and {"sub":"mallory"} or {"sub":"alice"}.
    let (mallory, alice) =
        ("eyJhbGciOiJub25lIn0.eyJzdWIiOiJtYWxsb3J5In0.s", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9.s");
    assert_eq!((ask(mallory), ask(alice)), (Ok(200), Ok(200)), "nobody knows whose they are");
    eventually(DEADLINE, "the agent learns whose session it is", || ask(mallory) == Ok(403));
    assert_eq!(ask(alice), Ok(200));
    assert!(agent.counted("blocked_user") >= 1);
}

/// The kernel's time of a request, in seconds: it is in the request's number.
fn began(line: &Value) -> f64 {
    let number = u64::from_str_radix(line["id"].as_str().expect("a number"), 16).expect("a number");
    Duration::from_nanos(number >> 10).as_secs_f64()
}

/// `enforcer requests`, as it runs.
struct Follower {
    child: Child,
    lines: Receiver<Value>,
}

impl Follower {
    /// Follows from now on.
    fn start(net: &Net, agent: &Agent) -> Self {
        let mut command = agent.command(&["requests", "-o", "json"]);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
        let (told, lines) = mpsc::channel();
        let output = BufReader::new(child.stdout.take().expect("it is piped"));
        thread::spawn(move || {
            let lines = output.lines().map_while(Result::ok);
            lines.map(|line| serde_json::from_str(&line).expect("JSON")).try_for_each(|line| told.send(line))
        });
        let follower = Self { child, lines };
        eventually(DEADLINE, "requests are followed", || {
            let mut client = Client::connect(&net.client, CLIENT.web4()).expect("connects");
            client.request(&Request::get(FIRST)).expect("answered");
            follower.lines.try_recv().is_ok()
        });
        follower
    }

    /// So many of what it tells.
    #[track_caller]
    fn take(&self, count: usize) -> Vec<Value> {
        let mut taken = Vec::new();
        while taken.len() < count {
            match self.lines.recv_timeout(DEADLINE) {
                Ok(line) if line["path"] == FIRST => {}
                Ok(line) => taken.push(line),
                Err(error) => panic!("{} of {count} requests were told, then: {error}", taken.len()),
            }
        }
        taken
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

/// Half of the requests one at a time, the other half three at once.
fn wrk(net: &Net) {
    let threes = total() / 6 * 3;
    let singles = total() - threes;
    for (first, count, at_once) in [(0, singles, 1), (singles, threes, 3)] {
        let script = net.folder().join("answers.lua");
        let numbers = [("@FIRST@", first), ("@COUNT@", count), ("@AT_ONCE@", at_once)];
        let text = numbers.iter().fold(SCRIPT.to_owned(), |text, (name, value)| text.replace(name, &value.to_string()));
        fs::write(&script, text).expect("a script can be written");
        let mut command = net.client.command("wrk");
        command.args(["-t", "1", "-c", "16", "-d", "600s", "--timeout", "10s", "-s"]).arg(&script);
        let output = command.arg(format!("http://{}/", CLIENT.web4())).output().expect("wrk starts");
        let printed = String::from_utf8_lossy(&output.stdout);
        assert!(printed.contains("enough"), "{printed}{}", String::from_utf8_lossy(&output.stderr));
    }
}

fn total() -> usize {
    env::var("ENFORCER_ANSWERS").map_or(100_000, |text| text.parse().expect("ENFORCER_ANSWERS is a number"))
}

#[expect(clippy::cast_precision_loss, reason = "small")]
fn float(count: usize) -> f64 {
    count as f64
}

/// What is asked for until somebody follows.
const FIRST: &str = "/first";
const DEADLINE: Duration = Duration::from_secs(20);
/// Seconds that nginx's clock may be behind: it counts in milliseconds, and reads its clock once for all that happens at a time.
const CLOCK: f64 = 0.015;

/// Sends exactly so many and waits for all answers. wrk calls `request` once before it begins, and sees from it how many
/// answers to wait for before it calls again.
const SCRIPT: &str = r#"
local sent, answered = -@AT_ONCE@, 0
-- As fast as the agent reads, even when it was built without optimisation.
function delay() return 3 * @AT_ONCE@ end
function one()
    local number = @FIRST@ + math.max(sent, 0)
    sent = sent + 1
    local kind = number % 40 == 7 and 4 or (number % 5 == 3 and 3 or number % 3)
    local paths = { [0] = "/api/x/", [1] = "/api/accounts/", [2] = "/missing/", [3] = "/api/chunked/", [4] = "/large/" }
    return wrk.format("GET", paths[kind] .. number, { ["X-Request-Number"] = tostring(number) })
end
function request()
    if sent >= @COUNT@ then return nil end
    local text = one()
    for _ = 2, @AT_ONCE@ do
        text = text .. one()
    end
    return text
end
function response(status, headers, body)
    answered = answered + 1
    if answered >= @COUNT@ then
        io.write("enough\n")
        os.exit(0)
    end
end
"#;
