//! Aligned text.
//!
//! In: rows of words and numbers. Out: columns that line up, colours only where the output says so. What came from outside
//! loses its control characters here. Never here: what the rows mean.
use comfy_table::presets::NOTHING;
use comfy_table::{Cell, CellAlignment, Color, ContentArrangement, Table};
use enforcer_policy::Moment;

use crate::wire::rfc3339;

/// A table that grows by rows.
#[derive(Debug)]
pub(super) struct Grid(Table);

impl Grid {
    /// With these column titles; `>` before one sets its column flush right.
    pub(super) fn new(titles: &[&str], colour: bool) -> Self {
        let mut table = Table::new();
        table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        if colour {
            table.enforce_styling();
        } else {
            table.force_no_tty();
        }
        table.set_header(titles.iter().map(|title| match title.strip_prefix('>') {
            Some(title) => Cell::new(title).set_alignment(CellAlignment::Right),
            None => Cell::new(title),
        }));
        Self(table)
    }

    /// Adds a row.
    pub(super) fn row<const N: usize>(&mut self, cells: [Cell; N]) {
        self.0.add_row(cells);
    }

    /// Adds a row of any width.
    pub(super) fn cells(&mut self, cells: Vec<Cell>) {
        self.0.add_row(cells);
    }

    /// The text, one line per row, without trailing blanks.
    pub(super) fn text(mut self) -> String {
        for column in self.0.column_iter_mut() {
            column.set_padding((0, 2));
        }
        let text = self.0.trim_fmt();
        text + "\n"
    }

    /// The text without its titles.
    pub(super) fn body(self) -> String {
        self.text().split_once('\n').map(|(_, body)| body.to_owned()).unwrap_or_default()
    }
}

/// Any text.
pub(super) fn word(text: impl AsRef<str>) -> Cell {
    Cell::new(clean(text.as_ref()))
}

/// Text that may be missing.
pub(super) fn maybe(text: Option<impl AsRef<str>>) -> Cell {
    text.map_or_else(|| Cell::new("-"), word)
}

/// A number, right-aligned, with its thousands apart.
pub(super) fn number(value: u64) -> Cell {
    right(grouped(value))
}

/// Any text, right-aligned.
pub(super) fn right(text: String) -> Cell {
    Cell::new(text).set_alignment(CellAlignment::Right)
}

/// A state: green, yellow or red where there are colours.
pub(super) fn state(text: &str, mood: Mood) -> Cell {
    let colour = match mood {
        Mood::Good => Color::Green,
        Mood::Doubtful => Color::Yellow,
        Mood::Bad => Color::Red,
    };
    Cell::new(text).fg(colour)
}

/// How a state should look.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Mood {
    Good,
    Doubtful,
    Bad,
}

/// `1,234,567`.
pub(super) fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let first = digits.len() % 3;
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && at % 3 == first {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `2026-01-01 00:00:00Z`.
pub(super) fn time(moment: Moment) -> String {
    let text = rfc3339(moment);
    let seconds = text.split_once('.').map_or(text.as_str(), |(seconds, _)| seconds);
    format!("{}Z", seconds.replacen('T', " ", 1))
}

/// When something ends, as seen from `now`: `in 1h30m`, `over` or `never`.
pub(super) fn end(until: Option<Moment>, now: Moment) -> String {
    match until {
        None => "never".to_owned(),
        Some(until) if until <= now => "over".to_owned(),
        Some(until) => format!("in {}", span(now.until(until))),
    }
}

/// A span in its two largest units: `3d4h`, `1h30m`, `42s`, `1.5ms`.
pub(super) fn span(span: std::time::Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0 if span.as_millis() < 10 => format!("{:.1}ms", span.as_secs_f64() * 1000.0),
        0 => format!("{}ms", span.as_millis()),
        1..60 => format!("{seconds}s"),
        60..3600 => two(seconds / 60, "m", seconds % 60, "s"),
        3600..86_400 => two(seconds / 3600, "h", seconds % 3600 / 60, "m"),
        _ => two(seconds / 86_400, "d", seconds % 86_400 / 3600, "h"),
    }
}

fn two(large: u64, large_unit: &str, small: u64, small_unit: &str) -> String {
    if small == 0 { format!("{large}{large_unit}") } else { format!("{large}{large_unit}{small}{small_unit}") }
}

/// Text from outside, safe for a terminal.
pub(super) fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn numbers_are_grouped() {
        let texts = [0, 7, 123, 1234, 123_456, 1_234_567].map(grouped);
        assert_eq!(texts, ["0", "7", "123", "1,234", "123,456", "1,234,567"]);
    }

    #[test]
    fn spans_have_two_units_at_most() {
        let texts = [0, 7, 60, 3599, 5400, 86_400, 273_600].map(|seconds| span(Duration::from_secs(seconds)));
        assert_eq!(texts, ["0.0ms", "7s", "1m", "59m59s", "1h30m", "1d", "3d4h"]);
        assert_eq!(span(Duration::from_micros(1540)), "1.5ms");
    }

    #[test]
    fn tables_line_up_and_carry_nothing_foreign() {
        let mut grid = Grid::new(&["NAME", ">COUNT"], false);
        grid.row([word("a\u{1b}[31m"), number(7)]);
        grid.row([word("much longer"), number(1_234_567)]);
        let lines = ["NAME             COUNT", "a\u{fffd}[31m               7", "much longer  1,234,567"];
        assert_eq!(grid.text().lines().collect::<Vec<_>>(), lines);
    }

    #[test]
    fn ends_are_told_from_now() {
        assert_eq!(end(None, Moment(0)), "never");
        assert_eq!(end(Some(Moment(5)), Moment(5)), "over");
        assert_eq!(end(Some(Moment(65_000)), Moment(0)), "in 1m5s");
        assert_eq!(time(Moment(1_767_225_600_999)), "2026-01-01 00:00:00Z");
    }
}
