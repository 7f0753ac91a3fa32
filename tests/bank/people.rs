//! Who is who at the bank. In: logins, tokens. Out: tokens, profiles. Wrong on purpose: passwords may be guessed without end, names be
//! enumerated, profiles of others read, and tokens without a signature are believed.
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::db::row;
use crate::{Answer, Bank, Wrong};

#[derive(Deserialize)]
pub(crate) struct Login {
    user: String,
    password: String,
}

#[derive(Deserialize)]
pub(crate) struct Change {
    mail: String,
}

/// Gives a token to whoever knows the password.
pub(crate) async fn log_in(State(bank): State<Bank>, Json(login): Json<Login>) -> Answer {
    let known = "SELECT id, name FROM users WHERE name = ?1 AND password = ?2";
    let found = bank.db.run(move |db| row(db, known, &[&login.user, &login.password])).await;
    let user = found.map_err(|_unknown| Wrong(StatusCode::UNAUTHORIZED, "wrong name or password".to_owned()))?;
    Ok(Json(json!({ "access_token": token(&user["name"]) })))
}

/// Says goodbye, and forgets nothing.
pub(crate) async fn log_out() -> StatusCode {
    StatusCode::NO_CONTENT
}

/// Who the token is for.
pub(crate) async fn me(State(bank): State<Bank>, headers: HeaderMap) -> Answer {
    let name = caller(&headers)?;
    let own = "SELECT id, name, mail FROM users WHERE name = ?1";
    Ok(Json(bank.db.run(move |db| row(db, own, &[&name])).await?))
}

/// Another address of mail.
pub(crate) async fn change_me(State(bank): State<Bank>, headers: HeaderMap, Json(change): Json<Change>) -> Answer {
    let name = caller(&headers)?;
    let set = "UPDATE users SET mail = ?2 WHERE name = ?1";
    bank.db.run(move |db| db.execute(set, (name, change.mail))).await?;
    Ok(Json(json!({ "changed": true })))
}

/// A profile, of anybody, for anybody.
pub(crate) async fn profile(State(bank): State<Bank>, Path(name): Path<String>) -> Answer {
    let all = "SELECT name, mail, card FROM users WHERE name = ?1";
    Ok(Json(bank.db.run(move |db| row(db, all, &[&name])).await?))
}

/// The name in the bearer token, which is not checked.
pub(crate) fn caller(headers: &HeaderMap) -> Result<String, Wrong> {
    let name = || {
        let value = headers.get("authorization")?.to_str().ok()?.strip_prefix("Bearer ")?;
        let claims = BASE64_URL_SAFE_NO_PAD.decode(value.split('.').nth(1)?).ok()?;
        let claims: Value = serde_json::from_slice(&claims).ok()?;
        claims["sub"].as_str().map(str::to_owned)
    };
    name().ok_or_else(|| Wrong(StatusCode::UNAUTHORIZED, "log in first".to_owned()))
}

/// A token for an hour, with a signature that nobody will check.
fn token(name: &Value) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let claims = json!({ "sub": name, "iat": now, "exp": now + 3600 });
    let [header, claims] =
        [json!({ "alg": "HS256", "typ": "JWT" }), claims].map(|part| BASE64_URL_SAFE_NO_PAD.encode(part.to_string()));
    let signature = BASE64_URL_SAFE_NO_PAD.encode(format!("signed {header}.{claims}").get(..24).unwrap_or_default());
    format!("{header}.{claims}.{signature}")
}
