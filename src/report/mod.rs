//! Raw bytes of a mail → [`Report`]: what kind of mail it is, which addresses failed, and what was returned with it.
//!
//! Pure: no clock, no I/O, no configuration. It finds out *who* failed and collects the words and codes that were said
//! of each; what they mean is for [`crate::diagnosis`], what is done about it for [`crate::policy`].
//!
//! The way of a mail: [`limits`] cuts it, `header` and `mime` take it apart into a `mail`, `dsn` reads what it says to
//! machines, and what it returns is `original`'s.

pub mod address;
mod dsn;
mod fields;
mod header;
mod html;
pub mod limits;
mod mail;
mod mime;
mod original;
mod types;
mod words;

pub use address::Address;
pub use limits::Limit;
pub use types::{Action, Command, Envelope, Kind, Original, Recipient, Report, Status};

use header::Header;
use mail::Mail;
use mail_parser::parsers::MessageStream;

/// Reads a mail. Never fails: a mail that can't be read is of [`Kind::None`] and its `evidence` says why.
///
/// ```
/// use bouncedemails::report::{self, Kind};
///
/// let mail = b"From: MAILER-DAEMON@mx.example.org\r\n\
///     To: no-reply@example.com\r\n\
///     Subject: Undelivered Mail Returned to Sender\r\n\
///     Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n\
///     --b\r\nContent-Type: message/delivery-status\r\n\r\n\
///     Reporting-MTA: dns; mx.example.org\r\n\r\n\
///     Final-Recipient: rfc822; someone@example.org\r\n\
///     Action: failed\r\n\
///     Status: 5.1.1\r\n\
///     Diagnostic-Code: smtp; 550 5.1.1 no such user\r\n\r\n\
///     --b--\r\n";
/// let report = report::parse(mail);
///
/// assert_eq!(report.kind, Kind::Bounce);
/// let recipient = &report.recipients[0];
/// assert_eq!(recipient.address.as_str(), "someone@example.org");
/// assert_eq!(recipient.reply_code, Some(550));
/// assert_eq!(recipient.diagnostic.as_deref(), Some("550 5.1.1 no such user"));
/// ```
pub fn parse(raw: &[u8]) -> Report {
    let mut limits = Vec::new();
    let readable = limits::readable(raw, &mut limits);
    let mail = Mail::read(&readable, &mut limits);
    let mut report = Report {
        kind: Kind::None,
        evidence: "nothing in it is known".to_owned(),
        envelope: envelope(&mail.header),
        recipients: Vec::new(),
        original: Original::default(),
        limits: Vec::new(),
    };
    if let Some(part) = mail.returned() {
        let bytes = part.bytes();
        let (header, _) = Header::split(&bytes, &mut limits);
        report.original = original::of(&header);
    }
    if dsn::is_in(&mail) {
        let found = dsn::recipients(&mail, &mut limits);
        take_status(&mut report, found);
    }
    report.limits = limits;
    report
}

/// A delivery status part is a bounce where somebody failed or waits, else a notice of success.
fn take_status(report: &mut Report, found: Vec<Recipient>) {
    let is_failure =
        |recipient: &Recipient| matches!(recipient.action, Action::Failed | Action::Delayed);
    report.kind = match found.iter().any(is_failure) || found.is_empty() {
        true => Kind::Bounce,
        false => Kind::DeliveryNotice,
    };
    report.evidence = "a delivery status part (RFC 3464)".to_owned();
    report.recipients = found.into_iter().filter(is_failure).collect();
}

fn envelope(header: &Header<'_>) -> Envelope {
    let text = |name| header.text(name).map(|value| value.into_owned());
    let addresses = |name| {
        header
            .all(name)
            .flat_map(|value| address::in_text(&value).collect::<Vec<_>>())
            .collect()
    };
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
