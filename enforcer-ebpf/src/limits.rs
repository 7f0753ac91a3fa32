//! Owns `BUCKETS`: how much limited subjects may still send.
use aya_ebpf::btf_maps::LruHashMap;
use aya_ebpf::macros::btf_map;
use enforcer_common::{Bucket, IdentityKey, SubjectKind};

use crate::clock;
use crate::tc::Case;

#[btf_map]
static BUCKETS: LruHashMap<IdentityKey, Bucket, 16_384> = LruHashMap::new();

/// Takes one request from the bucket of the decision that matched. False when it is empty.
///
/// Two CPUs may take the same last token at the same time: a limit is a rate, not an entry fee.
#[inline(always)]
pub fn take(case: &Case) -> bool {
    let kind = SubjectKind::from_raw(case.kind as u8).unwrap_or(SubjectKind::Device);
    // One bucket per decision and subject, wherever the request goes: the decision says in which scope it counts.
    let key = IdentityKey::new(kind, case.digest ^ case.rule.decision(), 0);
    // SAFETY: one word, copied at once.
    let bucket = unsafe { BUCKETS.get(key) }.copied().unwrap_or_default();
    match case.rule.rate().take(bucket, clock::exact()) {
        // A table that cannot take it forgets this one request.
        Some(bucket) => {
            let _ = BUCKETS.insert(key, bucket, 0);
            true
        }
        None => false,
    }
}
