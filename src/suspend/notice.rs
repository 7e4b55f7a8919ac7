//! What a platform is sent beside the URL: with `body: json`, why the address is suspended. Pure.

use crate::config;
use crate::ledger::Suspension;
use serde::Serialize;

/// The JSON object of `body: json`.
#[derive(Serialize)]
struct Notice<'a> {
    address: &'a str,
    /// A word of [`crate::diagnosis::Reason`], or `complaint` or `manual`.
    reason: &'a str,
    /// `hard`, `soft`, `complaint` or `manual`.
    r#type: &'a str,
    /// The enhanced status code (RFC 3463).
    status: Option<&'a str>,
    /// What the remote system said.
    diagnostic: Option<&'a str>,
    /// When it was decided (RFC 3339, UTC).
    time: String,
    /// Of the mail that bounced.
    message_id: Option<&'a str>,
}

/// The body of the POST about a suspension, if it is to have one.
pub fn body(kind: config::Body, suspension: &Suspension) -> Option<Vec<u8>> {
    let cause = &suspension.cause;
    let notice = match kind {
        config::Body::Empty => return None,
        config::Body::Json => Notice {
            address: suspension.address.as_str(),
            reason: &cause.reason,
            r#type: &cause.bounce_type,
            status: cause.status.as_deref(),
            diagnostic: cause.diagnostic.as_deref(),
            time: humantime::format_rfc3339_seconds(suspension.created).to_string(),
            message_id: cause.message_id.as_deref(),
        },
    };
    // Texts and nulls only: there is nothing in it that could fail.
    serde_json::to_vec(&notice).ok()
}
