//! What a refused client reads.
//!
//! In: the `notice` table of a service. Out: a [`NoticeText`], and its whole answer as [`Notice`] for the kernel. Never here:
//! which service it belongs to.
use enforcer_common::Notice;
use enforcer_common::limits::{NOTICE, NOTICE_BODY, NOTICE_ID};

use super::reader::{Report, Section, Value};

/// Where the id of the decision goes in a body.
pub const HOLE: &str = "{decision}";

/// The operator's part of a refusal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NoticeText {
    /// What the body is.
    pub content_type: NoticeType,
    /// The body, with [`HOLE`] at most once; at most [`NOTICE_BODY`] bytes.
    pub body: String,
}

/// The kinds of body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoticeType {
    /// `application/json`
    Json,
    /// `text/plain; charset=utf-8`
    Text,
}

impl NoticeType {
    /// The value of the `Content-Type` header.
    pub const fn header(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Text => "text/plain; charset=utf-8",
        }
    }
}

impl NoticeText {
    /// The complete refusal: status line, headers, body, with zeros where the id goes.
    ///
    /// The id begins at an even offset, so that the kernel corrects checksums by whole words.
    pub fn render(&self) -> Notice {
        self.answer("403 Forbidden", "")
    }

    /// The same for who has sent too many requests.
    pub fn render_limited(&self) -> Notice {
        self.answer("429 Too Many Requests", "Retry-After: 60\r\n")
    }

    fn answer(&self, status: &str, header: &str) -> Notice {
        let body = self.fitting_body();
        let sent = body.replacen(HOLE, ZEROS, 1);
        let hole = body.find(HOLE);
        let head = |pad: &str| {
            let (kind, length) = (self.content_type.header(), sent.len());
            format!(
                "HTTP/1.1 {status}\r\n{header}Content-Type: {kind}\r\nContent-Length: {length}\r\n\
                 Cache-Control: {pad}no-store\r\nConnection: close\r\n\r\n"
            )
        };
        let mut answer = head("");
        if hole.is_some_and(|hole| (answer.len() + hole) % 2 == 1) {
            // Any number of spaces may stand before a value.
            answer = head(" ");
        }
        let id_offset = hole.map_or(0, |hole| answer.len() + hole);
        answer.push_str(&sent);
        let mut notice = Notice { length: narrow(answer.len()), id_offset: narrow(id_offset), bytes: [0; NOTICE] };
        for (to, from) in notice.bytes.iter_mut().zip(answer.bytes()) {
            *to = from;
        }
        notice
    }

    /// The body; cut, should somebody have made a longer one without the file's checks.
    fn fitting_body(&self) -> &str {
        self.body.get(..self.body.floor_char_boundary(NOTICE_BODY)).unwrap_or_default()
    }
}

impl Default for NoticeText {
    fn default() -> Self {
        let body = format!("This request was refused.\nReference: {HOLE}\n");
        Self { content_type: NoticeType::Text, body }
    }
}

/// Reads the table.
pub(super) fn notice(mut section: Section<'_>, report: &mut Report) -> NoticeText {
    let kinds = [("json", NoticeType::Json), ("text", NoticeType::Text)];
    let content_type =
        section.find(report, "type").map_or(Some(NoticeType::Text), |value| value.choice(report, &kinds));
    let body = section
        .need(report, "body", "\"This request was refused. Reference: {decision}\"")
        .and_then(|value| body(&value, content_type, report));
    section.finish(report);
    NoticeText { content_type: content_type.unwrap_or(NoticeType::Text), body: body.unwrap_or_default() }
}

