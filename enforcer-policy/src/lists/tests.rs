//! Whole lists, in the shapes that their publishers give them; whatever is in them, whom a list may never hit is not hit.
use super::*;
use crate::parse_prefix;
use enforcer_common::Prefix;
use proptest::prelude::*;

const FIREHOL: &str = "#\n# feed_one\n#\n# ipv4 hash:net ipset\n#\n# Maintainer      : Somebody\n\
    # Entries         : 4 subnets, 65794 unique IPs\n#\n20.0.0.0/16\n20.1.0.1\n20.1.0.8-20.1.0.11\n10.0.0.0/8\n";
const SPAMHAUS: &str = "{\"cidr\":\"20.0.0.0/16\",\"sblid\":\"SBL1\",\"rir\":\"arin\"}\n\
    {\"cidr\":\"2a0f::/29\",\"sblid\":\"SBL2\",\"rir\":\"ripencc\"}\n\
    {\"type\":\"metadata\",\"timestamp\":1767225600,\"size\":140,\"records\":2,\"copyright\":\"(c)\"}\n";
const IPSET: &str = "create bad hash:net family inet hashsize 1024 maxelem 65536\nadd bad 20.0.0.0/16 timeout 60\n\
    add bad 20.9.0.0/16\nadd bad 20.9.1.0/24 nomatch\n";
const CSV: &str = "# a banner\n\"seen\",\"dst_ip\",\"port\"\n\"2026-01-01 00:00:00\",\"20.0.0.1\",\"443\"\n\"x, y\",\"20.0.0.2\",\"80\"\n";

fn whole(text: &str) -> List {
    read(text.as_bytes(), None, &Limits::default())
}

fn names(networks: impl IntoIterator<Item = Prefix>) -> Vec<String> {
    networks.into_iter().map(|network| network.to_string()).collect()
}

fn entries(list: &List) -> Vec<String> {
    names(list.entries.iter().map(|entry| entry.network))
}

#[test]
fn each_format_shows_itself() {
    for (text, format, networks) in [
        (FIREHOL, Format::Firehol, &["20.0.0.0/16", "20.1.0.1", "20.1.0.8/30", "10.0.0.0/8"][..]),
        (SPAMHAUS, Format::Spamhaus, &["20.0.0.0/16", "2a0f::/29"]),
        (IPSET, Format::Ipset, &["20.0.0.0/16", "20.9.0.0/16"]),
        (CSV, Format::Csv, &["20.0.0.1", "20.0.0.2"]),
        ("# x\r\n20.0.0.1 ; SBL1\r\n\u{feff}20.0.0.2,spam\r\n", Format::Plain, &["20.0.0.1", "20.0.0.2"]),
        ("# first,ip,port\n# y\nx,20.0.0.1,80\n", Format::Csv, &["20.0.0.1"]),
        ("ip\n20.0.0.1\n", Format::Csv, &["20.0.0.1"]),
        ("20.0.0.1-20.0.0.2 # two\n", Format::Plain, &["20.0.0.1", "20.0.0.2"]),
    ] {
        let list = whole(text);
        assert_eq!((list.format, list.flaw, list.rejected), (format, None, 0), "{text}: {:?}", list.first_rejected);
        assert_eq!(entries(&list), networks, "{text}");
        let named = read(text.as_bytes(), Some(format), &Limits::default());
        assert_eq!(named, list, "{text}");
    }
    assert_eq!(names(whole(IPSET).excepted.iter().map(|entry| entry.network)), ["20.9.1.0/24"]);
    for format in Format::ALL {
        assert_eq!(Format::named(format.name()), Some(format));
    }
}

#[test]
fn a_list_that_was_cut_off_is_noticed() {
    let (cut, _) = FIREHOL.rsplit_once("10.0.0.0/8").unwrap();
    assert_eq!(whole(cut).flaw, Some(Flaw::Truncated { promised: 4, read: 3 }));
    let lines: Vec<&str> = SPAMHAUS.lines().collect();
    assert_eq!(whole(lines[0]).flaw, Some(Flaw::Unended));
    assert_eq!(whole(&[lines[0], lines[2]].join("\n")).flaw, Some(Flaw::Truncated { promised: 2, read: 1 }));
    let page = "<html>\n<body>\n<h1>502 Bad Gateway</h1>\n</body>\n</html>\n";
    assert_eq!(whole(page).flaw, Some(Flaw::NoList { rejected: 5, lines: 5 }));
    assert_eq!(whole("").flaw, None, "that nothing is no list is said by the size");
}

