//! The configuration: any text is a configuration or a list of problems, and a problem can be shown.
#![no_main]

use enforcer::config::Config;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Err(problems) = Config::parse(text) {
        assert!(!problems.to_string().is_empty());
    }
});
