//! Whole commands against an agent that is played by a thread.
use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use clap::Parser as _;
use enforcer_common::{Action, Counter, Reason, ServiceCounters, SubjectKind, Verdict};
use enforcer_policy::{DecisionId, Moment, Origin};

use super::golden::golden;
use super::{Cli, Out, execute};
use crate::wire::*;

/// Where a command wrote.
#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Page {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

/// What a command did.
struct Ran {
    exit: Exit,
    out: String,
    notes: String,
}

fn run(line: &str, socket: &Path) -> Ran {
    let mut words: Vec<&str> = line.split_whitespace().collect();
    words.extend(["--socket", socket.to_str().unwrap()]);
    let cli = Cli::try_parse_from(words).unwrap();
    let (out, notes) = (Page::default(), Page::default());
    let format = cli.globals.output;
    let exit = execute(cli, &mut Out::to(Box::new(out.clone()), Box::new(notes.clone()), format));
    Ran { exit, out: out.text(), notes: notes.text() }
}

/// Plays the agent for one conversation.
fn agent(answer: impl FnMut(Request) -> Vec<Reply> + Send + 'static) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("agent.sock");
    let listener = UnixListener::bind(&path).unwrap();
    thread::spawn(move || serve(listener.accept().unwrap().0, answer));
    (dir, path)
}

fn serve(mut stream: UnixStream, mut answer: impl FnMut(Request) -> Vec<Reply>) {
    write_frame(&mut stream, &Hello::ours()).unwrap();
    let _hello: Option<Hello> = read_frame(&mut stream).unwrap();
    while let Ok(Some(request)) = read_frame(&mut stream) {
        for reply in answer(request) {
            if write_frame(&mut stream, &reply).is_err() {
                return;
            }
        }
    }
}

fn decision(id: u64) -> DecisionReport {
    DecisionReport {
        id: DecisionId(id),
        kind: SubjectKind::Device,
        subject: "AB…YZ".to_owned(),
        service: Some("pay".to_owned()),
        endpoint: None,
        action: Action::Deny,
        rate: None,
        until: None,
        reason: "stolen\u{1b}[2J".to_owned(),
        origin: Origin::Cli,
        approved_by: "root".to_owned(),
        created: Moment(1_767_222_000_000),
    }
}

#[test]
fn an_agent_that_is_not_there_is_explained() {
    let dir = tempfile::tempdir().unwrap();
    let ran = run("enforcer status", &dir.path().join("none.sock"));
    assert_eq!(ran.exit, Exit::Unreachable);
    assert!(ran.notes.contains("systemctl start enforcer"), "{}", ran.notes);
    assert!(ran.out.is_empty());
    let ran = run("enforcer status -o json", &dir.path().join("none.sock"));
    assert_eq!(serde_json::from_str::<Trouble>(&ran.notes).unwrap().exit, 4);
}

#[test]
fn another_release_is_explained() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("agent.sock");
    let listener = UnixListener::bind(&path).unwrap();
    thread::spawn(move || {
        let hello = Hello { protocol: PROTOCOL + 1, version: "9.9.9".to_owned() };
        write_frame(&mut listener.accept().unwrap().0, &hello).unwrap();
    });
    let ran = run("enforcer top --once", &path);
    assert_eq!(ran.exit, Exit::Failed);
    assert!(ran.notes.contains("9.9.9"), "{}", ran.notes);
}

#[test]
fn who_is_refused_at_the_door_is_told_why() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("agent.sock");
    let listener = UnixListener::bind(&path).unwrap();
    thread::spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        write_frame(&mut stream, &Hello::ours()).unwrap();
        write_frame(&mut stream, &Reply::Error(Trouble::new(Exit::Refused, "not you", "use sudo"))).unwrap();
    });
    let ran = run("enforcer status", &path);
    assert_eq!((ran.exit, ran.notes.as_str()), (Exit::Refused, "enforcer: not you\n  next: use sudo\n"));
}

