//! One mail address, parsed once and then trusted.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// A mail address (RFC 5321 `Mailbox`, RFC 6531 for UTF-8), without display name or angle brackets.
///
/// The local part is kept as it was written, the domain is lower-cased. An `Address` holds no white space and no
/// control characters, so it can be logged and compared; it still has to be percent-encoded for a URL
/// and sanitised for a file name.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address {
    text: String,
    at: usize,
}

/// Why a text is no [`Address`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// There is no `@`, or nothing on one side of it.
    #[error("an address has the form local-part@domain")]
    Form,
    /// White space, control characters, or characters that no address can hold outside of quotes.
    #[error("an address holds no spaces, control characters or brackets")]
    Character,
    /// Longer than [`Address::MAX_LEN`].
    #[error("an address has at most {} bytes", Address::MAX_LEN)]
    TooLong,
}

impl Address {
    /// The longest address that is accepted, in bytes: generous beside RFC 5321's 64 + 1 + 255, because
    /// some systems rewrite addresses into long local parts (SRS, VERP, BATV).
    pub const MAX_LEN: usize = 1024;

    /// The part before the last `@`, as written.
    pub fn local_part(&self) -> &str {
        &self.text[..self.at]
    }

    /// The part after the last `@`, lower-cased.
    pub fn domain(&self) -> &str {
        &self.text[self.at + 1..]
    }

    /// The whole address.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What counters compare by: the address with upper and lower case folded.
    pub fn key(&self) -> String {
        self.text.to_lowercase()
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if text.len() > Self::MAX_LEN {
            return Err(AddressError::TooLong);
        }
        let at = text.rfind('@').ok_or(AddressError::Form)?;
        let (local, domain) = (&text[..at], &text[at + 1..]);
        if local.is_empty() || domain.is_empty() {
            return Err(AddressError::Form);
        }
        let quoted = local.len() > 1 && local.starts_with('"') && local.ends_with('"');
        let forbidden = |c: char| c.is_control() || c.is_whitespace();
        let special = |c: char| matches!(c, '<' | '>' | '(' | ')' | ',' | ';' | '"');
        if text.contains(forbidden)
            || domain.contains(special)
            || (!quoted && (local.contains(special) || local.contains(['@', ':'])))
        {
            return Err(AddressError::Character);
        }
        Ok(Address {
            text: format!("{local}@{}", domain.to_lowercase()),
            at,
        })
    }
}

/// A domain as it is compared: in ASCII (A-labels, RFC 5890), in which a mail server without SMTPUTF8 writes every domain, in lower case, and
/// without the dot of the root. What is no domain name in any script is only lower-cased.
///
/// ```
/// use bouncedemails::address::ascii_domain;
/// assert_eq!(ascii_domain("Bücher.de"), "xn--bcher-kva.de");
/// assert_eq!(ascii_domain("openHPI.de."), "openhpi.de");
/// ```
pub fn ascii_domain(domain: &str) -> Cow<'_, str> {
    let domain = domain.strip_suffix('.').unwrap_or(domain);
    // Asked of every mail; and nearly every domain is written so already.
    if domain
        .bytes()
        .all(|b| b.is_ascii() && !b.is_ascii_uppercase())
    {
        return Cow::Borrowed(domain);
    }
    idna::domain_to_ascii_cow(domain.as_bytes(), idna::AsciiDenyList::EMPTY)
        .unwrap_or_else(|_| Cow::Owned(domain.to_lowercase()))
}

/// The addresses in running text or in an address list, in their order.
///
/// In running text only what looks like an address on the internet counts: the domain has a dot, or the address stands in
/// angle brackets or is a literal. Quoted local parts and UTF-8 (RFC 6531) are read, trailing punctuation is not.
///
/// ```
/// use bouncedemails::address::in_text;
/// let text = "Mail to 'a.b@example.com' failed: <\"c;d\"@example.org>.";
/// let found: Vec<String> = in_text(text).map(|address| address.to_string()).collect();
/// assert_eq!(found, ["a.b@example.com", "\"c;d\"@example.org"]);
/// ```
pub fn in_text(text: &str) -> impl Iterator<Item = Address> {
    spans(text).map(|(_, address)| address)
}

/// As [`in_text`], with the place where each address starts and ends.
pub(super) fn spans(text: &str) -> impl Iterator<Item = (std::ops::Range<usize>, Address)> {
    let mut from = 0;
    memchr::memchr_iter(b'@', text.as_bytes()).filter_map(move |at| {
        if at < from {
            return None;
        }
        let (range, address) = around(text, from, at)?;
        from = range.end;
        Some((range, address))
    })
}

