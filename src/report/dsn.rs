//! Delivery status notifications: RFC 3464, internationalised by RFC 6533, and what mail systems make of them.
//!
//! Reads the machine's part of a report only. Better words than an empty `Diagnostic-Code` are looked for in the text
//! part by [`super::free_text`].

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

/// Whom the fields name.
#[derive(Debug, Default)]
pub(super) struct Named {
    /// Every recipient, whatever became of it.
    pub(super) recipients: Vec<Recipient>,
    /// Whether one more failed whose address can't be read. A text beside the fields would only name half of it.
    pub(super) unreadable: bool,
}

/// Whom the delivery status parts name. A single recipient that goes by a name of the receiver's own, or by none, is
/// `only_to`: the one to whom the returned mail was sent.
pub(super) fn recipients(
    mail: &Mail<'_>,
    only_to: Option<&Address>,
    limits: &mut Vec<Limit>,
) -> Named {
    let mut named = Named::default();
    for part in STATUS_PARTS.iter().flat_map(|media| mail.parts_of(media)) {
        let before = named.recipients.len();
        read(&part.text(), only_to, &mut named, limits);
        let found = &mut named.recipients;
        // Where the mail is cut short, the last recipient may be one that got the mail: its Action is gone.
        let unknown = |recipient: &Recipient| {
            recipient.action == Action::Failed && recipient.status.is_none()
        };
        if !part.is_closed() && found.len() > before && found.last().is_some_and(unknown) {
            found.pop();
        }
    }
    named
}

/// Reads the fields of one delivery status part.
pub(super) fn read(
    text: &str,
    only_to: Option<&Address>,
    named: &mut Named,
    limits: &mut Vec<Limit>,
) {
    let groups = fields::groups(text);
    let reporting_mta = groups
        .iter()
        .find_map(|group| fields::get(group, "Reporting-MTA"))
        .map(mta);
    let groups = by_recipient(&groups);
    let only_to = only_to.filter(|_| groups.len() == 1);
    for group in groups {
        if !limits::has_room(named.recipients.len(), limits) {
            return;
        }
        if is_unreadable(&group) && !only_to.is_some_and(|only| is_meant(only, &group)) {
            named.unreadable = true;
        } else {
            named
                .recipients
                .extend(recipient(&group, only_to, reporting_mta.as_ref()));
        }
    }
}

