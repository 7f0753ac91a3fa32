//! What can be set about a filter. In: names and texts of the policy, or a table of a file. Out: [`Parameters`] that fit the
//! filter's schema, or every problem with its place and how to mend it. Never here: what the values mean to the filter.
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use enforcer_policy::reading::{Report, Section};

use super::Word;

/// One thing that can be set.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Parameter {
    /// Its name in policy: lower-case letters and underscores.
    pub name: Word,
    /// What may be written.
    pub kind: Kind,
    /// What holds when nothing is written, as it would be written.
    pub default: Word,
    /// What it changes, in one line.
    pub doc: Word,
}

/// What may be written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Kind {
    /// One of these words.
    Choice(Cow<'static, [Word]>),
    /// A whole number in a range, ends included.
    Count(u32, u32),
    /// Any text without control characters, at most this many bytes; what it must look like stands in the doc.
    Text(u32),
    /// A time such as `90s`, `10m`, `12h`, `7d`: from and to, in seconds, ends included.
    Time(u32, u32),
}

/// The values of a filter's parameters: all that its schema names.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Parameters(BTreeMap<String, Value>);

#[derive(Clone, PartialEq, Eq, Debug)]
enum Value {
    Number(u32),
    Text(String),
}

/// Something that does not fit.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{place}: {what}\n  mend: {mend}")]
pub struct ParameterProblem {
    /// Where, such as `matrix.walking.pay.ids`.
    pub place: String,
    /// What is wrong.
    pub what: String,
    /// How to mend it.
    pub mend: String,
}

impl Parameter {
    /// A number from `least` to `most`.
    pub const fn count(name: &'static str, default: &'static str, least: u32, most: u32, doc: &'static str) -> Self {
        Self::new(name, Kind::Count(least, most), default, doc)
    }

    /// A time from `least` to `most` seconds.
    pub const fn time(name: &'static str, default: &'static str, least: u32, most: u32, doc: &'static str) -> Self {
        Self::new(name, Kind::Time(least, most), default, doc)
    }

    /// One of a few words.
    pub const fn choice(name: &'static str, default: &'static str, words: &'static [Word], doc: &'static str) -> Self {
        Self::new(name, Kind::Choice(Cow::Borrowed(words)), default, doc)
    }

    /// A text of at most `most` bytes.
    pub const fn text(name: &'static str, default: &'static str, most: u32, doc: &'static str) -> Self {
        Self::new(name, Kind::Text(most), default, doc)
    }

    const fn new(name: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> Self {
        Self { name: Cow::Borrowed(name), kind, default: Cow::Borrowed(default), doc: Cow::Borrowed(doc) }
    }

    fn read(&self, text: &str) -> Option<Value> {
        match &self.kind {
            Kind::Choice(words) => words.iter().any(|word| word == text).then(|| Value::Text(text.to_owned())),
            Kind::Count(least, most) => number(text).filter(|n| (*least..=*most).contains(n)).map(Value::Number),
            Kind::Text(most) => {
                let fits = text.len() <= *most as usize && !text.chars().any(char::is_control);
                fits.then(|| Value::Text(text.to_owned()))
            }
            Kind::Time(least, most) => seconds(text).filter(|n| (*least..=*most).contains(n)).map(Value::Number),
        }
    }
}

impl fmt::Display for Kind {
    /// What to write.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Choice(words) => write!(f, "one of \"{}\"", words.join("\", \"")),
            Self::Count(least, most) => write!(f, "a number from {least} to {most}"),
            Self::Text(most) => write!(f, "a text of at most {most} bytes"),
            Self::Time(least, most) => write!(f, "a time such as \"10m\", from {least}s to {most}s"),
        }
    }
}

impl Parameters {
    /// What holds when nothing is written.
    pub fn defaults(schema: &[Parameter]) -> Self {
        let value = |parameter: &Parameter| Some((parameter.name.to_string(), parameter.read(&parameter.default)?));
        Self(schema.iter().filter_map(value).collect())
    }

    /// Reads `written` over the defaults; `place` is what stands before a name in problems, such as `matrix.walking.pay`.
    ///
    /// # Errors
    /// Every name that is not known and every value that does not fit.
    pub fn read(
        schema: &[Parameter],
        place: &str,
        written: &BTreeMap<String, String>,
    ) -> Result<Self, Vec<ParameterProblem>> {
        let (mut found, mut problems) = (Self::defaults(schema), Vec::new());
        for (name, text) in written {
            match one(schema, name, text) {
                Ok(value) => drop(found.0.insert(name.clone(), value)),
                Err((what, mend)) => {
                    problems.push(ParameterProblem { place: format!("{place}.{name}"), what, mend });
                }
            }
        }
        if problems.is_empty() { Ok(found) } else { Err(problems) }
    }

