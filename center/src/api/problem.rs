//! Answers: JSON, or a problem document (RFC 9457).
//!
//! In: values and failures. Out: responses. Never here: secrets, and what the inside of the center looks like.
use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use enforcer_policy::document::{FileProblem, FileProblems};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::desk::DeskError;
use crate::log::LogError;
use crate::store::StoreError;

/// Why a request was not carried out.
#[derive(Debug, Serialize)]
pub(super) struct Problem {
    title: &'static str,
    status: u16,
    detail: String,
    mend: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    problems: Vec<FileMistake>,
    /// Somebody else has changed what it was planned on; it is planned anew.
    #[serde(skip)]
    overtaken: bool,
}

/// A mistake in a policy file.
#[derive(Debug, Serialize)]
struct FileMistake {
    file: String,
    line: usize,
    place: String,
    what: String,
    mend: String,
}

impl Problem {
    fn new(status: StatusCode, title: &'static str, detail: impl Into<String>, mend: &str) -> Self {
        Self {
            title,
            status: status.as_u16(),
            detail: detail.into(),
            mend: mend.to_owned(),
            problems: Vec::new(),
            overtaken: false,
        }
    }

    pub(super) fn bad(detail: impl Into<String>, mend: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "the request makes no sense", detail, mend)
    }

    pub(super) fn conflict(detail: impl Into<String>, mend: &str) -> Self {
        Self::new(StatusCode::CONFLICT, "this cannot be done now", detail, mend)
    }

    pub(super) fn refused(detail: impl Into<String>, mend: &str) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "the policy does not allow this", detail, mend)
    }

    pub(super) fn changed(detail: impl Into<String>) -> Self {
        let mend = "read the policy again, and decide on what is there now";
        Self::new(StatusCode::PRECONDITION_FAILED, "somebody else was faster", detail, mend)
    }

    pub(super) fn stranger() -> Self {
        let mend = "send Authorization: Bearer with a token of this center (enforcer-center token add)";
        Self::new(StatusCode::UNAUTHORIZED, "who are you?", "no token that counts, and no host's certificate", mend)
    }

    pub(super) fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "you may not do this", detail, "ask somebody with the right role")
    }

    pub(super) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "there is no such thing", detail, "")
    }

    pub(super) fn method() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "not with this method", "this path knows other methods", "")
    }

    pub(super) fn too_large() -> Self {
        let (detail, mend) = ("the body has more than 32 MiB", "send less at once");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "the request is too large", detail, mend)
    }

    /// Nothing is wrong with the request: it cannot be carried out now.
    fn away(detail: impl Into<String>, mend: &str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "changes must wait", detail, mend)
    }

    /// Whether it is to be tried once more, on what there is now.
    pub(super) const fn is_overtaken(&self) -> bool {
        self.overtaken
    }

    /// Why, in words.
    pub(super) fn detail(&self) -> &str {
        &self.detail
    }

    pub(super) fn internal(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "the center failed", detail, "see the center's log")
    }
}

impl From<FileProblems> for Problem {
    fn from(problems: FileProblems) -> Self {
        let mistake = |FileProblem { file, problem }| {
            let enforcer_policy::reading::Problem { line, place, what, mend } = problem;
            FileMistake { file, line, place, what, mend }
        };
        let detail = problems.to_string();
        Self { problems: problems.0.into_iter().map(mistake).collect(), ..Self::bad(detail, "see each problem's own") }
    }
}

impl From<&LogError> for Problem {
    fn from(error: &LogError) -> Self {
        let again = "what is in force stays in force; start the servers of the log again, then ask again";
        let doubt = "it may still happen: ask again with the same Idempotency-Key, or look at GET /v1/revisions first";
        match error {
            LogError::Unknown(_) => Self::away(error.to_string(), doubt),
            LogError::Crowded => Self::away(error.to_string(), "ask again"),
            LogError::Large => Self {
                status: StatusCode::PAYLOAD_TOO_LARGE.as_u16(),
                ..Self::away(error.to_string(), "send it in parts")
            },
            LogError::Away(_) => Self::away(format!("{error}; nothing was changed"), again),
            LogError::Settings(_)
            | LogError::Needed(_)
            | LogError::Other { .. }
            | LogError::Stranger(_)
            | LogError::Ends { .. }
            | LogError::Begins { .. }
            | LogError::Keys(_)
            | LogError::Diverged(_)
            | LogError::Newer(_)
            | LogError::Failed(_) => Self::away(error.to_string(), "ask another center, and see this one's log"),
        }
    }
}

