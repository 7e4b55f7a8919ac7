//! The header of a mail or of a MIME part: its fields as they stand, decoded when asked for.
//!
//! Lenient, because the mails are broken: a line that is no field is skipped. Never reads more than [`crate::report::limits`] allow.

use super::decode;
use crate::address::{self, Address};
use crate::report::limits::{self, Limit, MAX_HEADER_BYTES, MAX_HEADER_FIELDS};
use memchr::{memchr, memchr_iter, memmem};
use std::borrow::Cow;

/// The fields of one header, in their order.
#[derive(Debug, Default)]
pub(in crate::report) struct Header<'x> {
    fields: Vec<Field<'x>>,
}

#[derive(Debug)]
struct Field<'x> {
    name: &'x [u8],
    /// With its folds, without the final line end.
    value: &'x [u8],
}

impl<'x> Header<'x> {
    /// Splits `bytes` into its header and the body behind the blank line.
    pub(in crate::report) fn split(
        bytes: &'x [u8],
        limits: &mut Vec<Limit>,
    ) -> (Header<'x>, &'x [u8]) {
        let mut fields: Vec<Field<'x>> = Vec::with_capacity(24);
        let mut at = 0;
        while at < bytes.len() {
            let Some(length) = memchr(b'\n', &bytes[at..]) else {
                break; // a line that breaks off: half an address would be somebody else's
            };
            let end = at + length;
            let next = end + 1;
            let line = without_cr(&bytes[at..end]);
            if line.is_empty() {
                return (Header { fields }, &bytes[next..]);
            }
            if fields.len() >= MAX_HEADER_FIELDS || next > MAX_HEADER_BYTES {
                limits::hit(limits, Limit::Header);
                return (Header { fields }, after_blank_line(&bytes[at..]));
            }
            if line[0] == b' ' || line[0] == b'\t' {
                if let Some(field) = fields.last_mut() {
                    let start = field.value.as_ptr() as usize - bytes.as_ptr() as usize;
                    field.value = without_cr(&bytes[start..end]);
                }
            } else if let Some((name, value)) = field(line) {
                fields.push(Field { name, value });
            } else if fields.is_empty() {
                // The text begins at once: there is no header.
                return (Header { fields }, bytes);
            }
            at = next;
        }
        (Header { fields }, &[])
    }

    /// Whether there is a field of this name.
    pub(in crate::report) fn has(&self, name: &str) -> bool {
        self.raw(name).is_some()
    }

    /// The first field of this name, as it stands.
    pub(in crate::report) fn raw(&self, name: &str) -> Option<&'x [u8]> {
        self.all_raw(name).next()
    }

    /// The first field of this name, unfolded and decoded (RFC 2047), in one line.
    pub(in crate::report) fn text(&self, name: &str) -> Option<Cow<'x, str>> {
        self.all(name).next()
    }

    /// Every field of this name, unfolded and decoded.
    pub(in crate::report) fn all(&self, name: &str) -> impl Iterator<Item = Cow<'x, str>> {
        self.all_raw(name).map(decoded)
    }

    /// The addresses in all fields of this name; none where one of them can't be read. Not decoded first: what stands in encoded
    /// words is a display name.
    pub(in crate::report) fn addresses(&self, name: &str) -> Option<Vec<Address>> {
        let mut addresses = Vec::new();
        for value in self.all_raw(name) {
            addresses.extend(address::in_list(&lossy(value))?);
        }
        Some(addresses)
    }

    fn all_raw(&self, name: &str) -> impl Iterator<Item = &'x [u8]> {
        self.fields
            .iter()
            .filter(move |field| field.name.eq_ignore_ascii_case(name.as_bytes()))
            .map(|field| field.value)
    }

    /// Whether the first field of this name contains `word` (which is lower-case ASCII), in any case.
    pub(in crate::report) fn contains(&self, name: &str, word: &str) -> bool {
        self.text(name)
            .is_some_and(|value| value.to_ascii_lowercase().contains(word))
    }
}

/// `Name: value`, or nothing where the line is no field.
fn field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = memchr(b':', line)?;
    let name = line[..colon].trim_ascii_end();
    let is_name = !name.is_empty() && name.iter().all(|b| b.is_ascii_graphic());
    is_name.then(|| (name, line[colon + 1..].trim_ascii_start()))
}

fn without_cr(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn after_blank_line(bytes: &[u8]) -> &[u8] {
    memchr_iter(b'\n', bytes)
        .map(|at| &bytes[at + 1..])
        .find_map(|rest| {
            rest.strip_prefix(b"\n")
                .or_else(|| rest.strip_prefix(b"\r\n"))
        })
        .unwrap_or_default()
}

/// A field's value in one line, its encoded words decoded.
pub(in crate::report) fn decoded(value: &[u8]) -> Cow<'_, str> {
    let encoded = memmem::find(value, b"=?").is_some();
    if !encoded && memchr(b'\n', value).is_none() {
        return lossy(value.trim_ascii());
    }
    let unfolded = lossy(value)
        .split(['\n', '\r'])
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join(" ");
    if !encoded {
        return Cow::Owned(unfolded);
    }
    Cow::Owned(decode::encoded_words(&unfolded).unwrap_or(unfolded))
}

/// As [`String::from_utf8_lossy`], which is slower for what is UTF-8 already: nearly everything.
pub(super) fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(bytes: &[u8]) -> (Header<'_>, &[u8]) {
        Header::split(bytes, &mut Vec::new())
    }

    #[test]
    fn fields_are_unfolded_and_decoded() {
        let (header, body) =
            split(b"Subject: =?utf-8?q?Gr=C3=BC?=\r\n =?utf-8?q?=C3=9Fe?=\r\nto : a@b.example\r\n\r\nbody");
        assert_eq!(header.text("subject").as_deref(), Some("Grüße"));
        assert_eq!(header.text("To").as_deref(), Some("a@b.example"));
        assert_eq!(body, b"body");
    }

    #[test]
    fn text_without_a_header_is_all_body() {
        let (header, body) = split(b"Sorry, it failed\nTo: a@b.example\n");
        assert!(header.fields.is_empty());
        assert_eq!(body.len(), 33);
    }

    #[test]
    fn too_many_fields_are_cut_and_the_body_is_found() {
        let mut raw = b"a: b\n".repeat(MAX_HEADER_FIELDS + 5);
        raw.extend_from_slice(b"\nbody");
        let mut limits = Vec::new();
        let (header, body) = Header::split(&raw, &mut limits);
        assert_eq!(
            (header.fields.len(), body),
            (MAX_HEADER_FIELDS, &b"body"[..])
        );
        assert_eq!(limits, [Limit::Header]);
    }
}
