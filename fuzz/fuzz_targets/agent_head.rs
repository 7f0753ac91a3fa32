//! The agent's room for HTTP: any bytes are read or refused, and no reading of a path keeps a dot segment.
#![no_main]

use bytes::Bytes;
use enforcer_insight::http::{Head, read_paths, tokens};
use enforcer_common::Take;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let bytes = Bytes::copy_from_slice(data);
    let Ok(Some(head)) = Head::read(&bytes) else { return };
    assert!(head.end <= data.len());
    for (header, take, pattern) in [
        ("cookie", Take::Cookie, "sid="),
        ("user-agent", Take::After, "DeviceId/"),
        ("authorization", Take::Scheme, "bearer "),
    ] {
        let _ = tokens(&head, header, take, pattern);
    }
    for path in read_paths(&head.target).paths {
        assert!(path.segments.iter().all(|segment| !matches!(&segment[..], b"." | b"..")));
    }
});
