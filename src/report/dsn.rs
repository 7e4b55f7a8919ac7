//! Delivery status notifications: RFC 3464, internationalised by RFC 6533, and what mail systems make of them.
//!
//! Reads the machine's part of a report only. Better words than an empty `Diagnostic-Code` are looked for in the text part
//! by [`super::free_text`].

use super::diagnostic;
use super::fields::{self, Field};
use super::limits::{self, Limit, MAX_FIELD, cut};
use super::mime::Mail;
use super::types::{Action, Recipient};
use crate::address::{self, Address};
use crate::smtp_reply::Status;
use memchr::memchr;
use std::sync::Arc;

/// The media types of the machine's part.
const STATUS_PARTS: [&str; 2] = ["message/delivery-status", "message/global-delivery-status"];

/// Whether the mail holds a delivery status part.
pub(super) fn is_in(mail: &Mail<'_>) -> bool {
    STATUS_PARTS
        .iter()
        .any(|media| mail.parts_of(media).next().is_some())
}

/// Every recipient that the delivery status parts name, whatever became of it.
pub(super) fn recipients(mail: &Mail<'_>, limits: &mut Vec<Limit>) -> Vec<Recipient> {
    let mut found = Vec::new();
    for part in STATUS_PARTS.iter().flat_map(|media| mail.parts_of(media)) {
        let before = found.len();
        read(&part.text(), &mut found, limits);
        // Where the mail is cut short, the last recipient may be one that got the mail: its Action is gone.
        let unknown = |recipient: &Recipient| {
            recipient.action == Action::Failed && recipient.status.is_none()
        };
        if !part.is_closed() && found.len() > before && found.last().is_some_and(unknown) {
            found.pop();
        }
    }
    found
}

/// Reads the fields of one delivery status part.
pub(super) fn read(text: &str, found: &mut Vec<Recipient>, limits: &mut Vec<Limit>) {
    let groups = fields::groups(text);
    let reporting_mta = groups
        .iter()
        .find_map(|group| fields::get(group, "Reporting-MTA"))
        .map(mta);
    for group in by_recipient(&groups) {
        if !limits::has_room(found.len(), limits) {
            return;
        }
        found.extend(recipient(&group, reporting_mta.as_ref()));
    }
}

/// The fields of each recipient. A blank line ought to stand between recipients; some systems leave it out, and some put one
/// between the fields of the same recipient: so a recipient begins where it is named.
fn by_recipient<'a>(groups: &'a [Vec<Field<'a>>]) -> Vec<Vec<&'a Field<'a>>> {
    let mut recipients: Vec<Vec<&Field<'_>>> = Vec::new();
    for group in groups {
        let named = group.iter().any(names_recipient);
        let mut fresh = named;
        for field in group {
            let repeated = names_recipient(field)
                && recipients.last().is_some_and(|last| {
                    last.iter()
                        .any(|other| other.name.eq_ignore_ascii_case(field.name))
                });
            if fresh || repeated {
                recipients.push(Vec::new());
                fresh = false;
            }
            if let Some(last) = recipients.last_mut() {
                last.push(field);
            }
        }
    }
    recipients
}

fn names_recipient(field: &Field<'_>) -> bool {
    field.name.eq_ignore_ascii_case("Final-Recipient")
        || field.name.eq_ignore_ascii_case("Original-Recipient")
}

