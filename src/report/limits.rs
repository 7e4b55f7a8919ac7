//! How much of a mail is read, and the bytes as the parsers want them.
//!
//! A mail may be forged to cost time and memory; every bound on that is here. What lies beyond a bound is ignored, and
//! [`super::Report::limits`] says so.

use memchr::{memchr, memchr_iter, memmem};
use std::borrow::Cow;
use std::fmt;

/// A bound on the work that one mail may cause. Beyond it the rest of the mail is ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Limit {
    /// Only the first [`MAX_READ`] bytes of the mail, or [`MAX_TEXT`] bytes of a text in it, were read.
    Size,
    /// Only the first [`MAX_HEADER_FIELDS`] fields, or [`MAX_HEADER_BYTES`] bytes, of some header were read.
    Header,
    /// Only the first [`MAX_PARTS`] MIME parts were read, or parts nested deeper than [`MAX_DEPTH`] were taken as text.
    Parts,
    /// Only the first [`MAX_RECIPIENTS`] recipients were taken.
    Recipients,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Limit::Size => "the mail is too large: its end was not read",
            Limit::Parts => "the mail has too many or too deeply nested parts: some were not read",
            Limit::Recipients => "the mail names too many recipients: the last ones were not taken",
            Limit::Header => "the mail has too long a header: its end was not read",
        })
    }
}

/// How many bytes of a mail are read; bounces are small, and what matters comes first.
pub const MAX_READ: usize = 8 * 1024 * 1024;
/// How many bytes of one text part are read: a report of [`MAX_RECIPIENTS`] recipients has about as many.
pub const MAX_TEXT: usize = 2 * 1024 * 1024;
/// How many fields of one header are read.
pub const MAX_HEADER_FIELDS: usize = 1_000;
/// How many bytes of one header are read.
pub const MAX_HEADER_BYTES: usize = 256 * 1024;
/// How many bytes of the header of a returned mail are kept: those of real mails have about five thousand.
pub const MAX_RETURNED_HEADER: usize = 32 * 1024;
/// How many MIME parts of a mail are read.
pub const MAX_PARTS: usize = 1_000;
/// How deep multipart bodies may be nested in each other.
pub const MAX_DEPTH: usize = 16;
/// How many recipients one report may name; the report of a list expansion names a few hundred.
pub const MAX_RECIPIENTS: usize = 10_000;

/// How many bytes of a field are kept that names a host or a mail (`Reporting-MTA`, `Message-ID`): as many as a domain name has.
pub const MAX_FIELD: usize = 255;
/// How many bytes of a field are kept that people read (`Subject`, `From`, `To`): one line of RFC 5322 section 2.1.1.
pub const MAX_SHOWN: usize = 998;

/// The first `most` bytes of a text, or a few less, so that no character is cut.
pub(super) fn cut(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

/// Takes the next recipient, while there is room for it; else notes that there was none.
pub(super) fn has_room(taken: usize, limits: &mut Vec<Limit>) -> bool {
    let room = taken < MAX_RECIPIENTS;
    if !room {
        hit(limits, Limit::Recipients);
    }
    room
}

/// Notes that a limit was hit, once.
pub(super) fn hit(limits: &mut Vec<Limit>, limit: Limit) {
    if !limits.contains(&limit) {
        limits.push(limit);
    }
}

/// The mail without an mbox `From ` line in front, not longer than [`MAX_READ`], its lines ending in LF or CRLF.
pub(super) fn readable<'x>(raw: &'x [u8], limits: &mut Vec<Limit>) -> Cow<'x, [u8]> {
    let mut rest = raw.strip_prefix(b"\xef\xbb\xbf").unwrap_or(raw);
    let blank = rest.iter().take_while(|b| b.is_ascii_whitespace()).count();
    rest = &rest[blank..];
    if rest.len() > MAX_READ {
        rest = &rest[..MAX_READ];
        limits.push(Limit::Size);
    }
    let rest = with_line_feeds(rest);
    let start = after_mbox_line(&rest);
    match rest {
        Cow::Borrowed(bytes) => Cow::Borrowed(&bytes[start..]),
        Cow::Owned(bytes) if start == 0 => Cow::Owned(bytes),
        Cow::Owned(bytes) => Cow::Owned(bytes[start..].to_vec()),
    }
}

/// Where the mail starts behind mbox's own line, `From sender date`.
fn after_mbox_line(mail: &[u8]) -> usize {
    if mail.starts_with(b"From ") || mail.starts_with(b">From ") {
        memchr(b'\n', mail).map_or(mail.len(), |end| end + 1)
    } else {
        0
    }
}

/// Makes LF of a bare CR, and one line end of CR CR LF, which broken transports leave behind.
fn with_line_feeds(mail: &[u8]) -> Cow<'_, [u8]> {
    let bare = |at: usize| mail.get(at + 1) != Some(&b'\n');
    if !memchr_iter(b'\r', mail).any(bare) {
        return Cow::Borrowed(mail);
    }
    let crlf = memmem::find(mail, b"\r\r\n").is_some();
    let mut mended = Vec::with_capacity(mail.len());
    let mut start = 0;
    for at in memchr_iter(b'\r', mail).filter(|&at| bare(at)) {
        mended.extend_from_slice(&mail[start..at]);
        let doubled = crlf && mail[at + 1..].starts_with(b"\r\n");
        if !doubled {
            mended.push(b'\n');
        }
        start = at + 1;
    }
    mended.extend_from_slice(&mail[start..]);
    Cow::Owned(mended)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(raw: &[u8]) -> String {
        String::from_utf8(readable(raw, &mut Vec::new()).into_owned()).expect("ASCII")
    }

    #[test]
    fn line_ends_are_mended() {
        assert_eq!(read(b"A: b\rC: d\r\rtext\r"), "A: b\nC: d\n\ntext\n");
        assert_eq!(read(b"A: b\r\r\nC: d\r\n"), "A: b\r\nC: d\r\n");
    }

    #[test]
    fn an_mbox_line_is_no_header() {
        assert_eq!(
            read(b"\n\nFrom a@b.example Thu\nSubject: x\n"),
            "Subject: x\n"
        );
        assert_eq!(read(b"From a@b.example Thu\rSubject: x\r"), "Subject: x\n");
        assert_eq!(read(b"From: a@b.example\n"), "From: a@b.example\n");
    }

    #[test]
    fn a_huge_mail_is_cut() {
        let mut limits = Vec::new();
        let huge = vec![b'a'; MAX_READ + 1];
        assert_eq!(readable(&huge, &mut limits).len(), MAX_READ);
        assert_eq!(limits, [Limit::Size]);
    }
}
