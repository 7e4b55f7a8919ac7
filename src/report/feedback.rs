//! Complaints: feedback reports (RFC 5965), and the older forms of AOL and Hotmail.
//!
//! A complaint is no failure. Who complained is often hidden.

use super::fields;
use super::limits::{self, Limit};
use super::mime::Header;
use super::mime::Mail;
use crate::address::{self, Address};
use std::collections::BTreeSet;

/// The field or line that makes the mail a complaint.
pub(super) fn evidence(mail: &Mail<'_>) -> Option<String> {
    if mail.parts_of("message/feedback-report").next().is_some() {
        return Some("a feedback report part (RFC 5965)".to_owned());
    }
    if mail.report_type.as_deref() == Some("feedback-report") {
        return Some("report-type=feedback-report in Content-Type".to_owned());
    }
    let from = mail.header.text("From").unwrap_or_default().to_lowercase();
    let subject = mail
        .header
        .text("Subject")
        .unwrap_or_default()
        .to_lowercase();
    if from.contains("staff@hotmail.com") && subject.contains("complaint about message from") {
        return Some("'complaint about message from' in Subject (Hotmail)".to_owned());
    }
    if from.contains("scomp@aol.net") || subject.starts_with("email feedback report for ip") {
        return Some("'Email Feedback Report' in Subject (AOL)".to_owned());
    }
    None
}

/// Who complained: `Original-Rcpt-To` (RFC 5965 section 3.2, may come several times), or what Hotmail adds to the mail.
pub(super) fn complainants(
    mail: &Mail<'_>,
    returned: Option<&Header<'_>>,
    limits: &mut Vec<Limit>,
) -> Vec<Address> {
    let mut found: BTreeSet<Address> = BTreeSet::new();
    let mut add = |value: &str| {
        for address in address::in_list(value).unwrap_or_default() {
            if !found.contains(&address) && limits::has_room(found.len(), limits) {
                found.insert(address);
            }
        }
    };
    for part in mail.parts_of("message/feedback-report") {
        for field in fields::groups(&part.text()).iter().flatten() {
            if field.name.eq_ignore_ascii_case("Original-Rcpt-To") {
                add(&field.value);
            }
        }
    }
    let hotmail = returned.and_then(|header| header.text("X-HmXmrOriginalRecipient"));
    add(&hotmail.unwrap_or_default());
    found.into_iter().collect()
}
