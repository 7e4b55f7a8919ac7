//! Answers by machines on behalf of living people: vacation and other automatic replies (RFC 3834, and without its headers),
//! challenges, read receipts (RFC 8098).

use super::mime::Mail;
use super::phrases::PHRASES;
use super::sender::Sender;

/// Headers that only automatic replies have.
const HEADERS: [&str; 14] = [
    "X-Autoreply",
    "X-Autoreply-From",
    "X-Auto-Reply-From",
    "X-Autorespond",
    "X-Autoresponder",
    "X-Autoresponse",
    "X-Mail-Autoreply",
    "X-Vacation",
    "X-MS-Exchange-Inbox-Rules-Loop",
    "X-BoxTrapper-Match",
    "X-TMDA-Confirm",
    "X-ASK-Auth",
    "X-Challenge",
    "X-Out-Of-Office",
];

/// The field or part that makes the mail a read receipt. A rejection by the recipient's Sieve script comes in the same
/// form (RFC 5429 section 2.1.2), but it is none.
pub(super) fn receipt(mail: &Mail<'_>) -> Option<String> {
    let is_receipt = mail.report_type.as_deref() == Some("disposition-notification")
        || mail
            .parts_of("message/disposition-notification")
            .next()
            .is_some();
    let is_rejection = mail.header.contains("Auto-Submitted", "rejected");
    (is_receipt && !is_rejection).then(|| "a disposition notification (RFC 8098)".to_owned())
}

/// The field or line that makes the mail an automatic reply.
pub(super) fn evidence(mail: &Mail<'_>) -> Option<String> {
    let auto_submitted = mail
        .header
        .text("Auto-Submitted")
        .unwrap_or_default()
        .to_lowercase();
    if auto_submitted.starts_with("auto-replied") || auto_submitted.contains("vacation") {
        return Some(format!("Auto-Submitted: {auto_submitted} (RFC 3834)"));
    }
    if let Some(name) = HEADERS.into_iter().find(|name| mail.header.has(name)) {
        return Some(format!("the header field {name}"));
    }
    if mail.header.contains("X-Apple-Action", "vacation") {
        return Some("X-Apple-Action: VACATION".to_owned());
    }
    for name in ["Precedence", "X-Precedence"] {
        if mail.header.contains(name, "auto_reply") || mail.header.contains(name, "auto-reply") {
            return Some(format!("auto_reply in {name}"));
        }
    }
    if Sender::of(mail).is_answer {
        return Some("the words of an automatic reply in Subject".to_owned());
    }
    let subject = mail
        .header
        .text("Subject")
        .unwrap_or_default()
        .to_lowercase();
    let challenge = PHRASES.challenge.find(&subject)?;
    Some(format!("'{challenge}' in Subject"))
}
