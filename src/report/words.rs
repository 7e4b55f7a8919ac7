//! The words that were said of a failure, made one line, and the codes that stand in them.

use super::types::Recipient;
use crate::diagnosis::smtp_reply;

/// How much of the words is kept: the longest replies of real receivers have some 500 bytes.
pub(in crate::report) const MAX_DIAGNOSTIC: usize = 4_000;

/// Takes `text` as what was said of `recipient`, and the codes in it. A status that is more telling than `5.0.0` stays.
pub(in crate::report) fn take(recipient: &mut Recipient, text: &str) {
    let mut end = text.len().min(MAX_DIAGNOSTIC);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let line = smtp_reply::one_line(&text[..end]);
    if line.is_empty() {
        return;
    }
    recipient.reply_code = smtp_reply::reply_code(&line);
    recipient.command = recipient.command.or(smtp_reply::command(&line));
    let vague = recipient
        .status
        .is_none_or(|status| (status.subject, status.detail) == (0, 0));
    if vague {
        recipient.status = smtp_reply::status(&line).or(recipient.status);
    }
    recipient.diagnostic = Some(line);
}

/// Whether what was said tells nothing: no words at all, or only codes, the address itself and remarks in brackets.
pub(in crate::report) fn are_poor(recipient: &Recipient) -> bool {
    let Some(diagnostic) = &recipient.diagnostic else {
        return true;
    };
    let words = diagnostic.split_whitespace().filter(|word| {
        !word.contains('@') && word.chars().filter(|c| c.is_alphabetic()).count() > 1
    });
    let told: String = words.collect::<Vec<_>>().join(" ");
    told.is_empty() || told.starts_with("(expanded from:") && !told.contains(") ")
}
