//! What can be wrong with a service, and what is right.
use super::*;

#[test]
fn services_do_not_get_in_each_others_way() {
    let text = "\
[fastpath]
interfaces = [\"eth0\"]
[[service]]
name = \"pay\"
ports = [80, 443, 80]
[[service]]
name = \"pay\"
ports = [443, 0, 70000]
[[service]]
name = \"Pay!\"
ports = []
interfaces = []
[[service]]
name = \"all\"
ports = [443]
interfaces = [\"lo\"]
[[service]]
mode = \"off\"
";
    assert_eq!(
        problems(text),
        [
            "5|service[1].ports[3]|port 80 is listed twice|keep one of the two",
            "7|service[2].name|the name `pay` is already taken on line 4|choose another name",
            "8|service[2].ports[1]|port 443 on eth0 already belongs to service `pay`|give each port of an interface to \
             one service, or tell services apart by hosts or paths",
            "8|service[2].ports[2]|`0` is out of range|write a number from 1 to 65535",
            "8|service[2].ports[3]|`70000` is out of range|write a number from 1 to 65535",
            "10|service[3].name|`Pay!` cannot be the name of a service|use a-z, 0-9 and hyphens, at most 63 characters",
            "11|service[3].ports|there is no port: nothing would be judged|write at least one port",
            "12|service[3].interfaces|there is no interface: nothing would be judged|write at least one interface",
            "14|service[4].name|`all` means every service|choose another name",
            "17|service[5].name|this key is missing|add name = \"pay\"",
            "17|service[5].ports|this key is missing|add ports = [8080]",
            "18|service[5].mode|`off` is not known here|write one of \"enforce\", \"observe\"",
        ]
    );
}

#[test]
fn a_service_without_interfaces_takes_those_of_the_fast_path() {
    let text = "[[service]]\nname = \"pay\"\nports = [80]\n";
    assert_eq!(
        problems(text),
        [
            "1|service[1].interfaces|this key is missing|add interfaces = [\"eth0\"], or name the interfaces of [fastpath]"
        ]
    );
}

#[test]
fn devices_fit_what_the_kernel_looks_at() {
    let service = "[[service]]\nname = \"a\"\nports = [1]\ninterfaces = [\"lo\"]\n";
    let text = format!(
        "{service}device = [\n  {{header = \"X Device\"}},\n  {{header = \"{}\"}},\n  {{pattern = \"x\"}},\n  \
         {{header = \"A\", pattern = \"{}\"}},\n  {{header = \"A\", pattern = \"é\"}},\n  \
         {{header = \"A\", patern = \"x\"}},\n]\n",
        "x".repeat(33),
        "p".repeat(33)
    );
    assert_eq!(
        problems(&text),
        [
            "6|service[1].device[1].header|`X Device` cannot be the name of a header: it holds ` `|write the name alone, \
             without colon or spaces, such as \"X-Device-Id\"",
            "7|service[1].device[2].header|the name of the header has 33 bytes|at most 32 are looked at in the kernel",
            "8|service[1].device[3].header|this key is missing|add header = \"X-Device-Id\", or cookie = \"sid\", or bearer = \
             true",
            "9|service[1].device[4].pattern|the pattern has 33 bytes|at most 32 are looked at in the kernel: write the end \
             of it",
            "10|service[1].device[5].pattern|`é` is not plain ASCII|use letters, digits, signs and spaces",
            "11|service[1].device[6].`patern`|this key is not known|did you mean pattern?",
        ]
    );
    let many: Vec<_> = (1..=22).map(|n| format!("{{header = \"H{n}\"}},{{header = \"h{n}\"}}")).collect();
    let found = problems(&format!("{service}device = [{}]", many.join(",")));
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].contains("service[1].device[43]|this is one more header and pattern than the 21"), "{found:?}");
}

const SERVICE: &str = "[[service]]\nname = \"a\"\nports = [1]\ninterfaces = [\"lo\"]\n";

