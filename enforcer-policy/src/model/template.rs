//! A path template: `/accounts/{id}`, `/admin/**`.
//!
//! In: text of operators, of the configuration, of the journal. Out: [`Template`], the same for every way to write it, or what
//! is wrong with it. Never here: methods, services, requests.
use std::fmt;
use std::str::FromStr;

use enforcer_common::limits::PLACE_SEGMENTS;

use super::endpoint::fault;
use super::{EndpointError, EndpointFault};

/// A path, segment by segment. The default is the root alone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Template {
    segments: Box<[Option<Box<str>>]>,
    open: bool,
}

impl Template {
    /// The segments; `None` is any one.
    pub const fn segments(&self) -> &[Option<Box<str>>] {
        &self.segments
    }

    /// True when more segments may follow.
    pub const fn is_open(&self) -> bool {
        self.open
    }

    /// The same with everything below it.
    #[must_use]
    pub fn opened(self) -> Self {
        Self { open: true, ..self }
    }

    /// True when some path fits both.
    pub fn meets(&self, other: &Self) -> bool {
        let alike = self.segments.iter().zip(&other.segments).all(|(one, two)| match (one, two) {
            (Some(one), Some(two)) => one == two,
            (None, _) | (_, None) => true,
        });
        alike
            && match self.segments.len().cmp(&other.segments.len()) {
                std::cmp::Ordering::Less => self.open,
                std::cmp::Ordering::Equal => true,
                std::cmp::Ordering::Greater => other.open,
            }
    }
}

impl FromStr for Template {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let path = text.strip_prefix('/').ok_or_else(|| fault(text, EndpointFault::NoPath))?;
        let (path, open) = match path.strip_suffix("**") {
            Some("") => ("", true),
            Some(above) if above.ends_with('/') => (above.get(..above.len() - 1).unwrap_or_default(), true),
            Some(_) | None => (path, false),
        };
        if path.is_empty() && !(open && text.len() > "/**".len()) {
            return Ok(Self { segments: Box::default(), open });
        }
        let segments: Box<[_]> = path.split('/').map(|part| segment(part, text)).collect::<Result<_, _>>()?;
        if segments.len() > PLACE_SEGMENTS {
            return Err(fault(text, EndpointFault::TooDeep));
        }
        Ok(Self { segments, open })
    }
}

impl fmt::Display for Template {
    /// The canonical text: segments that may be anything are `{}`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.segments.iter().try_for_each(|segment| write!(f, "/{}", segment.as_deref().unwrap_or(ANY)))?;
        match (self.open, self.segments.is_empty()) {
            (true, _) => f.write_str("/**"),
            (false, true) => f.write_str("/"),
            (false, false) => Ok(()),
        }
    }
}

/// One segment of `path`; `None` for a name in braces.
fn segment(text: &str, path: &str) -> Result<Option<Box<str>>, EndpointError> {
    if let Some(name) = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'));
        return if plain { Ok(None) } else { Err(fault(text, EndpointFault::Brace)) };
    }
    let wrong = match text {
        "" => Some(EndpointFault::Empty),
        "." | ".." => Some(EndpointFault::Dots),
        _ => text.chars().find_map(strange),
    };
    let place = if text.is_empty() { path } else { text };
    wrong.map_or_else(|| Ok(Some(text.into())), |wrong| Err(fault(place, wrong)))
}

/// What is wrong with a character of a path. A semicolon is: some servers cut the segment there.
const fn strange(c: char) -> Option<EndpointFault> {
    match c {
        '%' => Some(EndpointFault::Percent),
        '{' | '}' => Some(EndpointFault::Brace),
        '*' => Some(EndpointFault::Star),
        '?' | '#' => Some(EndpointFault::Query),
        'a'..='z' | 'A'..='Z' | '0'..='9' | '!' | '$' | '&'..=')' | '+'..='.' | ':' | '=' | '@' | '_' | '~' => None,
        _ => Some(EndpointFault::Character),
    }
}

const ANY: &str = "{}";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_meet_where_one_path_fits_both() {
        let meets = |one: &str, two: &str| {
            let (one, two): (Template, Template) = (one.parse().unwrap(), two.parse().unwrap());
            assert_eq!(one.meets(&two), two.meets(&one));
            one.meets(&two)
        };
        assert!(meets("/pay/**", "/pay/accounts") && meets("/{}/accounts", "/pay/{}") && meets("/**", "/"));
        assert!(!meets("/pay", "/pay/accounts") && !meets("/pay/**", "/shop/accounts") && !meets("/a/b", "/a/c"));
    }
}
