//! Tells a CrowdSec local API of alerts.
//!
//! In: where it is, a machine's name and password, alerts as JSON. Out: they are there, or an error. Never here: what an alert is made of;
//! password or token in any error.
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE};
use hyper::{Request, StatusCode};
use serde::{Deserialize, Serialize};

use super::CrowdSecError;
use super::line::Place;

/// A machine that CrowdSec knows (`cscli machines add`).
pub struct Machine {
    place: Place,
    name: String,
    password: String,
    /// Of the last login; CrowdSec says 401 when its hour is over.
    token: Option<String>,
}

#[derive(Serialize)]
struct Login<'l> {
    machine_id: &'l str,
    password: &'l str,
    scenarios: &'l [&'l str],
}

#[derive(Deserialize)]
struct LoggedIn {
    token: String,
}

impl Machine {
    /// Not logged in yet.
    pub const fn new(place: Place, name: String, password: String) -> Self {
        Self { place, name, password, token: None }
    }

    /// Brings alerts: a JSON list. Where the token no longer counts, a new one is fetched, once.
    pub async fn alert(&mut self, alerts: Bytes) -> Result<(), CrowdSecError> {
        let mut is_fresh = false;
        loop {
            let token = if let Some(token) = &self.token {
                token.clone()
            } else {
                is_fresh = true;
                self.login().await?
            };
            let (status, body) = self.post("/v1/alerts", Some(&token), alerts.clone()).await?;
            let is_stale = matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
            self.token = (!is_stale).then_some(token);
            if status.is_success() {
                return Ok(());
            }
            if !is_stale || is_fresh {
                return Err(CrowdSecError::Alert(status.as_u16(), shown(&body)));
            }
        }
    }

    async fn login(&self) -> Result<String, CrowdSecError> {
        let login = Login { machine_id: &self.name, password: &self.password, scenarios: &[] };
        let body = serde_json::to_vec(&login).map_err(CrowdSecError::line)?;
        let (status, body) = self.post("/v1/watchers/login", None, body.into()).await?;
        if status != StatusCode::OK {
            return Err(CrowdSecError::Login(status.as_u16()));
        }
        let logged_in: LoggedIn = serde_json::from_slice(&body).map_err(|_form| CrowdSecError::line("no token"))?;
        Ok(logged_in.token)
    }

    async fn post(&self, path: &str, token: Option<&str>, body: Bytes) -> Result<(StatusCode, Bytes), CrowdSecError> {
        let mut request = Request::post(path).header(CONTENT_TYPE, "application/json");
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = request.body(Full::new(body)).map_err(|_form| CrowdSecError::line("the token is none"))?;
        self.place.ask(request).await
    }
}

/// The beginning of what it says, without control characters.
fn shown(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(WORDS)]);
    text.replace(char::is_control, " ")
}

/// Bytes of an answer that are shown.
const WORDS: usize = 200;
