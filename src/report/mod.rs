//! Raw bytes of a mail → [`Report`]: what kind of mail it is, which addresses failed, and what was returned with it.
//!
//! Pure: no clock, no I/O, no configuration. It finds out *who* failed and collects the words and codes that were said
//! of each; what they mean is for [`crate::diagnosis`], what is done about it for [`crate::policy`].
//!
//! The way of a mail: [`limits`] cuts it, `mime` takes it apart, and `classify` asks in turn:
//!
//! - `feedback`: is it a complaint (RFC 5965)?
//! - `amazon_ses`: is it a notification of Amazon's?
//! - `dsn`: does it tell machines who failed (RFC 3464)?
//! - `free_text`: does it tell people, in one of the many ways in which mail systems do?
//! - `auto_reply`: does a machine answer for somebody?
//!
//! `original` reads the header of the mail that came back; with it `mailed` finds out whom we had mailed where somebody else
//! failed in the end.

mod amazon_ses;
mod auto_reply;
mod classify;
mod diagnostic;
mod dsn;
mod envelope;
mod feedback;
mod fields;
mod free_text;
pub mod limits;
mod mailed;
mod mime;
mod original;
mod phrases;
mod sender;
mod types;

pub use limits::Limit;
pub use types::{Action, Envelope, Kind, Original, Recipient, Report, Returned};

use mime::Mail;

/// Compiles what reading needs, once, which takes a while: else the first mail has to wait for it, and is blamed should the process be
/// killed meanwhile.
pub fn prepare() {
    phrases::PHRASES.prepare();
    crate::smtp_reply::prepare();
}

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
    let mail = Mail::read(&readable, raw, &mut limits);
    let mut report = Report {
        kind: Kind::None,
        evidence: "nothing in it is known".to_owned(),
        envelope: envelope::of(&mail.header),
        recipients: Vec::new(),
        complainants: Vec::new(),
        original: Original::default(),
        limits: Vec::new(),
    };
    classify::classify(&mut report, &mail, &mut limits);
    report.limits = limits;
    report
}
