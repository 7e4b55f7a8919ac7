//! The MIME parts of a mail (RFC 2046), flat and in their order, each decoded to text when asked for.
//!
//! One pass over the lines, without recursion, so that no nesting exhausts the stack: multipart bodies are taken apart
//! here, a returned mail (`message/rfc822`) stays one part. Lenient: a boundary that never comes, a missing end, text
//! without a header all give parts with text. Field values, charsets and base64 are read by [`decode`].

use super::header::{Header, lossy};
use super::{decode, html};
use crate::report::limits::{self, Limit, MAX_DEPTH, MAX_PARTS, MAX_TEXT};
use memchr::memchr;
use std::borrow::Cow;

/// One MIME part that holds no further parts (a returned mail is one).
#[derive(Debug)]
pub(in crate::report) struct Part<'x> {
    pub(in crate::report) media: Media,
    body: &'x [u8],
    end: End,
}

/// What a part ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// A boundary.
    Boundary,
    /// The mail, which has no other part; its last line may lack a line feed.
    Mail,
    /// Neither: the mail is cut short.
    Missing,
}

/// What a header says of its body: `Content-Type` in lower case, and `Content-Transfer-Encoding`.
#[derive(Debug)]
pub(in crate::report) struct Media {
    /// `text/plain`
    pub(in crate::report) name: String,
    /// The `report-type` of a `multipart/report`.
    pub(in crate::report) report_type: Option<String>,
    charset: Option<String>,
    boundary: Option<Vec<u8>>,
    encoding: Encoding,
}

/// RFC 2045 section 6; the others leave the bytes as they are.
#[derive(Debug, Clone, Copy)]
enum Encoding {
    None,
    QuotedPrintable,
    Base64,
}

impl Encoding {
    fn of(header: &Header<'_>) -> Encoding {
        match header.text("Content-Transfer-Encoding") {
            Some(name) if name.eq_ignore_ascii_case("quoted-printable") => {
                Encoding::QuotedPrintable
            }
            Some(name) if name.eq_ignore_ascii_case("base64") => Encoding::Base64,
            _ => Encoding::None,
        }
    }
}

impl Media {
    /// Longer values are cut: nobody needs them, and their parser is not linear.
    const MAX_LEN: usize = 4096;

    pub(in crate::report) fn of(header: &Header<'_>) -> Media {
        let mut media = Media {
            name: "text/plain".to_owned(),
            report_type: None,
            charset: None,
            boundary: None,
            encoding: Encoding::of(header),
        };
        let Some(raw) = header.raw("Content-Type") else {
            return media;
        };
        let said = decode::content_type(&raw[..raw.len().min(Self::MAX_LEN)]);
        media.name = said.name.unwrap_or(media.name);
        media.report_type = said.report_type;
        media.charset = said.charset;
        media.boundary = said
            .boundary
            .map(|boundary| boundary.trim_end().as_bytes().to_vec())
            .filter(|boundary| !boundary.is_empty());
        media
    }

    fn is_multipart(&self) -> bool {
        self.name.starts_with("multipart/")
    }
}

/// The parts of a body that is as `media` says.
pub(in crate::report) fn parts<'x>(
    media: Media,
    body: &'x [u8],
    limits: &mut Vec<Limit>,
) -> Vec<Part<'x>> {
    let mut parts = Vec::with_capacity(4);
    let mut walk = Walk {
        parts: &mut parts,
        open: Vec::new(),
        part: None,
        limits,
    };
    walk.enter(media, 0);
    walk.lines(body);
    parts
}

/// The state of one pass over the lines.
struct Walk<'a, 'x> {
    parts: &'a mut Vec<Part<'x>>,
    /// The boundaries of the multipart bodies that we are in, outermost first.
    open: Vec<Vec<u8>>,
    /// The part that we are in, and where its body starts; none between parts.
    part: Option<(Media, usize)>,
    limits: &'a mut Vec<Limit>,
}

