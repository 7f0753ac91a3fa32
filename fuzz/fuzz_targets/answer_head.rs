//! The kernel's reader of answers, at every split: a head is open until its last byte. And the agent's reader of tokens.
#![no_main]

use enforcer::exchanges::subject_of;
use enforcer_common::Reason;
use enforcer_kernel_rooms::scan_answer_bytes;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = subject_of(data);
    if let Ok((status, end)) = scan_answer_bytes(data) {
        assert!((100..1000).contains(&status) && end <= data.len());
        for cut in 0..end {
            assert_eq!(scan_answer_bytes(&data[..cut]), Err(Reason::HeadOpen));
        }
    }
});