#[test]
fn a_refusal_shows_the_agents_words_and_code() {
    let (_dir, path) = agent(|_| vec![Reply::Error(Trouble::new(Exit::Refused, "too wide", "add --wide"))]);
    let ran = run("enforcer block ip 10.0.0.0/7 --for 1h", &path);
    assert_eq!((ran.exit, ran.notes.as_str()), (Exit::Refused, "enforcer: too wide\n  next: add --wide\n"));
}

#[test]
fn block_asks_and_tells() {
    let (_dir, path) = agent(|request| {
        let Request::Block(block) = request else { panic!("{request:?}") };
        assert_eq!(block.subject, SubjectInput::Token { kind: SubjectKind::Device, value: Raw::new("-ABC") });
        assert_eq!((block.action, block.duration), (Action::Deny, Some(Duration::from_hours(2))));
        let warnings = vec!["service pay only observes".to_owned()];
        let enforced_in = Some(Duration::from_micros(400));
        vec![Reply::Blocked(BlockReport { decision: decision(7), change: Change::Extended, enforced_in, warnings })]
    });
    let ran = run("enforcer block device --value -ABC --service pay --for 2h", &path);
    assert_eq!(ran.exit, Exit::Done, "{}", ran.notes);
    golden("cli/block.txt", &ran.out);
}

#[test]
fn switches_answer_in_both_formats() {
    for (line, start) in [("enforcer bypass on", "bypass is on"), ("enforcer reload -o json", r#"{"message":"#)] {
        let (_dir, path) = agent(|_| vec![Reply::Done]);
        let ran = run(line, &path);
        assert!(ran.exit == Exit::Done && ran.out.starts_with(start), "{}{}", ran.out, ran.notes);
    }
}

#[test]
fn nothing_to_unblock_is_told_by_the_code() {
    let report = UnblockReport { ended: Vec::new(), enforced_in: None, still: vec![decision(7)] };
    let (_dir, path) = agent(move |_| vec![Reply::Unblocked(report.clone())]);
    assert_eq!(run("enforcer unblock device ABC", &path).exit, Exit::Nothing);
}

#[test]
fn list_pages_into_one_document() {
    let pages = |request| {
        let Request::List(list) = request else { panic!("{request:?}") };
        let from = list.after.map_or(0, |id| id.0);
        let to = (from + u64::from(list.limit)).min(12_000);
        let next = (to < 12_000).then_some(DecisionId(to));
        let decisions = (from + 1..=to).map(decision).collect();
        vec![Reply::Listed(ListReport { decisions, next, total: Some(12_000) })]
    };
    let (_dir, path) = agent(pages);
    let ran = run("enforcer list --limit 0 -o json", &path);
    let report: ListReport = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((report.decisions.len(), report.next, report.total), (12_000, None, Some(12_000)));
    let (_dir, path) = agent(pages);
    let ran = run("enforcer list --limit 3", &path);
    golden("cli/list.txt", &ran.out);
    assert_eq!(ran.notes, "3 shown of 12,000; --limit 0 shows all\n");
}

#[test]
fn events_end_after_their_count() {
    let (_dir, path) = agent(|_| vec![Reply::Event(event()); 5]);
    let ran = run("enforcer events --count 2 -o json", &path);
    assert_eq!(
        ran.out.lines().map(|line| serde_json::from_str::<EventReport>(line).unwrap()).collect::<Vec<_>>(),
        [event(), event()]
    );
    let (_dir, path) = agent(|_| vec![Reply::Event(event()); 5]);
    golden("cli/event.txt", &run("enforcer events --count 1", &path).out);
}

#[test]
fn news_of_the_agent_stand_among_events_unless_one_service_is_asked_for() {
    let news = |_| {
        let (time, message) = (Moment(1_767_222_000_123), "the map flows is full".to_owned());
        vec![Reply::Notice(NoticeReport { time, notice: NoticeKind::MapFull, message }), Reply::Event(event())]
    };
    let (_dir, path) = agent(news);
    golden("cli/notice.txt", &run("enforcer events --count 2", &path).out);
    let (_dir, path) = agent(news);
    let ran = run("enforcer events --count 1 --service pay -o json", &path);
    assert_eq!(serde_json::from_str::<EventReport>(&ran.out).unwrap(), event());
}

fn event() -> EventReport {
    EventReport {
        time: Moment(1_767_222_000_123),
        reason: Reason::BlockedDevice,
        verdict: Verdict::Deny,
        kind: Some(SubjectKind::Device),
        decision: Some(DecisionId(7)),
        service: Some("pay".to_owned()),
        source: "2001:db8::7".parse().unwrap(),
        source_port: 40_000,
        destination: "2001:db8::1".parse().unwrap(),
        destination_port: 443,
        protocol: "tcp".to_owned(),
        interface: "eth0".to_owned(),
        digest: Some("00000000000000ff".to_owned()),
        bytes: 512,
    }
}

#[test]
fn a_file_goes_in_chunks_and_rejected_lines_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let (list, rejects) = (dir.path().join("list"), dir.path().join("rejects"));
    let mut text = String::from("# list\nnonsense\n");
    for n in 0..150_000_u32 {
        use std::fmt::Write as _;
        let [_, b, c, d] = n.to_be_bytes();
        writeln!(text, "10.{b}.{c}.{d}").unwrap();
    }
    std::fs::write(&list, text).unwrap();
    let mut chunks = Vec::new();
    #[expect(clippy::wildcard_enum_match_arm, reason = "what else may come is one thing")]
    let (_dir, path) = agent(move |request| match request {
        Request::Allowlist => vec![Reply::Allowlist(Vec::new())],
        Request::Import(start) => {
            assert_eq!((start.kind, start.action), (SubjectKind::Ip, Action::Drop));
            Vec::new()
        }
        Request::ImportChunk(items) => {
            chunks.push(items.len());
            let mut rejected = Rejections::default();
            rejected.push(9, "the agent does not like it");
            vec![Reply::Progress(ImportProgress { done: 0, rejected })]
        }
        other => {
            assert_eq!(other, Request::ImportEnd);
            assert_eq!(chunks, [65_536, 65_536, 18_928]);
            vec![Reply::Imported(ImportReport { added: 149_997, rejected: 3, ..ImportReport::default() })]
        }
    });
    let ran = run(&format!("enforcer block ip --file {} --rejects {}", list.display(), rejects.display()), &path);
    assert_eq!(ran.exit, Exit::Refused, "{}{}", ran.out, ran.notes);
    let lines: Vec<String> = ran.out.lines().filter(|line| line.starts_with("  line")).map(str::to_owned).collect();
    assert_eq!(lines.len(), 4, "{}", ran.out);
    assert!(lines[0].starts_with("  line 2: "), "{}", ran.out);
    assert_eq!(lines[1], "  line 12: the agent does not like it");
    assert_eq!(lines[2], "  line 65548: the agent does not like it");
    assert_eq!(std::fs::read_to_string(&rejects).unwrap().lines().count(), 4);
}