impl<'x> Walk<'_, 'x> {
    fn lines(&mut self, body: &'x [u8]) {
        let mut at = 0;
        while at < body.len() {
            let next = memchr(b'\n', &body[at..]).map_or(body.len(), |n| at + n + 1);
            if body[at] == b'-'
                && let Some((level, last)) = self.boundary(&body[at..next])
            {
                self.leave(&body[..at], End::Boundary);
                if self.parts.len() >= MAX_PARTS {
                    limits::hit(self.limits, Limit::Parts);
                    return;
                }
                self.open.truncate(level + 1);
                if last {
                    self.open.pop();
                    at = next;
                } else {
                    let (header, rest) = Header::split(&body[next..], self.limits);
                    let media = Media::of(&header);
                    at = body.len() - rest.len();
                    self.enter(media, at);
                }
            } else {
                at = next;
            }
        }
        let is_whole = self.parts.is_empty() && self.open.is_empty();
        self.leave(body, if is_whole { End::Mail } else { End::Missing });
    }

    /// The level of the boundary that a line is, and whether it is the closing one.
    fn boundary(&self, line: &[u8]) -> Option<(usize, bool)> {
        let line = line.strip_prefix(b"--")?.trim_ascii_end();
        self.open
            .iter()
            .enumerate()
            .rev()
            .find_map(|(level, open)| match line.strip_prefix(open.as_slice())? {
                b"" => Some((level, false)),
                b"--" => Some((level, true)),
                _ => None,
            })
    }

    fn enter(&mut self, mut media: Media, start: usize) {
        if media.is_multipart()
            && let Some(boundary) = media.boundary.take()
        {
            if self.open.len() < MAX_DEPTH {
                self.open.push(boundary);
            } else {
                limits::hit(self.limits, Limit::Parts);
            }
        }
        self.part = Some((media, start));
    }

    /// Ends the part that we are in.
    fn leave(&mut self, read: &'x [u8], mut end: End) {
        if let Some((media, start)) = self.part.take() {
            let mut body = read.get(start..).unwrap_or_default();
            if body.len() > MAX_TEXT && media.name.starts_with("text/") {
                limits::hit(self.limits, Limit::Size);
                body = &body[..MAX_TEXT];
                end = End::Missing;
            }
            self.parts.push(Part { media, body, end });
        }
    }
}

impl<'x> Part<'x> {
    /// Whether this is the text in front of the first part of a multipart body.
    pub(in crate::report) fn is_preamble(&self) -> bool {
        self.media.is_multipart()
    }

    /// Whether a boundary ends it; else the mail may be cut short.
    pub(in crate::report) fn is_closed(&self) -> bool {
        self.end == End::Boundary
    }

    /// The bytes with their transfer encoding (RFC 2045) undone.
    pub(in crate::report) fn bytes(&self) -> Cow<'x, [u8]> {
        match self.media.encoding {
            Encoding::None => Cow::Borrowed(self.body),
            Encoding::QuotedPrintable => Cow::Owned(unquoted(self.body)),
            Encoding::Base64 => {
                decode::base64(self.body).map_or(Cow::Borrowed(self.body), Cow::Owned)
            }
        }
    }

    /// The part as text: decoded, and without its tags where it is HTML.
    pub(in crate::report) fn text(&self) -> Cow<'x, str> {
        let bytes = self.bytes();
        let charset = self.media.charset.as_deref().unwrap_or_default();
        let is_utf8 = charset.is_empty()
            || charset.eq_ignore_ascii_case("utf-8")
            || charset.eq_ignore_ascii_case("us-ascii");
        let decoder = if is_utf8 {
            None
        } else {
            decode::charset(charset)
        };
        let text = match (decoder, bytes) {
            (Some(decode), bytes) => Cow::Owned(decode(&bytes)),
            (None, Cow::Borrowed(bytes)) => lossy(bytes),
            (None, Cow::Owned(bytes)) => Cow::Owned(lossy(&bytes).into_owned()),
        };
        let text = match self.end {
            End::Boundary => text,
            End::Mail => without_last_address(text),
            End::Missing => finished(text),
        };
        if self.media.name == "text/html" {
            Cow::Owned(html::to_text(&text))
        } else {
            text
        }
    }
}

