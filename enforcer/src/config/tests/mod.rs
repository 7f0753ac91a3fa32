//! What the operator sees: a good file, and wrong files with everything that is wrong with them.
mod services;

use proptest::prelude::*;

use super::*;

/// Every problem of a file, one per line: `line|place|what|mend`.
fn problems(text: &str) -> Vec<String> {
    let Err(Problems(problems)) = Config::parse(text) else { return Vec::new() };
    problems.into_iter().map(|p| format!("{}|{}|{}|{}", p.line, p.place, p.what, p.mend)).collect()
}

#[test]
fn an_empty_file_is_the_default() {
    for text in ["", "\n\n# nothing\n", "[agent]\n[fastpath]\n[limits]\n", "\u{feff}[agent]\n"] {
        assert_eq!(Config::parse(text), Ok(Config::default()), "{text:?}");
    }
}

#[test]
fn the_example_says_the_defaults() {
    assert_eq!(Config::parse(EXAMPLE), Ok(Config::default()));
}

#[test]
fn the_example_without_its_comments_is_valid_too() {
    let text: Vec<_> =
        EXAMPLE.lines().map(|line| line.strip_prefix('#').filter(|l| !l.starts_with(' ')).unwrap_or(line)).collect();
    let text = text.join("\n").replace("\n#    {", "\n    {");
    let config = Config::parse(&text).unwrap();
    assert_eq!(config.services.len(), 1);
    let kinds: Vec<_> = config.services[0].identities.iter().map(|rule| (rule.kind, rule.take)).collect();
    assert_eq!(kinds.len(), 8);
    assert!(kinds.contains(&(SubjectKind::Session, Take::Scheme)) && kinds.contains(&(SubjectKind::Ip, Take::Address)));
    assert_eq!(config.services[0].notice.content_type, NoticeType::Json);
    assert_eq!(config.allow.len(), 1);
    assert_eq!((config.modules.len(), config.modules[0].keys.len(), config.trusted.len()), (1, 1, 1));
    assert_eq!(config.agent.socket_group.as_deref(), Some("secops"));
}

#[test]
fn modules_name_a_file_and_who_may_have_signed_it() {
    let key = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
    let good = format!("[[module]]\nname = \"pages\"\nfile = \"/a.wasm\"\nkeys = [\"{key}\"]\n");
    let config = Config::parse(&format!("{good}[filters]\npages = {{mode = \"enforce\", page = 5}}\n")).unwrap();
    assert_eq!((&*config.modules[0].name, config.modules[0].line), ("pages", 1));
    assert_eq!(config.filters["pages"].parameters["page"], "5", "what fits is known when the file is read");
    for (from, to, told) in [
        ("\"pages\"", "\"tokens\"", "is built in"),
        ("\"/a.wasm\"", "\"a.wasm\"", "not an absolute path"),
        (key, "7", "no public key"),
        (&*format!("\"{key}\""), "", "no key is trusted"),
        ("keys", "key", "keys"),
    ] {
        let problems = Config::parse(&good.replace(from, to)).unwrap_err().to_string();
        assert!(problems.contains(told), "{told}: {problems}");
    }
    assert!(Config::parse(&format!("{good}{good}")).unwrap_err().to_string().contains("two modules"));
    assert!(Config::parse("[filters]\npages = \"off\"\n").unwrap_err().to_string().contains("no filter pages"));
}

