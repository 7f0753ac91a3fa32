//! One endpoint of a service: a method and a path template, written `pay:GET /accounts/{id}`.
//!
//! In: text of operators and of the journal. Out: [`Endpoint`], the same for every way to write them, or what
//! is wrong with the text and how to mend it. Never here: which services exist, requests, digests.
//!
//! A template is refused when servers could read its path in two ways: what the kernel compares must be what they serve.
use std::fmt;
use std::str::FromStr;

use enforcer_common::limits::PLACE_SEGMENTS;

use super::Template;
use super::scope::fnv;

/// A method and a path template of one service.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Endpoint {
    service: Box<str>,
    method: Option<Box<str>>,
    template: Template,
}

/// What is wrong with the text of an endpoint, and where.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{place}: {fault}")]
pub struct EndpointError {
    /// The part of the text that is meant.
    pub place: String,
    /// What is wrong with it.
    pub fault: EndpointFault,
}

/// What can be wrong with an endpoint.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum EndpointFault {
    /// Braces that are not a whole segment.
    #[error("braces stand for a whole segment")]
    Brace,
    /// A character that paths carry only encoded.
    #[error("this character is not part of a plain path")]
    Character,
    /// `.` or `..`.
    #[error("servers take a dot segment out of the path")]
    Dots,
    /// Nothing between two slashes.
    #[error("there is an empty segment")]
    Empty,
    /// More text than is kept.
    #[error("the text is longer than {TEXT} bytes")]
    Long,
    /// Not a method in capitals.
    #[error("this is not a method")]
    Method,
    /// A method longer than the kernel compares.
    #[error("a method has at most {METHOD} bytes")]
    MethodLong,
    /// No path.
    #[error("the path begins with a slash")]
    NoPath,
    /// Something encoded.
    #[error("servers decode percent signs, each in its own way")]
    Percent,
    /// A query or fragment.
    #[error("a query is no part of an endpoint")]
    Query,
    /// Not the name of a service.
    #[error("this is not the name of a service")]
    Service,
    /// A star that is not the end.
    #[error("two stars stand only at the end, as `/**`")]
    Star,
    /// More segments than the kernel compares.
    #[error("a path has at most {PLACE_SEGMENTS} segments")]
    TooDeep,
}

impl EndpointFault {
    /// How to mend it.
    pub const fn mend(self) -> &'static str {
        match self {
            Self::Brace => "write {name} between two slashes; it stands for any one segment",
            Self::Character => "write {name} where a segment holds other than letters, digits and -._~!$&'()+,=:@",
            Self::Dots => "write the path as it is after dot segments are taken out",
            Self::Empty => "write one slash between segments and none at the end",
            Self::Long => "name a shorter path, ended by /** for everything below it",
            Self::Method => {
                "write it in capitals before the path, such as pay:GET /accounts/{id}, or leave it out for all"
            }
            Self::MethodLong => "leave the method out: then the endpoint is the path with any method",
            Self::NoPath => "write it such as pay:GET /accounts/{id}, or pay:/accounts/{id} for any method",
            Self::Percent => "write the plain character, or {name} for any segment: encoded paths are always looked up",
            Self::Query => "leave out what follows the path",
            Self::Service => "write it as in the configuration, such as pay:GET /accounts/{id}",
            Self::Star => "write {name} for any one segment, and /** at the end for everything below",
            Self::TooDeep => "end it earlier with /**, for everything below",
        }
    }
}

impl Endpoint {
    /// The service it belongs to.
    pub fn service(&self) -> &str {
        &self.service
    }

    /// The method; `None` is any.
    pub fn method(&self) -> Option<&str> {
        self.method.as_deref()
    }

    /// The path.
    pub const fn template(&self) -> &Template {
        &self.template
    }

    /// The number the kernel knows it by: FNV-1a of its canonical text, never 0.
    pub fn id(&self) -> u32 {
        fnv(&self.to_string())
    }

    /// Method and path, without the service.
    pub fn place(&self) -> String {
        match &self.method {
            Some(method) => format!("{method} {}", self.template),
            None => self.template.to_string(),
        }
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        if text.len() > TEXT {
            let start = text.get(..text.floor_char_boundary(40)).unwrap_or_default();
            return Err(fault(format!("{start}..."), EndpointFault::Long));
        }
        let (service, place) = text.split_once(':').ok_or_else(|| fault(text, EndpointFault::NoPath))?;
        if service.is_empty() || !service.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-')) {
            return Err(fault(service, EndpointFault::Service));
        }
        let (method, path) = match place.split_once(' ') {
            Some((method, path)) if !method.starts_with('/') => (Some(checked(method)?.into()), path.trim_start()),
            Some(_) | None => (None, place),
        };
        Ok(Self { service: service.into(), method, template: path.parse()? })
    }
}

impl fmt::Display for Endpoint {
    /// The canonical text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.service, self.place())
    }
}

