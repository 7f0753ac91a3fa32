//! Scripts in pages. In: a reading. Out: the rules that fire for the places of a page where a value can stand: as text, in an
//! attribute, as a URL, in a script. Never here: whether the page escapes it.
mod script;
mod tags;

use super::evidence::Evidence;
use super::text::{Sign, Text};
use tags::{Attribute, Tag};

/// What speaks for a script.
pub(super) fn judge(text: &Text<'_>) -> Evidence {
    let mut evidence = Evidence::default();
    let clean: Vec<u8> = text.lower.iter().copied().filter(|byte| *byte != 0).collect();
    if text.has(Sign::ANGLE) {
        elements(&clean, &mut evidence);
        if clean.contains(&b'+') && !clean.contains(&b' ') {
            let blank = |byte: &u8| if *byte == b'+' { b' ' } else { *byte };
            elements(&clean.iter().map(blank).collect::<Vec<u8>>(), &mut evidence);
        }
    }
    inside(&clean, &mut evidence);
    if let Some(plain) = tags::resolved(&clean) {
        inside(&plain, &mut evidence);
    }
    evidence
}

fn elements(text: &[u8], evidence: &mut Evidence) {
    for tag in tags::tags(text) {
        element(&tag, text, evidence);
    }
}

/// The places inside of a tag or a script.
fn inside(text: &[u8], evidence: &mut Evidence) {
    for quote in [b'"', b'\'', b'`'] {
        let places = text.iter().enumerate().filter(|(_, byte)| **byte == quote).take(3);
        places.for_each(|(at, _)| broken_out(text, at + 1, 90, evidence));
    }
    broken_out(text, 0, 78, evidence);
    script::judge(text, evidence);
}

/// Attributes behind a quote: a handler among the first few, with a script as its value.
fn broken_out(text: &[u8], at: usize, weight: u8, evidence: &mut Evidence) {
    let behind = text.get(at..).unwrap_or_default();
    if behind.starts_with(b"<") {
        return;
    }
    let (attributes, _) = tags::attributes(behind);
    for attribute in attributes.iter().take(FEW) {
        let runs = script::is_script(&attribute.value);
        if INERT.contains(&attribute.value.trim_ascii()) {
            continue;
        }
        if tags::is_handler(attribute.name) && (runs || at > 0 && !attribute.value.is_empty()) {
            evidence.add("xss-handler", if runs { weight } else { weight - 25 }, text, at);
        }
        if at > 0 && script::is_script_url(&attribute.value) {
            evidence.add("xss-attribute-url", weight, text, at);
        }
        if attribute.name == b"style" && script::is_style(&attribute.value) {
            evidence.add("xss-style", weight, text, at);
        }
    }
}

fn element(tag: &Tag<'_>, text: &[u8], evidence: &mut Evidence) {
    for attribute in &tag.attributes {
        attribute_rules(tag, attribute, text, evidence);
    }
    let (rule, weight) = match tag.name {
        b"script" if !tag.closing => ("xss-script", script_weight(tag, text)),
        b"iframe" | b"frame" => ("xss-frame", frame_weight(tag)),
        b"object" | b"embed" | b"applet" => (
            "xss-object",
            if tag.has(&[b"src", b"data", b"code", b"codebase", b"classid", b"allowscriptaccess", b"type"]) {
                65
            } else {
                0
            },
        ),
        b"meta" => ("xss-meta", meta_weight(tag)),
        b"base" => ("xss-base", if tag.has(&[b"href"]) { 65 } else { 0 }),
        b"style" => ("xss-style", if script::is_style(behind(tag, text)) { 85 } else { 0 }),
        b"bgsound" | b"layer" | b"ilayer" | b"isindex" => {
            ("xss-old-tag", if tag.attributes.is_empty() { 0 } else { 60 })
        }
        b"link" => ("xss-link", if tag.is(b"rel", b"import") { 70 } else { 0 }),
        _ => return,
    };
    evidence.add(rule, weight, text, tag.at);
}

fn attribute_rules(tag: &Tag<'_>, attribute: &Attribute<'_>, text: &[u8], evidence: &mut Evidence) {
    let value = &attribute.value;
    let handler = attribute.name.starts_with(b"on") && attribute.name.len() > 4;
    let inert = INERT.contains(&attribute.value.trim_ascii());
    if handler && !inert && attribute.name.iter().all(u8::is_ascii_alphabetic) && !value.trim_ascii().is_empty() {
        evidence.add("xss-handler", 92, text, tag.at);
    }
    if script::is_script_url(value) {
        evidence.add("xss-attribute-url", 92, text, tag.at);
    }
    if tag.name != b"img" && script::is_data_page(value) {
        evidence.add("xss-data-url", 80, text, tag.at);
    }
    if attribute.name == b"style" && script::is_style(value) {
        evidence.add("xss-style", 85, text, tag.at);
    }
    if attribute.name == b"attributename" && (value.starts_with(b"on") || value.ends_with(b"href")) {
        evidence.add("xss-animation", 80, text, tag.at);
    }
    if [&b"srcdoc"[..], b"formaction", b"dataformatas"].contains(&attribute.name) {
        evidence.add("xss-document", 80, text, tag.at);
    }
}

/// A script tag that is only spoken of has no content and no source.
fn script_weight(tag: &Tag<'_>, text: &[u8]) -> u8 {
    let content = behind(tag, text);
    let closed = content.windows(8).any(|eight| eight == b"</script");
    let content =
        content.get(..content.windows(2).position(|two| two == b"</").unwrap_or(content.len())).unwrap_or_default();
    let runs = script::is_script(content) || content.iter().any(|byte| b"(=`[;".contains(byte));
    let prose = super::text::prose(text.get(..tag.at).unwrap_or_default());
    match () {
        () if tag
            .attributes
            .iter()
            .any(|one| one.name == b"src" || one.name == b"language" || one.name.ends_with(b"href"))
            || runs =>
        {
            92
        }
        () if closed && prose < 3 && !content.is_empty() && super::text::prose(content) == 0 => 75,
        () if prose == 0
            && content.trim_ascii().is_empty()
            && !text.get(..tag.at).unwrap_or_default().contains(&b' ') =>
        {
            70
        }
        () => 30,
    }
}

fn frame_weight(tag: &Tag<'_>) -> u8 {
    let shown = tag.has(&[b"width", b"height", b"allowfullscreen", b"title", b"frameborder"]);
    if tag.has(&[b"src"]) && !shown { 60 } else { 30 }
}

fn meta_weight(tag: &Tag<'_>) -> u8 {
    let content = tag.attributes.iter().find(|attribute| attribute.name == b"content");
    let leads = content.is_some_and(|content| content.value.windows(3).any(|three| three == b"url"));
    if (tag.is(b"http-equiv", b"refresh") && leads) || tag.is(b"http-equiv", b"set-cookie") { 75 } else { 0 }
}

fn behind<'t>(tag: &Tag<'_>, text: &'t [u8]) -> &'t [u8] {
    text.get(tag.end..).unwrap_or_default()
}

/// Handlers that do nothing.
const INERT: [&[u8]; 4] = [b"return false", b"return false;", b"return true", b"void(0)"];
/// Attributes that are looked at behind a quote.
const FEW: usize = 4;

#[cfg(test)]
pub(super) fn compiles() -> bool {
    script::compiles()
}