fn recipient(group: &[&Field<'_>], reporting_mta: Option<&Arc<str>>) -> Option<Recipient> {
    let get = |name: &str| {
        group
            .iter()
            .filter(|field| field.name.eq_ignore_ascii_case(name))
            .map(|field| field.value.trim())
            .find(|value| !value.is_empty())
    };
    let address_in = |name| get(name).and_then(typed_address);
    let original_recipient = address_in("Original-Recipient");
    let candidates = [
        "Final-Recipient",
        "Original-Recipient",
        "X-Actual-Recipient",
    ];
    let named = || {
        candidates
            .into_iter()
            .filter_map(|name| Some((address_in(name)?, name)))
    };
    // A final address that only the receiver's inner host knows (user@server) is of no use outside.
    let (address, named_by) = named()
        .find(|(address, _)| address.domain().contains(['.', ':']))
        .or_else(|| named().next())?;
    let status = get("Status").and_then(leading_status);
    let action = action(get("Action"), status);
    let mut recipient = Recipient {
        original_recipient,
        action,
        status,
        reporting_mta: reporting_mta.cloned(),
        remote_mta: get("Remote-MTA").map(mta),
        ..Recipient::new(address, named_by)
    };
    // Oracle's and others' Status says the same as a Diagnostic-Code would: `4.4.7 (unable to deliver after 1 day)`.
    let said = [
        ("Diagnostic-Code", get("Diagnostic-Code")),
        ("X-Supplementary-Info", get("X-Supplementary-Info")),
        ("Status", get("Status").and_then(comment)),
    ];
    for (field, words) in said {
        if let Some(words) = words.filter(|_| recipient.diagnostic.is_none()) {
            // `x-unix; 77` is the exit status of a delivery program: the type is part of the words.
            let is_local = words
                .get(..6)
                .is_some_and(|kind| kind.eq_ignore_ascii_case("x-unix"));
            diagnostic::take(
                &mut recipient,
                if is_local { words } else { without_type(words) },
            );
            recipient.source = field.into();
        }
    }
    if let Some(category) = get("X-PowerMTA-BounceCategory") {
        diagnostic::append(&mut recipient, &format!("(PowerMTA: {category})"));
    }
    Some(recipient)
}

/// The address in `rfc822; user@example.com`. Some systems leave out the type, add brackets or a comment.
fn typed_address(value: &str) -> Option<Address> {
    let (kind, address) = match value.split_once(';') {
        Some((kind, address)) => (kind.trim(), address.trim()),
        None => ("rfc822", value),
    };
    if kind.eq_ignore_ascii_case("x400") {
        return None;
    }
    let decoded = if kind.eq_ignore_ascii_case("utf-8") || !address.contains('@') {
        decoded_xtext(address)
    } else {
        address.replace("+2B", "+").replace("+3D", "=")
    };
    let address = match (decoded.find('<'), decoded.rfind('>')) {
        (Some(open), Some(close)) if open < close => &decoded[open + 1..close],
        _ => decoded.trim(),
    };
    // RFC 5321 appendix C: `@relay.example.net:user@example.com`
    let address = match address.split_once(':') {
        Some((route, address)) if route.starts_with('@') => address,
        _ => address,
    };
    address.parse().ok().or_else(|| standing_alone(address))
}

/// The address in a field that holds more than one. What touches it would be part of it: half of a broken address is
/// somebody else's.
fn standing_alone(text: &str) -> Option<Address> {
    let (place, address) = address::spans(text).next()?;
    let touching = text[..place.start]
        .rsplit(|c: char| c.is_whitespace() || matches!(c, '<' | '(' | ':' | '"' | '='))
        .next()?;
    (!touching.contains(char::is_alphanumeric)).then_some(address)
}

/// The name of a mail system in `dns; mx.example.org`.
fn mta(value: &str) -> Arc<str> {
    cut(without_type(value), MAX_FIELD).into()
}

/// Undoes xtext (RFC 3461 section 4) and unitext (RFC 6533 section 3): `+2B`, `\x{fc}`.
fn decoded_xtext(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['+', '\\']) {
        plain.push_str(&rest[..at]);
        rest = &rest[at..];
        let (code, length) = if let Some(hex) = rest.strip_prefix("\\x{") {
            let longest = &hex.as_bytes()[..hex.len().min(MAX_CODE + 1)];
            let end = memchr(b'}', longest).unwrap_or(0);
            (hex.get(..end), end + 4)
        } else {
            (rest.strip_prefix('+').and_then(|hex| hex.get(..2)), 3)
        };
        let hex = code.filter(|hex| !hex.is_empty() && hex.bytes().all(|b| b.is_ascii_hexdigit()));
        match hex
            .and_then(|hex| u32::from_str_radix(hex, 16).ok())
            .and_then(char::from_u32)
        {
            Some(character) => {
                plain.push(character);
                rest = &rest[length..];
            }
            None => {
                plain.push_str(&rest[..1]);
                rest = &rest[1..];
            }
        }
    }
    plain + rest
}