#[test]
fn bounds_hold() {
    let limits = Limits { bytes: 100, entries: 2, line: 20 };
    let flaw = |text: &str| read(text.as_bytes(), None, &limits).flaw;
    assert_eq!(flaw(&"#".repeat(101)), Some(Flaw::TooLarge { what: "bytes", limit: 100 }));
    assert_eq!(flaw("20.0.0.1\n20.0.0.2\n20.0.0.3\n"), Some(Flaw::TooLarge { what: "entries", limit: 2 }));
    assert_eq!(flaw("0.0.0.1-255.255.255.254"), Some(Flaw::NoList { rejected: 1, lines: 1 }), "a line of 23 bytes");
    let list = read(b"20.0.0.1\n20.0.0.2 # and so on and on\n\xff\n20.0.0.4", None, &limits);
    assert_eq!(list.first_rejected, [(2, Reject::Long(LongLine(20))), (3, Reject::NotText)]);
    assert_eq!((list.lines, entries(&list)), (4, vec!["20.0.0.1".to_owned(), "20.0.0.4".to_owned()]));
}

fn rules() -> Rules {
    let mut rules = Rules::default();
    rules.guard(parse_prefix("20.7.0.5").unwrap(), "gateway of edge-1");
    rules.guard(parse_prefix("20.8.0.0/16").unwrap(), "allowlist");
    rules
}

fn removed(text: &str) -> String {
    let why = Lint::new(rules()).removes(parse_prefix(text).unwrap());
    why.map_or_else(|| "taken".to_owned(), |why| format!("{} {why}", why.name()))
}

#[test]
fn whom_a_list_may_never_hit() {
    for (network, expected) in [
        ("20.0.0.0/16", "taken"),
        ("2a0f::/29", "taken"),
        ("20.7.0.5", "guarded lies in 20.7.0.5: gateway of edge-1"),
        ("20.7.0.0/24", "guarded holds 20.7.0.5: gateway of edge-1"),
        ("20.8.3.0/24", "guarded lies in 20.8.0.0/16: allowlist"),
        ("10.0.0.0/8", "special lies in 10.0.0.0/8: private use"),
        ("10.1.2.3", "special lies in 10.0.0.0/8: private use"),
        ("192.0.0.0/16", "special holds 192.0.0.0/24: protocol assignments"),
        ("100.64.0.0/11", "special lies in 100.64.0.0/10: shared by carriers' customers"),
        ("255.255.255.255", "special lies in 240.0.0.0/4: reserved, and broadcast"),
        ("fe80::1", "special lies in fe80::/10: link-local"),
        ("2000::/8", "special holds 2001::/23: protocol assignments"),
        ("20.0.0.0/9", "guarded holds 20.7.0.5: gateway of edge-1"),
        ("30.0.0.0/9", "too_wide wider than /10, the widest that is taken"),
        ("2a00::/12", "too_wide wider than /20, the widest that is taken"),
        ("0.0.0.0/0", "everything is everything"),
        ("::/0", "everything is everything"),
        ("::/64", "everything is everything"),
    ] {
        assert_eq!(removed(network), expected, "{network}");
    }
}

#[test]
fn a_list_of_ones_own_may_name_hosts_inside() {
    let lint = Lint::new(Rules { special: Special::Wide, ..rules() });
    let taken = |text| lint.removes(parse_prefix(text).unwrap()).is_none();
    for network in ["10.1.2.3", "10.1.2.0/24", "192.0.2.1", "100.64.0.1", "fd00::1", "2001:db8:77::/48"] {
        assert!(taken(network), "{network}");
    }
    for network in
        ["10.0.0.0/8", "10.1.0.0/16", "192.0.2.0/24", "127.0.0.1", "0.0.0.0", "224.0.0.1", "fd00::/32", "::1"]
    {
        assert!(!taken(network), "{network}");
    }
}

