//! The injection room: which values would act as code where a server puts them.
//!
//! In: [`Contents`] of a request. Out: a [`Hit`] for each value and class: how sure, the rules that fired, an excerpt without
//! the sender's own words. Never here: where values stand in bytes, decisions.
//!
//! Each reading of a value goes through the engines whose signs it bears. All run in time linear in the value's length. To add
//! a class: an engine in a file of its own, a line in [`ENGINES`], generators of attacks and of clean texts in the tests.
#![forbid(unsafe_code)]

mod command;
mod evidence;
mod header;
mod ldap;
#[cfg(test)]
mod learn;
mod lookup;
mod nosql;
mod own;
mod pasted;
mod path;
mod pattern;
mod sql;
mod ssrf;
mod template;
mod text;
mod traits;
mod weigh;
mod weights;
mod xss;
mod xxe;

use bytes::Bytes;

use crate::content::{Coding, Contents, Place, Value, WHOLE_PATH, readings};
use evidence::Evidence;
use text::{Sign, Text};

/// What a value would be run as.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// A command of a shell, or code of a program.
    Command,
    /// A line of a head of HTTP or of a mail.
    Header,
    /// A filter of a directory.
    Ldap,
    /// A lookup of a logging library.
    Lookup,
    /// An operator of a document database.
    NoSql,
    /// A file outside of its folder.
    Path,
    /// A statement of SQL.
    Sql,
    /// A URL that only the server can reach.
    Ssrf,
    /// An expression of a template.
    Template,
    /// A script in a page.
    Xss,
    /// An entity or inclusion of XML.
    Xxe,
}

impl Class {
    /// All of them, in their order.
    pub const ALL: [Self; 11] = [
        Self::Command,
        Self::Header,
        Self::Ldap,
        Self::Lookup,
        Self::NoSql,
        Self::Path,
        Self::Sql,
        Self::Ssrf,
        Self::Template,
        Self::Xss,
        Self::Xxe,
    ];

    /// Its name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Header => "header",
            Self::Ldap => "ldap",
            Self::Lookup => "lookup",
            Self::NoSql => "no-sql",
            Self::Path => "path",
            Self::Sql => "sql",
            Self::Ssrf => "ssrf",
            Self::Template => "template",
            Self::Xss => "xss",
            Self::Xxe => "xxe",
        }
    }
}

/// A value that would act as code.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Hit {
    /// Where it stands.
    pub place: Place,
    /// Under which name, as [`Value::label`] shows it.
    pub name: Box<str>,
    /// As what it would be run.
    pub class: Class,
    /// From [`SURE`] to 100.
    pub confidence: u8,
    /// The rules that fired, in order.
    pub rules: Vec<&'static str>,
    /// What stands at the first of them, at most [`LONGEST_EXCERPT`] characters; words that no language knows are dots.
    pub excerpt: Box<str>,
}

/// What is less sure is no hit.
pub const SURE: u8 = 50;
pub use evidence::LONGEST_EXCERPT;

/// All hits of a request, in the order of its values and classes.
pub fn judge(contents: &Contents) -> Vec<Hit> {
    contents.values.iter().flat_map(judge_value).collect()
}

/// The hits of one value: at most one of each class, from the reading that is surest.
pub fn judge_value(value: &Value) -> Vec<Hit> {
    let mut best: Vec<(Class, u8, Evidence)> = Vec::new();
    each(value, &mut |class, text, evidence| {
        let sure = weigh::confidence(class, text, &evidence);
        match best.iter_mut().find(|(known, ..)| *known == class) {
            _ if sure < SURE => {}
            Some((_, known, _)) if *known >= sure => {}
            Some(known) => *known = (class, sure, evidence),
            None => best.push((class, sure, evidence)),
        }
    });
    best.sort_by_key(|(class, ..)| *class);
    best.into_iter().map(|(class, sure, evidence)| evidence.hit(value, class, sure)).collect()
}

/// What is done with evidence of a class on a reading.
type Take<'t> = &'t mut dyn FnMut(Class, &Text<'_>, Evidence);

/// All evidence on a value, reading by reading.
fn each(value: &Value, take: Take<'_>) {
    for reading in &value.readings {
        look(&Text::of(value.place, &value.name, reading), take);
        nested(value, reading, take);
    }
    if !text::is_plain(&value.name) {
        // A name can be the attack; its place in a body is no part of it.
        look(&Text::of(value.place, &value.name, value.name.as_bytes()), take);
    }
}

/// The parameters of a URL that is a value: whoever fetches it reads them.
fn nested(value: &Value, url: &Bytes, take: Take<'_>) {
    let begins = url.starts_with(b"http") || (url.starts_with(b"/") && value.place != Place::Path);
    let Some(query) = url.iter().position(|byte| *byte == b'?').filter(|_| begins) else { return };
    for piece in url.get(query + 1..).unwrap_or_default().split(|byte| *byte == b'&').take(MOST_NESTED) {
        let Some(equals) = piece.iter().position(|byte| *byte == b'=') else { continue };
        let text = url.slice_ref(piece.get(equals + 1..).unwrap_or_default());
        for reading in readings(&text, Coding::Form) {
            look(&Text::of(value.place, &value.name, &reading), take);
        }
    }
}

/// Parameters of such a URL that are read.
const MOST_NESTED: usize = 16;

/// Runs the engines whose signs a reading bears.
fn look(text: &Text<'_>, take: Take<'_>) {
    let whole = text.place == Place::Path && text.name == WHOLE_PATH;
    for (class, signs, engine) in &ENGINES {
        if text.signs & signs == 0 || (whole && !matches!(class, Class::Path | Class::Header)) {
            continue;
        }
        let evidence = engine(text);
        if evidence.weight() >= weigh::LEAST {
            take(*class, text, evidence);
        }
    }
}

type Engine = fn(&Text<'_>) -> Evidence;

/// Each class, the signs without any of which it cannot be, and its engine.
const ENGINES: [(Class, u32, Engine); 11] = [
    (
        Class::Command,
        Sign::SHELL | Sign::PAREN | Sign::SLASH | Sign::ANGLE | Sign::DOLLAR | Sign::QUOTE,
        command::judge,
    ),
    (Class::Header, Sign::LINE | Sign::BACKSLASH, header::judge),
    (Class::Ldap, Sign::PAREN, ldap::judge),
    (Class::Lookup, Sign::DOLLAR, lookup::judge),
    (Class::NoSql, Sign::DOLLAR | Sign::QUOTE | Sign::SHELL | Sign::NAME, nosql::judge),
    (Class::Path, Sign::SLASH | Sign::BACKSLASH | Sign::DOTS | Sign::NUL, path::judge),
    (Class::Sql, Sign::QUOTE | Sign::PAREN | Sign::BLANK | Sign::SHELL | Sign::SLASH | Sign::DASHES, sql::judge),
    (Class::Ssrf, Sign::SLASH | Sign::BACKSLASH, ssrf::judge),
    (Class::Template, Sign::BRACE | Sign::ANGLE | Sign::DOLLAR, template::judge),
    (Class::Xss, Sign::ANGLE | Sign::QUOTE | Sign::CALL | Sign::COLON | Sign::EQUALS | Sign::BACKTICK, xss::judge),
    (Class::Xxe, Sign::ANGLE | Sign::NAME, xxe::judge),
];

#[cfg(test)]
mod tests;
