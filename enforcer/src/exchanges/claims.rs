//! The user that a token names: the `sub` of a JSON Web Token. Its signature is not checked here; the server did that, which is
//! why only tokens of requests that it served are looked at.
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use enforcer_common::{SipKey, SubjectKind, Take, siphash};
use enforcer_insight::http::{Head, tokens};
use serde::Deserialize;

use crate::config::{IdentityRule, Service};

/// Longest subject that is believed to be one.
const LONGEST: usize = 256;

#[derive(Deserialize)]
struct Claims {
    sub: String,
}

/// The user of a session, when a bearer token of this request has the session's digest and names one.
pub fn user_of(service: &Service, head: &Head, key: SipKey, session: u64) -> Option<String> {
    let bearer = |rule: &&IdentityRule| (rule.kind, rule.take) == (SubjectKind::Session, Take::Scheme);
    let rule = service.identities.iter().find(bearer)?;
    let mut found = tokens(head, &rule.header, rule.take, &rule.pattern).into_iter();
    subject_of(&found.find(|token| siphash(key, token) == session)?)
}

/// The subject of a token; nothing when it is not a token of three parts with one.
pub fn subject_of(token: &[u8]) -> Option<String> {
    let mut parts = token.split(|byte| *byte == b'.');
    let (_header, claims, _signature) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let json = URL_SAFE_NO_PAD.decode(claims).ok()?;
    let claims: Claims = serde_json::from_slice(&json).ok()?;
    (!claims.sub.is_empty() && claims.sub.len() <= LONGEST).then_some(claims.sub)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_subject_of_a_token_is_found_and_nothing_else() {
        let token = |claims: &str| format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims));
        assert_eq!(subject_of(token(r#"{"sub":"anna","exp":1}"#).as_bytes()).as_deref(), Some("anna"));
        for odd in
            [token(r#"{"sub":7}"#), token(r#"{"sub":""}"#), token("{}"), "e30.e30".to_owned(), "a.b.c.d".to_owned()]
        {
            assert_eq!(subject_of(odd.as_bytes()), None, "{odd}");
        }
        let long = token(&format!(r#"{{"sub":"{}"}}"#, "x".repeat(LONGEST + 1)));
        assert_eq!(subject_of(long.as_bytes()), None);
    }
}
