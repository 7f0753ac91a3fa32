//! Typed reading of a TOML document that goes on after a mistake.
//!
//! In: the parsed document with positions. Out: values, and in [`Report`] every mistake with its line. Never here: what a key
//! means. A reader asks a [`Section`] for each key it knows and ends with [`Section::finish`], which reports the rest.
mod problem;
mod suggest;

use std::ops::{Range, RangeInclusive};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::Moment;
pub use problem::{Problem, Problems};
pub use suggest::{nearest, shown};

/// Collects mistakes and knows where lines begin.
pub struct Report {
    lines: Vec<usize>,
    syntax: Vec<usize>,
    problems: Vec<Problem>,
}

/// A value with its place.
pub struct Value<'d> {
    item: &'d DeValue<'d>,
    span: Range<usize>,
    place: String,
}

/// A table that is read key by key.
pub struct Section<'d> {
    table: &'d DeTable<'d>,
    at: usize,
    place: String,
    asked: Vec<&'static str>,
}

impl Report {
    /// Starts with the mistakes of the syntax, one for each line.
    pub fn new(text: &str, errors: &[toml::de::Error]) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        let lines = std::iter::once(0).chain(ends).collect();
        let mut report = Self { lines, syntax: Vec::new(), problems: Vec::new() };
        let mut errors: Vec<_> =
            errors.iter().map(|error| (error.span().map_or(0, |span| span.start), error)).collect();
        errors.sort_by_key(|(at, _)| *at);
        errors.dedup_by_key(|(at, _)| report.line(*at));
        for (at, error) in &errors {
            report.refuse(*at, "syntax", error.message(), syntax_mend(error.message()));
        }
        report.syntax = errors.into_iter().map(|(at, _)| at).collect();
        report
    }

    /// Adds a mistake at an offset in the text.
    pub fn refuse(&mut self, at: usize, place: &str, what: impl Into<String>, mend: impl Into<String>) {
        let line = self.line(at);
        // What follows from a line that could not be read is not a second mistake.
        if !self.syntax.iter().any(|syntax| self.line(*syntax) == line) {
            self.problems.push(Problem { line, place: place.to_owned(), what: what.into(), mend: mend.into() });
        }
    }

    /// Every mistake in the order of the file, if there is one.
    pub fn finish(mut self) -> Result<(), Problems> {
        self.problems.sort();
        self.problems.dedup();
        if self.problems.is_empty() { Ok(()) } else { Err(Problems(self.problems)) }
    }

    /// The line of an offset, counted from 1.
    pub fn line(&self, at: usize) -> usize {
        self.lines.partition_point(|start| *start <= at)
    }

    /// True when the syntax went wrong inside: what was read there is a guess.
    fn spoiled(&self, span: &Range<usize>) -> bool {
        self.syntax.iter().any(|at| span.start <= *at && *at <= span.end)
    }
}

impl<'d> Value<'d> {
    /// Adds a mistake in this value.
    pub fn refuse(&self, report: &mut Report, what: impl Into<String>, mend: impl Into<String>) {
        report.refuse(self.span.start, &self.place, what, mend);
    }

    /// Where in the file's meaning it stands.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// The line it begins on.
    pub fn line(&self, report: &Report) -> usize {
        report.line(self.span.start)
    }