/// The address whose `@` is at `at`, not reaching before `from`.
fn around(text: &str, from: usize, at: usize) -> Option<(std::ops::Range<usize>, Address)> {
    let start = local_start(text, from, at)?;
    let end = domain_end(text, at)?;
    let bracketed = text[..start].ends_with('<') && text[end..].starts_with('>');
    let domain = &text[at + 1..end];
    let literal = domain.starts_with('[');
    if !bracketed && !literal && !domain.contains('.') {
        return None;
    }
    let address = &text[start..end];
    let address = match address.contains('\\') {
        true => unescaped(address)?.parse().ok()?,
        false => address.parse().ok()?,
    };
    Some((start..end, address))
}

fn local_start(text: &str, from: usize, at: usize) -> Option<usize> {
    let window = {
        let mut start = at.saturating_sub(Address::MAX_LEN).max(from);
        while !text.is_char_boundary(start) {
            start += 1;
        }
        start
    };
    let before = &text[window..at];
    if let Some(quoted) = before.strip_suffix('"') {
        let open = quoted.rfind('"')?;
        return (open + 1 < quoted.len()).then_some(window + open);
    }
    let mut start = at;
    for (i, c) in before.char_indices().rev() {
        if !is_local(c) {
            break;
        }
        start = window + i;
    }
    // Quotes, bullets and operators in front of an address are the text's, not the address's.
    let junk = |c: char| {
        matches!(
            c,
            '\'' | '`' | '*' | '=' | '|' | '&' | '?' | '!' | '{' | '.' | '/' | '~' | '^'
        )
    };
    let local = &text[start..at];
    // X.400: `DDA:SMTP=user@example.com`
    let local = match local.get(..5) {
        Some(kind) if kind.eq_ignore_ascii_case("smtp=") => &local[5..],
        _ => local,
    };
    let trimmed = local.trim_start_matches(junk);
    let in_url = local.starts_with("//") && text[..start].ends_with(':');
    (!in_url && !trimmed.is_empty()).then_some(at - trimmed.len())
}

/// Exim writes bytes beyond ASCII as `\\303\\266`; none where a backslash stands for something else.
fn unescaped(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        if first == b'\\' {
            let octal = std::str::from_utf8(behind.get(..3)?).ok()?;
            bytes.push(u8::from_str_radix(octal, 8).ok()?);
            rest = &behind[3..];
        } else {
            bytes.push(first);
            rest = behind;
        }
    }
    String::from_utf8(bytes).ok()
}

fn domain_end(text: &str, at: usize) -> Option<usize> {
    let after = &text[at + 1..];
    if after.starts_with('[') {
        let end = after.bytes().take(64).position(|b| b == b']')?;
        return Some(at + 1 + end + 1);
    }
    let length = after
        .char_indices()
        .take(Address::MAX_LEN)
        .find(|&(_, c)| !is_domain(c))
        .map_or_else(
            || {
                after
                    .chars()
                    .take(Address::MAX_LEN)
                    .map(char::len_utf8)
                    .sum()
            },
            |(i, _)| i,
        );
    let domain = after[..length].trim_end_matches(['.', '-', '_']);
    (!domain.is_empty() && !domain.starts_with('.')).then_some(at + 1 + domain.len())
}

/// RFC 5322 `atext` and the dot, and letters of alphabets that put blanks between words.
fn is_local(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.\\".contains(c) || is_letter(c)
}

fn is_domain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') || is_letter(c)
}

/// Beyond U+2E80 stand the scripts of East Asia, whose text runs on into an address without a blank.
fn is_letter(c: char) -> bool {
    !c.is_ascii() && c < '\u{2E80}' && c.is_alphabetic()
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>", self.text)
    }
}

impl serde::Serialize for Address {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        in_text(text).map(|a| a.to_string()).collect()
    }

    #[test]
    fn punctuation_is_not_part_of_an_address() {
        assert_eq!(
            found("to: (a@b.example), 'c@D.example'; <e@localhost>."),
            ["a@b.example", "c@d.example", "e@localhost"]
        );
        assert_eq!(
            found("mailto:a+b=c@d.example?subject=x"),
            ["a+b=c@d.example"]
        );
        assert_eq!(
            found("宛先a@b.exampleに、müller@example.deへ"),
            ["a@b.example", "müller@example.de"]
        );
    }

    #[test]
    fn what_is_no_address_is_left() {
        assert_eq!(
            found("user@host @b.example a@ a@.b.example \"\"@b.example @@@"),
            [""; 0]
        );
    }

    #[test]
    fn literals_and_odd_local_parts_are_read() {
        assert_eq!(
            found("u@[192.0.2.1] a..b.@d.example"),
            ["u@[192.0.2.1]", "a..b.@d.example"]
        );
        let escaped = found(r"j\303\266rg@d.example \nx@d.example");
        assert_eq!(escaped, ["jörg@d.example"]);
    }
}
