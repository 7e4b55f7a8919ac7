//! One `DKIM-Signature` field, read (RFC 6376 section 3.5).

use super::header::{Canonicalization, Field};
use super::key::Algorithm;
use super::tags::Tags;
use crate::address::{ascii_domain, is_or_below};
use std::ops::Range;

/// A signature that can be checked.
#[derive(Debug)]
pub(super) struct Signature<'x> {
    pub(super) field: Field<'x>,
    /// Where the signature itself stands in the field's value.
    pub(super) place: Range<usize>,
    pub(super) algorithm: Algorithm,
    /// `d=`, in the form of [`ascii_domain`].
    pub(super) domain: String,
    /// `s=`
    pub(super) selector: &'x str,
    pub(super) header: Canonicalization,
    pub(super) body: Canonicalization,
    /// `h=`: the names of the signed fields.
    pub(super) names: Vec<&'x [u8]>,
    /// `bh=`
    pub(super) body_hash: Vec<u8>,
    /// `l=`: how much of the body is signed.
    pub(super) body_length: Option<u64>,
    /// `b=`
    pub(super) bytes: Vec<u8>,
    /// `t=`: when it was made, in seconds since 1970.
    pub(super) made: Option<u64>,
}

/// More names than this no signer signs; each is looked for among all fields.
const MAX_NAMES: usize = 200;

/// As many bytes as a name has in DNS.
const MAX_NAME: usize = 253;

impl<'x> Signature<'x> {
    /// Reads a field, if it is a signature of one of the domains that `is_ours`. None where a verifier would refuse it whatever the key. The
    /// end of its validity (`x=`) does not matter: a bounce may come after it.
    pub(super) fn read(field: Field<'x>, is_ours: impl Fn(&str) -> bool) -> Option<Signature<'x>> {
        if !field.is(b"DKIM-Signature") {
            return None;
        }
        let tags = Tags::read(std::str::from_utf8(field.value()).ok()?)?;
        let domain = ascii_domain(tags.get("d")?).into_owned();
        if !is_ours(&domain) || tags.get("v") != Some("1") {
            return None;
        }
        let (header, body) = canonicalization(tags.get("c").unwrap_or("simple/simple"))?;
        let names: Vec<&[u8]> = tags
            .get("h")?
            .split(':')
            .map(|name| name.trim().as_bytes())
            .collect();
        let is_signed = |name: &[u8]| names.iter().any(|signed| signed.eq_ignore_ascii_case(name));
        let is_within = |identity: &str| {
            let domain_of_it = identity
                .rsplit_once('@')
                .map_or(identity, |(_, domain)| domain);
            is_or_below(&ascii_domain(domain_of_it), &domain)
        };
        let selector = tags.get("s")?;
        let is_whole = names.len() <= MAX_NAMES
            && is_signed(b"From")
            && tags.get("i").is_none_or(is_within)
            && is_name(selector)
            && is_name(&domain);
        if !is_whole {
            return None;
        }
        Some(Signature {
            field,
            place: tags.place("b")?,
            algorithm: match tags.get("a")? {
                "rsa-sha256" => Algorithm::Rsa,
                "ed25519-sha256" => Algorithm::Ed25519,
                _ => return None,
            },
            selector,
            header,
            body,
            body_hash: tags.base64("bh")?,
            body_length: match tags.get("l") {
                Some(length) => Some(length.parse().ok()?),
                None => None,
            },
            bytes: tags.base64("b").filter(|bytes| !bytes.is_empty())?,
            made: tags.get("t").and_then(|time| time.parse().ok()),
            names,
            domain,
        })
    }
}

/// How header and body were made canonical; what is not said of the body is `simple`.
fn canonicalization(text: &str) -> Option<(Canonicalization, Canonicalization)> {
    let how = |word: &str| match word.trim() {
        "simple" => Some(Canonicalization::Simple),
        "relaxed" => Some(Canonicalization::Relaxed),
        _ => None,
    };
    let (header, body) = text.split_once('/').unwrap_or((text, "simple"));
    Some((how(header)?, how(body)?))
}

/// Whether it can be asked for in DNS, and shown to people.
fn is_name(name: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
    };
    name.len() <= MAX_NAME && name.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trust::header::fields;

    const GOOD: &str = "v=1; a=rsa-sha256; c=relaxed; d=openhpi.de; s=s1;\r\n\th=From:To; bh=AAAA; b=BB\r\n BB; x=1";

    fn is_read(tags: &str) -> bool {
        let header = format!("DKIM-Signature: {tags}\r\n");
        let field = fields(header.as_bytes())[0];
        Signature::read(field, |domain| domain == "openhpi.de").is_some()
    }

    #[test]
    fn a_signature_is_read() {
        let header = format!("dkim-signature: {GOOD}\r\n");
        let field = fields(header.as_bytes())[0];
        let signature = Signature::read(field, |domain| domain == "openhpi.de").unwrap();
        assert_eq!(
            (signature.header, signature.body),
            (Canonicalization::Relaxed, Canonicalization::Simple)
        );
        assert_eq!(signature.names, [&b"From"[..], b"To"]);
        assert_eq!(signature.bytes.len(), 3);
        assert_eq!(&field.value()[signature.place.clone()], b"BB\r\n BB");
    }

    #[test]
    fn what_no_verifier_would_take_is_none() {
        assert!(is_read(GOOD));
        for (part, instead) in [
            ("v=1", "v=2"),
            ("rsa-sha256", "rsa-sha1"),
            ("c=relaxed", "c=nowsp"),
            ("d=openhpi.de", "d=example.com"),
            ("h=From:To", "h=To:Date"),
            ("bh=AAAA", "bh=A"),
            ("b=BB\r\n BB", "b="),
            ("s=s1", "s=s1/../x"),
            ("s=s1", "s=s1; s=s1"),
            ("x=1", "i=@example.com"),
            ("x=1", "i=@eviopenhpi.de"),
            ("x=1", "l=all"),
        ] {
            assert!(!is_read(&GOOD.replacen(part, instead, 1)), "{instead}");
        }
        assert!(is_read(
            &GOOD.replace("x=1", "i=a@mail.openhpi.de; l=7; t=9")
        ));
        let many = format!("h=From{}", ":a".repeat(MAX_NAMES));
        assert!(!is_read(&GOOD.replace("h=From:To", &many)));
    }
}
