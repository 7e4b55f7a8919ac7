//! Complaints: feedback reports (RFC 5965), and the older forms of AOL and Hotmail.
//!
//! Only told apart: a complaint is no failure, and who complained is often hidden.

use super::mail::Mail;

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