/// How many digits RFC 6533 gives a character in `\x{10ffff}`.
const MAX_CODE: usize = 6;

/// The part behind `dns;`, `smtp;`, `X-Postfix;`.
fn without_type(value: &str) -> &str {
    match value.split_once(';') {
        Some((kind, rest))
            if !kind.is_empty()
                && kind
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)) =>
        {
            rest.trim()
        }
        _ => value,
    }
}

/// `5.1.1` of `5.1.1 (no such user)`.
fn leading_status(value: &str) -> Option<Status> {
    let end = value
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(value.len());
    value[..end].parse().ok()
}

/// The words in brackets behind a code.
fn comment(value: &str) -> Option<&str> {
    let (_, comment) = value.split_once('(')?;
    Some(comment.trim_end().trim_end_matches(')'))
}

/// The action, as RFC 3464 or other systems spell it; where there is none, the status says it.
fn action(value: Option<&str>, status: Option<Status>) -> Action {
    let word = value
        .unwrap_or_default()
        .split(|c: char| !c.is_ascii_alphabetic())
        .find(|word| !word.is_empty())
        .unwrap_or_default()
        .to_ascii_lowercase();
    match word.as_str() {
        "delayed" => Action::Delayed,
        "delivered" | "deliverable" => Action::Delivered,
        "relayed" => Action::Relayed,
        "expanded" => Action::Expanded,
        "" if status.is_some_and(|status| status.class == 2) => Action::Delivered,
        _ => Action::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Vec<Recipient> {
        let mut found = Vec::new();
        read(text, &mut found, &mut Vec::new());
        found
    }

    #[test]
    fn recipients_without_blank_lines_between_them() {
        let found = parsed(
            "Reporting-MTA: dns; a.example\nFinal-Recipient: rfc822; b@c.example\nAction: failed\nStatus: 5.1.1 (x)\n\
             Final-Recipient: <d@E.example>\nAction: Delayed\n\nDiagnostic-Code: smtp; 452 full\n",
        );
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].reporting_mta.as_deref(), Some("a.example"));
        assert_eq!(found[0].status, "5.1.1".parse().ok());
        assert_eq!(found[1].address.as_str(), "d@e.example");
        assert_eq!(
            (found[1].action, found[1].reply_code),
            (Action::Delayed, Some(452))
        );
    }

    #[test]
    fn half_of_a_broken_address_is_nobody() {
        let address = |value| typed_address(value).map(|address| address.to_string());
        assert_eq!(address("rfc822; ';DROP/**/TABLE/**/b;--@example.org"), None);
        assert_eq!(address("rfc822; a,b@example.org"), None);
        for lenient in [
            "rfc822; SMTP:a@b.example",
            "rfc822; A B <a@b.example>",
            "rfc822; a@b.example (x)",
        ] {
            assert_eq!(
                address(lenient).as_deref(),
                Some("a@b.example"),
                "{lenient}"
            );
        }
    }

    #[test]
    fn internationalised_addresses_are_decoded() {
        let address = |value| typed_address(value).map(|address| address.to_string());
        assert_eq!(
            address("utf-8; j\\x{fc}rgen@example.com").as_deref(),
            Some("jürgen@example.com")
        );
        assert_eq!(
            address("rfc822;a+2Bb@example.com").as_deref(),
            Some("a+b@example.com")
        );
        assert_eq!(
            address("rfc822;a+20@example.com").as_deref(),
            Some("a+20@example.com")
        );
        assert_eq!(address("x400; /S=a/OU=b@c.example/"), None);
        assert_eq!(address("utf-8; \\x{zz}+\\x{@"), None);
    }
}
