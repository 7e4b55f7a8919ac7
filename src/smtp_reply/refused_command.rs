//! Which SMTP command was refused, as far as the words say.

use super::Command;
use aho_corasick::{AhoCorasick, AhoCorasickKind};
use std::sync::LazyLock;

/// The SMTP command that was refused, where the text names it in the way that Postfix, Exim, Sendmail, dma, qmail and
/// Yahoo do.
///
/// ```
/// use bouncedemails::smtp_reply::{Command, command};
/// assert_eq!(command("550 no such user (in reply to RCPT TO command)"), Some(Command::Rcpt));
/// assert_eq!(command("SMTP error from remote mail server after end of data: 550 spam"), Some(Command::Data));
/// ```
pub fn command(text: &str) -> Option<Command> {
    named(text).or_else(|| {
        let found = MATCHER.find(text)?;
        Some(PHRASES[found.pattern().as_usize()].1)
    })
}

/// Compiles the table of phrases, which takes a while: else the first mail has to wait for it.
pub(crate) fn prepare() {
    LazyLock::force(&MATCHER);
}

/// The command that a client spoke, `RCPT To:<a@example.com>`.
pub fn spoken_command(said: &str) -> Option<Command> {
    let word = said.split([' ', ':']).next().unwrap_or_default();
    SPOKEN
        .iter()
        .find(|(name, _)| word.eq_ignore_ascii_case(name))
        .map(|(_, command)| *command)
}

/// The first words of the commands of a client; `.` ends the data.
const SPOKEN: &[(&str, Command)] = &[
    ("RCPT", Command::Rcpt),
    ("MAIL", Command::Mail),
    ("DATA", Command::Data),
    (".", Command::Data),
    ("EHLO", Command::Ehlo),
    ("HELO", Command::Ehlo),
    ("STARTTLS", Command::Starttls),
    ("AUTH", Command::Auth),
];

fn named(text: &str) -> Option<Command> {
    let bytes = text.as_bytes();
    for at in memchr::memchr3_iter(b' ', b'[', b':', bytes) {
        let rest = &text[at + 1..];
        if let Some((_, command)) = REMARKS.iter().find(|(words, _)| starts_with(rest, words)) {
            return Some(*command);
        }
        let announced = ["after", "to", ">>>", "our", "during", "for"];
        if announced
            .iter()
            .any(|word| ends_with(&bytes[..at], word.as_bytes()))
            && let Some(command) = named_command(rest)
        {
            return Some(command);
        }
    }
    None
}

/// Whether `text` ends with a word, in any case, and a blank or nothing stands before it.
fn ends_with(text: &[u8], word: &[u8]) -> bool {
    let Some(start) = text.len().checked_sub(word.len()) else {
        return false;
    };
    text[start..].eq_ignore_ascii_case(word) && (start == 0 || text[start - 1] == b' ')
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
];

/// The command that was refused, as the mail systems tell it that don't write `in reply to RCPT TO`.
const PHRASES: &[(&str, Command)] = &[
    // qmail-remote.c
    ("does not like recipient", Command::Rcpt),
    ("failed on data command", Command::Data),
    ("failed after i sent the message", Command::Data),
    ("connected to it but sender was rejected", Command::Mail),
    ("but sender was rejected", Command::Mail),
    ("but my name was rejected", Command::Ehlo),
    ("but greeting failed", Command::Conn),
    // Postfix
    ("refused to talk to me", Command::Conn),
    // chasquid: both commands go out together, and a refused sender is said in its own words
    ("mail+rcpt 5", Command::Rcpt),
    // Haraka
    ("some recipients failed", Command::Rcpt),
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

static MATCHER: LazyLock<AhoCorasick> = LazyLock::new(|| {
    AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .kind(Some(AhoCorasickKind::DFA)) // small, and asked for nearly every recipient
        .build(PHRASES.iter().map(|(words, _)| words))
        .expect("the words are a constant that a test builds")
});

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
