//! How a request shows who it is. In: a call. Out: the kinds of credentials that it bears. Never here: whether they are good.
use enforcer_common::SubjectKind;
use serde::{Deserialize, Serialize};

use crate::Call;
use crate::http::Header;

/// A way to show who one is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Auth {
    /// A name and a password with every request.
    Basic,
    /// A bearer token.
    Bearer,
    /// A certificate, checked by a proxy that says so.
    Certificate,
    /// A cookie of a session.
    Cookie,
    /// A key in a header.
    Key,
    /// Nothing.
    None,
    /// Another scheme.
    Other,
    /// A key or a token in the URL, where logs keep it.
    Url,
}

impl Auth {
    /// The word used everywhere.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Basic => "basic",
            Self::Bearer => "bearer",
            Self::Certificate => "certificate",
            Self::Cookie => "cookie",
            Self::Key => "key",
            Self::None => "none",
            Self::Other => "other",
            Self::Url => "url",
        }
    }
}

/// The kinds of credentials of a call, each once; [`Auth::None`] alone when there are none.
pub(super) fn credentials(call: &Call) -> Vec<Auth> {
    let mut found: Vec<Auth> = call.head.headers.iter().filter_map(in_header).collect();
    // The policy says which header bears a key; no guess is better.
    found.extend(call.digest(SubjectKind::ApiKey).map(|_| Auth::Key).filter(|_| !found.contains(&Auth::Url)));
    found.extend(is_in_url(&call.head.target).then_some(Auth::Url));
    if found.is_empty() && call.digest(SubjectKind::Session).is_some() {
        found.push(Auth::Cookie);
    }
    if found.is_empty() {
        found.push(Auth::None);
    }
    found.sort_unstable();
    found.dedup();
    found
}

fn in_header(header: &Header) -> Option<Auth> {
    let name = header.name.to_ascii_lowercase();
    match &*name {
        b"authorization" => scheme(&header.value),
        b"cookie" => header.value.split(|byte| *byte == b';').any(is_session).then_some(Auth::Cookie),
        b"x-forwarded-client-cert" | b"x-ssl-client-cert" | b"x-client-cert" | b"ssl-client-cert" | b"client-cert" => {
            (!header.value.is_empty()).then_some(Auth::Certificate)
        }
        _ => (names_one_of(&name, KEYS) && !header.value.is_empty()).then_some(Auth::Key),
    }
}

fn scheme(value: &[u8]) -> Option<Auth> {
    let scheme = value.split(|byte| *byte == b' ').next()?.to_ascii_lowercase();
    match &*scheme {
        b"" => None,
        b"basic" => Some(Auth::Basic),
        b"bearer" => Some(Auth::Bearer),
        b"apikey" | b"api-key" | b"token" => Some(Auth::Key),
        _ => Some(Auth::Other),
    }
}

fn is_session(pair: &[u8]) -> bool {
    let name = pair.split(|byte| *byte == b'=').next().unwrap_or_default().trim_ascii().to_ascii_lowercase();
    names_one_of(&name, SESSIONS)
}

fn is_in_url(target: &[u8]) -> bool {
    let query = target.split(|byte| *byte == b'?').nth(1).unwrap_or_default();
    query.split(|byte| *byte == b'&').any(|pair| {
        let (name, value) = pair.split_at(pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len()));
        value.len() > 1 && names_one_of(&name.to_ascii_lowercase(), KEYS)
    })
}

/// True when one of the words stands in the name.
fn names_one_of(name: &[u8], words: &[&str]) -> bool {
    words.iter().any(|word| name.windows(word.len()).any(|part| part == word.as_bytes()))
}

const KEYS: &[&str] = &[
    "api-key",
    "api_key",
    "apikey",
    "access-key",
    "access_key",
    "access-token",
    "access_token",
    "auth-token",
    "auth_token",
    "x-auth",
];
const SESSIONS: &[&str] = &["sess", "sid", "auth", "jwt", "token"];
