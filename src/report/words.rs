//! The words that were said of a failure, made one line, and what stands in them: codes, the refused command, the host.

use super::types::{Action, Recipient};
use crate::smtp_reply;

/// How much of the words is kept: the longest replies of real receivers have some 500 bytes.
pub(in crate::report) const MAX_DIAGNOSTIC: usize = 4_000;

/// Takes `text` as what was said of `recipient`, and what stands in it. A status that is more telling than `5.0.0` stays.
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
    recipient.command = recipient.command.or_else(|| smtp_reply::command(&line));
    recipient.remote_mta = recipient.remote_mta.take().or_else(|| host(&line));
    // A Status field that says something stays: diagnosis weighs it against what the words say.
    if !recipient.status.is_some_and(|field| field.is_telling()) {
        recipient.status = smtp_reply::prevailing(smtp_reply::status(&line), recipient.status);
    }
    // OpenSMTPD calls it delayed when it gives up (queue.c: an envelope that expired bounces as it warned before).
    if recipient.action == Action::Delayed && line.contains("Envelope expired") {
        recipient.action = Action::Failed;
    }
    recipient.diagnostic = Some(line);
}

/// Adds a remark to the words.
pub(in crate::report) fn append(recipient: &mut Recipient, remark: &str) {
    let words = recipient.diagnostic.take().unwrap_or_default();
    recipient.diagnostic = Some(format!("{words} {}", remark.trim()).trim_start().to_owned());
}

/// Whether what was said tells nothing: no words at all, only codes and the address itself, or the first line of a reply
/// that goes on (`550-5.7.1 first`).
pub(in crate::report) fn are_poor(recipient: &Recipient) -> bool {
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
        // The exit status of a delivery program, without what it said.
        Some("x-unix;" | "X-Unix;" | "X-UNIX;") => words.next().is_none(),
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
fn host(line: &str) -> Option<String> {
    let (before, address) = line.split_once('[')?;
    let is_address = address.starts_with(|c: char| c.is_ascii_hexdigit());
    let name = before.split_whitespace().next_back()?.trim_end_matches('.');
    let is_name = name.contains('.')
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        && name.bytes().any(|b| b.is_ascii_alphabetic());
    (is_address && is_name).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_stands_before_its_address() {
        let named = |line| host(line);
        assert_eq!(
            named("host mx.a.example [192.0.2.1]: 550").as_deref(),
            Some("mx.a.example")
        );
        assert_eq!(
            named("host mx.a.example[2001:db8::1] said: 550").as_deref(),
            Some("mx.a.example")
        );
        assert_eq!(named("550 no such user [a.b]"), None);
        assert_eq!(named("Remote host said [550]"), None);
    }
}