#[test]
fn a_full_file_is_read() {
    let config = Config::parse(
        r#"
        [agent]
        state_dir = "/srv/state"
        metrics = "off"
        lost_agent = "pass-after 1m30s"
        [fastpath]
        interfaces = ["eth0", "eth1"]
        mode = "native"
        [limits]
        flows = 0x1000
        [[service]]
        name = "pay"
        ports = [443]
        mode = "observe"
        [[service.device]]
        header = "User-Agent"
        pattern = "DeviceId/"
        [service.notice]
        type = "text"
        body = """no
        {decision}"""
        [[allow]]
        network = "10.0.0.0/8"
        as = "proxy"
        "#,
    )
    .unwrap();
    assert_eq!(config.agent.identity_key, Path::new("/srv/state/identity.key"));
    assert_eq!(config.agent.metrics, None);
    assert_eq!(config.agent.lost_agent, LostAgent::PassAfter(Duration::from_secs(90)));
    assert_eq!(config.fastpath.mode, Mode::Native);
    assert_eq!(config.limits, Limits { flows: 4096, ..Limits::default() });
    let service = &config.services[0];
    assert_eq!(service.interfaces, ["eth0", "eth1"]);
    assert!(!service.enforce);
    let rule = &service.identities[0];
    assert_eq!((rule.header.as_str(), rule.take, rule.pattern.as_str()), ("user-agent", Take::After, "DeviceId/"));
    assert_eq!(config.allow[0].kind, AllowKind::Proxy);
}

#[test]
fn slips_of_the_pen_are_named_with_what_was_meant() {
    let text = "\
[agnet]
[agent]
state-dir = \"/x\"
colour = 1
[fastpath]
mode = \"nativ\"
[[services]]
name = \"a\"
";
    assert_eq!(
        problems(text),
        [
            "1|`agnet`|this key is not known|did you mean agent?",
            "3|agent.`state-dir`|this key is not known|did you mean state_dir?",
            "4|agent.`colour`|this key is not known|remove it; known here: state_dir, socket, bpffs, identity_key, \
             socket_group, metrics, lost_agent",
            "6|fastpath.mode|`nativ` is not known here|did you mean \"native\"?",
            "7|`services`|this key is not known|did you mean service?",
        ]
    );
}