    /// A text without control characters, not empty.
    pub fn text(&self, report: &mut Report) -> Option<&'d str> {
        let text = self.prose(report)?;
        if text.is_empty() {
            self.refuse(report, "the text is empty", "write a value between the quotes, or remove the key");
        } else if text.chars().any(char::is_control) {
            self.refuse(report, "the text holds a control character", "write it on one line without escapes like \\n");
        } else {
            return Some(text);
        }
        None
    }

    /// Any text; only line ends and tabs of the control characters.
    pub fn prose(&self, report: &mut Report) -> Option<&'d str> {
        let Some(text) = self.item.as_str() else {
            self.wrong_type(report, "a text", "write it in quotes, such as \"text\"");
            return None;
        };
        if let Some(bad) = text.chars().find(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
            let what = format!("the text holds the control character U+{:04X}", u32::from(bad));
            self.refuse(report, what, "remove it: only line ends and tabs are allowed");
            return None;
        }
        Some(text)
    }

    /// A whole number in a range.
    pub fn integer(&self, report: &mut Report, range: RangeInclusive<u32>) -> Option<u32> {
        let (low, high) = (range.start(), range.end());
        let Some(integer) = self.item.as_integer() else {
            self.wrong_type(report, "a whole number", &format!("write a number from {low} to {high} without quotes"));
            return None;
        };
        let number =
            u32::from_str_radix(integer.as_str(), integer.radix()).ok().filter(|number| range.contains(number));
        if number.is_none() {
            let mend = format!("write a number from {low} to {high}");
            self.refuse(report, format!("{} is out of range", shown(&integer.to_string())), mend);
        }
        number
    }

    /// True or false.
    pub fn boolean(&self, report: &mut Report) -> Option<bool> {
        let found = self.item.as_bool();
        if found.is_none() {
            self.wrong_type(report, "true or false", "write true or false without quotes");
        }
        found
    }

    /// One of a few words.
    pub fn choice<T: Copy>(&self, report: &mut Report, choices: &[(&'static str, T)]) -> Option<T> {
        let text = self.text(report)?;
        let found = choices.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning);
        if found.is_none() {
            let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
            let mend = nearest(text, &words).map_or_else(
                || format!("write one of \"{}\"", words.join("\", \"")),
                |word| format!("did you mean \"{word}\"?"),
            );
            self.refuse(report, format!("{} is not known here", shown(text)), mend);
        }
        found
    }

    /// A point in time, such as `2026-12-31T23:00:00Z`.
    pub fn moment(&self, report: &mut Report) -> Option<Moment> {
        let found = if let DeValue::Datetime(time) = self.item { moment(time) } else { None };
        if found.is_none() {
            self.wrong_type(report, "a time with its offset", "write it such as 2026-12-31T23:00:00Z, without quotes");
        }
        found
    }

    /// A text, number or truth as text: for values that only people and programs elsewhere interpret.
    pub fn plain(&self, report: &mut Report) -> Option<String> {
        match self.item {
            DeValue::Integer(number) => Some(number.to_string()),
            DeValue::Float(number) => Some(number.to_string()),
            DeValue::Boolean(truth) => Some(truth.to_string()),
            DeValue::String(_) | DeValue::Array(_) | DeValue::Datetime(_) | DeValue::Table(_) => {
                self.text(report).map(str::to_owned)
            }
        }
    }

    /// True when it is a text.
    pub fn is_text(&self) -> bool {
        self.item.is_str()
    }

    /// True when it is a table.
    pub fn is_table(&self) -> bool {
        self.item.is_table()
    }

    /// The elements of an array.
    pub fn list(&self, report: &mut Report) -> Vec<Self> {
        let Some(array) = self.item.as_array() else {
            self.wrong_type(report, "a list", "write it in brackets, such as [\"first\", \"second\"]");
            return Vec::new();
        };
        let place = |at: usize| format!("{}[{}]", self.place, at + 1);
        array.iter().enumerate().map(|(at, item)| Value::new(item, place(at))).collect()
    }

    /// The tables of an array of tables.
    pub fn sections(&self, report: &mut Report) -> Vec<Section<'d>> {
        if self.item.is_table() {
            let what = "this is one table, and a list of tables is meant";
            self.refuse(report, what, format!("write [[{}]] with double brackets", without_counts(&self.place)));
            return Vec::new();
        }
        let values = self.list(report);
        values.into_iter().filter_map(|value| value.section(report)).collect()
    }

    /// A table.
    pub fn section(&self, report: &mut Report) -> Option<Section<'d>> {
        let table = self.item.as_table();
        if table.is_none() {
            self.wrong_type(report, "a table", "write it in braces, such as {key = \"value\"}");
        }
        Some(Section { table: table?, at: self.span.start, place: self.place.clone(), asked: Vec::new() })
    }

    fn new(item: &'d Spanned<DeValue<'d>>, place: String) -> Self {
        Self { item: item.get_ref(), span: item.span(), place }
    }

    fn wrong_type(&self, report: &mut Report, wanted: &str, mend: &str) {
        let found = match self.item {
            DeValue::Array(_) => "a list",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a time",
            DeValue::Float(_) => "a fraction",
            DeValue::Integer(_) => "a whole number",
            DeValue::String(_) => "a text",
            DeValue::Table(_) => "a table",
        };
        self.refuse(report, format!("{wanted} is expected, not {found}"), mend);
    }
}

impl<'d> Section<'d> {
    /// The whole document.
    pub fn root(table: &'d DeTable<'d>) -> Self {
        Self { table, at: 0, place: String::new(), asked: Vec::new() }
    }

    /// Where it begins in the text.
    pub fn at(&self) -> usize {
        self.at
    }

