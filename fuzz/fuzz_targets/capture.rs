//! Captures: any file is read to its end or refused, calls are as many as are counted, and a second reading gives the same.
#![no_main]

use enforcer_common::{SipKey, SubjectKind, Take};
use enforcer_insight::capture::{Identity, Scene, Served, read};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let identity = Identity { kind: SubjectKind::Ip, header: "x-forwarded-for".to_owned(), take: Take::ForwardedFor, pattern: String::new() };
    let (hosts, paths) = (Vec::new(), Vec::new());
    let served = Served { name: "pay".into(), ports: vec![80, 8080], hosts, paths, identities: vec![identity] };
    let scene = Scene { services: vec![served], proxies: Vec::new(), key: SipKey([1, 2]) };
    let play = || {
        let mut calls = Vec::new();
        let counts = read(data, &scene, &mut |call| calls.push(call)).ok();
        assert!(counts.is_none_or(|counts| counts.calls == calls.len() as u64));
        calls
    };
    assert_eq!(play(), play());
});
