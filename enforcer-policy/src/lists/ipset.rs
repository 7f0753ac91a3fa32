//! What `ipset save` writes: `add NAME NETWORK [timeout N]`.
//!
//! In: one line. Out: the text of its network, whether it is an exception. Never here: timeouts: an address is on the list
//! as long as the list has it, and for how long that counts is said where the list is read.
use super::line::Reject;

/// What a line of `ipset save` says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Said<'l> {
    /// This is in the set.
    Member(&'l str),
    /// This is not in the set, though a wider network is.
    Except(&'l str),
    /// Nothing of addresses: a set is made, or the file ends.
    Nothing,
}

/// True for a line that only `ipset save` writes.
pub(super) fn is_one(line: &str) -> bool {
    let mut words = line.split_ascii_whitespace();
    match words.next() {
        Some("create" | "-N") => words.nth(1).is_some_and(|kind| kind.contains(':')),
        Some("add" | "-A") => words.nth(1).is_some(),
        _ => false,
    }
}

/// Reads a line.
pub(super) fn said(line: &str) -> Result<Said<'_>, Reject> {
    let mut words = line.split_ascii_whitespace();
    match words.next() {
        Some("add" | "-A") => {}
        Some("create" | "-N" | "COMMIT" | "flush" | "-F") => return Ok(Said::Nothing),
        _ => return Err(Reject::Ipset),
    }
    let member = words.nth(1).ok_or(Reject::Ipset)?;
    if member.contains(',') {
        return Err(Reject::IpsetType);
    }
    // A comment may say anything, so what comes after one is not looked at.
    let exception = words.take_while(|word| *word != "comment").any(|word| word == "nomatch");
    Ok(if exception { Said::Except(member) } else { Said::Member(member) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_a_saved_set() {
        let cases = [
            ("create bad hash:net family inet hashsize 1024 maxelem 65536 timeout 600", Ok(Said::Nothing)),
            ("add bad 192.0.2.0/24", Ok(Said::Member("192.0.2.0/24"))),
            ("add bad 192.0.2.1 timeout 42 comment \"nomatch\"", Ok(Said::Member("192.0.2.1"))),
            ("add bad 192.0.2.1 nomatch", Ok(Said::Except("192.0.2.1"))),
            ("-A bad 192.0.2.1", Ok(Said::Member("192.0.2.1"))),
            ("COMMIT", Ok(Said::Nothing)),
            ("add bad 192.0.2.1,tcp:80", Err(Reject::IpsetType)),
            ("add bad", Err(Reject::Ipset)),
            ("del bad 192.0.2.1", Err(Reject::Ipset)),
        ];
        for (line, expected) in cases {
            assert_eq!(said(line), expected, "{line}");
        }
        let known = ["create bad hash:ip", "add bad 192.0.2.1", "add bad", "create it", "192.0.2.1", "added to it"];
        assert_eq!(known.map(is_one), [true, true, false, false, false, false]);
    }
}
