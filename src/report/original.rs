//! The returned mail: what its header says of the mail that we sent.

use super::header::Header;
use super::types::Original;
use crate::address;

/// Reads the header of a returned mail.
pub(super) fn of(header: &Header<'_>) -> Original {
    let text = |name| header.text(name).map(|value| value.into_owned());
    Original {
        message_id: text("Message-ID"),
        from: text("From").and_then(|from| address::in_text(&from).next()),
        to: header.addresses("To").unwrap_or_default(),
        subject: text("Subject"),
        return_path: text("Return-Path").and_then(|path| address::in_text(&path).next()),
    }
}
