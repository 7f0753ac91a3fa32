//! What a plan says.
use super::*;
use crate::document::Document;
use crate::{Moment, SubjectKind};
use enforcer_common::SipKey;

const NOW: Moment = Moment(1_800_000_000_000);

fn content(text: &str, current: &Content) -> Content {
    let document = Document::parse(&[("policy.toml".to_owned(), text.to_owned())]).unwrap();
    let mut next = 0;
    let count = || {
        next += 1;
        next
    };
    document.sealed(SipKey([1, 2]), current, "ada", NOW, count).unwrap()
}

#[test]
fn a_plan_names_what_comes_changes_and_goes_and_on_which_hosts() {
    let old = content(
        "[service.pay]\nports=[80]\n[filter.bola]\n[matrix.bola]\npay=\"enforce\"\n[group.edge]\nhosts=[\"a\"]\n\
         [[decision]]\nip=\"192.0.2.1\"\naction=\"drop\"\n[[decision]]\nip=\"192.0.2.2\"\naction=\"drop\"\n",
        &Content::default(),
    );
    let new = content(
        "[service.pay]\nports=[80]\n[filter.bola]\n[matrix.bola]\npay=\"observe\"\n[group.edge]\nhosts=[\"a\"]\n\
         [[decision]]\nip=\"192.0.2.1\"\naction=\"observe\"\n\
         [[decision]]\ndevice=\"device-000001\"\naction=\"deny\"\ngroups=[\"edge\"]\n",
        &old,
    );
    let plan = Plan::between(&old, &new, &Guard::default());
    assert_eq!(plan.counts, Counts { added: 1, changed: 2, removed: 1 });
    assert_eq!(plan.groups["all"], Counts { added: 0, changed: 1, removed: 1 });
    assert_eq!(plan.groups["edge"], Counts { added: 1, changed: 0, removed: 0 });
    assert_eq!(plan.weaker, ["bola on pay goes from enforce to observe"]);
    let device = plan.changes.iter().find(|step| step.name.starts_with(SubjectKind::Device.name())).unwrap();
    assert_eq!((device.name.as_str(), device.change), ("device de…01", Change::Added));
    assert!(Plan::between(&new, &new, &Guard::default()).is_empty());
}

#[test]
fn who_would_be_cut_off_is_named_unless_the_allowlist_saves_them() {
    let mut guard = Guard::default();
    let address = |text: &str| Address::from(text.parse::<std::net::IpAddr>().unwrap());
    guard.add(address("10.1.2.3"), "operator");
    guard.add(address("2001:db8::1"), "center");
    let lockouts = |text: &str| {
        let new = content(text, &Content::default());
        let plan = Plan::between(&Content::default(), &new, &guard);
        plan.lockouts.iter().map(|one| format!("{} {}", one.whose, one.network)).collect::<Vec<_>>()
    };
    assert_eq!(lockouts("[[decision]]\nip=\"10.1.0.0/16\"\naction=\"drop\"\n"), ["operator 10.1.0.0/16"]);
    assert_eq!(lockouts("[[decision]]\nip=\"2001:db8::/32\"\naction=\"drop\"\n"), ["center 2001:db8::/32"]);
    assert_eq!(lockouts("[[decision]]\nip=\"10.1.0.0/16\"\naction=\"observe\"\n"), [""; 0]);
    let saved = "[[decision]]\nip=\"10.1.0.0/16\"\naction=\"drop\"\n[[allow]]\nnetwork=\"10.1.2.0/24\"\n";
    assert_eq!(lockouts(saved), [""; 0]);
}

#[test]
fn a_whole_family_is_refused_outright() {
    let text = "[[decision]]\nip=\"0.0.0.0/0\"\naction=\"drop\"\n".to_owned();
    let document = Document::parse(&[("policy.toml".to_owned(), text)]).unwrap();
    let refused = document.sealed(SipKey([1, 2]), &Content::default(), "ada", NOW, || 1).unwrap_err();
    assert_eq!(refused.refusal, crate::Refusal::Everything);
}
