//! The header of the mail itself, as people and [`crate::policy`] ask for it.

use super::header::{self, Header};
use super::limits::{MAX_FIELD, MAX_SHOWN, cut};
use super::types::Envelope;
use mail_parser::parsers::MessageStream;

pub(super) fn of(header: &Header<'_>) -> Envelope {
    let shown = |name| {
        header
            .text(name)
            .map(|value| cut(&value, MAX_SHOWN).to_owned())
    };
    let id = |id: &str| cut(id.trim_matches(['<', '>', ' ']), MAX_FIELD).to_owned();
    let addresses = |name| header.addresses(name).unwrap_or_default();
    Envelope {
        from: header.raw("From").and_then(sender),
        subject: shown("Subject"),
        to_text: shown("To"),
        message_id: header.text("Message-ID").map(|text| id(&text)),
        to: addresses("To"),
        delivered_to: addresses("Delivered-To"),
        x_original_to: addresses("X-Original-To"),
    }
}

/// `address (display name)`.
fn sender(raw: &[u8]) -> Option<String> {
    let raw = &raw[..raw.len().min(MAX_READ)];
    let mut terminated = raw.to_vec();
    terminated.push(b'\n');
    let value = MessageStream::new(&terminated).parse_address();
    let first = value.as_address().and_then(|list| list.first().cloned());
    let text = match first.map(|first| (first.address, first.name)) {
        Some((Some(address), Some(name))) => format!("{address} ({name})"),
        Some((Some(only), None) | (None, Some(only))) => only.into_owned(),
        _ => header::decoded(raw).into_owned(),
    };
    Some(cut(&text, MAX_SHOWN).to_owned()).filter(|text| !text.is_empty())
}

/// How much of `From` is read, before it is decoded.
const MAX_READ: usize = 4 * MAX_SHOWN;
