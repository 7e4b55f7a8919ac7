//! The returned mail: what its header says of the mail that we sent, and its bytes.

use super::limits::{MAX_FIELD, MAX_RETURNED_HEADER, MAX_SHOWN, cut};
use super::mime::Header;
use super::types::{Original, Returned};
use crate::address::{self, Address};
use memchr::memchr;
use std::borrow::Cow;
use std::ops::Range;

/// So many lines of `Received` are asked who took the mail: mail that went through more hands goes round in circles (RFC 5321
/// section 6.3).
const MAX_HANDS: usize = 100;

/// Reads the header of a returned mail.
pub(super) fn of(header: &Header<'_>) -> Original {
    let text = |name| header.text(name);
    let kept = |name, most| text(name).map(|value| cut(&value, most).to_owned());
    Original {
        message_id: kept("Message-ID", MAX_FIELD),
        from: text("From").and_then(|from| address::in_text(&from).next()),
        to: header.addresses("To").unwrap_or_default(),
        cc: header.addresses("Cc").unwrap_or_default(),
        subject: kept("Subject", MAX_SHOWN),
        return_path: text("Return-Path").and_then(|path| address::in_text(&path).next()),
        receivers: receivers(header),
        taken_by: taken_by(header),
        returned: Returned::default(),
    }
}

/// See [`Original::receivers`]. Each server puts its line above those that are there.
fn receivers(header: &Header<'_>) -> Vec<Address> {
    let received = header.all("Received").take(MAX_HANDS);
    let mut receivers: Vec<Address> = received.filter_map(|line| received_for(&line)).collect();
    if receivers.is_empty() {
        let delivered = header.all("Delivered-To").take(MAX_HANDS);
        receivers.extend(delivered.filter_map(|to| to.trim().parse().ok()));
    }
    receivers.reverse();
    receivers
}

/// `anna@example.com` of `from a.example by b.example for <anna@example.com>; Tue, …` (RFC 5321 section 4.4).
fn received_for(line: &str) -> Option<Address> {
    let (_, behind) = line.rsplit_once(" for ")?;
    let path = behind.split(';').next()?.trim();
    let path = path.strip_prefix('<').unwrap_or(path);
    path.strip_suffix('>').unwrap_or(path).parse().ok()
}

/// See [`Original::taken_by`].
fn taken_by(header: &Header<'_>) -> Vec<String> {
    let host = |line: Cow<'_, str>| {
        let by = line
            .strip_prefix("by ")
            .or_else(|| Some(line.split_once(" by ")?.1))?;
        let host = by.split([' ', ';', '(']).next()?;
        host.contains('.').then(|| cut(host, MAX_FIELD).to_owned())
    };
    let lines = header.all("Received").take(MAX_HANDS);
    lines.filter_map(host).collect()
}

/// The bytes of a returned mail that was split into header and `body`; `is_closed` says that nothing of it is missing at its end.
pub(super) fn returned(bytes: &[u8], body: &[u8], is_closed: bool, whole: &[u8]) -> Returned {
    let mut rest = &bytes[..bytes.len().saturating_sub(body.len())];
    let mut header = Vec::with_capacity(rest.len().min(MAX_RETURNED_HEADER));
    let mut is_whole = is_closed;
    while !rest.is_empty() {
        let end = memchr(b'\n', rest);
        let line = &rest[..end.unwrap_or(rest.len())];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            is_whole = true;
            break;
        }
        if header.len() + line.len() + 2 > MAX_RETURNED_HEADER {
            is_whole = false;
            break;
        }
        header.extend_from_slice(line);
        header.extend_from_slice(b"\r\n");
        rest = end.map_or(&[][..], |end| &rest[end + 1..]);
    }
    Returned {
        header,
        is_whole,
        body: place(body, whole),
    }
}

/// Where `part` stands in `whole`; none where it is no part of it, or empty.
fn place(part: &[u8], whole: &[u8]) -> Option<Range<usize>> {
    let start = (part.as_ptr() as usize).checked_sub(whole.as_ptr() as usize)?;
    let end = start.checked_add(part.len())?;
    (start < end && end <= whole.len()).then_some(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_line_names_the_first_receiver() {
        let first = |text: &str| {
            let header = Header::split(text.as_bytes(), &mut Vec::new()).0;
            receivers(&header).first().map(Address::to_string)
        };
        let received = "Delivered-To: carla@c.example\nReceived: by b.example for <berta@b.example>; Tue\n\
            Received: from a.example\n\tby a.example (x) with ESMTP id 1\n\tfor <anna@a.example>; Tue\n\
            Received: by app.example\n\n";
        assert_eq!(first(received).as_deref(), Some("anna@a.example"));
        assert_eq!(
            first("Delivered-To: berta@b.example\nDelivered-To: anna@a.example\n\n").as_deref(),
            Some("anna@a.example")
        );
        assert_eq!(first("Received: by a.example for us; Tue\n\n"), None);
    }
}
