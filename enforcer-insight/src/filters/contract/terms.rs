//! A contract as it is written. In: text of the policy. Out: endpoints, hours, days and volumes for a key. Never here: calls.
use std::sync::Arc;

use enforcer_policy::Moment;

/// How to write it.
pub(super) const DOC: &str = "contracts, parted by `|`: a key's digest or `any`, a colon, and terms parted by `;`: endpoints such as \
                              `GET /rates/{}`, `POST /orders/**`; `hours 08-18`; `days 1-5` (1 is Monday; both UTC); `600/m`; `10000/d`";

/// What a key may do. What is not written is not bounded.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Terms {
    endpoints: Arc<[String]>,
    hours: Option<(u64, u64)>,
    days: Option<(u64, u64)>,
    pub(super) per_minute: Option<u32>,
    pub(super) per_day: Option<u32>,
}

/// The contracts of a text by digest, 0 for any; and how many parts of it are none.
pub(super) fn contracts(text: &str) -> (Vec<(u64, Terms)>, u32) {
    let mut found = Vec::new();
    let mut unreadable = 0;
    for part in text.split('|').map(str::trim).filter(|part| !part.is_empty()) {
        match contract(part) {
            Some(contract) => found.push(contract),
            None => unreadable += 1,
        }
    }
    // A key's own contract beats that of any.
    found.sort_by_key(|(digest, _)| std::cmp::Reverse(*digest));
    (found, unreadable)
}

fn contract(text: &str) -> Option<(u64, Terms)> {
    let (key, rest) = text.split_once(':')?;
    let digest = if key.trim() == "any" { 0 } else { digest(key.trim())? };
    let (mut terms, mut endpoints) = (Terms::default(), Vec::new());
    for term in rest.split(';').map(str::trim).filter(|term| !term.is_empty()) {
        if term.contains('/') && term.split(' ').nth(1).is_some_and(|path| path.starts_with('/')) {
            endpoints.push(term.to_owned());
        } else {
            terms.read(term)?;
        }
    }
    terms.endpoints = endpoints.into();
    Some((digest, terms))
}

fn digest(text: &str) -> Option<u64> {
    let plain = text.len() == 16 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    u64::from_str_radix(text, 16).ok().filter(|digest| plain && *digest != 0)
}

fn range(text: &str, most: u64) -> Option<(u64, u64)> {
    let (from, to) = text.trim().split_once('-')?;
    let (from, to): (u64, u64) = (from.parse().ok()?, to.parse().ok()?);
    (from <= most && to <= most).then_some((from, to))
}

impl Terms {
    /// Reads a term that is no endpoint.
    fn read(&mut self, term: &str) -> Option<()> {
        if let Some(hours) = term.strip_prefix("hours ") {
            self.hours = Some(range(hours, 24)?);
        } else if let Some(days) = term.strip_prefix("days ") {
            self.days = Some(range(days, 7)?);
        } else if let Some(count) = term.strip_suffix("/m") {
            self.per_minute = Some(count.parse().ok()?);
        } else {
            self.per_day = Some(term.strip_suffix("/d")?.parse().ok()?);
        }
        Some(())
    }

    /// True when an endpoint, as method and template, is agreed.
    pub(super) fn allows(&self, endpoint: &str) -> bool {
        let fits = |agreed: &String| match agreed.strip_suffix("/**") {
            Some(above) => endpoint.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
            None => endpoint == agreed,
        };
        self.endpoints.is_empty() || self.endpoints.iter().any(fits)
    }

    /// True at an hour and on a day that are agreed, in UTC.
    pub(super) fn is_open(&self, now: Moment) -> bool {
        let hour = now.0 / 3_600_000 % 24;
        // The first of January 1970 was a Thursday.
        let day = (now.0 / 86_400_000 + 3) % 7 + 1;
        let hours = self
            .hours
            .is_none_or(|(from, to)| if from <= to { from <= hour && hour < to } else { hour >= from || hour < to });
        let days = self
            .days
            .is_none_or(|(from, to)| if from <= to { from <= day && day <= to } else { day >= from || day <= to });
        hours && days
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.endpoints.iter().map(|endpoint| endpoint.capacity() + size_of::<String>()).sum::<usize>()
            + size_of::<Self>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contracts_are_read_and_what_is_none_is_counted() {
        let text = "any: 10/m | 00000000000000ff: GET /rates/{}; POST /orders/**; hours 22-06; days 1-5; 600/m; 10000/d | \
                    nonsense | 12: 5/m | any: 5/w";
        let (found, unreadable) = contracts(text);
        assert_eq!((found.len(), unreadable), (2, 3));
        let (digest, terms) = &found[0];
        assert_eq!((*digest, terms.per_minute, terms.per_day), (255, Some(600), Some(10_000)));
        assert!(terms.allows("GET /rates/{}") && terms.allows("POST /orders/{}/items") && terms.allows("POST /orders"));
        assert!(!terms.allows("DELETE /rates/{}") && !terms.allows("POST /orders2") && !terms.allows("GET /rates"));
        assert!(found[1].1.allows("GET /anything"), "without endpoints, all are agreed");
    }

    #[test]
    fn hours_and_days_are_utc() {
        let at = |days: u64, hours: u64| Moment((days * 24 + hours) * 3_600_000);
        let terms = |text: &str| contracts(&format!("any: {text}")).0.remove(0).1;
        // Day 4 of 1970 is a Monday.
        assert!(terms("hours 08-18").is_open(at(0, 8)) && !terms("hours 08-18").is_open(at(0, 18)));
        assert!(terms("hours 22-06").is_open(at(0, 23)) && terms("hours 22-06").is_open(at(0, 5)));
        assert!(!terms("hours 22-06").is_open(at(0, 6)));
        assert!(terms("days 1-5").is_open(at(4, 0)) && !terms("days 1-5").is_open(at(3, 0)));
        assert!(terms("days 6-7").is_open(at(3, 0)) && terms("days 6-1").is_open(at(4, 0)));
    }
}
