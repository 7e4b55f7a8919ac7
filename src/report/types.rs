//! What a [`Report`] is made of: the words of DESIGN 4 as types.

use super::limits::Limit;
use crate::address::{Address, is_one_organisation};
use crate::smtp_reply::{Command, Status};
use serde::Serialize;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// What a mail says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// What sort of mail it is.
    pub kind: Kind,
    /// Why it was taken for that kind: the field or line that decided, for a person to read.
    pub evidence: String,
    /// The headers of the mail itself that people and [`crate::policy`] ask for.
    pub envelope: Envelope,
    /// The failed (or delayed) recipients; empty unless `kind` is [`Kind::Bounce`].
    pub recipients: Vec<Recipient>,
    /// Who complained; empty unless `kind` is [`Kind::Feedback`].
    pub complainants: Vec<Address>,
    /// The mail that came back, as far as it was returned.
    pub original: Original,
    /// The limits that were hit: what lies beyond them was not read. Empty for nearly every mail.
    pub limits: Vec<Limit>,
}

/// The sort of mail that came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Somebody could not be reached, or not yet.
    Bounce,
    /// A complaint (RFC 5965 feedback report).
    Feedback,
    /// An answer by a machine on behalf of a living recipient: vacation, challenge, read receipt (RFC 3834, RFC 8098).
    AutoReply,
    /// Delivered, relayed or expanded (RFC 3464 actions that are no failure).
    DeliveryNotice,
    /// Anything else: ordinary mail, list mail, spam, an unreadable mail.
    None,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Bounce => "bounce",
            Kind::Feedback => "feedback",
            Kind::AutoReply => "auto-reply",
            Kind::DeliveryNotice => "delivery-notice",
            Kind::None => "none",
        })
    }
}

/// The headers of the mail itself, decoded (RFC 2047) and unfolded, but otherwise as they came: hostile text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Envelope {
    /// `From`, as `address (display name)` where there is a name.
    pub from: Option<String>,
    /// `Subject`.
    pub subject: Option<String>,
    /// `To`, as text: shown to people.
    pub to_text: Option<String>,
    /// `Message-ID`, without angle brackets.
    pub message_id: Option<String>,
    /// The addresses in `To`.
    pub to: Vec<Address>,
    /// The addresses in `Delivered-To`.
    pub delivered_to: Vec<Address>,
    /// The addresses in `X-Original-To`.
    pub x_original_to: Vec<Address>,
}

/// One failed address in a report, and all that was said of it.
///
/// A mail may name thousands, and say the same of all of them: texts are shared, so that their size is not multiplied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// The mailed address, which is the one that is judged.
    pub address: Address,
    /// The address that failed in the end, where it is another (`Final-Recipient`, RFC 3464 section 2.3.2, or as the text
    /// names it).
    pub final_recipient: Option<Address>,
    /// The address that it was sent to before, as the report says (`Original-Recipient`, section 2.3.1).
    pub original_recipient: Option<Address>,
    /// What became of it (`Action`, section 2.3.3).
    pub action: Action,
    /// The enhanced status code as the report gives it (`Status`, section 2.3.4), or found in the text where that says
    /// nothing. Which one decided stands in the diagnosis.
    pub status: Option<Status>,
    /// The SMTP reply code that was found in the diagnostic text: 400 to 599.
    pub reply_code: Option<u16>,
    /// The SMTP command that was refused, where the text says.
    pub command: Option<Command>,
    /// What was said of the failure, in one line: continuation lines are joined, white space is folded.
    pub diagnostic: Option<Arc<str>>,
    /// Who reports (`Reporting-MTA`), without the type, at most [`MAX_FIELD`](super::limits::MAX_FIELD) bytes.
    pub reporting_mta: Option<Arc<str>>,
    /// Who refused (`Remote-MTA`), without the type, at most [`MAX_FIELD`](super::limits::MAX_FIELD) bytes.
    pub remote_mta: Option<Arc<str>>,
    /// Where the address and the diagnostic were found, for a person to read: `Final-Recipient`, `Postfix text, line 12`.
    pub source: Arc<str>,
}

impl Recipient {
    /// A failed recipient of whom nothing else is known yet; `source` says where the address was found.
    pub fn new(address: Address, source: impl Into<Arc<str>>) -> Recipient {
        Recipient {
            address,
            final_recipient: None,
            original_recipient: None,
            action: Action::Failed,
            status: None,
            reply_code: None,
            command: None,
            diagnostic: None,
            reporting_mta: None,
            remote_mta: None,
            source: source.into(),
        }
    }

    /// The address of somebody else, to whom the mailbox that we mailed passed the mail on, and who did not get it.
    pub fn behind_forward(&self) -> Option<&Address> {
        let end = self.final_recipient.as_ref()?;
        (!is_one_organisation(self.address.domain(), end.domain())).then_some(end)
    }
}

/// RFC 3464 section 2.3.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Could not be delivered, and will not be tried again.
    Failed,
    /// Not delivered yet; still being tried.
    Delayed,
    /// Delivered.
    Delivered,
    /// Handed on to a system that sends no notices.
    Relayed,
    /// Delivered to a list or alias that sends it on.
    Expanded,
}

/// The returned mail, as far as the report holds it. All of it is hostile text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Original {
    /// `Message-ID`, with angle brackets as it was sent.
    pub message_id: Option<String>,
    /// The address in `From`.
    pub from: Option<Address>,
    /// The addresses in `To`.
    pub to: Vec<Address>,
    /// The addresses in `Cc`.
    #[serde(skip)]
    pub cc: Vec<Address>,
    /// `Subject`, decoded.
    pub subject: Option<String>,
    /// The envelope sender (`Return-Path`), where the returned headers have it.
    #[serde(skip)]
    pub return_path: Option<Address>,
    /// For whom mail servers took the mail (`Received: … for <…>`), where none says so to whom they delivered it
    /// (`Delivered-To`). The first server comes first.
    #[serde(skip)]
    pub receivers: Vec<Address>,
    /// The hosts that had it in hand (`Received: … by HOST`).
    #[serde(skip)]
    pub taken_by: Vec<String>,
    /// Its bytes, for [`crate::trust`] to look for a signature in.
    #[serde(skip)]
    pub returned: Returned,
}

impl Original {
    /// Whether nothing is known of it but bytes.
    pub(super) fn says_nothing(&self) -> bool {
        let named = [&self.from, &self.return_path];
        self.message_id.is_none()
            && self.subject.is_none()
            && self.to.is_empty()
            && self.cc.is_empty()
            && self.receivers.is_empty()
            && named.iter().all(|address| address.is_none())
    }
}

/// The bytes of a returned mail, as far as they are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Returned {
    /// The header as it stands, without the blank line behind it: of at most
    /// [`MAX_RETURNED_HEADER`](super::limits::MAX_RETURNED_HEADER) bytes, its lines ending in CRLF as SMTP has them.
    pub header: Vec<u8>,
    /// Whether `header` is known to be all of it: neither the report ends within it nor was it too long.
    pub is_whole: bool,
    /// Where the body stands in the bytes that were parsed. None where only the header was returned, or where the body does not stand
    /// there as it is (inside of base64, say).
    pub body: Option<Range<usize>>,
}
