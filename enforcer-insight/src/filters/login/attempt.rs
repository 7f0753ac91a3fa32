//! Does a call try to log in, as whom, with what? In: a call. Out: digests of name and password. Never here: the answer, raw values
//! that outlive the call.
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::Call;
use crate::filters::fields::{Field, fields};
use crate::filters::{Seed, Spot};

/// A try to log in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Attempt {
    /// The digest of the name; `None` when it was not recorded.
    pub user: Option<u64>,
    /// The digest of the password; `None` when it was not recorded.
    pub password: Option<u64>,
}

/// What a call tries to log in with. A path that speaks of logging in is enough when its body was not recorded; fields of a name
/// and a password are enough on any path but those that take passwords for something else.
pub(in crate::filters) fn attempt(call: &Call, spot: &Spot, seed: &Seed) -> Option<Attempt> {
    if let Some(value) = call.head.values("authorization").find_map(|value| basic(value)) {
        return Some(split(&value, seed));
    }
    if !matches!(&call.head.method[..], b"POST" | b"PUT") || spot.is_no_login {
        return None;
    }
    if call.body.is_empty() {
        return spot.is_login.then_some(Attempt { user: None, password: None });
    }
    let (mut user, mut password) = (None, None);
    for field in fields(&call.body).filter(|field| !field.value.is_empty()) {
        let digest = |field: Field<'_>| seed.bytes(&field.value.to_ascii_lowercase());
        match part(field.name) {
            Part::Name => user = user.or_else(|| Some(digest(field))),
            Part::Password => password = password.or_else(|| Some(seed.bytes(field.value))),
            Part::Other => {}
        }
    }
    let tries = if spot.is_login { password.is_some() || user.is_some() } else { password.is_some() && user.is_some() };
    tries.then_some(Attempt { user, password })
}

/// What follows `Basic`, decoded.
fn basic(value: &[u8]) -> Option<Vec<u8>> {
    let (scheme, rest) = value.split_at_checked(BASIC.len())?;
    let decoded = scheme.eq_ignore_ascii_case(BASIC).then(|| BASE64_STANDARD.decode(rest.trim_ascii()))?;
    decoded.ok().filter(|decoded| decoded.contains(&b':'))
}

fn split(pair: &[u8], seed: &Seed) -> Attempt {
    let colon = pair.iter().position(|byte| *byte == b':').unwrap_or(pair.len());
    let (user, password) = pair.split_at(colon);
    Attempt { user: Some(seed.bytes(&user.to_ascii_lowercase())), password: Some(seed.bytes(password)) }
}

enum Part {
    Name,
    Other,
    Password,
}

/// What a field is, by its name without capitals, hyphens and underscores.
fn part(name: &[u8]) -> Part {
    if name.len() > LONGEST {
        return Part::Other;
    }
    let mut plain = [0; LONGEST];
    let letters = name.iter().filter(|byte| !matches!(byte, b'-' | b'_' | b'.')).map(u8::to_ascii_lowercase);
    let count = plain.iter_mut().zip(letters).map(|(place, letter)| *place = letter).count();
    let plain = plain.get(..count).unwrap_or_default();
    if NAMES.contains(&plain) {
        Part::Name
    } else if PASSWORDS.contains(&plain) {
        Part::Password
    } else {
        Part::Other
    }
}

const BASIC: &[u8] = b"basic ";
const LONGEST: usize = 24;
const NAMES: &[&[u8]] = &[
    b"user",
    b"username",
    b"userid",
    b"login",
    b"loginid",
    b"loginname",
    b"email",
    b"emailaddress",
    b"mail",
    b"account",
    b"accountname",
    b"phone",
    b"mobile",
    b"phonenumber",
    b"customerid",
    b"memberid",
    b"clientid",
    b"identifier",
    b"id",
];
const PASSWORDS: &[&[u8]] = &[
    b"password",
    b"passwd",
    b"pwd",
    b"pass",
    b"passcode",
    b"passphrase",
    b"pin",
    b"secret",
    b"clientsecret",
    b"userpassword",
    b"credential",
    b"otp",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filters::testing::call;

    fn read(request: &str) -> Option<Attempt> {
        let (call, seed) = (call(request, ""), Seed::new([1, 2]));
        let path = request.split(' ').nth(1).unwrap();
        let spot = Spot::new(1, &format!("POST {path}"));
        attempt(&call, &spot, &seed)
    }

    #[test]
    fn logins_are_found_by_path_and_by_fields() {
        let seed = Seed::new([1, 2]);
        let wanted = Attempt { user: Some(seed.bytes(b"ada")), password: Some(seed.bytes(b"Secret")) };
        for request in [
            "POST /login HTTP/1.1\r\n\r\n{\"user\":\"Ada\",\"password\":\"Secret\"}",
            "POST /enter HTTP/1.1\r\n\r\n{\"data\":{\"loginId\":\"ada\",\"pass_code\":\"Secret\"}}",
            "POST /x HTTP/1.1\r\n\r\nUSERNAME=ada&pwd=Secret&csrf=1",
            "GET /x HTTP/1.1\r\nAuthorization: Basic QWRhOlNlY3JldA==\r\n\r\n",
        ] {
            let found = read(request).unwrap();
            assert_eq!(found.user, wanted.user, "{request}");
        }
        assert_eq!(read("POST /login HTTP/1.1\r\n\r\n"), Some(Attempt { user: None, password: None }));
    }

    #[test]
    fn what_takes_passwords_otherwise_is_no_login() {
        for request in [
            "POST /users/register HTTP/1.1\r\n\r\n{\"user\":\"ada\",\"password\":\"x\"}",
            "POST /logout HTTP/1.1\r\n\r\n",
            "POST /oauth/token HTTP/1.1\r\n\r\ngrant_type=refresh_token&refresh_token=abc",
            "POST /me/change HTTP/1.1\r\n\r\n{\"email\":\"a@b.c\",\"old_password\":\"x\",\"new_password\":\"y\"}",
            "POST /orders HTTP/1.1\r\n\r\n{\"account\":\"7\",\"amount\":3}",
            "GET /login HTTP/1.1\r\n\r\n",
            "GET /x HTTP/1.1\r\nAuthorization: Basic ????\r\n\r\n",
        ] {
            assert_eq!(read(request), None, "{request}");
        }
    }
}
