//! `/metrics`: a page that a scraper can read, with numbers that are true.

use std::collections::{BTreeMap, BTreeSet};

use enforcer_tests::{ATTACKER, Agent, CLIENT, Net, Nginx, PAY, Requests, Tap};

/// Given requests of every kind. When the page is read. Then its numbers are what was sent, and those of `enforcer top`.
#[test]
fn numbers_agree_with_what_was_sent() {
    let net = Net::new();
    let (_nginx, agent) = (Nginx::start(&net), Agent::start(&net, PAY));
    agent.block_device("mallory", "deny");
    agent.block_device("trudy", "observe");
    agent.block_ip("203.0.113.0/24");
    let send = |total: usize, device: Option<&'static str>| {
        let load = Requests::to(CLIENT.web4()).total(total).device(move |_| device.map(str::to_owned));
        load.run(&net.client);
    };
    send(70, Some("alice"));
    send(30, None);
    send(20, Some("mallory"));
    send(10, Some("trudy"));
    assert_eq!(Tap::open(&net, &ATTACKER).passing(&["203.0.113.1"; 5]), [false; 5]);

    assert_eq!(
        net.client.repeated_segments(),
        0,
        "this machine is too busy to count on it: {}",
        agent.top()["reasons"]
    );
    let requests = |reason| agent.metric("enforcer_requests_total", &[("reason", reason)]);
    let of_pay = |verdict| agent.metric("enforcer_service_requests_total", &[("service", "pay"), ("verdict", verdict)]);
    assert_eq!(["request_clean", "request_anonymous"].map(requests), [Some(70.0), Some(30.0)]);
    assert_eq!(["blocked_device", "observed_request"].map(requests), [Some(20.0), Some(10.0)]);
    assert_eq!(["pass", "deny", "observe"].map(of_pay), [Some(100.0), Some(20.0), Some(10.0)]);
    let dropped = [("reason", "blocked_source"), ("verdict", "drop")];
    assert_eq!(agent.metric("enforcer_packets_total", &dropped), Some(5.0));
    for (kind, count) in [("device", 2.0), ("ip", 1.0)] {
        assert_eq!(agent.metric("enforcer_decisions_installed", &[("kind", kind)]), Some(count));
    }
    assert_eq!(agent.metric("enforcer_enforcement_seconds_count", &[]), Some(3.0));
    let totals = agent.top()["reasons"].as_array().cloned().unwrap_or_default();
    for one in totals.iter().filter(|one| one["layer"] == "request") {
        let reason = one["reason"].as_str().expect("a name");
        assert_eq!(requests(reason).or(Some(0.0)), one["count"].as_f64(), "{reason}");
    }
}

/// Given an agent. When the page is read. Then every line of it is OpenMetrics: families in one piece with their type
/// first, samples named as their type demands, no series twice, buckets that add up, and the end marked.
#[test]
fn the_page_is_open_metrics() {
    let net = Net::new();
    let agent = Agent::start(&net, PAY);
    agent.block_device("mallory", "deny");
    let printed = net.host.exec("curl --silent --show-error --include http://127.0.0.1:9920/metrics");
    let (head, page) = printed.split_once("\r\n\r\n").expect("HTTP");
    assert!(head.contains("application/openmetrics-text; version=1.0.0; charset=utf-8"), "{head}");
    let mut scraper = Scraper::default();
    page.strip_suffix("# EOF\n").expect("the end is marked").lines().for_each(|line| scraper.read(line));
    assert!(scraper.families.len() > 15, "{:?}", scraper.families);

    let bucket = |line: &str| line.starts_with("enforcer_enforcement_seconds_bucket").then(|| sample(line).2);
    let buckets: Vec<f64> = page.lines().filter_map(bucket).collect();
    assert!(buckets.is_sorted() && buckets.len() > 10, "{buckets:?}");
    assert_eq!(buckets.last().copied(), agent.metric("enforcer_enforcement_seconds_count", &[]));
}

/// Reads a page as strictly as the format is.
#[derive(Default)]
struct Scraper {
    /// Types by name.
    families: BTreeMap<String, String>,
    series: BTreeSet<(String, BTreeMap<String, String>)>,
    current: String,
}

impl Scraper {
    fn read(&mut self, line: &str) {
        match line.strip_prefix("# ") {
            Some(about) => self.take_comment(about),
            None => self.take_sample(line),
        }
    }

    fn take_comment(&mut self, about: &str) {
        let words: Vec<&str> = about.splitn(3, ' ').collect();
        let [keyword, name, text] = words[..] else { panic!("a strange comment: {about}") };
        assert!(["HELP", "TYPE", "UNIT"].contains(&keyword), "{about}");
        assert!(name == self.current || !self.families.contains_key(name), "{name} comes in two pieces");
        name.clone_into(&mut self.current);
        let kind = self.families.entry(name.to_owned()).or_default();
        if keyword == "TYPE" {
            text.clone_into(kind);
        }
    }

    fn take_sample(&mut self, line: &str) {
        let (name, labels, value) = sample(line);
        let kind = self.families.get(&self.current).map_or("", String::as_str);
        let suffixes: &[&str] = match kind {
            "counter" => &["_total"],
            "gauge" => &[""],
            "histogram" => &["_bucket", "_count", "_sum"],
            "info" => &["_info"],
            other => panic!("{} is of no known type: {other:?}", self.current),
        };
        let suffix = name.strip_prefix(self.current.as_str());
        assert!(suffix.is_some_and(|suffix| suffixes.contains(&suffix)), "{name} among {} ({kind})", self.current);
        assert!(value.is_finite() && (kind == "gauge" || value >= 0.0), "{line}");
        assert!(self.series.insert((name.to_owned(), labels)), "this series comes twice: {line}");
    }
}

/// `name{label="value",...} 1.5`.
fn sample(line: &str) -> (&str, BTreeMap<String, String>, f64) {
    let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no value: {line}"));
    let value = value.parse().unwrap_or_else(|_| panic!("no number: {line}"));
    let Some((name, labels)) = series.split_once('{') else { return (series, BTreeMap::new(), value) };
    let labels = labels.strip_suffix("\"}").unwrap_or_else(|| panic!("labels without an end: {line}"));
    // No value here holds a quotation mark or a comma.
    let labels = labels.split("\",").map(|label| label.split_once("=\"").unwrap_or_else(|| panic!("{line}")));
    (name, labels.map(|(label, value)| (label.to_owned(), value.to_owned())).collect(), value)
}