#[test]
fn status_and_why_and_doctor_fit_on_a_page() {
    let now = Moment(1_767_225_600_000);
    golden("cli/status.txt", &super::status::text(&status(), now, false));
    let why = WhyReport {
        subject: "203.0.113.7".to_owned(),
        verdict: Verdict::Drop,
        because: vec!["it is not on the allowlist".to_owned(), "203.0.113.0/24 is blocked".to_owned()],
        decisions: vec![decision(7)],
        allowed: Vec::new(),
        kernel: vec![KernelEntry {
            map: "sources4".to_owned(),
            entry: "203.0.113.0/24".to_owned(),
            held: Held::Present,
            action: Some(Action::Drop),
            expires_in: Some(Duration::from_mins(90)),
        }],
    };
    golden("cli/why.txt", &super::why::text(&why, now, false));
    let check = |name: &str, state, mend: Option<&str>| Check {
        name: name.to_owned(),
        state,
        detail: "kernel 5.15".to_owned(),
        mend: mend.map(str::to_owned),
    };
    let checks =
        vec![check("kernel", CheckState::Ok, None), check("tcx", CheckState::Degraded, Some("use kernel 6.6"))];
    golden("cli/doctor.txt", &super::doctor::text(&DoctorReport { checks }, false));
    assert!(super::status::text(&status(), now, true).contains('\u{1b}'));
}

