//! The kernel's parser of heads, at every split: a head is open until its last byte, and what stands behind changes nothing.
#![no_main]

use std::sync::LazyLock;

use enforcer_common::limits::HEAD_WINDOW;
use enforcer_common::{SipKey, SubjectKind, Take, Watch, Watchlist, siphash};
use enforcer_kernel_rooms::scan_bytes;
use libfuzzer_sys::fuzz_target;

const KEY: SipKey = SipKey([1, 2]);

static LIST: LazyLock<Watchlist> = LazyLock::new(|| {
    let watches = [
        (SubjectKind::Device, "X-Device-Id", Take::Whole, ""),
        (SubjectKind::Device, "User-Agent", Take::After, "DeviceId/"),
        (SubjectKind::Session, "Cookie", Take::Cookie, "sid="),
        (SubjectKind::Session, "Authorization", Take::Scheme, "Bearer "),
    ];
    let mut list = Watchlist::new();
    for (at, (kind, name, take, pattern)) in watches.into_iter().enumerate() {
        list.set(Watchlist::BUILT_IN + at, Watch::new(kind, name, take, pattern).expect("a short name"));
    }
    list
});

fuzz_target!(|data: &[u8]| {
    let data = &data[..data.len().min(HEAD_WINDOW)];
    let mut whole = scan_bytes(data, &LIST);
    let found = whole.found(KEY);
    for token in &found {
        assert_eq!(token.digest, siphash(KEY, &token.text));
    }
    let Ok(end) = whole.end() else { return };
    for cut in 0..end {
        assert!(scan_bytes(&data[..cut], &LIST).end().is_err(), "ends at {cut} of {end}");
    }
    let mut alone = scan_bytes(&data[..end], &LIST);
    assert_eq!((alone.end(), alone.found(KEY)), (Ok(end), found));
});
