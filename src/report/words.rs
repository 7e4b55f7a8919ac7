//! The words that were said of a failure, made one line, and what stands in them: codes, the refused command, the host.

use super::types::{Action, Command, Recipient};
use crate::diagnosis::smtp_reply;
use aho_corasick::{AhoCorasick, AhoCorasickKind};
use std::sync::LazyLock;

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
    recipient.command = recipient.command.or_else(|| command(&line));
    recipient.remote_mta = recipient.remote_mta.take().or_else(|| host(&line));
    let vague = recipient
        .status
        .is_none_or(|status| (status.subject, status.detail) == (0, 0));
    if vague {
        recipient.status = smtp_reply::status(&line).or(recipient.status);
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

/// The command that was refused, as the mail systems tell it that don't write `in reply to RCPT TO`.
const COMMANDS: &[(&str, Command)] = &[
    // qmail-remote.c
    ("does not like recipient", Command::Rcpt),
    ("failed on data command", Command::Data),
    ("failed after i sent the message", Command::Data),
    ("connected to it but sender was rejected", Command::Mail),
    ("but sender was rejected", Command::Mail),
    ("but my name was rejected", Command::Ehlo),
    ("but greeting failed", Command::Conn),
    ("most progress was rcpt to response", Command::Rcpt),
    ("wasn't able to establish an smtp connection", Command::Conn),
    // dma: net.c
    ("did not like our rcpt to", Command::Rcpt),
    ("did not like our mail from", Command::Mail),
    ("did not like our final data", Command::Data),
    ("did not like our data", Command::Data),
    ("did not like our helo", Command::Ehlo),
    ("did not like our ehlo", Command::Ehlo),
    // GMX, 1&1, web.de
    ("after rcpt command", Command::Rcpt),
    ("after mail command", Command::Mail),
    ("after text command", Command::Data),
    ("for rcpt to command", Command::Rcpt),
    ("for rcpt command", Command::Rcpt),
    ("for mail from command", Command::Mail),
    ("for text command", Command::Data),
    // Yahoo
    ("[rcpt_to]", Command::Rcpt),
    ("[mail_from]", Command::Mail),
    ("[data]", Command::Data),
    // X3, MailEnable and others
    ("smtp:rcpt", Command::Rcpt),
    ("smtp:mail", Command::Mail),
    ("smtp:data", Command::Data),
    ("rcpt to generated following response", Command::Rcpt),
    ("mail from generated following response", Command::Mail),
    ("step: rcpt", Command::Rcpt),
    ("step: data", Command::Data),
    // m-FILTER
    ("smtp command data", Command::Data),
    ("smtp command rcpt", Command::Rcpt),
    ("smtp command mail", Command::Mail),
    (">>> rcpt to", Command::Rcpt),
    (">>> mail from", Command::Mail),
    // Gmail: the state of its client when the reply came
    ("(state 13)", Command::Mail),
    ("(state 14)", Command::Rcpt),
    ("(state 18)", Command::Data),
];

pub(super) static COMMAND_WORDS: LazyLock<AhoCorasick> = LazyLock::new(|| {
    AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .kind(Some(AhoCorasickKind::DFA)) // small, and asked for nearly every recipient
        .build(COMMANDS.iter().map(|(words, _)| words))
        .expect("the words are a constant that a test builds")
});

fn command(line: &str) -> Option<Command> {
    smtp_reply::command(line).or_else(|| {
        let found = COMMAND_WORDS.find(line)?;
        Some(COMMANDS[found.pattern().as_usize()].1)
    })
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

    #[test]
    fn the_command_is_known_by_the_systems_own_words() {
        assert_eq!(
            command("192.0.2.1 does not like recipient. Remote host said: 550"),
            Some(Command::Rcpt)
        );
        assert_eq!(
            command("192.0.2.1 failed after I sent the message."),
            Some(Command::Data)
        );
        assert_eq!(command("550 no"), None);
    }
}
