//! Attacks, one of each kind. In: a world. Out: calls in it, and what must be found. Never here: clean users.
use enforcer_policy::DecisionId;

use super::traffic::{Ask, Who, World, clean, get, login, post, token};

/// An attack, and how it shows.
pub(crate) struct Attack {
    pub(crate) name: &'static str,
    /// One of these kinds must be found.
    pub(crate) kinds: &'static [&'static str],
    /// Of one of these subjects, by digest or address; none where there is no subject.
    pub(crate) subjects: Vec<u64>,
}

/// Identities and addresses of attackers lie apart from clean ones.
const BAD: u64 = 0xbad0_0000_0000;
const MINUTE: u64 = 60_000;
pub(crate) const AGENT: &str = "Mozilla/5.0 (X11)";

fn bad(number: u64) -> Who {
    let address = 0xcb00_0000 + u32::try_from(number).unwrap() * 256 + 7;
    Who { address, agent: AGENT, ..Who::default() }
}

fn attack(name: &'static str, kinds: &'static [&'static str], subjects: &[u64]) -> Attack {
    Attack { name, kinds, subjects: subjects.to_vec() }
}

/// All attacks, spread over the hours from the first one on.
pub(crate) fn all(world: &mut World) -> Vec<Attack> {
    let mut attacks = logins(world);
    attacks.extend(objects(world));
    attacks.extend(identities(world));
    attacks.extend(requests(world));
    attacks
}

fn logins(world: &mut World) -> Vec<Attack> {
    let one = bad(1);
    for victim in 0..60 {
        let password = format!("leak{victim}");
        world.call(65 * MINUTE + victim * 3_000, &one, &login(false, victim + 2000, &password, victim == 31));
    }
    let two = Who { device: BAD + 2, ..bad(2) };
    for victim in 0..80 {
        world.call(90 * MINUTE + victim * 2_000, &two, &login(true, victim + 3000, &format!("leak{victim}"), false));
    }
    let three = bad(3);
    for victim in 0..40 {
        let password = if victim % 2 == 0 { "Winter2026" } else { "Spring2026" };
        world.call(70 * MINUTE + victim * 5_000, &three, &login(false, victim + 4000, password, false));
    }
    let four = Who { device: BAD + 4, ..bad(4) };
    for try_number in 0..40 {
        world.call(75 * MINUTE + try_number * 4_000, &four, &login(false, 17, &format!("guess{try_number}"), false));
    }
    for bot in 0..220 {
        let who = bad(1000 + bot);
        world.call(120 * MINUTE + bot * 1_500, &who, &login(false, bot + 5000, &format!("leak{bot}"), false));
    }
    vec![
        attack("stuffing", &["credential_stuffing"], &[u64::from(one.address)]),
        attack("an account taken over by it", &["account_taken_over"], &[u64::from(one.address)]),
        attack("stuffing where all answers are 200", &["credential_stuffing"], &[two.device]),
        attack("spraying", &["password_spraying"], &[u64::from(three.address)]),
        attack("guessing", &["password_guessing"], &[four.device]),
        attack("distributed stuffing", &["distributed_stuffing"], &[]),
    ]
}

fn objects(world: &mut World) -> Vec<Attack> {
    let five = Who { user: BAD + 5, session: BAD + 105, device: BAD + 205, ..bad(5) };
    for id in 0..120 {
        let status = if id % 3 == 0 { 404 } else { 200 };
        world.call(80 * MINUTE + id * 1_000, &five, &Ask { status, ..get(format!("/accounts/{}", 10_000 + id)) });
    }
    let six = Who { device: BAD + 6, ..bad(6) };
    for name in 0..80 {
        let status = if name % 2 == 0 { 404 } else { 200 };
        let target = format!("/users/{}/profile", 500_000 + name * 91);
        world.call(85 * MINUTE + name * 2_000, &six, &Ask { status, ..get(target) });
    }
    let seven = Who { user: BAD + 7, session: BAD + 107, ..bad(7) };
    for victim in 0..16 {
        world.call(215 * MINUTE + victim * 60_000, &seven, &get(format!("/accounts/{}", 10_000 + (victim + 20) * 37)));
    }
    for step in 0..90 {
        let who = Who { user: BAD + 800 + step % 9, ..bad(80 + step % 9) };
        world.call(100 * MINUTE + step * 1_100, &who, &get(format!("/invoices/{}", 880_000 + step)));
    }
    let nine = Who { user: BAD + 9, session: BAD + 109, ..bad(9) };
    for page in 0..60 {
        world.call(105 * MINUTE + page * 4_000, &nine, &Ask { bytes: 1 << 20, ..get(format!("/export?page={page}")) });
    }
    vec![
        attack("object walking", &["object_walking"], &[five.user]),
        attack("user enumeration", &["user_enumeration"], &[six.device]),
        attack("a few foreign objects", &["foreign_objects"], &[seven.user]),
        attack("distributed walking", &["distributed_walking"], &[]),
        attack("bulk export", &["bulk_export"], &[nine.user]),
    ]
}

fn identities(world: &mut World) -> Vec<Attack> {
    let bearer = token("RS256", "u990", 100 * MINUTE);
    let victim = Who { session: BAD + 110, user: BAD + 310, device: 0x1000_0000 + 990, bearer, ..clean(990, 0) };
    let thief = Who { device: BAD + 10, ..Who { address: bad(10).address, agent: AGENT, ..victim.clone() } };
    let old = Who { session: BAD + 111, user: BAD + 311, device: BAD + 11, ..bad(11) };
    let new = Who { session: BAD + 211, user: BAD + 311, device: BAD + 12, ..bad(12) };
    let bare = Who { session: BAD + 112, ..bad(13) };
    let bare_thief = Who { agent: "curl/8", address: bad(14).address, ..bare.clone() };
    for call in 0..12 {
        let at = 110 * MINUTE + call * 10_000;
        for (shift, who) in [&victim, &thief, &old, &new, &bare, &bare_thief].into_iter().enumerate() {
            world.call(at + shift as u64 * 900, who, &get("/accounts"));
        }
    }
    let unsigned = Who { session: BAD + 113, bearer: token("none", "u3", 114 * MINUTE), ..bad(15) };
    world.call(115 * MINUTE, &unsigned, &get("/accounts"));
    let forged = Who { session: BAD + 114, bearer: token("RS256", "root", 114 * MINUTE), ..bad(16) };
    world.call(116 * MINUTE, &forged, &get("/accounts"));
    let late = Who { session: BAD + 115, bearer: token("RS256", "u5", 0), ..bad(18) };
    world.call(117 * MINUTE, &late, &get("/messages/5"));
    let refused = Who { session: BAD + 117, device: BAD + 17, ..bad(17) };
    let again = Who { device: BAD + 18, ..refused.clone() };
    for call in 0..6 {
        let ask = Ask { refused_by: Some(DecisionId(77)), ..get("/accounts") };
        world.call(130 * MINUTE + call * 1_000, &refused, &ask);
        world.call(131 * MINUTE + call * 5_000, &again, &get("/accounts"));
    }
    for mule in 0..25 {
        let who = Who { device: BAD + 19, user: BAD + 1900 + mule, ..bad(19) };
        world.call(135 * MINUTE + mule * 20_000, &who, &get("/accounts"));
    }
    vec![
        attack("stolen session", &["stolen_session"], &[victim.session]),
        attack("stolen session without devices", &["stolen_session"], &[bare.session]),
        attack("double login", &["double_login"], &[old.user]),
        attack("unsigned token", &["unsigned_token"], &[unsigned.session]),
        attack("forged token", &["token_nobody_was_given"], &[forged.session]),
        attack("token after its end", &["token_after_its_end"], &[]),
        attack("evaded decision", &["near_miss"], &[again.device]),
        attack("device of many users", &["device_of_many_users"], &[BAD + 19]),
    ]
}

fn requests(world: &mut World) -> Vec<Attack> {
    let fast = Who { device: BAD + 20, ..bad(20) };
    for call in 0..3_000 {
        world.call(140 * MINUTE + call * 90, &fast, &get(format!("/products/{}", 1 + call % 40)));
    }
    let scanner = bad(21);
    for path in 0..60 {
        let folder = ["admin", "backup", "env", "git", "config", "debug"][usize::try_from(path % 6).unwrap()];
        let target = format!(
            "/{folder}/{}",
            ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"][usize::try_from(path / 6).unwrap()]
        );
        world.call(145 * MINUTE + path * 500, &scanner, &Ask { status: 404, ..get(target) });
    }
    let slow = Who { user: BAD + 22, ..bad(22) };
    for call in 0..10 {
        let ask = Ask { millis: 9_000, ..get(format!("/search?q=%25{call}")) };
        world.call(146 * MINUTE + call * 5_000, &slow, &ask);
    }
    let huge = Who { user: BAD + 23, ..bad(23) };
    world.call(147 * MINUTE, &huge, &get("/accounts?limit=1000000"));
    let deep = Who { user: BAD + 24, ..bad(24) };
    let query = format!("{{\"query\":\"{}{}\"}}", "{a".repeat(40), "}".repeat(40));
    world.call(148 * MINUTE, &deep, &post("/graphql", query));
    let smuggler = Who { device: BAD + 25, ..bad(25) };
    let headers = "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n".to_owned();
    world.call(149 * MINUTE, &smuggler, &Ask { headers, ..get("/accounts") });
    let rewriter = Who { device: BAD + 26, ..bad(26) };
    let headers = "X-Original-URL: /office/customers/1\r\n".to_owned();
    world.call(150 * MINUTE, &rewriter, &Ask { headers, ..get("/products/1") });
    let tracer = Who { device: BAD + 27, ..bad(27) };
    world.call(151 * MINUTE, &tracer, &Ask { method: "TRACE", ..get("/products/1") });
    let partner = Who { key: BAD + 28, ..bad(28) };
    for call in 0..30 {
        world.call(152 * MINUTE + call, &partner, &Ask { method: "DELETE", ..get(format!("/rates/{}", 100 + call)) });
    }
    world.call(153 * MINUTE, &bad(29), &get("/products/1?api_key=abcdef"));
    vec![
        attack("unusual rate", &["unusual_rate"], &[fast.device]),
        attack("the same, seen by its endpoint", &["surge"], &[]),
        attack("path scanning", &["path_scanning"], &[u64::from(scanner.address)]),
        attack("slow calls", &["slow_calls"], &[slow.user]),
        attack("huge page", &["huge_page"], &[huge.user]),
        attack("deep query", &["deep_query"], &[deep.user]),
        attack("request smuggling", &["request_smuggling"], &[smuggler.device]),
        attack("override header", &["override_header"], &[rewriter.device]),
        attack("odd method", &["odd_method"], &[tracer.device]),
        attack("partner outside of its endpoints", &["outside_endpoints"], &[partner.key]),
        attack("partner over its volume", &["over_volume"], &[partner.key]),
        attack("secret in a URL", &["secret_in_url"], &[]),
    ]
}