fn body(value: &Value<'_>, content_type: Option<NoticeType>, report: &mut Report) -> Option<String> {
    let body = value.prose(report)?;
    let holes = body.matches(HOLE).count();
    if body.len() > NOTICE_BODY {
        value.refuse(report, format!("the body has {} bytes", body.len()), format!("shorten it to {NOTICE_BODY}"));
    }
    if holes > 1 {
        value.refuse(report, format!("{HOLE} stands {holes} times in the body"), "write it once");
    }
    let filled = body.replace(HOLE, ZEROS);
    if content_type == Some(NoticeType::Json)
        && let Err(error) = serde_json::from_str::<serde_json::Value>(&filled)
    {
        let what = format!("the body is not JSON: {error}");
        value.refuse(report, what, format!("correct it, with {HOLE} in quotes, or write type = \"text\""));
    }
    Some(body.to_owned())
}

/// Lengths here are below [`NOTICE`].
fn narrow(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

const ZEROS: &str = "0000000000000000";
/// More than the head of an answer ever has.
const HEAD: usize = 192;

const _: () = assert!(ZEROS.len() == NOTICE_ID);
const _: () = assert!(HEAD + NOTICE_BODY + NOTICE_ID <= NOTICE);

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(content_type: NoticeType, body: &str) -> (Notice, String) {
        let notice = NoticeText { content_type, body: body.to_owned() }.render();
        let text = String::from_utf8(notice.bytes[..notice.length as usize].to_vec()).unwrap();
        (notice, text)
    }

    #[test]
    fn is_a_complete_answer() {
        let (notice, text) = rendered(NoticeType::Json, "{\"id\":\"{decision}\"}");
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert_eq!(body, "{\"id\":\"0000000000000000\"}");
        let lines: Vec<_> = head.split("\r\n").collect();
        assert_eq!(lines[0], "HTTP/1.1 403 Forbidden");
        assert!(lines.contains(&"Content-Type: application/json"));
        assert!(lines.contains(&"Content-Length: 25"));
        assert!(lines.contains(&"Connection: close"));
        let at = notice.id_offset as usize;
        assert_eq!(&text[at..at + 16], ZEROS);
    }

    #[test]
    fn who_is_limited_is_told_when_to_come_back() {
        for before in [0, 1] {
            let body = format!("{}{HOLE}", "x".repeat(before));
            let notice = NoticeText { content_type: NoticeType::Text, body }.render_limited();
            let text = String::from_utf8(notice.bytes[..notice.length as usize].to_vec()).unwrap();
            assert!(text.starts_with("HTTP/1.1 429 Too Many Requests\r\nRetry-After: 60\r\n"), "{text}");
            assert_eq!((notice.id_offset % 2, &text[notice.id_offset as usize..]), (0, ZEROS));
        }
        let longest = NoticeText { content_type: NoticeType::Text, body: "x".repeat(NOTICE_BODY) }.render_limited();
        assert!(longest.length as usize <= NOTICE);
    }

    #[test]
    fn the_id_is_at_an_even_offset_wherever_it_stands() {
        for before in 0..200 {
            for content_type in [NoticeType::Json, NoticeType::Text] {
                let (notice, text) = rendered(content_type, &format!("{}{HOLE}.", "x".repeat(before)));
                assert_eq!(notice.id_offset % 2, 0);
                assert_eq!(&text[notice.id_offset as usize..][..17], "0000000000000000.");
                assert!(text.contains(&format!("Content-Length: {}\r\n", before + 17)));
            }
        }
    }

    #[test]
    fn without_a_hole_there_is_no_offset() {
        assert_eq!(rendered(NoticeType::Text, "no").0.id_offset, 0);
        let (_, text) = rendered(NoticeType::Text, "");
        assert!(text.ends_with("\r\n\r\n"));
    }

    #[test]
    fn the_longest_body_fits_and_a_longer_one_is_cut_between_characters() {
        let longest = format!("{}{HOLE}", "x".repeat(NOTICE_BODY - HOLE.len()));
        let (notice, text) = rendered(NoticeType::Text, &longest);
        assert!(notice.length as usize <= NOTICE);
        assert!(text.ends_with(ZEROS));
        let (_, text) = rendered(NoticeType::Text, &format!("x{}", "é".repeat(NOTICE_BODY)));
        assert_eq!(text.split_once("\r\n\r\n").unwrap().1.len(), NOTICE_BODY - 1);
    }
}
