//! Asks a CrowdSec local API what it has decided.
//!
//! In: where it is, and a bouncer's key. Out: answers. Never here: what they mean; the key in any error.
use std::path::Path;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, StatusCode};

use super::CrowdSecError;
use super::line::{Place, text_of};
use super::stream::SCOPES;

/// A bouncer.
pub struct Client {
    place: Place,
    key: String,
}

impl Client {
    /// With the key of this file. Each who asks needs a key of its own: two with one steal each other's changes.
    pub fn new(place: Place, key_file: &Path) -> Result<Self, CrowdSecError> {
        Ok(Self { place, key: text_of(key_file)?.trim().to_owned() })
    }

    /// The whole list, or what changed since the last time this key asked.
    pub async fn ask(&self, whole: bool) -> Result<Bytes, CrowdSecError> {
        // Without joining what is on one value: an end of one id then says nothing about the others.
        let path = format!("/v1/decisions/stream?startup={whole}&scopes={SCOPES}&dedup=false");
        let request = Request::get(path).header("X-Api-Key", &self.key).body(Full::<Bytes>::default());
        let request = request.map_err(|_form| CrowdSecError::line("the key file holds no key"))?;
        match self.place.ask(request).await? {
            (StatusCode::OK, body) => Ok(body),
            (status, _) => Err(CrowdSecError::Answer(status.as_u16())),
        }
    }
}
