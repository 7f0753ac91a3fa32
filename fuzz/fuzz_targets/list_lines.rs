//! Lists of addresses: any line is read or refused, and what is read comes back as itself.
#![no_main]

use enforcer_policy::lists::{Line, parse_line};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    for line in text.lines() {
        if let Line::Subject(prefix) | Line::Cleared(prefix) = parse_line(line) {
            assert_eq!(parse_line(&prefix.to_string()), Line::Subject(prefix));
        }
    }
});