fn checked(method: &str) -> Result<&str, EndpointError> {
    let capitals = method.bytes().all(|b| matches!(b, b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_'));
    if method.is_empty() || !capitals {
        Err(fault(method, EndpointFault::Method))
    } else if method.len() > METHOD {
        Err(fault(method, EndpointFault::MethodLong))
    } else {
        Ok(method)
    }
}

pub(super) fn fault(place: impl fmt::Display, fault: EndpointFault) -> EndpointError {
    let place: String = format!("`{place}`").chars().flat_map(char::escape_debug).collect();
    EndpointError { place, fault }
}

/// The kernel compares methods as one word.
const METHOD: usize = size_of::<u64>();
/// Longer texts are slips.
const TEXT: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn canonical(text: &str) -> String {
        text.parse::<Endpoint>().unwrap().to_string()
    }

    fn wrong(text: &str) -> EndpointFault {
        let error = text.parse::<Endpoint>().unwrap_err();
        assert!(!error.fault.mend().is_empty() && error.to_string().starts_with('`'), "{error}");
        error.fault
    }

    #[test]
    fn one_endpoint_has_one_text_and_one_number() {
        for (text, expected) in [
            ("pay:GET /accounts/{id}", "pay:GET /accounts/{}"),
            ("pay:GET  /accounts/{account-no}", "pay:GET /accounts/{}"),
            ("pay:/accounts/{}", "pay:/accounts/{}"),
            ("pay:/", "pay:/"),
            ("pay:POST /", "pay:POST /"),
            ("pay:/**", "pay:/**"),
            ("pay:DELETE /a/**", "pay:DELETE /a/**"),
            ("p-1:/v1.2/x:y/@me/~a,b=c+d/(1)!$&'", "p-1:/v1.2/x:y/@me/~a,b=c+d/(1)!$&'"),
        ] {
            assert_eq!(canonical(text), expected);
            assert_eq!(canonical(expected), expected);
        }
        let id = |text: &str| text.parse::<Endpoint>().unwrap().id();
        assert_eq!(id("pay:GET /accounts/{id}"), id("pay:GET /accounts/{other}"));
        assert_ne!(id("pay:GET /accounts/{id}"), id("pay:/accounts/{id}"));
        assert_eq!(id("pay:/"), fnv("pay:/"));
    }

    #[test]
    fn what_servers_read_differently_is_refused() {
        use EndpointFault as F;
        for (text, fault) in [
            ("pay", F::NoPath),
            ("pay:", F::NoPath),
            ("pay:accounts", F::NoPath),
            ("pay:GET accounts", F::NoPath),
            ("pay: /x", F::Method),
            ("Pay:/x", F::Service),
            (":/x", F::Service),
            ("pay:get /x", F::Method),
            ("pay:GE\u{e9} /x", F::Method),
            ("pay:PROPPATCH /x", F::MethodLong),
            ("pay:/a%2fb", F::Percent),
            ("pay:/a/../b", F::Dots),
            ("pay:/a/./b", F::Dots),
            ("pay:/a//b", F::Empty),
            ("pay:/a/", F::Empty),
            ("pay://", F::Empty),
            ("pay://**", F::Empty),
            ("pay:/a//**", F::Empty),
            ("pay:/a/*/b", F::Star),
            ("pay:/a/**/b", F::Star),
            ("pay:/a**", F::Star),
            ("pay:/a{id}", F::Brace),
            ("pay:/{a/b}", F::Brace),
            ("pay:/{a b}", F::Brace),
            ("pay:/x?y=1", F::Query),
            ("pay:/x#y", F::Query),
            ("pay:/x;v=1", F::Character),
            ("pay:/a\\b", F::Character),
            ("pay:/a b", F::Character),
            ("pay:/\u{e9}", F::Character),
            ("pay:/1/2/3/4/5/6/7/8/9/10/11/12/13", F::TooDeep),
        ] {
            assert_eq!(wrong(text), fault, "{text}");
        }
        let place = |text: &str| text.parse::<Endpoint>().unwrap_err().place;
        assert_eq!((place("pay:GET /a//b").as_str(), place("pay:/a/%2e").as_str()), ("`/a//b`", "`%2e`"));
        assert_eq!(wrong(&format!("pay:/{}", "x".repeat(TEXT))), F::Long);
        assert_eq!(canonical("pay:/1/2/3/4/5/6/7/8/9/10/11/12/**").matches('/').count(), 13);
    }

    fn any_endpoint() -> impl Strategy<Value = String> {
        let segment = prop_oneof![3 => "[a-zA-Z0-9_~:@-]{1,6}", 1 => r"\{[a-z]{0,4}\}"];
        let method = prop_oneof![Just(String::new()), "[A-Z]{1,8}".prop_map(|method| method + " ")];
        (method, prop::collection::vec(segment, 0..=PLACE_SEGMENTS), any::<bool>()).prop_map(|(method, path, open)| {
            let path = path.iter().fold(String::new(), |path, segment| path + "/" + segment);
            let end = if open {
                "/**"
            } else if path.is_empty() {
                "/"
            } else {
                ""
            };
            format!("pay:{method}{path}{end}")
        })
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in any::<String>()) {
            if let Ok(endpoint) = text.parse::<Endpoint>() {
                prop_assert_eq!(endpoint.to_string().parse::<Endpoint>(), Ok(endpoint));
            }
        }

        #[test]
        fn what_is_written_well_is_read_and_comes_back(text in any_endpoint()) {
            let endpoint: Endpoint = text.parse().unwrap();
            prop_assert_ne!(endpoint.id(), 0);
            prop_assert_eq!(endpoint.template().is_open(), text.ends_with("/**"));
            prop_assert_eq!(endpoint.to_string().parse::<Endpoint>(), Ok(endpoint));
        }

        #[test]
        fn damaged_text_never_becomes_another_place(text in any_endpoint(), at in any::<prop::sample::Index>(), bad in "[%#?*;\\\\ ]") {
            let slash = text.find('/').unwrap() + 1;
            let mut damaged = text.clone();
            damaged.insert_str(slash + at.index(text.len() - slash + 1), &bad);
            prop_assert!(damaged.parse::<Endpoint>().is_err(), "{}", damaged);
        }
    }
}
