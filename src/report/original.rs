//! The returned mail: what its header says of the mail that we sent.

use super::limits::{MAX_FIELD, MAX_SHOWN, cut};
use super::mime::Header;
use super::types::Original;
use crate::address::{self, Address};

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
        first_receiver: first_receiver(header),
    }
}

/// See [`Original::first_receiver`]. Each server puts its line above those that are there.
fn first_receiver(header: &Header<'_>) -> Option<Address> {
    let received = header
        .all("Received")
        .filter_map(|line| received_for(&line));
    received.last().or_else(|| {
        let delivered = header.all("Delivered-To");
        delivered.filter_map(|to| to.trim().parse().ok()).last()
    })
}

/// `anna@example.com` of `from a.example by b.example for <anna@example.com>; Tue, …` (RFC 5321 section 4.4).
fn received_for(line: &str) -> Option<Address> {
    let (_, behind) = line.rsplit_once(" for ")?;
    let path = behind.split(';').next()?.trim();
    let path = path.strip_prefix('<').unwrap_or(path);
    path.strip_suffix('>').unwrap_or(path).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_line_names_the_first_receiver() {
        let first = |text: &str| {
            let header = Header::split(text.as_bytes(), &mut Vec::new()).0;
            first_receiver(&header).map(|address| address.to_string())
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
