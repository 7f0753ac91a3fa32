//! The kernel's parser against the agent's, as in `tests/differential`: what the agent finds, the kernel finds too.
#![no_main]

#[path = "../../tests/differential/compare.rs"]
mod compare;

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

static GROUND: LazyLock<compare::Ground> = LazyLock::new(|| compare::Ground::new().expect("a configuration that fits"));

fuzz_target!(|data: &[u8]| {
    assert_eq!(GROUND.differences(data), Vec::<String>::new());
});
