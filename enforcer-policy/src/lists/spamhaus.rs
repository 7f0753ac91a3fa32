//! Spamhaus DROP as JSON lines: `{"cidr": ...}` each, and a last line that says how many there are.
//!
//! In: one line. Out: the text of its network, or the number of records. Never here: who may use the list (its terms say so).
use std::borrow::Cow;

use serde::Deserialize;

use super::line::Reject;

/// What a line says.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Said<'l> {
    /// This network is listed.
    Network(Cow<'l, str>),
    /// The list ends, and has so many records.
    End(Option<u64>),
}

#[derive(Deserialize)]
struct Record<'l> {
    #[serde(borrow)]
    cidr: Option<Cow<'l, str>>,
    #[serde(borrow, rename = "type")]
    kind: Option<Cow<'l, str>>,
    records: Option<u64>,
}

/// Reads a line.
pub(super) fn said(line: &str) -> Result<Said<'_>, Reject> {
    // Whatever is wrong with the JSON, the mend is the same, and its text is the author's, not ours to repeat.
    let Ok(record) = serde_json::from_str::<Record<'_>>(line) else { return Err(Reject::Json) };
    match record {
        Record { cidr: Some(cidr), .. } => Ok(Said::Network(cidr)),
        Record { kind: Some(kind), records, .. } if kind == "metadata" => Ok(Said::End(records)),
        Record { .. } => Err(Reject::NoCidr),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_a_list() {
        let network = said(r#"{"cidr":"192.0.2.0/24","sblid":"SBL1","rir":"arin"}"#);
        assert_eq!(network, Ok(Said::Network("192.0.2.0/24".into())));
        let end = said(r#"{"type":"metadata","timestamp":1767225600,"size":77,"records":12,"terms":"https:\/\/x"}"#);
        assert_eq!(end, Ok(Said::End(Some(12))));
        assert_eq!(said(r#"{"type":"metadata"}"#), Ok(Said::End(None)));
        assert_eq!(said(r#"{"asn":64496,"rir":"arin","asname":"X"}"#), Err(Reject::NoCidr));
        for text in ["{", "[]", "192.0.2.0/24", r#"{"cidr":7}"#, r#"{"cidr":"a"} x"#] {
            assert_eq!(said(text), Err(Reject::Json), "{text}");
        }
    }
}
