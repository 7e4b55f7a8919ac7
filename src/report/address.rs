//! One mail address, parsed once and then trusted.

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
            || (!quoted && local.contains(special))
        {
            return Err(AddressError::Character);
        }
        Ok(Address {
            text: format!("{local}@{}", domain.to_lowercase()),
            at,
        })
    }
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
