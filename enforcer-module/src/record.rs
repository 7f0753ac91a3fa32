//! What a module reads. In: a call as filters see it, parameters. Out: bytes: fields, each a number of two bytes, a length of four, and
//! so many bytes; all numbers begin with their lowest byte. Never here: what fields mean to a module.
//!
//! A module skips the fields it does not know, so more can come without another version of the contract.
use enforcer_insight::classes::Found;
use enforcer_insight::content::Place;
use enforcer_insight::filters::{Parameter, Parameters, Seen};
use enforcer_insight::http::Header;
use enforcer_insight::{Answer, filters::Kind};
use enforcer_policy::SubjectKind;

use crate::limits::RECORD;

/// The numbers of the fields.
pub mod tag {
    /// Milliseconds since 1970, eight bytes.
    pub const TIME: u16 = 1;
    /// The name of the service.
    pub const SERVICE: u16 = 2;
    /// The method.
    pub const METHOD: u16 = 3;
    /// The target as it was sent: path and query.
    pub const TARGET: u16 = 4;
    /// Method and path template.
    pub const ENDPOINT: u16 = 5;
    /// Bits, four bytes: see the constants beside.
    pub const FLAGS: u16 = 6;
    /// Who it is for, as narrowly as is known: a kind (one byte), and a key of tables (eight).
    pub const CONSUMER: u16 = 7;
    /// An identity that the call bears, as above; once for each.
    pub const IDENTITY: u16 = 8;
    /// An object that the call names: a digest (eight bytes), 1 if its name is a number (one byte), the number (eight).
    pub const OBJECT: u16 = 9;
    /// Sensitive data: where (one byte: 0 address, 1 request, 2 answer), how often (four), the name of the class.
    pub const SENSITIVE: u16 = 10;
    /// A header of the request: the length of its name (two bytes), name, value.
    pub const REQUEST_HEADER: u16 = 11;
    /// The first bytes of its body.
    pub const REQUEST_BODY: u16 = 12;
    /// The status of the answer, two bytes; missing when no answer was seen.
    pub const STATUS: u16 = 13;
    /// Microseconds to the first byte of the answer, and to its last (eight bytes each).
    pub const TIMES: u16 = 14;
    /// Bytes of the answer, eight bytes.
    pub const SIZE: u16 = 15;
    /// A header of the answer, as above.
    pub const ANSWER_HEADER: u16 = 16;
    /// The first bytes of its body.
    pub const ANSWER_BODY: u16 = 17;
    /// A parameter: the length of its name (two bytes), name, value as text; times in seconds.
    pub const PARAMETER: u16 = 32;

    /// It came through a proxy that is believed.
    pub const FORWARDED: u32 = 1;
    /// Several people are served at its address.
    pub const CROWDED: u32 = 2;
    /// Its answer was seen to its end.
    pub const COMPLETE: u32 = 4;
}

/// One record after another, in the same memory.
#[derive(Debug, Default)]
pub(crate) struct Record(Vec<u8>);

impl Record {
    /// Its bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Writes a call. What is of one size comes first, so that a long head crowds out a body and not who sent it.
    pub(crate) fn call(&mut self, seen: &Seen<'_>, answer: Option<&Answer>) {
        self.0.clear();
        let (call, head) = (seen.call, &seen.call.head);
        self.field(tag::TIME, &[&call.time.0.to_le_bytes()]);
        self.field(tag::SERVICE, &[call.service.as_bytes()]);
        self.field(tag::METHOD, &[&head.method]);
        self.field(tag::ENDPOINT, &[seen.spot.text.as_bytes()]);
        self.field(tag::FLAGS, &[&flags(seen, answer).to_le_bytes()]);
        self.who(seen);
        self.field(tag::TARGET, &[&head.target]);
        if let Some(answer) = answer {
            self.times(answer);
        }
        call.sensitive.request.iter().for_each(|found| self.sensitive(found, u8::from(!is_address(found))));
        call.sensitive.answer.iter().for_each(|found| self.sensitive(found, 2));
        for header in &head.headers {
            self.header(tag::REQUEST_HEADER, header);
        }
        for header in answer.map(|answer| &answer.headers[..]).unwrap_or_default() {
            self.header(tag::ANSWER_HEADER, header);
        }
        self.body(tag::REQUEST_BODY, &call.body);
        self.body(tag::ANSWER_BODY, answer.map(|answer| &answer.body[..]).unwrap_or_default());
    }