#[test]
fn what_is_left_is_in_order_and_each_address_once() {
    let linted = Lint::new(rules()).list(&whole("20.1.0.1\n20.1.0.0/24\n20.0.0.9\n20.0.0.9\n20.7.0.5\n10.0.0.0/8\n"));
    assert_eq!(names(linted.networks.clone()), ["20.0.0.9", "20.1.0.0/24"]);
    assert_eq!((linted.duplicates, linted.inside, linted.addresses), (1, 1, 257));
    assert_eq!(linted.removed, [("guarded", 1), ("special", 1)].into());
    assert_eq!(linted.first_removed.iter().map(|one| one.line).collect::<Vec<_>>(), [5, 6]);
    let excepted = Lint::new(rules()).list(&whole(IPSET));
    assert_eq!(names(excepted.networks), ["20.0.0.0/16"]);
    assert_eq!(excepted.first_removed[0].why.to_string(), "holds 20.9.1.0/24: excepted by the list itself (nomatch)");
}

#[test]
fn a_list_of_too_much_is_refused() {
    let lint = Lint::new(Rules { most: 2, most_addresses: 300, ..rules() });
    let flaw = |text| lint.list(&whole(text)).flaw;
    assert_eq!(flaw("20.0.0.1\n20.0.0.3\n"), None);
    assert_eq!(flaw("20.0.0.1\n20.0.0.3\n20.0.0.5\n"), Some(Flaw::TooLarge { what: "networks", limit: 2 }));
    assert_eq!(flaw("20.0.0.0/23\n"), Some(Flaw::TooLarge { what: "IPv4 addresses", limit: 300 }));
}

/// Networks that often meet those of `rules` and of the table.
fn network() -> impl Strategy<Value = Prefix> {
    let v4 = (proptest::sample::select(vec![10_u8, 20, 192, 224]), 0_u8..10, any::<u8>(), 96_u8..=128)
        .prop_map(|(a, b, c, length)| Prefix::new(enforcer_common::Address::v4([a, b, 0, c]), length));
    let v6 = (any::<[u8; 16]>(), 0_u8..=128)
        .prop_map(|(octets, length)| Prefix::new(enforcer_common::Address::v6(octets), length));
    prop_oneof![4 => v4, 1 => v6]
}

proptest! {
    #[test]
    fn no_list_hits_a_guarded_address_and_none_is_lost_without_a_reason(networks in proptest::collection::vec(network(), 0..40)) {
        let text = names(networks.clone()).join("\n");
        let list = whole(&text);
        let linted = Lint::new(rules()).list(&list);
        for network in &linted.networks {
            for (guarded, _) in rules().guarded {
                prop_assert!(!network.overlaps(guarded));
            }
            for row in special::table() {
                prop_assert!(!network.overlaps(row.network));
            }
        }
        for pair in linted.networks.windows(2) {
            prop_assert!(pair[0] < pair[1] && !pair[0].overlaps(pair[1]));
        }
        let gone: u64 = linted.removed.values().sum();
        prop_assert_eq!(linted.networks.len() as u64 + linted.duplicates + linted.inside + gone, list.entries.len() as u64);
    }

    #[test]
    fn no_cut_of_any_list_panics_and_no_cut_of_an_ended_one_is_believed(which in 0_usize..4, at in any::<proptest::sample::Index>()) {
        let text = [FIREHOL, SPAMHAUS, IPSET, CSV][which];
        let bytes = &text.as_bytes()[..at.index(text.len())];
        let list = read(bytes, None, &Limits::default());
        // Whether the very last bytes of an entry are there cannot be told; that a whole one is missing can.
        let lines = text.lines().count();
        if which == 1 && list.lines < lines as u64 {
            prop_assert!(list.flaw.is_some() || list.entries.is_empty());
        }
    }

    #[test]
    fn whatever_lines_come_each_is_read_or_reported(lines in proptest::collection::vec(".{0,40}", 0..20)) {
        let text = lines.join("\n");
        let list = whole(&text);
        prop_assert!(list.rejected <= list.lines);
        prop_assert_eq!(list.first_rejected.len() as u64, list.rejected.min(REPORTED as u64));
    }
}
