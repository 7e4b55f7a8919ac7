//! One mail address, parsed once and then trusted.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

mod domains;
mod list;
mod organisation;
mod text;

pub use domains::Domains;
pub(crate) use domains::is_or_below;
pub use list::in_list;
pub use organisation::is_one_organisation;
pub(crate) use organisation::{is_inner, is_one_owner};
pub use text::in_text;
pub(crate) use text::{Candidate, candidates};

/// A mail address (RFC 5321 `Mailbox`, RFC 6531 for UTF-8), without display name or angle brackets.
///
/// The local part is kept as it was written, the domain is lower-cased and without the dot of the root. An `Address`
/// holds no control characters, and no white space but for spaces in quotes, so it can be logged and compared; it
/// still has to be percent-encoded for a URL and sanitised for a file name.
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

    /// Whether `text` is this address as some mail systems write it: without the quotes that its local part needs.
    pub fn is_meant_by(&self, text: &str) -> bool {
        let parts = text.trim().rsplit_once('@');
        parts.is_some_and(|(local, domain)| self.mailbox() == mailbox(local, domain))
    }

    /// Equal for all spellings of the same mailbox: in upper or lower case, with or without quotes that the local part does
    /// not need (RFC 5321 section 4.1.2), the domain in any script or in ASCII.
    pub fn mailbox(&self) -> String {
        mailbox(self.local_part(), self.domain())
    }

    /// Whether both name the same mailbox, however they are spelt.
    pub fn is_same_mailbox(&self, other: &Address) -> bool {
        self.mailbox() == other.mailbox()
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
        let domain = domain.strip_suffix('.').unwrap_or(domain);
        if !is_local_part(local) || !is_domain(domain) {
            return Err(AddressError::Character);
        }
        Ok(Address {
            text: format!("{local}@{}", domain.to_lowercase()),
            at,
        })
    }
}

fn mailbox(local: &str, domain: &str) -> String {
    format!("{}@{}", unquoted(local), ascii_domain(domain))
}

/// A local part in lower case, without quotes and what stands in them for itself.
fn unquoted(local: &str) -> String {
    let inner = local
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    let Some(inner) = inner else {
        return local.to_lowercase();
    };
    let mut plain = String::with_capacity(inner.len());
    let mut escaped = false;
    for c in inner.chars() {
        escaped = c == '\\' && !escaped;
        if !escaped {
            plain.extend(c.to_lowercase());
        }
    }
    plain
}

/// RFC 5321 `Local-part`, with the dots where people put them, and RFC 6531's characters. What stands in the place of bytes that
/// could not be decoded says that the address is another.
fn is_local_part(local: &str) -> bool {
    let is_text = |c: char| {
        !c.is_control() && (c == ' ' || !c.is_whitespace()) && c != char::REPLACEMENT_CHARACTER
    };
    let Some(quoted) = local.strip_prefix('"') else {
        return !local.contains(|c: char| c == ' ' || !is_text(c) || "<>()[],;:@\"\\".contains(c));
    };
    let mut escaped = false;
    let mut end = None;
    for (at, c) in quoted.char_indices() {
        match c {
            _ if end.is_some() || !is_text(c) => return false,
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => end = Some(at),
            _ => {}
        }
    }
    end.is_some_and(|end| end > 0)
}

/// A host name in any script, or an address literal (RFC 5321 section 4.1.3).
fn is_domain(domain: &str) -> bool {
    if let Some(literal) = domain.strip_prefix('[') {
        let inner = literal.strip_suffix(']').unwrap_or_default();
        return !inner.is_empty()
            && inner
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b".:-".contains(&b));
    }
    let is_label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_' || !c.is_ascii())
    };
    // RFC 3696 section 2: no top-level domain is a number; what has one is a version or half of an IP address.
    let is_number = |label: &str| label.bytes().all(|b| b.is_ascii_digit());
    domain.split('.').all(is_label)
        && !domain.rsplit('.').next().is_some_and(is_number)
        && (domain.is_ascii()
            || idna::domain_to_ascii_cow(domain.as_bytes(), idna::AsciiDenyList::EMPTY).is_ok())
}

/// A domain as it is compared: in ASCII (A-labels, RFC 5890), in which a mail server without SMTPUTF8 writes every
/// domain, in lower case, and without the dot of the root. What is no domain name in any script is only lower-cased.
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

    #[test]
    fn a_mailbox_may_be_spelt_in_several_ways() {
        let same = |one: &str, other: &str| {
            let (one, other): (Address, Address) = (one.parse().unwrap(), other.parse().unwrap());
            one.is_same_mailbox(&other) && other.is_same_mailbox(&one)
        };
        assert!(same("anna@bücher.example", "Anna@xn--bcher-kva.example"));
        assert!(same("\"anna\"@b.example", "anna@B.example"));
        assert!(same(r#""a\"n\\na"@b.example"#, r#""a\"n\\NA"@b.example"#));
        assert!(same(r#""\a\b"@c.example"#, "ab@c.example"));
        assert!(!same("\"an na\"@b.example", "anna@b.example"));
        assert!(!same("anna@b.example", "anna@c.example"));
    }

    #[test]
    fn an_address_is_whole_or_none() {
        for whole in [
            "a@b.example",
            "a..b.@b.example",
            "\"jo hn\"@b.example",
            "\"a@b\"@c.example",
            r#""a\"b"@c.example"#,
            "日本@例え.テスト",
            "a@[192.0.2.1]",
            "a@[2001:db8::1]",
            "a'b=c+d@localhost",
            "e\u{301}@b.example",
        ] {
            assert_eq!(
                whole.parse::<Address>().map(|a| a.to_string()),
                Ok(whole.to_owned()),
                "{whole}"
            );
        }
        for broken in [
            "a",
            "j\u{fffd}rg@b.example",
            "\"j\u{fffd}rg\"@b.example",
            "a@b\u{fffd}.example",
            "a@b.1.1",
            "a@192.0.2.1",
            "@b.example",
            "a@",
            "a b@c.example",
            "a,b@c.example",
            "a@b@c.example",
            "\"a\"b\"@c.example",
            "\"a@c.example",
            "\"\"@c.example",
            "\"a\\\"@c.example",
            "a\\b@c.example",
            "a@b..example",
            "a@-b.example",
            "a@b-.example",
            "a@b.example)",
            "a@[b",
            "a@b c",
            "\"a\u{1b}\"@b.example",
            "\"a\tb\"@c.example",
            "a@b/c.example",
        ] {
            assert!(broken.parse::<Address>().is_err(), "{broken}");
        }
        assert_eq!(
            "a@B.Example.".parse::<Address>().map(|a| a.to_string()),
            Ok("a@b.example".to_owned())
        );
    }
}