    /// The place of this table.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// The value of a key, if it is there and could be read.
    pub fn find(&mut self, report: &Report, key: &'static str) -> Option<Value<'d>> {
        self.asked.push(key);
        let value = Value::new(self.table.get(key)?, self.below(key));
        (!report.spoiled(&value.span)).then_some(value)
    }

    /// The value of a key that must be there; `example` is how a good one looks.
    pub fn need(&mut self, report: &mut Report, key: &'static str, example: &str) -> Option<Value<'d>> {
        let found = self.find(report, key);
        // In a file with broken lines the key may well be on one of them.
        if !self.table.contains_key(key) && report.syntax.is_empty() {
            report.refuse(self.at, &self.below(key), "this key is missing", format!("add {key} = {example}"));
        }
        found
    }

    /// A table of this table.
    pub fn section(&mut self, report: &mut Report, key: &'static str) -> Option<Self> {
        self.find(report, key)?.section(report)
    }

    /// The tables of a list of tables; none when the key is not there.
    pub fn sections(&mut self, report: &mut Report, key: &'static str) -> Vec<Self> {
        self.find(report, key).map_or_else(Vec::new, |value| value.sections(report))
    }

    /// All its keys with their values, where every key is a name that its author chose.
    pub fn entries(&self, report: &Report) -> Vec<(String, Value<'d>)> {
        let named = self.table.iter().map(|(key, item)| {
            let name = key.get_ref().to_string();
            let value = Value::new(item, self.below(&name));
            (name, value)
        });
        named.filter(|(_, value)| !report.spoiled(&value.span)).collect()
    }

    /// Adds a mistake in this table as a whole.
    pub fn refuse(&self, report: &mut Report, what: impl Into<String>, mend: impl Into<String>) {
        report.refuse(self.at, &self.place, what, mend);
    }

    /// Reports the keys that nobody asked for.
    pub fn finish(self, report: &mut Report) {
        for (key, _) in self.table.iter().filter(|(key, _)| !self.asked.contains(&key.get_ref().as_ref())) {
            let mend = nearest(key.get_ref(), &self.asked).map_or_else(
                || format!("remove it; known here: {}", self.asked.join(", ")),
                |known| format!("did you mean {known}?"),
            );
            report.refuse(key.span().start, &self.below(&shown(key.get_ref())), "this key is not known", mend);
        }
    }

    fn below(&self, key: &str) -> String {
        if self.place.is_empty() { key.to_owned() } else { format!("{}.{key}", self.place) }
    }
}

/// Unix milliseconds of a date and time with its offset; none for times of no place, or before 1970.
fn moment(time: &toml::value::Datetime) -> Option<Moment> {
    let toml::value::Datetime { date: Some(date), time: Some(clock), offset: Some(offset) } = time else {
        return None;
    };
    let minutes = match offset {
        toml::value::Offset::Z => 0,
        toml::value::Offset::Custom { minutes } => i64::from(*minutes),
    };
    let second = clock.second.map_or(0, i64::from);
    let day = days(i64::from(date.year), i64::from(date.month), i64::from(date.day));
    let seconds = day * 86_400 + i64::from(clock.hour) * 3600 + (i64::from(clock.minute) - minutes) * 60 + second;
    let millis = clock.nanosecond.map_or(0, |nanos| nanos / 1_000_000);
    u64::try_from(seconds * 1000 + i64::from(millis)).ok().map(Moment)
}

/// Days from 1970-01-01 in the Gregorian calendar. Years begin in March here, so that the leap day comes last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, month) = (year.div_euclid(400), (month + 9) % 12);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// `service[1].device` as it stands in a header: `service.device`.
fn without_counts(place: &str) -> String {
    let parts: Vec<_> = place.split('.').map(|part| part.split('[').next().unwrap_or(part)).collect();
    parts.join(".")
}

/// What to do about the parser's word for a mistake.
fn syntax_mend(message: &str) -> &'static str {
    SYNTAX
        .iter()
        .find(|(sign, _)| message.contains(sign))
        .map_or("correct this line: it is not valid TOML", |(_, mend)| mend)
}

const SYNTAX: [(&str, &str); 10] = [
    ("duplicate key", "keep one of the two; lists of tables take double brackets, such as [[service]]"),
    ("must be quoted", "put the value in quotes, such as \"30s\""),
    ("unclosed table", "close the header with a bracket, such as [agent]"),
    ("unclosed array", "close the list with a bracket, such as [80, 443]"),
    ("unclosed inline table", "close the table with a brace, such as {header = \"X-Device-Id\"}"),
    ("missing comma", "put a comma between the elements"),
    ("key with no value", "write key = value"),
    ("multi-line", "close the text with three quotes"),
    ("literal string", "close the text with a quote"),
    ("basic string", "close the text with a quote"),
];
