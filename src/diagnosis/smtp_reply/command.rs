//! Which SMTP command was refused, as far as the words say.

use crate::report::Command;

/// The SMTP command that was refused, where the text names it in the way that Postfix, Exim, Sendmail, dma, qmail and
/// Yahoo do.
///
/// ```
/// use bouncedemails::{diagnosis::smtp_reply::command, report::Command};
/// assert_eq!(command("550 no such user (in reply to RCPT TO command)"), Some(Command::Rcpt));
/// assert_eq!(command("SMTP error from remote mail server after end of data: 550 spam"), Some(Command::Data));
/// ```
pub fn command(text: &str) -> Option<Command> {
    let bytes = text.as_bytes();
    for at in memchr::memchr3_iter(b' ', b'[', b':', bytes) {
        let rest = &text[at + 1..];
        if let Some((_, command)) = REMARKS.iter().find(|(words, _)| starts_with(rest, words)) {
            return Some(*command);
        }
        let start = memchr::memrchr(b' ', &bytes[..at]).map_or(0, |blank| blank + 1);
        let announced = ["after", "to", ">>>", "our", "during", "for"];
        if announced
            .iter()
            .any(|word| text[start..at].eq_ignore_ascii_case(word))
            && let Some(command) = named_command(rest)
        {
            return Some(command);
        }
    }
    None
}

/// Whether `text` starts with a word, or several, in any case.
fn starts_with(text: &str, words: &str) -> bool {
    let mut letters = text.bytes();
    let same = words
        .bytes()
        .all(|b| letters.next().is_some_and(|c| c.eq_ignore_ascii_case(&b)));
    same && !letters
        .next()
        .is_some_and(|next| next.is_ascii_alphanumeric())
}

/// What says by itself which command was refused.
const REMARKS: &[(&str, Command)] = &[
    // qmail-remote
    ("does not like recipient", Command::Rcpt),
    ("failed after I sent the message", Command::Data),
    ("my name was rejected", Command::Ehlo),
    // Yahoo
    ("RCPT_TO]", Command::Rcpt),
    ("MAIL_FROM]", Command::Mail),
    // Exchange's connectors
    ("RCPT host", Command::Rcpt),
    ("RCPT TO generated", Command::Rcpt),
];

/// The command that `text` starts with.
fn named_command(text: &str) -> Option<Command> {
    COMMANDS
        .iter()
        .find(|(word, _)| starts_with(text, word))
        .map(|(_, command)| *command)
}

/// How mail systems name the commands.
const COMMANDS: &[(&str, Command)] = &[
    ("RCPT", Command::Rcpt),
    ("MAIL FROM", Command::Mail),
    ("DATA", Command::Data),
    ("BDAT", Command::Data),
    ("end of data", Command::Data),
    ("end of DATA command", Command::Data),
    ("message content", Command::Data),
    ("pipelined DATA", Command::Data),
    ("pipelined RCPT", Command::Rcpt),
    ("pipelined MAIL", Command::Mail),
    ("STARTTLS", Command::Starttls),
    ("AUTH", Command::Auth),
    ("EHLO", Command::Ehlo),
    ("HELO", Command::Ehlo),
    ("LHLO", Command::Ehlo),
    ("initial connection", Command::Conn),
    ("connect", Command::Conn),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_commands() {
        assert_eq!(
            command("no (in reply to end of DATA command)"),
            Some(Command::Data)
        );
        assert_eq!(
            command("SMTP error from remote mailer after MAIL FROM:<a@example.com>: 550"),
            Some(Command::Mail)
        );
        assert_eq!(command(">>> RCPT To:<a@example.com>"), Some(Command::Rcpt));
        assert_eq!(
            command("SMTP error from remote server after initial connection, host: x"),
            Some(Command::Conn)
        );
        assert_eq!(command("in reply to EHLO command"), Some(Command::Ehlo));
        assert_eq!(
            command("192.0.2.1 does not like recipient. Remote host said: 550"),
            Some(Command::Rcpt)
        );
        assert_eq!(
            command("Remote host said: 550 no [MAIL_FROM]"),
            Some(Command::Mail)
        );
        assert_eq!(
            command("SMTP:RCPT host 192.0.2.1: 553"),
            Some(Command::Rcpt)
        );
        assert_eq!(command("we want to database"), None);
    }
}
