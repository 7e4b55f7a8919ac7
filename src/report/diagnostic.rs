//! The words that were said of a failure, made one line, and what stands in them: codes, the refused command, the host.

use super::limits::{MAX_FIELD, cut};
use super::types::{Action, Recipient};
use crate::smtp_reply::{self, Command, Status};
use std::sync::Arc;

/// How much of the words is kept: the longest replies of real receivers have some 500 bytes.
pub(super) const MAX_DIAGNOSTIC: usize = 4_000;

/// What was said, in one line, and what stands in it. Whoever it is said of shares the words.
#[derive(Debug, Clone)]
pub(super) struct Said {
    pub(super) line: Arc<str>,
    reply_code: Option<u16>,
    status: Option<Status>,
    command: Option<Command>,
    host: Option<Arc<str>>,
}

impl Said {
    /// None where `text` holds no words.
    pub(super) fn of(text: &str) -> Option<Said> {
        let line = smtp_reply::one_line(cut(text, MAX_DIAGNOSTIC));
        (!line.is_empty()).then(|| Said {
            reply_code: smtp_reply::reply_code(&line),
            status: smtp_reply::status(&line),
            command: smtp_reply::command(&line),
            host: host(&line).map(Arc::from),
            line: line.into(),
        })
    }

    /// Takes it as what was said of `recipient`.
    pub(super) fn about(&self, recipient: &mut Recipient) {
        recipient.reply_code = self.reply_code;
        recipient.command = recipient.command.or(self.command);
        recipient.remote_mta = recipient.remote_mta.take().or_else(|| self.host.clone());
        // A Status field that says something stays: diagnosis weighs it against what the words say.
        if !recipient.status.is_some_and(|field| field.is_telling()) {
            recipient.status = smtp_reply::prevailing(self.status, recipient.status);
        }
        // OpenSMTPD calls it delayed when it gives up (queue.c: an envelope that expired bounces as it warned before).
        if recipient.action == Action::Delayed && self.line.contains("Envelope expired") {
            recipient.action = Action::Failed;
        }
        recipient.diagnostic = Some(self.line.clone());
    }
}

/// Takes `text` as what was said of `recipient` alone.
pub(super) fn take(recipient: &mut Recipient, text: &str) {
    if let Some(said) = Said::of(text) {
        said.about(recipient);
    }
}

/// Adds a remark to the words.
pub(super) fn append(recipient: &mut Recipient, remark: &str) {
    let words = recipient.diagnostic.as_deref().unwrap_or_default();
    let remark = cut(remark.trim(), MAX_FIELD);
    recipient.diagnostic = Some(format!("{words} {remark}").trim_start().into());
}

/// Whether what was said tells nothing: no words at all, only codes and the address itself, or the first line of a reply
/// that goes on (`550-5.7.1 first`).
pub(super) fn are_poor(recipient: &Recipient) -> bool {
    let Some(diagnostic) = &recipient.diagnostic else {
        return true;
    };
    let mut words = diagnostic.split_whitespace().filter(|word| {
        !word.contains('@') && word.bytes().filter(u8::is_ascii_alphabetic).count() > 1
            || !word.is_ascii()
    });
    match words.next() {
        None => true,
        // `(expanded from: <a@b>)` is where it came from, not what happened.
        Some("(expanded" | "(generated" | "(ultimately") => words.nth(1).is_none(),
        // The exit status of a delivery program, without what it said; Sendmail's `(reason: )`.
        Some("(reason:" | "x-unix;" | "X-Unix;" | "X-UNIX;") => words.next().is_none(),
        Some(_) => goes_on(diagnostic),
    }
}

/// Whether a reply breaks off behind its first line: some systems report no more of it.
fn goes_on(diagnostic: &str) -> bool {
    let code = diagnostic.as_bytes();
    code.len() > 4
        && matches!(code[0], b'4' | b'5')
        && code[1..3].iter().all(u8::is_ascii_digit)
        && code[3] == b'-'
}

/// The remote host, as Postfix (`host mx.example.com[192.0.2.1] said`), Exim (`host mx.example.com [192.0.2.1]`) and
/// Google (`by mx.example.com. [192.0.2.1]`) name it: a name in front of an IP address in square brackets.
fn host(line: &str) -> Option<&str> {
    let (before, address) = line.split_once('[')?;
    let is_address = address.starts_with(|c: char| c.is_ascii_hexdigit());
    let name = before.split_whitespace().next_back()?.trim_end_matches('.');
    let is_name = name.contains('.')
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        && name.bytes().any(|b| b.is_ascii_alphabetic());
    (is_address && is_name).then(|| cut(name, MAX_FIELD))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_stands_before_its_address() {
        let named = |line| host(line);
        assert_eq!(
            named("host mx.a.example [192.0.2.1]: 550"),
            Some("mx.a.example")
        );
        assert_eq!(
            named("host mx.a.example[2001:db8::1] said: 550"),
            Some("mx.a.example")
        );
        assert_eq!(named("550 no such user [a.b]"), None);
        assert_eq!(named("Remote host said [550]"), None);
    }
}