    fn who(&mut self, seen: &Seen<'_>) {
        let consumer = &seen.consumer;
        self.field(tag::CONSUMER, &[&[consumer.subject.kind() as u8], &consumer.key.to_le_bytes()]);
        for kind in KINDS {
            if let Some(key) = seen.key(kind) {
                self.field(tag::IDENTITY, &[&[kind as u8], &key.to_le_bytes()]);
            }
        }
        for object in seen.objects {
            let (is_number, number) = (u8::from(object.number.is_some()), object.number.unwrap_or_default());
            self.field(tag::OBJECT, &[&object.digest.to_le_bytes(), &[is_number], &number.to_le_bytes()]);
        }
    }

    /// Writes parameters.
    pub(crate) fn parameters(&mut self, schema: &[Parameter], parameters: &Parameters) {
        self.0.clear();
        for parameter in schema {
            let name = &*parameter.name;
            let number = parameters.count(name).to_string();
            let value = match parameter.kind {
                Kind::Count(..) | Kind::Time(..) => &number,
                Kind::Choice(_) | Kind::Text(_) => parameters.word(name),
            };
            self.named(tag::PARAMETER, name.as_bytes(), value.as_bytes());
        }
    }

    fn times(&mut self, answer: &Answer) {
        let micros = |time: std::time::Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX).to_le_bytes();
        self.field(tag::STATUS, &[&answer.status.to_le_bytes()]);
        self.field(tag::TIMES, &[&micros(answer.first_byte), &micros(answer.whole)]);
        self.field(tag::SIZE, &[&answer.bytes.to_le_bytes()]);
    }

    fn sensitive(&mut self, found: &Found, place: u8) {
        self.field(tag::SENSITIVE, &[&[place], &found.count.to_le_bytes(), found.class.name().as_bytes()]);
    }

    fn header(&mut self, number: u16, header: &Header) {
        self.named(number, &header.name, &header.value);
    }

    fn named(&mut self, number: u16, name: &[u8], value: &[u8]) {
        if let Ok(length) = u16::try_from(name.len()) {
            self.field(number, &[&length.to_le_bytes(), name, value]);
        }
    }

    /// As much of a body as there is room for.
    fn body(&mut self, number: u16, body: &[u8]) {
        let room = RECORD.saturating_sub(self.0.len() + FIELD);
        let body = body.get(..room).unwrap_or(body);
        if !body.is_empty() {
            self.field(number, &[body]);
        }
    }

    /// A field, unless there is no room for it.
    fn field(&mut self, number: u16, parts: &[&[u8]]) {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let Ok(told) = u32::try_from(length) else { return };
        if self.0.len() + FIELD + length > RECORD {
            return;
        }
        self.0.extend_from_slice(&number.to_le_bytes());
        self.0.extend_from_slice(&told.to_le_bytes());
        for part in parts {
            self.0.extend_from_slice(part);
        }
    }
}

fn flags(seen: &Seen<'_>, answer: Option<&Answer>) -> u32 {
    let complete = answer.is_some_and(|answer| answer.complete);
    let bits = [(seen.is_forwarded(), tag::FORWARDED), (seen.is_crowded, tag::CROWDED), (complete, tag::COMPLETE)];
    bits.into_iter().filter(|(set, _)| *set).fold(0, |all, (_, bit)| all | bit)
}

const fn is_address(found: &Found) -> bool {
    matches!(found.place, Place::Path | Place::Query)
}

/// Bytes in front of what a field holds.
const FIELD: usize = 6;
const KINDS: [SubjectKind; 4] = [SubjectKind::User, SubjectKind::ApiKey, SubjectKind::Session, SubjectKind::Device];