#[test]
fn wrong_values_are_all_named() {
    let text = "\
agent = 3
[limits]
flows = \"many\"
spill = 0
ring_bytes = 5000
addresses_v4 = -1
[fastpath]
interfaces = [\"eth0\", \"eth0\", \"a/b\", 7, \"a-name-that-is-too-long\"]
[[allow]]
network = \"10.0.0.1/8\"
as = \"all\"
[[allow]]
network = \"0.0.0.0/0\"
";
    assert_eq!(
        problems(text),
        [
            "1|agent|a table is expected, not a whole number|write it in braces, such as {key = \"value\"}",
            "3|limits.flows|a whole number is expected, not a text|write a number from 1 to 4194304 without quotes",
            "4|limits.spill|`0` is out of range|write a number from 1 to 1048576",
            "5|limits.ring_bytes|5000 is not a power of two|write 4096 or 8192",
            "6|limits.addresses_v4|`-1` is out of range|write a number from 1 to 16777216",
            "8|fastpath.interfaces[2]|eth0 is listed twice|keep one of the two",
            "8|fastpath.interfaces[3]|`a/b` cannot be the name of an interface|write a name that `ip link` shows, at most \
             15 bytes",
            "8|fastpath.interfaces[4]|a text is expected, not a whole number|write it in quotes, such as \"text\"",
            "8|fastpath.interfaces[5]|`a-name-that-is-too-long` cannot be the name of an interface|write a name that `ip \
             link` shows, at most 15 bytes",
            "10|allow[1].network|`10.0.0.1/8`: the address has bits set past the length|write 10.0.0.0/8, or leave out \
             the slash for one address",
            "11|allow[1].as|`all` is not known here|write one of \"full\", \"proxy\"",
            "12|allow[2].as|this key is missing|add as = \"full\" or \"proxy\"",
            "13|allow[2].network|`0.0.0.0/0`: this holds every address of a family: nothing could be blocked any more|\
             name the networks that are meant; `enforcer bypass on` lets everything pass",
        ]
    );
}

#[test]
fn paths_and_manners_of_the_agent_are_checked() {
    let text = format!(
        "[agent]\nstate_dir = \"var/lib\"\nsocket = \"/{}\"\nbpffs = \"\"\nmetrics = \"localhost:9920\"\n\
         lost_agent = \"pass-after 30\"\nidentity_key = \"/a\\u0000b\"\nsocket_group = \"a b\"\n",
        "x".repeat(107)
    );
    assert_eq!(
        problems(&text),
        [
            "2|agent.state_dir|`var/lib` is not an absolute path|begin the path with a slash",
            "3|agent.socket|the path has 108 bytes|choose one of at most 107 bytes",
            "4|agent.bpffs|the text is empty|write a value between the quotes, or remove the key",
            "5|agent.metrics|`localhost:9920` is not an address with a port|write one such as 127.0.0.1:9920 or \
             [::1]:9920, or \"off\"",
            "6|agent.lost_agent|a unit is missing: write ms, s, m, h or d after the number, such as 30s, 5m, 2h or 1d|\
             write \"keep\" or \"pass-after 30s\"",
            "7|agent.identity_key|the text holds the control character U+0000|remove it: only line ends and tabs are \
             allowed",
            "8|agent.socket_group|`a b` is not the name of a group|write a name from the group database, such as \
             \"secops\"",
        ]
    );
    for (value, what) in [("1s", "1s is out of range"), ("2d", "2d is out of range"), ("", "the duration is empty")] {
        let found = problems(&format!("[agent]\nlost_agent = \"pass-after {value}\"\n"));
        assert!(found[0].contains(what), "{found:?}");
    }
    assert!(problems("[agent]\nlost_agent = \"forget\"\n")[0].ends_with("write \"keep\" or \"pass-after 30s\""));
}

#[test]
fn broken_syntax_does_not_hide_the_rest_nor_invent_more() {
    let text = "\
[agent]
state_dir =
socket = '/x
lost_agent = 30s
[limits]
flows = 0
flows = 4
[[service]]
nam = \"a\"
ports [80]
";
    assert_eq!(
        problems(text),
        [
            "2|syntax|string values must be quoted, expected literal string|put the value in quotes, such as \"30s\"",
            "3|syntax|invalid literal string, expected `'`|close the text with a quote",
            "4|syntax|string values must be quoted, expected literal string|put the value in quotes, such as \"30s\"",
            "6|limits.flows|`0` is out of range|write a number from 1 to 4194304",
            "7|syntax|duplicate key|keep one of the two; lists of tables take double brackets, such as [[service]]",
            "9|service[1].`nam`|this key is not known|did you mean name?",
            "10|syntax|key with no value, expected `=`|write key = value",
        ]
    );
    assert_eq!(
        problems("[service]\nname = \"a\"\n"),
        ["1|service|this is one table, and a list of tables is meant|write [[service]] with double brackets"]
    );
}

#[test]
fn the_whole_report_reads_well() {
    let error = Config::parse("[limits]\nflow = 1\nspill = 0\n").unwrap_err();
    assert_eq!(
        error.to_string(),
        "2 problems in the configuration\n\
         line 2: limits.`flow`: this key is not known\n  mend: did you mean flows?\n\
         line 3: limits.spill: `0` is out of range\n  mend: write a number from 1 to 1048576"
    );
}

/// Lines that look like a configuration, in any order.
fn likely_lines() -> impl Strategy<Value = String> {
    let lines = EXAMPLE.lines().map(|line| line.trim_start_matches('#').to_owned()).collect::<Vec<_>>();
    let line = prop_oneof![
        4 => prop::sample::select(lines),
        1 => "[\\[\\]{}\"'=,.a-z0-9#\\\\ \\n-]{0,12}",
    ];
    prop::collection::vec(line, 0..40).prop_map(|lines| lines.join("\n"))
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in any::<String>()) {
        let _ = Config::parse(&text);
    }

    #[test]
    fn any_likely_text_is_read_or_refused_on_a_line_it_has(text in likely_lines()) {
        if let Err(Problems(problems)) = Config::parse(&text) {
            prop_assert!(!problems.is_empty());
            let lines = text.split('\n').count();
            prop_assert!(problems.iter().all(|problem| (1..=lines).contains(&problem.line)));
        }
    }
}
