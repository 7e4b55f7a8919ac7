//! The returned mail: what its header says of the mail that we sent.

use super::limits::{MAX_FIELD, MAX_SHOWN, cut};
use super::mime::Header;
use super::types::Original;
use crate::address;

/// Reads the header of a returned mail.
pub(super) fn of(header: &Header<'_>) -> Original {
    let text = |name| header.text(name);
    let kept = |name, most| text(name).map(|value| cut(&value, most).to_owned());
    Original {
        message_id: kept("Message-ID", MAX_FIELD),
        from: text("From").and_then(|from| address::in_text(&from).next()),
        to: header.addresses("To").unwrap_or_default(),
        subject: kept("Subject", MAX_SHOWN),
        return_path: text("Return-Path").and_then(|path| address::in_text(&path).next()),
    }
}