/// The text without a last line that breaks off: half an address would be somebody else's.
fn finished(text: Cow<'_, str>) -> Cow<'_, str> {
    match text.rfind('\n') {
        Some(end) => cut(text, end + 1),
        None => without_last_address(text),
    }
}

/// The text without an address at its very end, which may be half of one. A closing bracket shows that it is whole.
fn without_last_address(text: Cow<'_, str>) -> Cow<'_, str> {
    let word = text.rsplit(char::is_whitespace).next().unwrap_or_default();
    let last = text.len() - word.len();
    let word = word.trim_end_matches([':', '.', ',']);
    if word.contains('@') && !word.ends_with('>') {
        cut(text, last)
    } else {
        text
    }
}

fn cut(text: Cow<'_, str>, end: usize) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(&text[..end]),
        Cow::Owned(mut text) => {
            text.truncate(end);
            Cow::Owned(text)
        }
    }
}

/// Undoes quoted-printable (RFC 2045 section 6.7), and leaves what is malformed as it stands.
fn unquoted(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = memchr(b'=', rest) {
        plain.extend_from_slice(&rest[..at]);
        rest = &rest[at + 1..];
        let hex = |b: Option<&u8>| b.and_then(|&b| char::from(b).to_digit(16));
        let soft_break = rest
            .iter()
            .take_while(|b| matches!(b, b' ' | b'\t' | b'\r'))
            .count();
        if let (Some(high), Some(low)) = (hex(rest.first()), hex(rest.get(1))) {
            plain.push((high * 16 + low) as u8);
            rest = &rest[2..];
        } else if rest.get(soft_break) == Some(&b'\n') {
            rest = &rest[soft_break + 1..];
        } else if soft_break < rest.len() {
            plain.push(b'=');
        }
    }
    plain.extend_from_slice(rest);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(raw: &str) -> Vec<(String, String)> {
        let mut limits = Vec::new();
        let (header, body) = Header::split(raw.as_bytes(), &mut limits);
        let media = Media::of(&header);
        parts(media, body, &mut limits)
            .iter()
            .map(|part| (part.media.name.clone(), part.text().trim().to_owned()))
            .collect()
    }

    #[test]
    fn nested_parts_come_in_order() {
        let parts = read(
            "Content-Type: multipart/report; boundary=a\n\npreamble\n--a\nContent-Type: multipart/alternative;\n boundary=\"a b\"\n\n\
             --a b\n\none\n--a b\nContent-Type: text/html\n\n<p>two</p>\n--a b--\nepilogue\n--a\nContent-Type: message/rfc822\n\nSubject: x\n\n--c\nthree\n",
        );
        let names: Vec<&str> = parts.iter().map(|part| part.0.as_str()).collect();
        assert_eq!(
            names,
            [
                "multipart/report",
                "multipart/alternative",
                "text/plain",
                "text/html",
                "message/rfc822"
            ]
        );
        assert_eq!(parts[2].1, "one");
        assert_eq!(parts[4].1, "Subject: x\n\n--c\nthree");
    }

    #[test]
    fn malformed_quoted_printable_stays() {
        assert_eq!(unquoted(b"a=3Db= \r\nc=zz 5==\n="), b"a=bc=zz 5=");
    }

    #[test]
    fn many_parts_are_cut() {
        let mut raw = b"Content-Type: multipart/mixed; boundary=a\n\n".to_vec();
        raw.extend(b"--a\n\n".repeat(MAX_PARTS + 10));
        let mut limits = Vec::new();
        let (header, body) = Header::split(&raw, &mut limits);
        let media = Media::of(&header);
        assert_eq!(parts(media, body, &mut limits).len(), MAX_PARTS);
        assert_eq!(limits, [Limit::Parts]);
    }

    #[test]
    fn a_blank_of_several_bytes_stands_before_the_last_word() {
        for (text, kept) in [
            ("a\u{2000}b@c.example", "a\u{2000}"),
            ("a\u{2000}b", "a\u{2000}b"),
            ("b@c.ex", ""),
        ] {
            assert_eq!(without_last_address(Cow::Borrowed(text)), kept);
        }
    }
}
