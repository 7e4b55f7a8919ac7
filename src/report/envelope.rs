//! The header of the mail itself, as people and [`crate::policy`] ask for it.

use super::header::{self, Header};
use super::types::Envelope;
use mail_parser::parsers::MessageStream;

pub(super) fn of(header: &Header<'_>) -> Envelope {
    let text = |name| header.text(name).map(|value| value.into_owned());
    let addresses = |name| header.addresses(name).unwrap_or_default();
    Envelope {
        from: header.raw("From").and_then(sender),
        subject: text("Subject"),
        to_text: text("To"),
        message_id: text("Message-ID").map(|id| id.trim_matches(['<', '>', ' ']).to_owned()),
        to: addresses("To"),
        delivered_to: addresses("Delivered-To"),
        x_original_to: addresses("X-Original-To"),
    }
}

/// `address (display name)`.
fn sender(raw: &[u8]) -> Option<String> {
    let mut terminated = raw.to_vec();
    terminated.push(b'\n');
    let value = MessageStream::new(&terminated).parse_address();
    let first = value.as_address().and_then(|list| list.first().cloned());
    match first.map(|first| (first.address, first.name)) {
        Some((Some(address), Some(name))) => Some(format!("{address} ({name})")),
        Some((Some(only), None) | (None, Some(only))) => Some(only.into_owned()),
        _ => Some(header::decoded(raw).into_owned()).filter(|text| !text.is_empty()),
    }
}