#[test]
fn every_place_of_an_identity_is_read() {
    let text = format!(
        "{SERVICE}device = [{{header = \"X-Device\"}}]\nsession = [{{cookie = \"sid\"}}, {{bearer = true}}]\n\
         user = [{{header = \"X-User\"}}]\napikey = [{{header = \"Authorization\", pattern = \"Key \"}}]\n\
         forwarded = [{{header = \"X-Forwarded-For\"}}, {{header = \"FORWARDED\"}}, {{header = \"X-Real-IP\", single = true}}]\n"
    );
    let config = Config::parse(&text).unwrap();
    let rule = |kind, header: &str, take, pattern: &str| IdentityRule {
        kind,
        header: header.to_owned(),
        take,
        pattern: pattern.to_owned(),
    };
    let expected = [
        rule(SubjectKind::Device, "x-device", Take::Whole, ""),
        rule(SubjectKind::Session, "cookie", Take::Cookie, "sid="),
        rule(SubjectKind::Session, "authorization", Take::Scheme, "bearer "),
        rule(SubjectKind::User, "x-user", Take::Whole, ""),
        rule(SubjectKind::ApiKey, "authorization", Take::After, "Key "),
        rule(SubjectKind::Ip, "x-forwarded-for", Take::ForwardedFor, ""),
        rule(SubjectKind::Ip, "forwarded", Take::Forwarded, ""),
        rule(SubjectKind::Ip, "x-real-ip", Take::Address, ""),
    ];
    assert_eq!(config.services[0].identities, expected);
    assert!(config.services[0].knows(SubjectKind::Session) && !config.services[0].knows(SubjectKind::Flow));
}

#[test]
fn a_place_of_an_identity_is_one_place() {
    let text = format!(
        "{SERVICE}session = [\n{{cookie = \"s id\"}},\n{{cookie = \"{}\"}},\n{{bearer = false}},\n{{bearer = \"yes\"}},\n\
         {{cookie = \"a\", header = \"B\"}},\n{{cookie = \"a\", bearer = true}},\n{{cookie = \"a\", pattern = \"x\"}},\n]\n\
         forwarded = [{{cookie = \"x\"}}, {{header = \"X\", single = 1}}]\n",
        "c".repeat(32)
    );
    let one = "this is one place too many|write one of header (with or without pattern), cookie and bearer; a second place \
               is a second entry";
    assert_eq!(
        problems(&text),
        [
            "6|service[1].session[1].cookie|`s id` cannot be the name of a cookie: it holds ` `|write the name alone, \
             without equals sign, such as \"sid\"",
            "7|service[1].session[2].cookie|the name of the cookie has 32 bytes|at most 31 are looked at in the kernel",
            "8|service[1].session[3].bearer|this entry looks at nothing|write bearer = true, or remove the entry",
            "9|service[1].session[4].bearer|true or false is expected, not a text|write true or false without quotes",
            &format!("10|service[1].session[5].cookie|{one}"),
            &format!("11|service[1].session[6].cookie|{one}"),
            &format!("12|service[1].session[7].cookie|{one}"),
            "14|service[1].forwarded[1].`cookie`|this key is not known|remove it; known here: single, header",
            "14|service[1].forwarded[1].header|this key is missing|add header = \"X-Forwarded-For\"",
            "14|service[1].forwarded[2].single|true or false is expected, not a whole number|write true or false without \
             quotes",
        ]
    );
}

#[test]
fn hosts_and_paths_are_checked() {
    let text = format!(
        "{SERVICE}hosts = [\n\"API.example\", \"api.example\",\n\"*.example\",\n\"a:80\",\n\"a..b\",\n\"[::1]\", \"[x]\"]\n\
         paths = [\"/pay\", \"/pay/**\",\n\"pay\",\n\"/a%20b\"]\n"
    );
    assert_eq!(
        problems(&text),
        [
            "6|service[1].hosts[2]|api.example is listed twice|keep one of the two",
            "7|service[1].hosts[3]|`*.example` cannot be the name of a host|write each name out: there are no wildcards",
            "8|service[1].hosts[4]|`a:80` cannot be the name of a host|write the name alone, without scheme, port or path",
            "9|service[1].hosts[5]|`a..b` cannot be the name of a host|write it as it stands in the Host header, such as \
             \"api.bank.example\"",
            "10|service[1].hosts[7]|`[x]` cannot be the name of a host|write an IPv6 address between the brackets",
            "11|service[1].paths[2]|/pay/** is listed twice|keep one of the two",
            "12|service[1].paths[3]|`pay`: the path begins with a slash|write it such as pay:GET /accounts/{id}, or \
             pay:/accounts/{id} for any method",
            "13|service[1].paths[4]|`a%20b`: servers decode percent signs, each in its own way|write the plain character, or \
             {name} for any segment: encoded paths are always looked up",
        ]
    );
    let config = Config::parse(&format!("{SERVICE}hosts = [\"A.example\"]\npaths = [\"/pay\"]\n")).unwrap();
    let service = &config.services[0];
    assert!(!service.is_whole_port() && service.hosts == ["a.example"] && service.paths[0].is_open());
}

