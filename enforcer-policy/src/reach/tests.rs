//! What hosts tell, added up, beside exact counts.
use std::collections::BTreeSet;

use enforcer_common::{SipKey, SubjectKind, siphash};
use proptest::prelude::*;

use super::*;

fn digests(things: impl IntoIterator<Item = u64>) -> Vec<u64> {
    things.into_iter().map(|thing| siphash(SipKey([3, 4]), &thing.to_le_bytes())).collect()
}

fn devices(things: impl IntoIterator<Item = u64>) -> Told {
    Told { devices: Some(Sketch::new(0, digests(things))), ..Told::default() }
}

const fn exact(about: u64) -> Estimate {
    Estimate { about, give_or_take: 0 }
}

#[test]
fn a_device_on_three_hosts_is_one_device_and_its_requests_are_added() {
    let told = |devices: std::ops::Range<u64>, requests| Told { requests: exact(requests), ..self::devices(devices) };
    let mut fleet = told(0..100, 300);
    fleet.merge(told(50..150, 20));
    fleet.merge(Told { partly: true, ..told(0..150, 7) });
    let reached = fleet.reached();
    assert_eq!((reached.devices, reached.requests, reached.users), (Some(exact(150)), exact(327), None));
    assert!(fleet.partly);
}

#[test]
fn the_largest_crowd_is_told_and_warned_of() {
    let crowd = |address: &str, about| {
        Some(Crowd { address: address.parse().unwrap(), kind: SubjectKind::Device, count: exact(about) })
    };
    let mut fleet = Told { crowd: crowd("192.0.2.1", 9), ..Told::default() };
    assert_eq!(fleet.crowd.unwrap().warning(), None);
    fleet.merge(Told { crowd: crowd("192.0.2.2", 10), ..Told::default() });
    fleet.merge(Told::default());
    let warning = fleet.crowd.unwrap().warning().unwrap();
    assert!(warning.starts_with("192.0.2.2 hides 10 devices"), "{warning}");
}

#[test]
fn what_is_no_answer_is_not_read() {
    let json = serde_json::to_value(devices(0..3)).unwrap();
    let read = |kept: &str| {
        let mut json = json.clone();
        json["devices"]["kept"] = kept.into();
        serde_json::from_value::<Told>(json)
    };
    assert_eq!(serde_json::from_value::<Told>(json.clone()).unwrap(), devices(0..3));
    assert!(read("").is_ok() && read(&"0123456789abcdef".repeat(512)).is_ok());
    for broken in ["0", "0123456789abcdeg", "0123456789ABCDEF", &"0123456789abcdef".repeat(513)] {
        assert!(read(broken).is_err(), "{broken}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn hosts_of_any_sizes_add_up_within_what_they_say(
        hosts in proptest::collection::vec((0_u64..40_000, 0_u64..40_000, 0_u32..4), 1..6), most in 64_usize..512,
    ) {
        let mut fleet = Told::default();
        let mut all = BTreeSet::new();
        for (first, count, level) in hosts {
            let things = first..first + count;
            all.extend(things.clone());
            let told = Told { devices: Some(Sketch::new(level, digests(things))), ..Told::default() };
            let sent = serde_json::to_string(&told.at_most(most)).unwrap();
            prop_assert!(sent.len() < most * 16 + 400);
            fleet.merge(serde_json::from_str(&sent).unwrap());
        }
        let devices = fleet.reached().devices.unwrap();
        // Three times the stated error for two deviations.
        let off = devices.about.abs_diff(all.len() as u64);
        prop_assert!(off <= 3 * devices.give_or_take, "{devices:?}, and it is {}", all.len());
    }
}
