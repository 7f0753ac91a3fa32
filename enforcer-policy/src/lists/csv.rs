//! CSV with a header: which column has the addresses, and that column of a row.
//!
//! In: one line. Out: the column's number; a field without its quotes. Never here: rows over several lines, which no list has.
use std::borrow::Cow;

use super::line::Reject;

/// Where the addresses are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Column {
    index: usize,
    separator: char,
}

impl Column {
    /// The first column of a header whose name says that it holds addresses.
    pub(super) fn of_header(line: &str) -> Option<Self> {
        let separator = [',', ';', '\t'].into_iter().find(|separator| line.contains(*separator)).unwrap_or(',');
        let named = |name: Result<Cow<'_, str>, Reject>| name.is_ok_and(|name| is_address(&name));
        let index = Fields { rest: Some(line), separator }.position(named)?;
        Some(Self { index, separator })
    }

    /// This column of a row.
    pub(super) fn of<'l>(&self, row: &'l str) -> Result<Cow<'l, str>, Reject> {
        let mut fields = Fields { rest: Some(row), separator: self.separator };
        // What is wrong before the column is wrong with it, too.
        for _ in 0..self.index {
            fields.next().ok_or(Reject::ShortRow)??;
        }
        match fields.next().ok_or(Reject::ShortRow)?? {
            empty if empty.is_empty() => Err(Reject::EmptyColumn),
            field => Ok(field),
        }
    }
}

/// Names of columns that hold the addresses of lists, without blanks and signs.
const NAMES: &[&str] = &[
    "addr",
    "address",
    "cidr",
    "dstip",
    "host",
    "indicator",
    "ip",
    "ipaddr",
    "ipaddress",
    "ipcidr",
    "ipprefix",
    "ipv4",
    "ipv6",
    "netblock",
    "network",
    "prefix",
    "range",
    "source",
    "sourceaddress",
    "sourceip",
    "srcip",
    "subnet",
    "value",
];

fn is_address(name: &str) -> bool {
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    NAMES.contains(&plain.as_str())
}

/// The fields of a row.
struct Fields<'l> {
    rest: Option<&'l str>,
    separator: char,
}

impl<'l> Iterator for Fields<'l> {
    type Item = Result<Cow<'l, str>, Reject>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest.take()?;
        let Some(quoted) = rest.trim_start_matches(' ').strip_prefix('"') else {
            let (field, after) =
                rest.split_once(self.separator).map_or((rest, None), |(field, after)| (field, Some(after)));
            self.rest = after;
            return Some(Ok(Cow::Borrowed(field.trim_ascii())));
        };
        let Some(end) = closing(quoted) else { return Some(Err(Reject::Unclosed)) };
        self.rest = quoted[end + 1..].split_once(self.separator).map(|(_, after)| after);
        let field = quoted[..end].trim_ascii();
        let doubled = field.contains("\"\"");
        Some(Ok(if doubled { Cow::Owned(field.replace("\"\"", "\"")) } else { Cow::Borrowed(field) }))
    }
}

/// Where the quote ends; two quotes together are one of the field's own.
fn closing(text: &str) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + text.get(from..)?.find('"')?;
        if text[at + 1..].starts_with('"') {
            from = at + 2;
        } else {
            return Some(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(header: &str, row: &str) -> Result<String, Reject> {
        Column::of_header(header).expect("a header").of(row).map(Cow::into_owned)
    }

    #[test]
    fn the_column_is_found_by_its_name() {
        assert_eq!(field("ip,reason", "192.0.2.1,spam").unwrap(), "192.0.2.1");
        assert_eq!(
            field("\"first_seen\",\"dst_ip\",\"port\"", "\"2026, may\",\"192.0.2.1\",\"443\"").unwrap(),
            "192.0.2.1"
        );
        assert_eq!(field("seen;IP-Address", "x;192.0.2.1 ").unwrap(), "192.0.2.1");
        assert_eq!(field("a\tCIDR", "1\t192.0.2.0/24").unwrap(), "192.0.2.0/24");
        assert_eq!(field("note,ip", "\"a \"\"b, c\"\" d\",192.0.2.1").unwrap(), "192.0.2.1");
        assert_eq!(field("ip", "192.0.2.1").unwrap(), "192.0.2.1");
    }

    #[test]
    fn what_is_not_there_is_said() {
        assert_eq!(field("note,ip", "alone"), Err(Reject::ShortRow));
        assert_eq!(field("note,ip", "x,"), Err(Reject::EmptyColumn));
        assert_eq!(field("note,ip", "\"x,192.0.2.1"), Err(Reject::Unclosed));
        for line in ["", "192.0.2.1,ip2", "nonsense", "reason,when", "\"ip"] {
            assert_eq!(Column::of_header(line), None, "{line}");
        }
    }
}