/// Whether a recipient failed whose address can't be read.
fn is_unreadable(group: &[&Field<'_>]) -> bool {
    let value = |name: &str| {
        let field = group
            .iter()
            .find(|field| field.name.eq_ignore_ascii_case(name));
        field.map(|field| field.value.trim())
    };
    let status = value("Status").and_then(leading_status);
    let mut names = group
        .iter()
        .filter(|field| names_recipient(field))
        .map(|field| written(&field.value));
    action(value("Action"), status) == Action::Failed
        && names.clone().any(|name| name == Written::Unreadable)
        && !names.any(|name| matches!(name, Written::Address(_)))
}

/// Whether a recipient goes by this address, without the quotes that it needs: `jo hn@example.com` for `"jo hn"@example.com`.
fn is_meant(address: &Address, group: &[&Field<'_>]) -> bool {
    let mut names = group.iter().filter(|field| names_recipient(field));
    names.any(|field| address.is_meant_by(&decoded(&field.value)))
}

/// The fields of each recipient. A blank line ought to stand between recipients; some systems leave it out, and some
/// put one between the fields of the same recipient: so a recipient begins where it is named.
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

fn recipient(
    group: &[&Field<'_>],
    only_to: Option<&Address>,
    reporting_mta: Option<&Arc<str>>,
) -> Option<Recipient> {
    let get = |name: &str| {
        group
            .iter()
            .filter(|field| field.name.eq_ignore_ascii_case(name))
            .map(|field| field.value.trim())
            .find(|value| !value.is_empty())
    };
    let address_in = |name| match get(name).map(written) {
        Some(Written::Address(address)) => Some(address),
        _ => None,
    };
    let original_recipient = address_in("Original-Recipient");
    let candidates = [
        "Final-Recipient",
        "Original-Recipient",
        "X-Actual-Recipient",
    ];
    let addresses = || {
        candidates
            .into_iter()
            .filter_map(|name| Some((address_in(name)?, name)))
    };
    // A final address that only the receiver's inner host knows (user@server) is of no use outside.
    let (address, named_by) = addresses()
        .find(|(address, _)| address.domain().contains(['.', ':']))
        .or_else(|| addresses().next())
        .or_else(|| Some((only_to?.clone(), "To of the returned mail")))?;
    let status = get("Status").and_then(leading_status);
    let action = action(get("Action"), status);
    // Sendmail names the alias as final, and where it led to here.
    let actual = address_in("X-Actual-Recipient").filter(|actual| *actual != address);
    let mut recipient = Recipient {
        final_recipient: actual,
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

/// What a field that names a recipient says.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Written {
    /// This address.
    Address(Address),
    /// An address that can't be read: half of it would be somebody else's.
    Unreadable,
    /// A name that is no address on the internet, or nothing.
    Other,
}

/// The types of addresses (RFC 3461 section 4.2, RFC 6533 section 3), and what systems write in their place.
const ADDRESS_TYPES: [&str; 6] = ["rfc822", "utf-8", "smtp", "internet", "local", "unknown"];

/// The address in `rfc822; user@example.com`. Some systems leave out the type, add brackets, a name or a comment.
fn written(value: &str) -> Written {
    if let Some((kind, _)) = value.split_once(';')
        && kind.trim().eq_ignore_ascii_case("x400")
    {
        return Written::Other;
    }
    let decoded = decoded(value);
    if !decoded.contains('@') {
        return Written::Other;
    }
    let address = without_prefix(&decoded);
    // A program, a file (Exim), or a domain alone.
    if address.starts_with(['|', '/', '@']) {
        return Written::Other;
    }
    let inner = match (address.find('<'), address.strip_suffix('>')) {
        (Some(open), Some(rest)) if !address.starts_with('"') => without_prefix(&rest[open + 1..]),
        _ => address,
    };
    if let Ok(address) = inner.parse() {
        return Written::Address(address);
    }
    match address::in_list(address).as_deref() {
        Some([only]) => Written::Address(only.clone()),
        _ => Written::Unreadable,
    }
}

/// What stands behind the type of an address, decoded.
fn decoded(value: &str) -> String {
    let (kind, address) = match value.split_once(';') {
        Some((kind, address))
            if ADDRESS_TYPES
                .iter()
                .any(|known| kind.trim().eq_ignore_ascii_case(known)) =>
        {
            (kind.trim(), address.trim())
        }
        _ => ("rfc822", value.trim()),
    };
    if kind.eq_ignore_ascii_case("utf-8") || !address.contains('@') {
        decoded_xtext(address)
    } else {
        address.replace("+2B", "+").replace("+3D", "=")
    }
}

/// The address without `SMTP:` or a source route (RFC 5321 appendix C: `@relay.example.net:user@example.com`).
fn without_prefix(address: &str) -> &str {
    match address.split_once(':') {
        Some((prefix, rest))
            if prefix.starts_with('@')
                || ADDRESS_TYPES
                    .iter()
                    .any(|known| prefix.eq_ignore_ascii_case(known)) =>
        {
            rest.trim_start()
        }
        _ => address,
    }
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

    fn address_in(value: &str) -> Option<String> {
        match written(value) {
            Written::Address(address) => Some(address.to_string()),
            _ => None,
        }
    }

    fn parsed(text: &str) -> Vec<Recipient> {
        let mut named = Named::default();
        read(text, None, &mut named, &mut Vec::new());
        named.recipients
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
        let address = address_in;
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
        let address = address_in;
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
