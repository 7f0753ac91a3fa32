//! The content room: what stands in requests and answers, decoded as servers decode it.
//!
//! In: a [`Call`]. Out: [`Contents`]: each value with its place, its name, and every reading that differs. Never here: what a
//! value means. A body of which only the beginning was recorded is read as far as it goes.
//!
//! Bounded: [`MOST_VALUES`] values of [`LONGEST_VALUE`] bytes, [`DEEPEST`] levels; what is beyond is counted, never kept.
#![forbid(unsafe_code)]

mod bodies;
mod collect;
mod decode;
mod heads;
mod json;
mod multipart;
mod pairs;
mod xml;

use bytes::Bytes;

pub use collect::{DEEPEST, LONGEST_NAME, LONGEST_VALUE, MOST_VALUES};
pub use decode::{Coding, MOST_READINGS, readings};

use crate::call::{Answer, Call};
use collect::Collector;

/// Where in a request or an answer a value stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// A cookie.
    Cookie,
    /// A field of a form.
    Form,
    /// A header.
    Header,
    /// A field of a JSON body.
    Json,
    /// A part of a multipart body, or one of its names.
    Multipart,
    /// A segment of the path; under [`WHOLE_PATH`], all of it.
    Path,
    /// A query parameter.
    Query,
    /// A body of another type.
    Text,
    /// Text or an attribute of an XML body.
    Xml,
}

impl Place {
    /// All of them, in their order.
    pub const ALL: [Self; 9] = [
        Self::Cookie,
        Self::Form,
        Self::Header,
        Self::Json,
        Self::Multipart,
        Self::Path,
        Self::Query,
        Self::Text,
        Self::Xml,
    ];

    /// True where what is sent is a body.
    pub const fn is_body(self) -> bool {
        matches!(self, Self::Form | Self::Json | Self::Multipart | Self::Text | Self::Xml)
    }

    /// Its name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cookie => "cookie",
            Self::Form => "form",
            Self::Header => "header",
            Self::Json => "json",
            Self::Multipart => "multipart",
            Self::Path => "path",
            Self::Query => "query",
            Self::Text => "text",
            Self::Xml => "xml",
        }
    }
}

/// One value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Value {
    /// Where it stands.
    pub place: Place,
    /// The name it was sent under, at most [`LONGEST_NAME`] bytes: a parameter, a header in lower case, a path of fields
    /// (`items[].price`), the number of a segment. What the sender chose: show [`Self::label`] instead.
    pub name: Box<str>,
    /// Every reading, each once, at least one. The first is that of a server which keeps to the standards.
    pub readings: Vec<Bytes>,
}

impl Value {
    /// The standard reading.
    pub fn text(&self) -> &[u8] {
        self.readings.first().map_or(&[], |first| first)
    }

    /// Its name for people: parts that look like data, not like names, become `{}`.
    pub fn label(&self) -> Box<str> {
        label(&self.name)
    }
}

/// What stands in a request or an answer.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Contents {
    /// In the order they were sent.
    pub values: Vec<Value>,
    /// Values, or ends of values, that were beyond the limits.
    pub forgotten: u32,
}

/// What stands in the request of a call.
pub fn request(call: &Call) -> Contents {
    let mut found = Collector::default();
    heads::target(&call.head.target, &mut found);
    heads::headers(&call.head.headers, &mut found);
    bodies::read(&call.head.headers, &call.body, &mut found);
    found.finish()
}

/// What stands in an answer: its body, and the headers an application sets.
pub fn answer(answer: &Answer) -> Contents {
    let mut found = Collector::default();
    heads::answered(&answer.headers, &mut found);
    bodies::read(&answer.headers, &answer.body, &mut found);
    found.finish()
}

/// A name of fields, without what looks like data: a part with an `@`, over forty bytes, or more than three digits.
pub fn label(name: &str) -> Box<str> {
    let data = |part: &str| {
        let digits = part.bytes().filter(u8::is_ascii_digit).count();
        part.len() > LONGEST_PART || digits > MOST_DIGITS || part.contains(['@', ' ', '\'', '"', '<'])
    };
    if !data(name) {
        return name.into();
    }
    let parts: Vec<&str> = name.split('.').map(|part| if data(part) { HIDDEN } else { part }).collect();
    parts.join(".").into()
}

/// Under this name, all of a path stands before its segments.
pub const WHOLE_PATH: &str = "/";
const HIDDEN: &str = "{}";
const LONGEST_PART: usize = 40;
const MOST_DIGITS: usize = 3;

#[cfg(test)]
mod tests;
