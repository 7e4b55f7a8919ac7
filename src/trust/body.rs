//! The hash of a body, as a signature has it (RFC 6376 sections 3.4.3, 3.4.4 and 3.7).

use super::header::Canonicalization;
use memchr::memchr;
use ring::digest::{Context, Digest, SHA256};

/// The SHA-256 of a body, its first `length` bytes if that is given. A bare LF counts as CRLF.
pub(super) fn hash(body: &[u8], how: Canonicalization, length: Option<u64>) -> Digest {
    let mut signed = Signed {
        hash: Context::new(&SHA256),
        left: length.map(|length| usize::try_from(length).unwrap_or(usize::MAX)),
    };
    // Blank lines count once something comes behind them.
    let mut blank = 0;
    let mut is_empty = true;
    let mut rest = body;
    let mut mended = Vec::new();
    while !rest.is_empty() {
        let end = memchr(b'\n', rest);
        let line = &rest[..end.unwrap_or(rest.len())];
        let line = match end {
            Some(_) => line.strip_suffix(b"\r").unwrap_or(line),
            None => line,
        };
        rest = end.map_or(&[][..], |end| &rest[end + 1..]);
        let line = match how {
            Canonicalization::Simple => line,
            Canonicalization::Relaxed => reduced(line, &mut mended),
        };
        if line.is_empty() {
            blank += 1;
            continue;
        }
        for _ in 0..std::mem::take(&mut blank) {
            signed.add(b"\r\n");
        }
        signed.add(line);
        signed.add(b"\r\n");
        is_empty = false;
    }
    if is_empty && how == Canonicalization::Simple {
        signed.add(b"\r\n");
    }
    signed.hash.finish()
}

/// What is hashed, up to the length that the signature gives.
struct Signed {
    hash: Context,
    left: Option<usize>,
}

impl Signed {
    fn add(&mut self, bytes: &[u8]) {
        let taken = self.left.map_or(bytes.len(), |left| left.min(bytes.len()));
        self.hash.update(&bytes[..taken]);
        self.left = self.left.map(|left| left - taken);
    }
}

/// The line without white space at its end, and with one blank for any other run of it.
fn reduced<'a>(line: &'a [u8], mended: &'a mut Vec<u8>) -> &'a [u8] {
    let is_blank = |b: u8| b == b' ' || b == b'\t';
    let end = line
        .iter()
        .rposition(|&b| !is_blank(b))
        .map_or(0, |at| at + 1);
    let line = &line[..end];
    let is_reduced = !line.contains(&b'\t') && !line.windows(2).any(|pair| pair == b"  ");
    if is_reduced {
        return line;
    }
    mended.clear();
    for &b in line {
        if !is_blank(b) {
            mended.push(b);
        } else if mended.last() != Some(&b' ') {
            mended.push(b' ');
        }
    }
    mended
}

#[cfg(test)]
mod tests {
    use super::*;
    use Canonicalization::{Relaxed, Simple};
    use ring::digest::digest;

    #[test]
    fn bodies_are_canonical() {
        for (body, how, length, signed) in [
            // RFC 6376 section 3.4.5, and the empty bodies of 3.4.3 and 3.4.4.
            (" C \r\nD \t E\r\n\r\n\r\n", Relaxed, None, " C\r\nD E\r\n"),
            (
                " C \r\nD \t E\r\n\r\n\r\n",
                Simple,
                None,
                " C \r\nD \t E\r\n",
            ),
            ("", Simple, None, "\r\n"),
            ("\r\n\r\n", Simple, None, "\r\n"),
            ("", Relaxed, None, ""),
            (" \t\r\n\r\n", Relaxed, None, ""),
            ("a\n\nb", Simple, None, "a\r\n\r\nb\r\n"),
            ("a\n\nb\t\tc", Relaxed, None, "a\r\n\r\nb c\r\n"),
            ("hello\r\nworld\r\n", Simple, Some(8), "hello\r\nw"),
            ("hello", Simple, Some(0), ""),
            ("hello", Simple, Some(99), "hello\r\n"),
        ] {
            let expected = digest(&SHA256, signed.as_bytes());
            let got = hash(body.as_bytes(), how, length);
            assert_eq!(got.as_ref(), expected.as_ref(), "{body:?}");
        }
    }
}
