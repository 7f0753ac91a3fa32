//! `support dump`: what somebody who helps must see, in one file that may be given away.
//!
//! In: the agent, if it answers; the host; the configuration. Out: one JSON document. Addresses are cut to their networks, the texts that
//! operators wrote (reasons, notices) are left out, tokens were never there. Never here: a request that changes anything. What cannot be
//! had is named with the reason: a dump is made when something does not work.
use std::net::IpAddr;

use enforcer_common::ABI_VERSION;
use serde::Serialize;
use serde_json::{Value, json};

use super::args::{Globals, SupportCommand};
use super::client::{Answer, Client};
use super::failure::Failure;
use super::local::{config_path, load};
use super::now;
use super::out::Out;
use crate::wire::{Exit, FilterReport, Request, StatusReport, TopReport};

/// `support`.
pub(super) fn support(command: &SupportCommand, globals: &Globals, out: &mut Out) -> Result<Exit, Failure> {
    let SupportCommand::Dump { file } = command;
    let dump = redacted(collect(globals));
    let text = serde_json::to_string_pretty(&dump).map_err(|error| Failure::Output(error.into()))?;
    match file {
        None => out.text(&text)?,
        Some(path) => {
            std::fs::write(path, text + "\n").map_err(|source| Failure::file("write", path, source))?;
            out.done(&format!("{}: look through it before you give it away", path.display()))?;
        }
    }
    Ok(Exit::Done)
}

fn collect(globals: &Globals) -> Value {
    json!({
        "dump": 1,
        "at": now().0,
        "version": env!("CARGO_PKG_VERSION"),
        "abi": ABI_VERSION,
        "kernel": std::fs::read_to_string("/proc/version").unwrap_or_default().trim(),
        "configuration": configuration(globals),
        "doctor": load(globals).map_or_else(|failure| unavailable(&failure), |config| shown(crate::agent::doctor(&config))),
        "status": asked::<Box<StatusReport>>(globals, &Request::Status),
        "top": asked::<Box<TopReport>>(globals, &Request::Top),
        "filters": asked::<Vec<FilterReport>>(globals, &Request::Filters),
    })
}

/// The file, line by line; it holds paths, names and limits, and no secret but the wording of notices.
fn configuration(globals: &Globals) -> Value {
    let path = config_path(globals);
    match std::fs::read_to_string(&path) {
        Ok(text) => {
            let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
            let lines = lines.map(|line| if line.starts_with("notice") { "notice = (left out)" } else { line });
            json!({ "path": path, "lines": lines.collect::<Vec<_>>() })
        }
        Err(source) => unavailable(&Failure::file("read", &path, source)),
    }
}

/// Each question has a conversation of its own: an agent that hangs up over one may answer the next.
fn asked<T: Answer + Serialize>(globals: &Globals, request: &Request) -> Value {
    let answered = Client::open(globals).and_then(|mut client| client.call::<T>(request));
    answered.map_or_else(|failure| unavailable(&failure), shown)
}

fn shown(report: impl Serialize) -> Value {
    serde_json::to_value(report).unwrap_or(Value::Null)
}

fn unavailable(failure: &Failure) -> Value {
    json!({ "unavailable": failure.to_string() })
}

/// The same without addresses of hosts and words of people.
fn redacted(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let keep = |(name, value): (String, Value)| {
                let value = if WORDS.contains(&name.as_str()) { json!("(left out)") } else { redacted(value) };
                (name, value)
            };
            Value::Object(fields.into_iter().map(keep).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(redacted).collect()),
        Value::String(text) => Value::String(without_hosts(&text)),
        other @ (Value::Null | Value::Bool(_) | Value::Number(_)) => other,
    }
}

/// Every word that is an address, with a port, a prefix or brackets, becomes its network.
fn without_hosts(text: &str) -> String {
    let is_part = |c: char| c.is_ascii_hexdigit() || matches!(c, '.' | ':');
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(start) = rest.find(is_part) {
        let (before, from) = rest.split_at(start);
        let (word, after) = from.split_at(from.find(|c| !is_part(c)).unwrap_or(from.len()));
        out.push_str(before);
        out.push_str(&network(word).unwrap_or_else(|| word.to_owned()));
        rest = after;
    }
    out + rest
}

/// `10.1.2.3` as `10.1.x.x`; none for what is no address. Loopback and unspecified ones say nothing of anybody.
fn network(word: &str) -> Option<String> {
    // Behind it a port, or the end of a sentence.
    let with_rest = || word.rfind(['.', ':']).and_then(|end| Some((word[..end].parse().ok()?, &word[end..])));
    let (address, rest): (IpAddr, &str) = word.parse().ok().map(|whole| (whole, "")).or_else(with_rest)?;
    if address.is_loopback() || address.is_unspecified() {
        return None;
    }
    let cut = match address {
        IpAddr::V4(four) => format!("{}.{}.x.x", four.octets()[0], four.octets()[1]),
        IpAddr::V6(six) => format!("{:x}:{:x}:x", six.segments()[0], six.segments()[1]),
    };
    Some(cut + rest)
}

/// What people wrote, or what names them.
const WORDS: [&str; 4] = ["approved_by", "digest", "made_by", "notice"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_become_networks_and_other_words_stay() {
        for (text, cut) in [
            ("10.1.2.3", "10.1.x.x"),
            ("203.0.113.7:4711 -> [2001:db8:1::9]:80", "203.0.x.x:4711 -> [2001:db8:x]:80"),
            ("10.0.0.0/8", "10.0.x.x/8"),
            ("127.0.0.1:9920", "127.0.0.1:9920"),
            ("seen from 10.1.2.3.", "seen from 10.1.x.x."),
            ("Linux version 6.1.0 at 12:30:45, deadbeef, 0.1.0", "Linux version 6.1.0 at 12:30:45, deadbeef, 0.1.0"),
        ] {
            assert_eq!(without_hosts(text), cut);
        }
    }

    #[test]
    fn words_of_people_are_left_out() {
        let dump = redacted(json!({ "recent": [{ "source": "10.1.2.3", "notice": "call 555-1234", "count": 3 }] }));
        assert_eq!(dump, json!({ "recent": [{ "source": "10.1.x.x", "notice": "(left out)", "count": 3 }] }));
    }
}
