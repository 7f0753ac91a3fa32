//! The log's servers: two streams of `JetStream`, one of records, one of the parts of those that one message does not hold.
//!
//! In: sealed bytes and their place. Out: the same, in order. Never here: what they mean.
//!
//! `Nats-Expected-Last-Sequence` makes an append happen at its place or not at all, so the same append may be sent again and again until
//! somebody says what became of it. `Nats-Msg-Id` tells whose the record at a place is.
use std::time::Duration;

use async_nats::connection::State;
use async_nats::header::NATS_MESSAGE_ID;
use async_nats::jetstream::Context;
use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::{ContextBuilder, GetStreamErrorKind, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::{
    Config, DiscardPolicy, RawMessageError, RawMessageErrorKind, RetentionPolicy, StorageType,
};
use async_nats::{Client, ConnectOptions};
use axum::body::Bytes;
use futures_util::StreamExt as _;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::{LogError, Settings};
use crate::secret;

/// A connection, and what it is used for.
pub(super) struct Wire {
    client: Client,
    context: Context,
    name: String,
}

/// What is known of an append.
enum Fate {
    Next,
    Late,
    /// It was not taken.
    Again(String),
    /// It may have been taken.
    Doubt(String),
}

impl Wire {
    /// Connects, and goes on trying. Gives what changes when others have news, too.
    pub(super) async fn connect(
        settings: Settings,
        options: ConnectOptions,
    ) -> Result<(Self, watch::Receiver<u64>), LogError> {
        let told = |event| async move { tracing::debug!(%event, "the log's servers") };
        let options = options.retry_on_initial_connect().connection_timeout(ANSWER).event_callback(told);
        let client = options.request_timeout(Some(ANSWER)).no_echo().connect(settings.servers).await;
        let client = client.map_err(|error| LogError::Settings(error.to_string()))?;
        let context = ContextBuilder::new().timeout(ANSWER).ack_timeout(ANSWER).build(client.clone());
        let wire = Self { client, context, name: settings.name };
        let news = wire.hear().await?;
        Ok((wire, news))
    }

    /// Makes the streams, unless they are there.
    pub(super) async fn make(&self, time: Duration) -> Result<(), LogError> {
        let until = Instant::now() + time;
        for (name, subject) in [(self.name.clone(), self.subject("records")), (self.parts(), self.subject("parts"))] {
            while let Err(why) = self.make_stream(&name, &subject).await {
                if Instant::now() >= until {
                    return Err(LogError::Away(why));
                }
                sleep(PAUSE).await;
            }
        }
        Ok(())
    }

    async fn make_stream(&self, name: &str, subject: &str) -> Result<(), String> {
        if self.context.get_stream(name).await.is_ok() {
            return Ok(());
        }
        let config = Config {
            name: name.to_owned(),
            subjects: vec![subject.to_owned()],
            retention: RetentionPolicy::Limits,
            storage: StorageType::File,
            discard: DiscardPolicy::Old,
            num_replicas: COPIES,
            max_bytes: MOST,
            max_age: LIFE,
            ..Config::default()
        };
        self.context.create_stream(config).await.map(drop).map_err(|error| error.to_string())
    }

    /// Makes these bytes the record after `place`, if that is the last one; false when it is not.
    pub(super) async fn append(
        &self,
        place: u64,
        hash: [u8; 32],
        sealed: Vec<u8>,
        time: Duration,
    ) -> Result<bool, LogError> {
        let until = Instant::now() + time;
        let body = self.carried(Bytes::from(sealed), until).await?;
        let id = secret::hex(&hash);
        let mut doubt = false;
        loop {
            let why = match self.offer(place, &id, body.clone(), doubt).await? {
                Fate::Next => return Ok(true),
                Fate::Late => return Ok(false),
                Fate::Again(why) => why,
                Fate::Doubt(why) => {
                    doubt = true;
                    why
                }
            };
            if Instant::now() >= until {
                return Err(if doubt { LogError::Unknown(why) } else { LogError::Away(why) });
            }
            sleep(PAUSE).await;
        }
    }

    /// One try. With a doubt whether an earlier one was taken, the record at the place tells.
    async fn offer(&self, place: u64, id: &str, body: Bytes, doubt: bool) -> Result<Fate, LogError> {
        if self.client.connection_state() != State::Connected {
            return Ok(Fate::Again("not connected".to_owned()));
        }
        let message = PublishMessage::build().payload(body).message_id(id).expected_last_sequence(place);
        let acknowledged = match self.context.send_publish(self.subject("records"), message).await {
            Ok(sent) => sent.await,
            Err(error) => Err(error),
        };
        let error = match acknowledged {
            Ok(taken) if taken.sequence == place + 1 => return Ok(Fate::Next),
            Ok(taken) => return Err(LogError::Diverged(taken.sequence)),
            Err(error) => error,
        };
        Ok(match error.kind() {
            PublishErrorKind::WrongLastSequence if doubt => self.whose(place + 1, id).await,
            PublishErrorKind::WrongLastSequence => Fate::Late,
            PublishErrorKind::MaxPayloadExceeded => return Err(LogError::Large),
            // Nobody was there to take it.
            PublishErrorKind::StreamNotFound | PublishErrorKind::MaxAckPending => Fate::Again(error.to_string()),
            PublishErrorKind::TimedOut
            | PublishErrorKind::BrokenPipe
            | PublishErrorKind::WrongLastMessageId
            | PublishErrorKind::Other => Fate::Doubt(error.to_string()),
        })
    }

    async fn whose(&self, place: u64, id: &str) -> Fate {
        let stream = match self.context.get_stream_no_info(&self.name).await {
            Ok(stream) => stream,
            Err(error) => return Fate::Doubt(error.to_string()),
        };
        match stream.get_raw_message(place).await {
            Ok(message) if message.headers.get(NATS_MESSAGE_ID).is_some_and(|there| there.as_str() == id) => Fate::Next,
            Ok(_) => Fate::Late,
            Err(error) => Fate::Doubt(error.to_string()),
        }
    }

    /// Records after a place, as many as are asked for at a time.
    pub(super) async fn read(&self, place: u64) -> Result<Vec<(u64, Bytes)>, LogError> {
        let (first, last) = self.ends().await?;
        if last < place {
            return Err(LogError::Ends { ends: last, applied: place });
        }
        if last > place && first > place + 1 {
            return Err(LogError::Begins { begins: first, applied: place });
        }
        let until = last.min(place + AT_ONCE);
        let bodies = self.messages(&self.name, (place + 1..=until).collect()).await?;
        let mut records = Vec::with_capacity(bodies.len());
        for (place, body) in (place + 1..).zip(bodies) {
            records.push((place, self.whole(body).await?));
        }
        Ok(records)
    }

    /// The first and the last place.
    async fn ends(&self) -> Result<(u64, u64), LogError> {
        match self.context.get_stream(&self.name).await {
            Ok(stream) => {
                let info = stream.cached_info();
                // Without one, somebody else answers who need not know.
                if info.cluster.as_ref().is_some_and(|cluster| cluster.leader.is_none()) {
                    return Err(LogError::Away("no server leads".to_owned()));
                }
                Ok((info.state.first_sequence, info.state.last_sequence))
            }
            Err(error) => match error.kind() {
                GetStreamErrorKind::JetStream(error) if error.error_code() == ErrorCode::STREAM_NOT_FOUND => Ok((1, 0)),
                GetStreamErrorKind::JetStream(_)
                | GetStreamErrorKind::EmptyName
                | GetStreamErrorKind::InvalidStreamName
                | GetStreamErrorKind::Request => Err(LogError::Away(error.to_string())),
            },
        }
    }

    /// These messages of a stream, in this order.
    async fn messages(&self, stream: &str, places: Vec<u64>) -> Result<Vec<Bytes>, LogError> {
        let stream = self.context.get_stream_no_info(stream).await;
        let stream = stream.map_err(|error| LogError::Away(error.to_string()))?;
        let mut asked = JoinSet::new();
        for (at, place) in places.into_iter().enumerate() {
            let stream = stream.clone();
            asked.spawn(async move { (at, stream.get_raw_message(place).await) });
        }
        let mut found = Vec::with_capacity(asked.len());
        for (at, message) in asked.join_all().await {
            found.push((at, message.map_err(|error| missing(&error))?.payload));
        }
        found.sort_by_key(|(at, _)| *at);
        Ok(found.into_iter().map(|(_, body)| body).collect())
    }

    /// A body that one message holds: the bytes, or where their parts are.
    async fn carried(&self, sealed: Bytes, until: Instant) -> Result<Bytes, LogError> {
        let part = self.client.server_info().max_payload.clamp(LEAST, PART) - HEADERS;
        if sealed.len() <= part {
            return Ok(sealed);
        }
        let mut places = Vec::new();
        for at in (0..sealed.len()).step_by(part) {
            let body = sealed.slice(at..sealed.len().min(at + part));
            places.push(self.keep_part(body, until).await?);
        }
        let mut list = vec![PARTS];
        list.extend(places.iter().flat_map(|place| place.to_be_bytes()));
        Ok(Bytes::from(list))
    }

    /// Keeps a part; twice does no harm.
    async fn keep_part(&self, body: Bytes, until: Instant) -> Result<u64, LogError> {
        loop {
            let error = match self.context.publish(self.subject("parts"), body.clone()).await {
                Ok(sent) => match sent.await {
                    Ok(taken) => return Ok(taken.sequence),
                    Err(error) => error,
                },
                Err(error) => error,
            };
            if Instant::now() >= until {
                return Err(LogError::Away(error.to_string()));
            }
            sleep(PAUSE).await;
        }
    }

    /// The bytes of a body.
    async fn whole(&self, body: Bytes) -> Result<Bytes, LogError> {
        let Some(list) = body.strip_prefix(&[PARTS]) else { return Ok(body) };
        let places = list.chunks_exact(8).filter_map(|place| place.try_into().ok()).map(u64::from_be_bytes);
        let parts = self.messages(&self.parts(), places.collect()).await?;
        Ok(Bytes::from(parts.concat()))
    }

    /// Tells others that there is something to read.
    pub(super) async fn tell(&self) {
        if let Err(error) = self.client.publish(self.subject("news"), Bytes::new()).await {
            tracing::debug!(%error, "others will see it when they look");
        }
    }

    /// What changes when others tell.
    async fn hear(&self) -> Result<watch::Receiver<u64>, LogError> {
        let told = self.client.subscribe(self.subject("news")).await;
        let mut told = told.map_err(|error| LogError::Failed(error.to_string()))?;
        let (sender, receiver) = watch::channel(0);
        tokio::spawn(async move {
            while told.next().await.is_some() {
                sender.send_modify(|count: &mut u64| *count = count.wrapping_add(1));
            }
        });
        Ok(receiver)
    }

    fn subject(&self, of: &str) -> String {
        format!("enforcer.{}.{of}", self.name)
    }

    fn parts(&self) -> String {
        format!("{}_PARTS", self.name)
    }
}

fn missing(error: &RawMessageError) -> LogError {
    if error.kind() == RawMessageErrorKind::NoMessageFound {
        let mend = "begin with a copy of another center's folder";
        return LogError::Failed(format!("a record, or a part of one, is no longer there: {mend}"));
    }
    LogError::Away(error.to_string())
}

/// The first byte of a body that is a list of parts.
const PARTS: u8 = 0xff;
/// Servers that keep each record.
const COPIES: usize = 3;
/// Bytes of a stream, and how long a record stays: a replica that was away for longer begins with a copy of another.
const MOST: i64 = 4 << 30;
const LIFE: Duration = Duration::from_hours(30 * 24);
/// How long one question may take, and the pause before it is asked again.
const ANSWER: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(50);
/// Records that are asked for at a time.
const AT_ONCE: u64 = 64;
/// Bytes of a message.
const LEAST: usize = 64 << 10;
const PART: usize = 512 << 10;
const HEADERS: usize = 4 << 10;
