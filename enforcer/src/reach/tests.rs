//! Estimates beside exact counts, over callers of all shapes.
use std::time::Duration;

use proptest::prelude::*;

use super::*;

const NOW: Moment = Moment(1_800_000_000_000);

fn address(number: u32) -> Address {
    Address::v4(number.to_be_bytes())
}

fn caller(number: u32, device: u64) -> Caller {
    Caller { source: address(number), client: address(number), service: 1, tokens: [device, 0, 0, 0] }
}

fn filled(callers: impl IntoIterator<Item = Caller>) -> Reach {
    let mut reach = Reach::new(SipKey([5, 6]));
    callers.into_iter().for_each(|caller| reach.take(caller, NOW));
    reach
}

/// All callers, by their client address.
fn all() -> impl Fn(&Caller) -> Option<Address> {
    |caller| Some(caller.client)
}

#[track_caller]
fn holds(name: &str, estimate: Estimate, exact: u64) {
    // Three times the stated error for two deviations: once in billions beyond it.
    let off = estimate.about.abs_diff(exact);
    assert!(off <= 3 * estimate.give_or_take, "{name}: {estimate:?}, and it is {exact}");
}

#[test]
fn what_fits_is_exact_and_what_is_unknown_is_not_nought() {
    let one = Caller { tokens: [7, 8, 0, 0], ..caller(1, 0) };
    let reach = filled([one, one, Caller { service: 2, ..one }, caller(2, 9)]);
    let reached = reach.of(NOW, all()).reached();
    let exact = |about| Estimate { about, give_or_take: 0 };
    assert_eq!((reached.requests, reached.addresses), (exact(4), exact(2)));
    assert_eq!((reached.devices, reached.sessions, reached.users), (Some(exact(2)), Some(exact(1)), None));
    let elsewhere = reach.of(NOW, |caller| (caller.service == 2).then_some(caller.client)).reached();
    assert_eq!((elsewhere.requests, elsewhere.devices), (exact(1), Some(exact(1))));
    assert_eq!(Reach::new(SipKey([1, 2])).since(NOW), None);
}

#[test]
fn a_day_later_it_is_forgotten() {
    let reach = filled([caller(1, 2)]);
    let later = |hours: u64| reach.of(NOW.plus(Duration::from_hours(hours)), all()).requests.about;
    assert_eq!((later(0), later(21), later(25)), (1, 1, 0));
    let mut reach = reach;
    reach.take(caller(3, 4), NOW.plus(Duration::from_hours(24)));
    assert_eq!(reach.of(NOW.plus(Duration::from_hours(24)), all()).requests.about, 1);
}

#[test]
fn memory_is_bounded_and_estimates_hold_where_one_address_hides_a_hundred_thousand_devices() {
    let hidden = (1..=100_000).map(|device| caller(1, device));
    let others = (2..50_000).map(|number| caller(number, u64::from(number) << 32));
    let reach = filled(hidden.chain(others));
    assert!(reach.slots.iter().all(|slot| slot.callers.capacity() <= MOST));
    let of_one = |one: &Caller| (one.client == address(1)).then_some(one.client);
    let reached = reach.of(NOW, of_one).reached();
    let devices = reached.devices.unwrap();
    holds("devices", devices, 100_000);
    holds("requests", reached.requests, 100_000);
    assert!(devices.give_or_take > 0 && devices.give_or_take < 20_000, "{devices:?}");
    let crowd = reach.of(NOW, all()).crowd.unwrap();
    assert_eq!((crowd.address, crowd.kind), (address(1).into(), SubjectKind::Device));
    holds("addresses", reach.of(NOW, all()).addresses.estimate(), 49_999);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn estimates_hold_beside_exact_counts(
        key in any::<[u64; 2]>(), devices in 1_u64..20_000, per_device in 1_u32..4, requests in 1_u32..3, picked in 1_u32..8,
    ) {
        let mut reach = Reach::new(SipKey(key));
        let mut exact: BTreeMap<Caller, u64> = BTreeMap::new();
        for device in 1..=devices {
            for turn in 0..per_device {
                // A device has several sessions, and several devices share an address.
                let tokens = [device, device * 8 + u64::from(turn), 0, 0];
                let number = u32::try_from(device % 1000).unwrap();
                let one = Caller { tokens, ..caller(number, 0) };
                for hour in 0..requests {
                    reach.take(one, NOW.plus(Duration::from_hours(u64::from(hour) * 5)));
                    *exact.entry(one).or_default() += 1;
                }
            }
        }
        let hit = |one: &Caller| (one.client.octets()[15] % 8 < u8::try_from(picked).unwrap()).then_some(one.client);
        let reached = reach.of(NOW.plus(Duration::from_hours(5)), hit).reached();
        let hits: Vec<_> = exact.iter().filter(|(one, _)| hit(one).is_some()).collect();
        let distinct = |part: &dyn Fn(&Caller) -> u64| {
            hits.iter().map(|(one, _)| part(one)).collect::<BTreeSet<_>>().len() as u64
        };
        holds("requests", reached.requests, hits.iter().map(|(_, requests)| **requests).sum());
        holds("devices", reached.devices.unwrap_or_default(), distinct(&|one| one.tokens[0]));
        holds("sessions", reached.sessions.unwrap_or_default(), distinct(&|one| one.tokens[1]));
        holds("addresses", reached.addresses, distinct(&|one| one.client.low()));
    }
}
