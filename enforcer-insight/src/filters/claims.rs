//! What a token says of itself. In: a call's bearer token, or text that may be one. Out: its claims as digests and times. Never
//! here: signatures, which only the application can check; raw tokens.
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use super::fields::fields;
use super::state::Seed;
use crate::Call;

/// A JSON Web Token that can be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Claims {
    /// It says that it is not signed.
    pub unsigned: bool,
    /// When it ends, in seconds of Unix time.
    pub ends: Option<u64>,
    /// When it was made, in seconds of Unix time.
    pub made: Option<u64>,
    /// The digest of whom it is about.
    pub subject: Option<u64>,
}

/// The claims of a call's bearer token.
pub(super) fn claims(call: &Call, seed: &Seed) -> Option<Claims> {
    let bearer = |value: &'_ bytes::Bytes| {
        let (scheme, rest) = value.split_at_checked(BEARER.len())?;
        scheme.eq_ignore_ascii_case(BEARER).then(|| read(rest.trim_ascii(), seed)).flatten()
    };
    call.head.values("authorization").find_map(bearer)
}

/// The claims of a text, if it is a token: two or three parts of which the first two are JSON.
pub(super) fn read(text: &[u8], seed: &Seed) -> Option<Claims> {
    if !text.starts_with(OBJECT) || text.len() > LONGEST {
        return None;
    }
    let mut parts = text.split(|byte| *byte == b'.');
    let mut part = || BASE64_URL_SAFE_NO_PAD.decode(parts.next()?.trim_ascii()).ok();
    let (header, payload) = (part()?, part()?);
    let mut claims = Claims::default();
    for field in fields(&header).filter(|field| field.name == b"alg") {
        claims.unsigned = field.value.eq_ignore_ascii_case(b"none") || field.value.is_empty();
    }
    for field in fields(&payload).filter(|field| field.depth == 1) {
        match field.name {
            b"exp" => claims.ends = seconds(field.value),
            b"iat" => claims.made = seconds(field.value),
            b"sub" => claims.subject = Some(seed.bytes(field.value)),
            _ => {}
        }
    }
    (payload.first() == Some(&b'{')).then_some(claims)
}

/// Whole seconds; parts of one are left out.
fn seconds(text: &[u8]) -> Option<u64> {
    let whole = text.split(|byte| *byte == b'.').next()?;
    std::str::from_utf8(whole).ok()?.parse().ok()
}

/// How `{"` begins in base64.
const OBJECT: &[u8] = b"eyJ";
const BEARER: &[u8] = b"bearer ";
/// Bytes of a token that is read.
const LONGEST: usize = 8_192;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filters::testing::call;

    fn token(header: &str, payload: &str) -> String {
        let [header, payload] = [header, payload].map(|part| BASE64_URL_SAFE_NO_PAD.encode(part));
        format!("{header}.{payload}.c2ln")
    }

    #[test]
    fn claims_are_read_and_nothing_else_is_a_token() {
        let seed = Seed::new([1, 2]);
        let text = token(r#"{"alg":"RS256"}"#, r#"{"sub":"ada","exp":1800000000.5,"iat":1700000000,"x":{"sub":"no"}}"#);
        let wanted = Claims {
            unsigned: false,
            ends: Some(1_800_000_000),
            made: Some(1_700_000_000),
            subject: Some(seed.bytes(b"ada")),
        };
        assert_eq!(read(text.as_bytes(), &seed), Some(wanted));
        let request = format!("GET / HTTP/1.1\r\nAuthorization: bearer {text}\r\n\r\n");
        assert_eq!(claims(&call(&request, ""), &seed), Some(wanted));
        for alg in [r#"{"alg":"none"}"#, r#"{"alg":"NoNe"}"#, r#"{"alg":""}"#] {
            assert!(read(token(alg, "{}").as_bytes(), &seed).unwrap().unsigned, "{alg}");
        }
        for text in ["", "eyJ", "eyJhbGciOiJub25lIn0", "abc.def.ghi", "eyJhbGciOiJub25lIn0.W10.x", "eyJ.eyJ.é"] {
            assert_eq!(read(text.as_bytes(), &seed), None, "{text}");
        }
    }
}
