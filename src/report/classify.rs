//! Which kind of mail it is: asks each parser in turn, the surest first, and fills in the [`Report`].

use super::limits::Limit;
use super::mime::Header;
use super::mime::Mail;
use super::sender::Sender;
use super::types::{Action, Kind, Original, Recipient, Report};
use super::{amazon_ses, auto_reply, dsn, feedback, free_text, mailed, mime, original};
use crate::address::Address;
use std::collections::HashSet;

/// How often a report that was forwarded, or wrapped by a gateway, is unwrapped.
const FORWARDS: usize = 2;

/// Fills in what `mail` says.
pub(super) fn classify(report: &mut Report, mail: &Mail<'_>, limits: &mut Vec<Limit>) {
    classify_forwarded(report, mail, FORWARDS, limits);
}

/// As [`classify`], for a mail in which another may be forwarded so many times.
fn classify_forwarded(
    report: &mut Report,
    mail: &Mail<'_>,
    forwards: usize,
    limits: &mut Vec<Limit>,
) {
    let part = mail.returned();
    let returned = part.map(mime::Part::bytes);
    let mut header = None;
    if let (Some(part), Some(bytes)) = (part, &returned) {
        let bytes = bytes.trim_ascii_start();
        let (fields, body) = Header::split(bytes, limits);
        report.original = original::of(&fields);
        report.original.returned = original::returned(bytes, body, part.is_closed(), mail.whole);
        header = Some(fields);
    }
    if let Some(evidence) = feedback::evidence(mail) {
        report.complainants = feedback::complainants(mail, header.as_ref(), limits);
        return decide(report, Kind::Feedback, evidence);
    }
    let text = mail.human_readable();
    if let Some(found) = amazon_ses::read(&text, limits) {
        report.recipients = found.recipients;
        report.complainants = found.complainants;
        report.original = found.original;
        return decide(report, found.kind, "an Amazon SES notification".to_owned());
    }
    if dsn::is_in(mail) && delivery_status(report, mail, &text, limits) {
        return;
    }
    if let Some(evidence) = auto_reply::receipt(mail) {
        return decide(report, Kind::AutoReply, evidence);
    }
    let found = free_text::read(mail, &text, limits);
    if found
        .as_ref()
        .is_none_or(|found| found.recipients.is_empty())
        && forwards > 0
        && !Sender::of(mail).is_person_answering()
    {
        let below = found
            .as_ref()
            .and_then(|found| found.returned)
            .map(str::as_bytes);
        for raw in returned.as_deref().into_iter().chain(below) {
            if forwarded(report, raw, mail.whole, forwards - 1, limits) {
                return;
            }
        }
    }
    match found {
        Some(found) => by_text(report, found, mail.whole, limits),
        None => {
            if let Some(evidence) = auto_reply::evidence(mail) {
                decide(report, Kind::AutoReply, evidence);
            }
        }
    }
}

fn decide(report: &mut Report, kind: Kind, evidence: String) {
    report.kind = kind;
    report.evidence = evidence;
}

/// A delivery status part is a bounce where somebody failed or waits, else a notice of success. False where it names
/// nobody: then the text has to. Where it names somebody who can't be read, nobody does: a text would name half of the address.
fn delivery_status(
    report: &mut Report,
    mail: &Mail<'_>,
    text: &str,
    limits: &mut Vec<Limit>,
) -> bool {
    let dsn::Named {
        recipients: mut found,
        unreadable,
    } = dsn::recipients(mail, only_to(&report.original), limits);
    if found.is_empty() && !unreadable {
        return false;
    }
    let evidence = "a delivery status part (RFC 3464)".to_owned();
    found.retain(|recipient| matches!(recipient.action, Action::Failed | Action::Delayed));
    if found.is_empty() && unreadable {
        let evidence = format!("{evidence}, whose address can't be read");
        decide(report, Kind::Bounce, evidence);
    } else if found.is_empty() {
        decide(report, Kind::DeliveryNotice, evidence);
    } else {
        free_text::enrich(text, &mut found);
        report.recipients = found;
        without_ourselves(report);
        mailed::find(report);
        decide(report, Kind::Bounce, evidence);
    }
    true
}

/// The addressee of the returned mail, where there is one only.
fn only_to(original: &Original) -> Option<&Address> {
    match original.to.as_slice() {
        [only] => Some(only),
        _ => None,
    }
}

/// Whether the mail that `raw` is says who failed: a report inside of a forward.
fn forwarded(
    report: &mut Report,
    raw: &[u8],
    whole: &[u8],
    forwards: usize,
    limits: &mut Vec<Limit>,
) -> bool {
    let mail = Mail::read(raw.trim_ascii_start(), whole, limits);
    if !dsn::is_in(&mail) && !Sender::of(&mail).is_mail_system() {
        return false;
    }
    let mut inner = Report {
        kind: Kind::None,
        evidence: String::new(),
        envelope: report.envelope.clone(),
        recipients: Vec::new(),
        complainants: Vec::new(),
        original: Original::default(),
        limits: Vec::new(),
    };
    classify_forwarded(&mut inner, &mail, forwards, limits);
    let is_bounce = inner.kind == Kind::Bounce && !inner.recipients.is_empty();
    if is_bounce {
        report.recipients = inner.recipients;
        report.original = inner.original;
        decide(
            report,
            Kind::Bounce,
            format!("{} of a forwarded mail", inner.evidence),
        );
    }
    is_bounce
}

fn by_text(
    report: &mut Report,
    found: free_text::Found<'_>,
    whole: &[u8],
    limits: &mut Vec<Limit>,
) {
    if let Some(returned) = found.returned.filter(|_| report.original.says_nothing()) {
        let bytes = returned.trim_start().as_bytes();
        let (header, body) = Header::split(bytes, limits);
        report.original = original::of(&header);
        report.original.returned = original::returned(bytes, body, false, whole);
    }
    decide(report, found.kind, found.evidence.clone());
    report.recipients.clone_from(&found.recipients);
    without_ourselves(report);
    mailed::find(report);
    if report.recipients.is_empty() && found.certain {
        let addressee = only_addressee(report, &found);
        report.recipients.extend(addressee);
    }
}

/// Drops addresses of ours that a report names beside the failed ones. One that stands alone failed: mail to oneself.
fn without_ourselves(report: &mut Report) {
    let sender = report.original.from.clone();
    let path = report.original.return_path.clone();
    let ours: HashSet<String> = report
        .envelope
        .to
        .iter()
        .chain(sender.as_ref())
        .chain(path.as_ref())
        .map(Address::key)
        .collect();
    let is_ours = |recipient: &Recipient| ours.contains(&recipient.address.key());
    if !report.recipients.iter().all(is_ours) {
        report.recipients.retain(|recipient| !is_ours(recipient));
    }
}

/// The addressee of the returned mail, where a bounce names nobody and only one comes into question; else the one that
/// our own return path names (VERP: `bounces+user=example.com@our.example`).
fn only_addressee(report: &Report, found: &free_text::Found<'_>) -> Option<Recipient> {
    if let Some(only) = only_to(&report.original) {
        return Some(found.recipient(only.clone(), "To of the returned mail"));
    }
    let verp = mailed::verp(&report.envelope.to)?;
    Some(found.recipient(verp, "the VERP return path in To"))
}