fn published(name: &str, state: &str, why: &str) -> PublishedReport {
    let (name, version, digest) = (name.to_owned(), "1.0.0".to_owned(), "ab".repeat(32));
    PublishedReport {
        name,
        version,
        digest,
        state: state.to_owned(),
        why: why.to_owned(),
        since: Moment(1_767_225_000_000),
    }
}

fn status() -> StatusReport {
    let kinds = |ip, device| {
        vec![KindCount { kind: SubjectKind::Ip, count: ip }, KindCount { kind: SubjectKind::Device, count: device }]
    };
    StatusReport {
        version: "0.1.0".to_owned(),
        abi: 1,
        pid: 4711,
        started: Moment(1_767_222_000_000),
        config_path: "/etc/enforcer/enforcer.toml".to_owned(),
        bypass: false,
        lost_agent: "keep".to_owned(),
        attachments: vec![Attachment {
            interface: "eth0".to_owned(),
            hook: "xdp".to_owned(),
            mode: "native".to_owned(),
        }],
        services: vec![ServiceReport {
            name: "pay".to_owned(),
            ports: vec![80, 8080],
            interfaces: vec!["eth0".to_owned(), "lo".to_owned()],
            mode: "enforce".to_owned(),
            from: "file".to_owned(),
            requests: VerdictCount::list(&[1_234_567, 0, 7, 89, 0, 0]),
        }],
        decisions: PolicyCounts { intended: kinds(1_000_000, 4), installed: kinds(1_000_000, 3) },
        allowed: 2,
        maps: vec![MapFill { map: "sources4".to_owned(), used: 1_000_000, capacity: 1_048_576 }],
        drift: Drift { last_check: Some(Moment(1_767_225_597_000)), differences: 1, repaired: 0 },
        events: EventTotals { seen: 120, lost: 0, samples: 9, samples_lost: 1 },
        center: None,
        published: vec![published("my-pages", "loaded", ""), published("other", "refused", "this host trusts no key")],
        problems: vec!["the kernel holds 1 decision less than was decided".to_owned()],
    }
}

#[test]
fn top_shows_rates() {
    let snapshot = |at, packets, requests: [u64; Verdict::COUNT]| TopReport {
        at: Moment(at),
        cpus: 2,
        bypass: false,
        reasons: vec![
            ReasonCount::new(Reason::Clean, Counter { count: packets, bytes: packets * 100 }),
            ReasonCount::new(Reason::BlockedSource, Counter { count: packets * 9, bytes: packets * 1000 }),
            ReasonCount::new(Reason::BlockedDevice, Counter { count: requests[3], bytes: 0 }),
            ReasonCount::new(Reason::Http2, Counter::default()),
        ],
        services: vec![ServiceRequests::new("pay", &ServiceCounters { requests, ..ServiceCounters::default() })],
        maps: vec![MapFill { map: "flows".to_owned(), used: 9, capacity: 10 }],
        events: EventTotals { seen: 7, lost: 1, samples: 9, samples_lost: 1 },
        recent: vec![event(); 9],
    };
    let (before, after) = (snapshot(1000, 0, [0; 6]), snapshot(3000, 2_000_000, [100, 0, 20, 50, 0, 0]));
    golden("cli/top.txt", &super::top_text::picture(&before, &after, false));
    // Counters that went back count from zero.
    let again = super::top_text::picture(&after, &before, false);
    assert!(again.contains("packets              0/s"), "{again}");
}

