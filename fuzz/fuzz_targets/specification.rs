//! Specifications: any text is one, or it is said why not; and it can be compared.
#![no_main]

use enforcer_insight::inventory::{Spec, drift};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| match Spec::read(text) {
    Ok(spec) => assert!(drift(&[], &spec).len() <= spec.operations()),
    Err(error) => assert!(!error.to_string().is_empty()),
});
