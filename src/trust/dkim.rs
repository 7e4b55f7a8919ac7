//! The signatures of our own domains over a returned mail (RFC 6376), and whom a signed mail was to.
//!
//! Written here, on `ring`, and not taken from a library for DKIM: those ask whether to accept a mail that comes in, so one without its
//! body, or with half of it, has failed; here that is the usual case, and a proof. The keys are our own, too, and few.
//!
//! # What a signature that does not fit means
//!
//! It may be forged; or a mail system on the way has written the header anew, as Microsoft Exchange, Domino and gateways that mark subjects
//! do. They leave fields of their own behind (`REWRITERS`), so a signature over a header with such a field says nothing. Nor does one over
//! a header that is cut short; nor one over an unfolded copy (`c=simple`), which every folding breaks. Any other is a contradiction:
//! somebody has changed the mail that we signed. A forger can avoid that by leaving the signature out: then the mail is unproven, which is
//! no more than any bounce in bare text is.

use super::body;
use super::day::Day;
use super::header::{Canonicalization, Field, canonical, canonical_without, picked};
use super::key::Keys;
use super::signature::Signature;
use crate::address::{self, Address, is_or_below};
use ring::digest::{SHA256, digest};
use std::borrow::Cow;

/// So many signatures of ours are looked at: one for each algorithm, of two signers, and as many once more.
const MAX_SIGNATURES: usize = 8;

/// The beginnings of the names of fields that mail systems leave behind which write headers anew. Lower case.
const REWRITERS: [&str; 13] = [
    "x-ms-exchange-",
    "x-ms-has-attach",
    "x-ms-tnef-correlator",
    "thread-index",
    "thread-topic",
    "x-mimetrack",
    "x-mimecast-",
    "x-proofpoint-",
    "x-barracuda-",
    "x-ironport-",
    "x-spam-flag",
    "x-mailman-version",
    "downgraded-",
];

/// What is known of the body that a signature covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    /// It is what was signed.
    Whole,
    /// It is not: cut short, or changed.
    Differs,
    /// It did not come back.
    Absent,
}

/// A signature of ours, and what checking it showed.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) domain: String,
    pub(super) selector: String,
    pub(super) result: Result<Signed, Fault>,
}

/// What we signed.
#[derive(Debug)]
pub(super) struct Signed {
    /// The addresses in the signed `To`; none where `To` is not signed or can't be read.
    pub(super) to: Option<Vec<Address>>,
    /// The day when it was signed, or written.
    pub(super) day: Option<Day>,
    /// Tells the mail from others, and can't be changed without breaking the signature: the signed `Message-ID`, else the signature.
    pub(super) id: String,
    pub(super) body: Body,
}

/// Why a signature of ours proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// Its key is not known.
    NoKey,
    /// It does not fit a header that is cut short.
    Cut,
    /// It does not fit a header that was written anew on the way, or may have been.
    Rewritten,
    /// It does not fit, and nothing explains why.
    Wrong,
}

/// The signatures of a platform's domains in a header, the lowest first: that is the one that was made first.
pub(super) fn ours<'x>(fields: &[Field<'x>], platform: &str) -> Vec<Signature<'x>> {
    fields
        .iter()
        .rev()
        .filter_map(|&field| Signature::read(field, |domain| is_ours(domain, platform)))
        .take(MAX_SIGNATURES)
        .collect()
}

/// Whether a domain may sign for a platform: its own, one that it is below, or one below it, within the registrable domain (public suffix
/// list). As with relaxed alignment (RFC 7489 section 3.1.1), but without the other branches, which may be somebody else's.
fn is_ours(domain: &str, platform: &str) -> bool {
    if domain == platform {
        return true;
    }
    let registrable = psl::domain_str(platform);
    let is_within = registrable.is_some_and(|registrable| is_or_below(domain, registrable));
    is_within && (is_or_below(domain, platform) || is_or_below(platform, domain))
}

