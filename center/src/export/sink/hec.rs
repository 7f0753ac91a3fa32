//! Splunk's HTTP event collector.
//!
//! In: events. Out: they are there when the collector says so. Never here: the token in any error or log.
use std::time::Duration;

use anyhow::{Context as _, bail};
use axum::body::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;

use super::super::format::{Format, value};
use super::super::settings::Hec;
use super::connection::connect;
use crate::store::KeptEvent;

/// A collector.
pub(in super::super) struct HecSink {
    settings: Hec,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl HecSink {
    pub(super) const fn new(settings: Hec) -> Self {
        Self { settings, sender: None }
    }

    pub(super) async fn send(&mut self, events: &[KeptEvent], format: Format) -> anyhow::Result<()> {
        if self.sender.as_ref().is_none_or(SendRequest::is_closed) {
            self.sender = Some(dial(&self.settings).await?);
        }
        let sender = self.sender.as_mut().context("no connection")?;
        let body: String = events.iter().map(|event| wrapped(event, format)).collect();
        let request = Request::post("/services/collector/event")
            .header(HOST, &self.settings.host)
            .header(AUTHORIZATION, format!("Splunk {}", self.settings.token))
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))?;
        sender.ready().await.context("the collector hung up")?;
        let answer = sender.send_request(request).await.context("the collector hung up")?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), ANSWER).collect().await;
        let body = body.map_err(|error| anyhow::anyhow!("the collector's answer: {error}"))?.to_bytes();
        taken(status, &body)
    }

    pub(super) fn close(&mut self) {
        self.sender = None;
    }
}

async fn dial(settings: &Hec) -> anyhow::Result<SendRequest<Full<Bytes>>> {
    let Hec { address, host, authority, .. } = settings;
    let stream = connect(address, host, authority.as_deref()).await?;
    let shaken = tokio::time::timeout(PATIENCE, handshake(TokioIo::new(stream))).await;
    let (sender, connection) = shaken.context("the collector does not answer")??;
    // Its end shows in the next request.
    tokio::spawn(connection);
    Ok(sender)
}

/// Only a success with code 0 counts.
fn taken(status: StatusCode, body: &[u8]) -> anyhow::Result<()> {
    let said: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let code = said.get("code").and_then(serde_json::Value::as_u64);
    if status.is_success() && code.unwrap_or(0) == 0 {
        return Ok(());
    }
    let text = said.get("text").and_then(|text| text.as_str()).unwrap_or_default();
    bail!("the collector answered {status}: {}", text.chars().take(200).collect::<String>())
}

fn wrapped(kept: &KeptEvent, format: Format) -> String {
    let millis = kept.event.time.0;
    let time = format!("{}.{:03}", millis / 1000, millis % 1000);
    serde_json::json!({
        "time": time,
        "host": kept.host,
        "source": "enforcer",
        "sourcetype": format!("enforcer:{}", format.name()),
        "event": value(kept, format),
    })
    .to_string()
}

const ANSWER: usize = 1 << 16;
const PATIENCE: Duration = Duration::from_secs(10);