fn called() -> enforcer_insight::inventory::Inventory {
    use bytes::Bytes;
    use enforcer_insight::http::Head;
    use enforcer_insight::{Answer, AnswerHead, Call, body};

    let mut inventory = enforcer_insight::inventory::Inventory::default();
    for (line, status) in [("GET /users/7?page=2", 200), ("POST /users", 201), ("GET /nothing", 404)] {
        let head = "Authorization: Bearer x\r\nContent-Type: application/json\r\nContent-Length: 13";
        let sent = Bytes::from(format!("{line} HTTP/1.1\r\n{head}\r\n\r\n{{\"name\":\"An\"}}"));
        let head = Head::read(&sent).unwrap().unwrap();
        let prefix = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n[{\"id\":1,\"born\":\"1990-01-01\"}]";
        let AnswerHead { headers, body: answered } = AnswerHead::read(&Bytes::from_static(prefix.as_bytes()));
        let times = Duration::from_millis(2);
        let answer =
            Answer { status, first_byte: times, whole: times, bytes: 99, complete: true, headers, body: answered };
        let call = Call {
            id: 1,
            time: Moment(1_767_222_000_000),
            service: "pay".into(),
            source: [192, 0, 2, 1].into(),
            source_port: 1,
            client: [192, 0, 2, 1].into(),
            digests: [0; enforcer_common::KINDS],
            reason: Reason::RequestClean,
            verdict: Verdict::Pass,
            decision: None,
            placed: None,
            sensitive: enforcer_insight::classes::Sensitive::default(),
            body: body(&head, &sent.slice(head.end..)),
            head,
            answer: Some(answer),
        };
        inventory.take(&call, enforcer_common::SipKey([1, 2]));
    }
    inventory
}

/// The inventory in two parts, as an agent sends it.
fn parts(request: &Request) -> Vec<Reply> {
    assert_eq!(*request, Request::Apis(None));
    let bytes = postcard::to_allocvec(&called()).unwrap();
    let (one, two) = bytes.split_at(100);
    let owner = |address: &str, process: Option<&str>, container: Option<&str>| ApiOwner {
        address: address.to_owned(),
        process: process.map(str::to_owned),
        unit: container.is_none().then(|| "shop.service".to_owned()),
        container: container.map(str::to_owned),
        pod: None,
        user: 33,
        group: Some("/system.slice/shop.service".to_owned()),
    };
    let container = format!("docker:{}", "4f".repeat(32));
    let all = vec![owner("0.0.0.0:8080", Some("node"), None), owner("[::]:8081", None, Some(&container))];
    let owners = called().services().map(|(name, _)| (name.to_owned(), all.clone())).collect();
    vec![
        Reply::Apis(ApisPart { bytes: one.to_vec(), last: false, owners: BTreeMap::new() }),
        Reply::Apis(ApisPart { bytes: two.to_vec(), last: true, owners }),
    ]
}

#[test]
fn apis_are_listed_shown_exported_and_compared() {
    let with_agent = |line: &str| {
        let (_dir, path) = agent(|request| parts(&request));
        run(line, &path)
    };
    let now = Moment(1_767_225_600_000);
    let listed: ApisReport = serde_json::from_str(&with_agent("enforcer apis -o json").out).unwrap();
    golden("cli/apis.txt", &super::apis_text::list(&listed, now, false));
    let shown = with_agent("enforcer apis show get /users/{userId} -o json").out;
    golden("cli/apis-show.txt", &super::apis_text::show(&serde_json::from_str(&shown).unwrap(), now, false));
    assert_eq!(with_agent("enforcer apis show GET /users").exit, Exit::Nothing);
    let exported = with_agent("enforcer apis export --openapi").out;
    let dir = tempfile::tempdir().unwrap();
    let (same, other) = (dir.path().join("same.json"), dir.path().join("other.yaml"));
    std::fs::write(&same, exported).unwrap();
    std::fs::write(&other, "openapi: 3.0.0\npaths: {/users: {get: {responses: {200: {description: ok}}}}}").unwrap();
    let ran = with_agent(&format!("enforcer apis drift {}", same.display()));
    assert_eq!((ran.exit, ran.out.as_str()), (Exit::Done, "no difference: 2 endpoints, 2 operations\n"));
    let ran = with_agent(&format!("enforcer apis drift {}", other.display()));
    assert_eq!(ran.exit, Exit::Nothing);
    golden("cli/apis-drift.txt", &ran.out);
}

#[test]
fn a_file_that_is_no_specification_is_explained() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("spec.yaml");
    std::fs::write(&path, "swagger: '2.0'").unwrap();
    let ran = run(&format!("enforcer apis drift {}", path.display()), &dir.path().join("none.sock"));
    assert_eq!(ran.exit, Exit::Usage);
    assert!(ran.notes.contains("this is no OpenAPI 3.0 or 3.1"), "{}", ran.notes);
}
