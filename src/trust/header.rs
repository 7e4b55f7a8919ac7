//! The header of a returned mail as a signature sees it (RFC 6376 sections 3.4 and 5.4.2): its fields as they stand, taken from the
//! bottom up.

use crate::report::limits::MAX_HEADER_FIELDS;
use memchr::memchr;
use std::ops::Range;

/// One field, with its folds and its last line end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field<'x> {
    pub(super) name: &'x [u8],
    raw: &'x [u8],
    /// Behind the colon.
    value: usize,
}

/// How bytes were made equal before they were signed (RFC 6376 section 3.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Canonicalization {
    Simple,
    Relaxed,
}

impl<'x> Field<'x> {
    /// What stands behind the colon, with folds.
    pub(super) fn value(&self) -> &'x [u8] {
        &self.raw[self.value..]
    }

    pub(super) fn is(&self, name: &[u8]) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}

/// The fields of a header whose lines end in CRLF. At most [`MAX_HEADER_FIELDS`]; a line that is no field is left out with its folds.
pub(super) fn fields(header: &[u8]) -> Vec<Field<'_>> {
    let mut fields: Vec<Field<'_>> = Vec::with_capacity(32);
    let mut start = 0;
    while start < header.len() && fields.len() < MAX_HEADER_FIELDS {
        let mut end = line_end(header, start);
        while matches!(header.get(end), Some(b' ' | b'\t')) {
            end = line_end(header, end);
        }
        let raw = &header[start..end];
        if let Some(colon) = memchr(b':', raw) {
            let name = raw[..colon].trim_ascii_end();
            if !name.is_empty() && name.iter().all(u8::is_ascii_graphic) {
                let value = colon + 1;
                fields.push(Field { name, raw, value });
            }
        }
        start = end;
    }
    fields
}

fn line_end(bytes: &[u8], from: usize) -> usize {
    memchr(b'\n', &bytes[from..]).map_or(bytes.len(), |at| from + at + 1)
}

/// The fields that a list of names picks: for each name the lowest of this name that was not picked yet, or none. One that is listed more
/// often than it is there was signed as absent.
pub(super) fn picked<'a, 'x>(
    fields: &'a [Field<'x>],
    names: &[&[u8]],
) -> Vec<Option<&'a Field<'x>>> {
    let mut taken = vec![false; fields.len()];
    let pick = |name: &&[u8]| {
        let at = (0..fields.len())
            .rev()
            .find(|&at| !taken[at] && fields[at].is(name))?;
        taken[at] = true;
        Some(&fields[at])
    };
    names.iter().map(pick).collect()
}

/// Appends a field as it is signed, but for its last line end.
pub(super) fn canonical(field: &Field<'_>, how: Canonicalization, out: &mut Vec<u8>) {
    match how {
        Canonicalization::Simple => {
            let raw = field.raw.strip_suffix(b"\r\n").unwrap_or(field.raw);
            out.extend_from_slice(raw);
        }
        Canonicalization::Relaxed => relaxed(field.name, field.value(), out),
    }
}

/// Appends a signature's own field as it is signed: without the signature, which is `value` of its value.
pub(super) fn canonical_without(
    field: &Field<'_>,
    value: Range<usize>,
    how: Canonicalization,
    out: &mut Vec<u8>,
) {
    let whole = field.value();
    let rest = [&whole[..value.start], &whole[value.end..]].concat();
    match how {
        Canonicalization::Simple => {
            out.extend_from_slice(&field.raw[..field.value]);
            out.extend_from_slice(rest.strip_suffix(b"\r\n").unwrap_or(&rest));
        }
        Canonicalization::Relaxed => relaxed(field.name, &rest, out),
    }
}

fn relaxed(name: &[u8], value: &[u8], out: &mut Vec<u8>) {
    out.extend(name.iter().map(u8::to_ascii_lowercase));
    out.push(b':');
    let words = value
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty());
    for (number, word) in words.enumerate() {
        if number > 0 {
            out.push(b' ');
        }
        out.extend_from_slice(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(header: &str, how: Canonicalization) -> String {
        let mut out = Vec::new();
        for field in fields(header.as_bytes()) {
            canonical(&field, how, &mut out);
            out.extend_from_slice(b"|");
        }
        String::from_utf8(out).unwrap()
    }

    /// RFC 6376 section 3.4.5.
    #[test]
    fn fields_are_canonical() {
        let header = "A: X\r\nB : Y\t\r\n\tZ  \r\n";
        assert_eq!(
            signed(header, Canonicalization::Simple),
            "A: X|B : Y\t\r\n\tZ  |"
        );
        assert_eq!(signed(header, Canonicalization::Relaxed), "a:X|b:Y Z|");
    }

    #[test]
    fn what_is_no_field_is_left_out_with_its_folds() {
        let header = " first\r\nno field\r\n\tTo: x\r\nTo: a\r\n b\r\nCc: c";
        assert_eq!(signed(header, Canonicalization::Relaxed), "to:a b|cc:c|");
        assert_eq!(signed("", Canonicalization::Relaxed), "");
    }

    #[test]
    fn fields_are_picked_from_the_bottom_up() {
        let fields = fields(b"To: forged\r\nFrom: a\r\nTo: two\r\nto: one\r\n");
        let names: [&[u8]; 4] = [b"TO", b"to", b"cc", b"from"];
        let values: Vec<Option<&[u8]>> = picked(&fields, &names)
            .into_iter()
            .map(|field| field.map(|field| field.value().trim_ascii()))
            .collect();
        assert_eq!(values, [Some(&b"one"[..]), Some(b"two"), None, Some(b"a")]);
    }

    #[test]
    fn a_signature_does_not_sign_itself() {
        let fields = fields(b"D: a; b= xyz ; c\r\n");
        for (how, rest) in [
            (Canonicalization::Simple, "D: a; b=; c"),
            (Canonicalization::Relaxed, "d:a; b=; c"),
        ] {
            let mut out = Vec::new();
            canonical_without(&fields[0], 6..11, how, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), rest);
        }
    }
}