/// Checks a signature over a header, of which `is_whole` says whether it is all there, and the body where it came back.
pub(super) fn check(
    signature: &Signature<'_>,
    fields: &[Field<'_>],
    is_whole: bool,
    body: Option<&[u8]>,
    keys: &Keys,
) -> Checked {
    let known = keys.of(&signature.domain, signature.selector);
    let mut usable = known
        .iter()
        .filter(|key| key.algorithm() == signature.algorithm)
        .peekable();
    let picked = picked(fields, &signature.names);
    let result = if usable.peek().is_none() {
        Err(Fault::NoKey)
    } else {
        let signed = signed_bytes(signature, &picked);
        match usable.any(|key| key.has_signed(&signed, &signature.bytes)) {
            true => Ok(said(signature, &picked, body)),
            false => Err(explained(signature, fields, is_whole)),
        }
    };
    Checked {
        domain: signature.domain.clone(),
        selector: signature.selector.to_ascii_lowercase(),
        result,
    }
}

/// What was signed (RFC 6376 section 3.7).
fn signed_bytes(signature: &Signature<'_>, picked: &[Option<&Field<'_>>]) -> Vec<u8> {
    let mut signed = Vec::with_capacity(2_048);
    for field in picked.iter().flatten() {
        canonical(field, signature.header, &mut signed);
        signed.extend_from_slice(b"\r\n");
    }
    let place = signature.place.clone();
    canonical_without(&signature.field, place, signature.header, &mut signed);
    signed
}

/// What a valid signature says.
fn said(signature: &Signature<'_>, picked: &[Option<&Field<'_>>], body: Option<&[u8]>) -> Signed {
    let values = |name: &'static [u8]| {
        let fields = picked.iter().flatten().filter(move |field| field.is(name));
        fields.map(|field| String::from_utf8_lossy(field.value()))
    };
    let date = || {
        let date = values(b"Date").next()?;
        let date = mail_parser::DateTime::parse_rfc822(&format!("{}\n", date.trim()))?;
        u64::try_from(date.to_timestamp()).ok()
    };
    Signed {
        to: addressees(values(b"To")),
        day: signature.made.or_else(date).map(Day::of_seconds),
        id: identity(values(b"Message-ID").next(), signature),
        body: match body {
            None => Body::Absent,
            Some(body) => {
                let hash = body::hash(body, signature.body, signature.body_length);
                match hash.as_ref() == signature.body_hash {
                    true => Body::Whole,
                    false => Body::Differs,
                }
            }
        },
    }
}

/// The addresses in these fields; none where there is no field, or one that can't be read.
fn addressees<'a>(fields: impl Iterator<Item = Cow<'a, str>>) -> Option<Vec<Address>> {
    let mut to = None;
    for field in fields {
        to.get_or_insert_with(Vec::new)
            .extend(address::in_list(&field)?);
    }
    to
}

/// White space is nothing in it: a relaxed signature lets it be changed.
fn identity(message_id: Option<Cow<'_, str>>, signature: &Signature<'_>) -> String {
    let id: String = message_id.unwrap_or_default().split_whitespace().collect();
    if (1..=crate::report::limits::MAX_FIELD).contains(&id.len()) {
        return id;
    }
    let what = if id.is_empty() {
        &signature.bytes[..]
    } else {
        id.as_bytes()
    };
    let hash = digest(&SHA256, what);
    format!("sha256:{}", data_encoding::HEXLOWER.encode(hash.as_ref()))
}

/// Why a signature does not fit.
fn explained(signature: &Signature<'_>, fields: &[Field<'_>], is_whole: bool) -> Fault {
    let is_mark = |field: &Field<'_>| {
        let begins = |mark: &str| {
            let start = field.name.get(..mark.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(mark.as_bytes()))
        };
        REWRITERS.iter().any(|mark| begins(mark))
    };
    if !is_whole {
        Fault::Cut
    } else if signature.header == Canonicalization::Simple || fields.iter().any(is_mark) {
        Fault::Rewritten
    } else {
        Fault::Wrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_of_one_branch_are_ours() {
        for (domain, platform, ours) in [
            ("openhpi.de", "openhpi.de", true),
            ("mail.openhpi.de", "openhpi.de", true),
            ("openhpi.de", "learn.openhpi.de", true),
            ("shop.openhpi.de", "learn.openhpi.de", false),
            ("de", "openhpi.de", false),
            ("co.uk", "openhpi.co.uk", false),
            ("evilopenhpi.de", "openhpi.de", false),
            ("openhpi.de.example.com", "openhpi.de", false),
            ("", "openhpi.de", false),
            ("localhost", "localhost", true),
            ("a.localhost", "localhost", false),
        ] {
            assert_eq!(is_ours(domain, platform), ours, "{domain} for {platform}");
        }
    }
}