#[test]
fn services_share_a_port_when_they_can_be_told_apart_and_agree_on_its_manners() {
    let service = |name: &str, more: &str| {
        format!("[[service]]\nname = \"{name}\"\nports = [1]\ninterfaces = [\"lo\"]\n{more}\n")
    };
    let both = |one: &str, two: &str| problems(&(service("one", one) + &service("two", two)));
    assert_eq!(both("", "hosts = [\"a\"]"), [""; 0]);
    assert_eq!(both("hosts = [\"a\"]", "hosts = [\"a\"]\npaths = [\"/x\"]"), [""; 0]);
    let same = both("paths = [\"/x\"]", "paths = [\"/x/**\"]");
    assert!(same[0].starts_with("8|service[2].ports[1]|port 1 on lo already belongs to service `one`"), "{same:?}");
    for (key, two) in [
        ("mode", "mode = \"observe\""),
        ("strict", "strict = true"),
        ("ambiguous", "ambiguous = \"deny\""),
        ("proxy_protocol", "proxy_protocol = true"),
        ("sample", "sample = \"none\""),
        ("notice", "notice = {body = \"x\"}"),
    ] {
        let found = both("", &format!("hosts = [\"a\"]\n{two}"));
        let expected = format!(
            "8|service[2].ports[1]|port 1 on lo is shared with service `one`, which has another {key}|give services that \
             share a port the same {key}"
        );
        assert_eq!(found, [expected]);
    }
}

#[test]
fn the_share_of_samples_is_a_word_or_one_in_so_many() {
    let share = |text: &str| {
        Config::parse(&format!("{SERVICE}sample = {text}\n")).map(|config| config.services[0].manners.sample.0)
    };
    assert_eq!(Config::parse(SERVICE).unwrap().services[0].manners.sample.0, u32::MAX);
    for (text, expected) in [("\"all\"", u32::MAX), ("\"none\"", 0), ("\"1/2\"", u32::MAX / 2), ("\"1/1\"", u32::MAX)] {
        assert_eq!(share(text).unwrap(), expected, "{text}");
    }
    for odd in ["\"half\"", "\"1/0\"", "\"2/3\"", "\"1/99999999999\"", "0.5"] {
        assert!(share(odd).is_err(), "{odd}");
    }
}

#[test]
fn there_is_an_end_to_places() {
    let list = |count: u32, before: &str| {
        let names: Vec<_> = (0..count).map(|n| format!("\"{before}{n}\"")).collect();
        names.join(",")
    };
    let text = |hosts, paths| format!("{SERVICE}hosts = [{}]\npaths = [{}]\n", list(hosts, "h"), list(paths, "/p"));
    assert_eq!(problems(&text(8, 16)), [""; 0]);
    let found = problems(&text(43, 3));
    assert!(
        found[0].starts_with("1|service[1]|the hosts and paths of the services make more than 128 places"),
        "{found:?}"
    );
}

#[test]
fn a_notice_is_checked() {
    let notice = |notice: &str| {
        let service = "[[service]]\nname = \"a\"\nports = [1]\ninterfaces = [\"lo\"]\n";
        problems(&format!("{service}notice = {notice}\n"))
    };
    assert_eq!(notice("{type = \"json\", body = '{\"id\": \"{decision}\"}'}"), [""; 0]);
    assert_eq!(notice(&format!("{{body = \"{}\"}}", "x".repeat(512))), [""; 0]);
    for (text, what) in [
        ("{type = \"json\", body = '{\"id\": {decision}}'}", "body|the body is not JSON: invalid number"),
        ("{type = \"json\", body = '{'}", "body|the body is not JSON: EOF"),
        ("{type = \"html\", body = 'x'}", "type|`html` is not known here"),
        ("{type = \"text\"}", "body|this key is missing"),
        ("{body = '{decision} {decision}'}", "body|{decision} stands 2 times"),
        ("{body = \"a\\u001b[31m\"}", "body|the text holds the control character U+001B"),
        ("\"no\"", "a table is expected, not a text"),
    ] {
        let found = notice(text);
        assert!(found.len() == 1 && found[0].contains(what), "{text}: {found:?}");
    }
    let found = notice(&format!("{{body = \"{}\"}}", "x".repeat(513)));
    assert!(found[0].contains("the body has 513 bytes|shorten it to 512"), "{found:?}");
}

#[test]
fn there_is_an_end_to_services_and_ports() {
    use std::fmt::Write as _;
    let mut text = String::from("[fastpath]\ninterfaces = [\"eth0\"]\n");
    for n in 1..=34 {
        write!(text, "[[service]]\nname = \"s{n}\"\nports = [{n}]\n").unwrap();
    }
    assert_eq!(
        problems(&text),
        ["99|service[33]|there are more than 32 services|join services that share their subjects and their notice"]
    );
    let ports: Vec<_> = (1..=513).map(|port| port.to_string()).collect();
    let text = format!("[[service]]\nname=\"a\"\nports=[{}]\ninterfaces=[\"a\",\"b\"]\n", ports.join(","));
    assert!(problems(&text)[0].contains("more than 1024 ports"));
}
