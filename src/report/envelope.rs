//! The header of the mail itself, as people and [`crate::policy`] ask for it.

use super::limits::{MAX_FIELD, MAX_SHOWN, cut};
use super::mime::{self, Header};
use super::types::Envelope;

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
    let text = match mime::first_mailbox(raw) {
        (Some(address), Some(name)) => format!("{address} ({name})"),
        (Some(only), None) | (None, Some(only)) => only,
        (None, None) => mime::decoded(raw).into_owned(),
    };
    Some(cut(&text, MAX_SHOWN).to_owned()).filter(|text| !text.is_empty())
}

/// How much of `From` is read, before it is decoded.
const MAX_READ: usize = 4 * MAX_SHOWN;
