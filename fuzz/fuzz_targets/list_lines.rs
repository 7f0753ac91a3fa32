//! Lists of addresses: any line is read or refused, and what is read comes back as itself; of any whole list nothing hits whom
//! it may not hit, and what is left is read again as it is.
#![no_main]

use enforcer_policy::lists::{Limits, Line, Lint, Rules, parse_line, read};
use enforcer_policy::parse_prefix;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes) {
        for line in text.lines() {
            if let Line::Subject(prefix) | Line::Cleared(prefix) = parse_line(line) {
                assert_eq!(parse_line(&prefix.to_string()), Line::Subject(prefix));
            }
        }
    }
    whole(bytes);
});

fn whole(bytes: &[u8]) {
    let limits = Limits { entries: 10_000, ..Limits::default() };
    let list = read(bytes, None, &limits);
    let guarded = parse_prefix("20.7.0.5").expect("an address");
    let mut rules = Rules::default();
    rules.guard(guarded, "the proxy");
    let linted = Lint::new(rules).list(&list);
    assert!(linted.networks.iter().all(|network| !network.overlaps(guarded)));
    assert!(linted.networks.windows(2).all(|pair| pair[0] < pair[1] && !pair[0].overlaps(pair[1])));
    let text: String = linted.networks.iter().map(|network| format!("{network}\n")).collect();
    let again = read(text.as_bytes(), None, &limits);
    assert_eq!((again.rejected, again.flaw), (0, None));
    assert!(again.entries.iter().map(|entry| entry.network).eq(linted.networks));
}