    /// Reads a table of a TOML file over the defaults; what does not fit goes to the report, with its line.
    pub fn read_section(schema: &[Parameter], section: &Section<'_>, report: &mut Report) -> Self {
        let mut found = Self::defaults(schema);
        for (name, value) in section.entries(report) {
            let Some(text) = value.plain(report) else { continue };
            match one(schema, &name, &text) {
                Ok(read) => drop(found.0.insert(name, read)),
                Err((what, mend)) => value.refuse(report, what, mend),
            }
        }
        found
    }

    /// A number of the schema; 0 for a name that is none.
    pub fn count(&self, name: &str) -> u32 {
        match self.0.get(name) {
            Some(Value::Number(number)) => *number,
            Some(Value::Text(_)) | None => 0,
        }
    }

    /// A number as a size.
    pub fn size(&self, name: &str) -> usize {
        self.count(name) as usize
    }

    /// A time of the schema; zero for a name that is none.
    pub fn time(&self, name: &str) -> Duration {
        Duration::from_secs(u64::from(self.count(name)))
    }

    /// A text or word of the schema; empty for a name that is none.
    pub fn word(&self, name: &str) -> &str {
        match self.0.get(name) {
            Some(Value::Text(text)) => text,
            Some(Value::Number(_)) | None => "",
        }
    }
}

/// A value, or what is wrong with it and how to mend it.
fn one(schema: &[Parameter], name: &str, text: &str) -> Result<Value, (String, String)> {
    let Some(parameter) = schema.iter().find(|parameter| parameter.name == name) else {
        let names: Vec<&str> = schema.iter().map(|parameter| &*parameter.name).collect();
        let mend =
            if names.is_empty() { "leave it out".to_owned() } else { format!("write one of: {}", names.join(", ")) };
        return Err(("this filter has no such parameter".to_owned(), mend));
    };
    let shown: String = text.chars().filter(|c| !c.is_control()).take(SHOWN).collect();
    let wrong = || (format!("\"{shown}\" does not fit"), format!("write {}", parameter.kind));
    parameter.read(text).ok_or_else(wrong)
}

/// Digits and nothing else.
fn number(text: &str) -> Option<u32> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| plain)
}

/// `90s`, `10m`, `12h`, `7d`.
fn seconds(text: &str) -> Option<u32> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let factor = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    number(digits)?.checked_mul(factor)
}

/// Characters of a wrong value that are shown.
const SHOWN: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: &[Parameter] = &[
        Parameter::count("ids", "30", 1, 1000, "how many"),
        Parameter::time("window", "10m", 1, 86_400, "how long"),
        Parameter::choice("end", "newer", &[Cow::Borrowed("newer"), Cow::Borrowed("older")], "which"),
        Parameter::text("note", "", 10, "any"),
    ];

    fn written(entries: &[(&str, &str)]) -> BTreeMap<String, String> {
        entries.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn what_is_not_written_has_its_default() {
        let read = Parameters::read(SCHEMA, "m", &written(&[("ids", "7"), ("window", "2h")])).unwrap();
        assert_eq!((read.count("ids"), read.time("window")), (7, Duration::from_hours(2)));
        assert_eq!((read.word("end"), read.word("note")), ("newer", ""));
    }

    #[test]
    fn problems_name_place_and_mend() {
        let bad = written(&[("ids", "0"), ("idz", "1"), ("window", "5"), ("end", "both"), ("note", "12345678901")]);
        let problems = Parameters::read(SCHEMA, "matrix.walking.pay", &bad).unwrap_err();
        let text: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(text.len(), 5);
        assert_eq!(text[0], "matrix.walking.pay.end: \"both\" does not fit\n  mend: write one of \"newer\", \"older\"");
        assert!(text[2].contains("no such parameter") && text[2].contains("ids, window, end, note"), "{}", text[2]);
        assert!(text[1].contains("a number from 1 to 1000") && text[4].contains("from 1s to 86400s"));
    }

    #[test]
    fn numbers_are_plain() {
        for text in ["", "+1", "-1", "1.0", " 1", "4294967296"] {
            assert_eq!(number(text), None, "{text}");
        }
        for text in ["", "s", "1", "1w", "é", "99999999d", "1 m"] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }
}
