//! One line of a plain list.
//!
//! In: one line. Out: the network on it, nothing, or why not. Never here: what lines before it said (`reader.rs`), files, counts.
//!
//! A line is an address or a network, alone or as the first comma-separated column, quoted or not. `#`, `;` and `//` open a
//! comment at the start of a line or after white space. Carriage returns and a byte order mark are ignored.
use enforcer_common::Prefix;

use super::range::Range;
use super::whole::LongLine;
use crate::PrefixError;
use crate::text::{Network, network};

/// What a line says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Line {
    /// This network, after the bits past its length were cleared: worth a warning, the author may have meant one address.
    Cleared(Prefix),
    /// Nothing: white space or a comment.
    Empty,
    /// Not this network, though a wider one is listed. Only `ipset save` says so.
    Except(Prefix),
    /// All addresses from one to another.
    Range(Range),
    /// Something that cannot be read.
    Rejected(Reject),
    /// This address or network.
    Subject(Prefix),
}

/// Why a line cannot be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Reject {
    /// The first column is empty.
    #[error("the column of addresses is empty: the address belongs there")]
    EmptyColumn,
    /// No line of `ipset save`.
    #[error("not a line of `ipset save`: write add NAME NETWORK")]
    Ipset,
    /// A set of more than addresses.
    #[error(
        "this set holds more than addresses (ports, interfaces, other sets): save one of the type hash:ip or hash:net"
    )]
    IpsetType,
    /// No JSON, or not of the kind that is read.
    #[error("not a JSON record: each line is to be one object such as {{\"cidr\": \"203.0.113.0/24\"}}")]
    Json,
    /// Past the bound of a line.
    #[error(transparent)]
    Long(#[from] LongLine),
    /// A record of something else.
    #[error("a record without cidr: only lists of networks are read, not those of autonomous systems")]
    NoCidr,
    /// Bytes that are no text.
    #[error("not UTF-8")]
    NotText,
    /// The column is no network.
    #[error(transparent)]
    Prefix(#[from] PrefixError),
    /// A row with fewer columns than the header has before the addresses.
    #[error("the row ends before the column of addresses: give it as many columns as the header has")]
    ShortRow,
    /// Text after the address that is neither column nor comment.
    #[error("text after the address: put # before a comment, or a comma before another column")]
    Trailing,
    /// A quote is opened and not closed.
    #[error("the quote is not closed: add \" after the address, or leave both out")]
    Unclosed,
}

/// Reads one line, with or without its end.
pub fn parse_line(line: &str) -> Line {
    // Most lines of most lists are nothing but an address, so that is tried first.
    let plain = line.strip_suffix('\n').unwrap_or(line);
    if let Ok(found) = network(plain.strip_suffix('\r').unwrap_or(plain)) {
        return found.into();
    }
    match column(line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line)) {
        Ok(None) => Line::Empty,
        Ok(Some("")) => Line::Rejected(Reject::EmptyColumn),
        Ok(Some(text)) => network(text).map_or_else(|error| Line::Rejected(error.into()), Line::from),
        Err(reject) => Line::Rejected(reject),
    }
}

impl From<Network> for Line {
    fn from(found: Network) -> Self {
        if found.cleared { Self::Cleared(found.prefix) } else { Self::Subject(found.prefix) }
    }
}

/// Reads what stands where an address belongs: an address, a network, or a range of addresses.
pub(super) fn word(text: &str) -> Line {
    match network(text) {
        Ok(found) => found.into(),
        Err(error) => Range::parse(text).map_or_else(|| Line::Rejected(error.into()), Line::Range),
    }
}

/// What a line says without its comment, when it is a range.
pub(super) fn range(line: &str) -> Option<Range> {
    let marks = ["#", " ;", "\t;", " //", "\t//"];
    let end = marks.iter().filter_map(|mark| line.find(mark)).min().unwrap_or(line.len());
    Range::parse(line.get(..end)?)
}

/// The first column without its quotes, white space and comments.
fn column(line: &str) -> Result<Option<&str>, Reject> {
    let line = line.trim_ascii();
    if line.is_empty() || opens_comment(line) {
        return Ok(None);
    }
    let (text, rest) = match line.strip_prefix('"') {
        Some(quoted) => quoted.split_once('"').ok_or(Reject::Unclosed)?,
        None => line.split_at(line.find(|c: char| c == ',' || c.is_ascii_whitespace()).unwrap_or(line.len())),
    };
    let after = rest.trim_ascii_start();
    let comment = after.len() < rest.len() && opens_comment(after);
    if after.is_empty() || after.starts_with(',') || comment {
        Ok(Some(text.trim_ascii()))
    } else {
        Err(Reject::Trailing)
    }
}

pub(super) fn opens_comment(text: &str) -> bool {
    text.starts_with(['#', ';']) || text.starts_with("//")
}