impl From<&StoreError> for Problem {
    fn from(error: &StoreError) -> Self {
        match error {
            StoreError::Log(error) => {
                tracing::warn!(%error, "a change must wait");
                error.into()
            }
            StoreError::Overtaken => Self { overtaken: true, ..Self::away(error.to_string(), "ask again") },
            StoreError::Sql(_) | StoreError::Meaningless(_) | StoreError::File { .. } | StoreError::Version { .. } => {
                tracing::error!(%error, "the store failed");
                Self::internal("the store failed")
            }
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        (&error).into()
    }
}

impl From<anyhow::Error> for Problem {
    fn from(error: anyhow::Error) -> Self {
        if let Some(known @ (StoreError::Log(_) | StoreError::Overtaken)) = error.downcast_ref() {
            return known.into();
        }
        tracing::error!(error = format!("{error:#}"), "a request failed");
        Self::internal("the request could not be carried out")
    }
}

impl From<DeskError> for Problem {
    fn from(error: DeskError) -> Self {
        match error {
            DeskError::Refused(refusal) => Self::refused(refusal.to_string(), ""),
            DeskError::Lockout(_) => {
                let mend = "decide on narrower networks, put the address on the allowlist first, or add ?force=true";
                Self::refused(error.to_string(), mend)
            }
            DeskError::Full(_) => Self::refused(error.to_string(), "end some that nobody needs any more"),
            DeskError::Trial(_) => {
                let mend = "see GET /v1/health; POST /v1/policy/confirm or DELETE /v1/policy/trial ends a trial";
                Self::conflict(error.to_string(), mend)
            }
            DeskError::Rollout(_) => {
                let mend = "see enforcer policy rollout; promote goes on to the next stage, stop takes it back";
                Self::conflict(error.to_string(), mend)
            }
            DeskError::Proposed(_) => Self::conflict(error.to_string(), "see GET /v1/policy/proposals"),
            DeskError::ManyWait(_) => {
                Self::conflict(error.to_string(), "approve or reject some: enforcer policy proposals")
            }
            DeskError::NoProposal(_) => {
                let mend = "see enforcer policy proposals; what became of it stands in the audit log";
                Self { mend: mend.to_owned(), ..Self::not_found(error.to_string()) }
            }
            DeskError::NotTheirs(_) | DeskError::SamePerson(_) => {
                let mend = "ask somebody else with the role approver";
                Self { mend: mend.to_owned(), ..Self::forbidden(error.to_string()) }
            }
            DeskError::Stale(..) => {
                Self::conflict(error.to_string(), "reject it, and have it made anew on the present policy")
            }
            DeskError::Failed(error) => error.into(),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (status, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response();
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(SCHEME));
        }
        response
    }
}

/// How people say who they are; hosts do so with a certificate, before the first request.
pub(super) const SCHEME: &str = "Bearer realm=\"enforcer\"";

/// A good answer.
pub(super) struct Answer(Response);

impl Answer {
    pub(super) fn json(value: &impl Serialize) -> Self {
        Self::with(StatusCode::OK, serde_json::to_string(value).unwrap_or_default())
    }

    /// JSON that was written before.
    pub(super) fn with(status: StatusCode, body: String) -> Self {
        Self((status, [(header::CONTENT_TYPE, "application/json")], body).into_response())
    }

    /// TOML or a delivery.
    pub(super) fn bytes(kind: &'static str, body: impl Into<Body>) -> Self {
        Self(([(header::CONTENT_TYPE, kind)], body.into()).into_response())
    }

    pub(super) fn nothing() -> Self {
        Self(StatusCode::NO_CONTENT.into_response())
    }

    /// With one more header.
    pub(super) fn with_header(mut self, name: &'static str, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.0.headers_mut().insert(name, value);
        }
        self
    }

    /// The revision that this shows, so that a change can name it in `If-Match`.
    pub(super) fn tagged(mut self, revision: u64) -> Self {
        if let Ok(tag) = HeaderValue::from_str(&format!("\"{revision}\"")) {
            self.0.headers_mut().insert(header::ETAG, tag);
        }
        self
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        self.0
    }
}

/// A query that is read or becomes a problem document.
pub(super) struct Asked<T>(pub(super) T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let read = Query::<T>::try_from_uri(&parts.uri);
        read.map(|query| Self(query.0)).map_err(|error| Problem::bad(error.body_text(), "see docs/CENTER.md"))
    }
}

/// A body that is read whole or becomes a problem document.
pub(super) struct Sent(pub(super) Bytes);

impl<S: Send + Sync> FromRequest<S> for Sent {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let read = Bytes::from_request(request, state).await;
        read.map(Self).map_err(|rejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Problem::too_large(),
            _ => Problem::bad(rejection.body_text(), "send the body again"),
        })
    }
}

/// Parts of the path that are read or become a problem document.
pub(super) struct Placed<T>(pub(super) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Placed<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read = Path::<T>::from_request_parts(parts, state).await;
        read.map(|Path(place)| Self(place))
            .map_err(|rejection| Problem::bad(rejection.body_text(), "see docs/CENTER.md"))
    }
}

/// A JSON body.
pub(super) fn body<T: DeserializeOwned>(bytes: &Bytes) -> Result<T, Problem> {
    serde_json::from_slice(bytes).map_err(|error| Problem::bad(format!("the body: {error}"), "see docs/CENTER.md"))
}