pub(super) const BYTE_ORDER_MARK: char = '\u{feff}';

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse_prefix;
    use proptest::prelude::*;
    use std::net::IpAddr;

    fn subject(text: &str) -> Line {
        Line::Subject(parse_prefix(text).unwrap())
    }

    #[test]
    fn the_forms_of_a_line() {
        let cases = [
            "203.0.113.7",
            "203.0.113.7\r\n",
            "203.0.113.7\n",
            " \t203.0.113.7 ",
            "\u{feff}203.0.113.7",
            "\u{feff}\"203.0.113.7\"",
            "203.0.113.7/32",
            "203.0.113.7 # seen, twice",
            "203.0.113.7\t; SBL1",
            "203.0.113.7 // x",
            "203.0.113.7,spam,\"a\"",
            "203.0.113.7 , spam",
            "\"203.0.113.7\",\"spam\"",
            "\" 203.0.113.7 \" # x",
            "::ffff:203.0.113.7",
        ];
        for line in cases {
            assert_eq!(parse_line(line), subject("203.0.113.7"), "{line:?}");
        }
        assert_eq!(parse_line("2001:db8::/32;x"), Line::Rejected(PrefixError::Length.into()));
        assert_eq!(parse_line("2001:db8::/32 ;x"), subject("2001:db8::/32"));
    }

    #[test]
    fn lines_that_say_nothing() {
        for line in ["", "\n", "\r\n", " \t ", "#", "# 203.0.113.7", " ; x", "// x", "\u{feff}# x"] {
            assert_eq!(parse_line(line), Line::Empty, "{line:?}");
        }
    }

    #[test]
    fn set_host_bits_are_cleared_and_reported() {
        let net = |text| Line::Cleared(parse_prefix(text).unwrap());
        assert_eq!(parse_line("203.0.113.7/24"), net("203.0.113.0/24"));
        assert_eq!(parse_line("2001:db8::1/32 # x"), net("2001:db8::/32"));
        assert_eq!(parse_line("203.0.113.0/24"), subject("203.0.113.0/24"));
    }

    #[test]
    fn what_cannot_be_read_is_rejected_with_a_reason() {
        let cases = [
            ("ip,reason", PrefixError::NotAnAddress.into()),
            ("203.0.113.7#x", PrefixError::NotAnAddress.into()),
            ("203.0.113.7/33 # x", PrefixError::LengthTooLong { maximum: 32 }.into()),
            ("203.0.113.7 spam", Reject::Trailing),
            ("203.0.113.1 - 203.0.113.9", Reject::Trailing),
            ("\"203.0.113.7\"#x", Reject::Trailing),
            ("\"203.0.113.7", Reject::Unclosed),
            (",203.0.113.7", Reject::EmptyColumn),
            ("\"\",x", Reject::EmptyColumn),
        ];
        for (line, reject) in cases {
            assert_eq!(parse_line(line), Line::Rejected(reject), "{line:?}");
        }
    }

    fn pieces() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            any::<[u8; 4]>().prop_map(|octets| IpAddr::from(octets).to_string()),
            any::<[u8; 16]>().prop_map(|octets| IpAddr::from(octets).to_string()),
            proptest::sample::select(vec![
                "/", "24", "#", ";", "//", ",", "\"", " ", "\t", "\r", "\n", "\u{feff}", "…", "%"
            ])
            .prop_map(str::to_owned),
            ".{0,3}",
        ];
        proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn an_address_among_whatever_is_what_std_says(
            octets in any::<[u8; 16]>(), v4 in any::<bool>(), before in "\u{feff}?[ \t]{0,2}",
            after in "([ \t]+(#|;|//).*)?|[ \t]{0,2},.*|[ \t\r\n]*",
        ) {
            let [a, b, c, d, ..] = octets;
            let ip = if v4 { IpAddr::from([a, b, c, d]) } else { IpAddr::from(octets) };
            for line in [format!("{before}{ip}{after}"), format!("{before}\"{ip}\"{after}")] {
                prop_assert_eq!(parse_line(&line), Line::Subject(Prefix::host(ip.into())), "{:?}", line);
            }
        }

        #[test]
        fn a_bare_word_is_a_host_exactly_when_std_reads_it(word in "[0-9a-f:.]{1,24}") {
            let expected = word.parse::<IpAddr>().ok().map(|ip| Line::Subject(Prefix::host(ip.into())));
            let found = Some(parse_line(&word)).filter(|line| !matches!(line, Line::Rejected(_)));
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn no_prefix_of_any_line_panics(line in pieces()) {
            for end in (0..=line.len()).filter(|at| line.is_char_boundary(*at)) {
                let _ = parse_line(&line[..end]);
            }
        }
    }
}
