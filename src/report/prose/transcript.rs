//! The SMTP dialogue that Sendmail, and systems that write as it does, put into a bounce: which reply was for whom.
//!
//! ```text
//! >>> RCPT To:<a@b.example>
//! <<< 550 5.1.1 <a@b.example>... User unknown
//! 550 5.1.1 a@b.example... User unknown
//! ```
//!
//! With pipelining Sendmail shows replies to RCPT behind `>>> DATA`: its own line, the one without arrows, then names the
//! recipient, and it ends in "Service unavailable" or the like where the message itself was refused.

use super::named::{Form, Named};
use crate::report::address::{self, Address};
use crate::report::types::Command;

/// A reply, and the command that it answers.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) text: String,
    pub(super) command: Option<Command>,
}

/// What Sendmail says in its own line where the remote refused something else than the recipient.
const NOT_THE_RECIPIENT: [&str; 4] = [
    "service unavailable",
    "remote protocol error",
    "data format error",
    "message is too large",
];

/// What the remote server, or else the mail system itself, said of `address`.
pub(super) fn about(lines: &[&str], address: &Address) -> Option<Reply> {
    let names = |line: &&str| address::in_text(line).any(|found| found.key() == address.key());
    let asked = lines
        .iter()
        .position(|line| said_by_us(line).is_some() && names(line));
    if let Some(asked) = asked {
        let replies = replies(&lines[asked + 1..]);
        if replies.first().is_some_and(|line| is_failure(line)) {
            let command = said_by_us(lines[asked]).and_then(command);
            return Some(Reply {
                text: replies.join("\n"),
                command,
            });
        }
    }
    let own = lines
        .iter()
        .position(|line| is_reply(line) && names(line))?;
    let before = &lines[..own];
    let heard = before
        .iter()
        .rev()
        .take_while(|line| said_by_them(line).is_some())
        .count();
    let heard = &before[own - heard..];
    let mut texts: Vec<&str> = heard
        .iter()
        .filter_map(|line| said_by_them(line))
        .filter(|line| is_failure(line))
        .collect();
    let own_words = lines[own].to_ascii_lowercase();
    let recipient_refused = !NOT_THE_RECIPIENT
        .iter()
        .any(|words| own_words.contains(words));
    let asked = before
        .iter()
        .rev()
        .find_map(|line| said_by_us(line))
        .and_then(command);
    let command = match asked {
        Some(Command::Data) if recipient_refused => Some(Command::Rcpt),
        asked if !texts.is_empty() => asked,
        _ => None,
    };
    if texts.is_empty() {
        if !recipient_refused {
            return None; // a summary of what stands elsewhere
        }
        texts.push(own_reply(lines[own]));
    }
    Some(Reply {
        text: texts.join("\n"),
        command,
    })
}

/// The last thing that the remote refused, for a mail with one recipient whose dialogue does not name it.
pub(super) fn last(lines: &[&str]) -> Option<Reply> {
    let at = lines.iter().rposition(|line| {
        said_by_them(line).is_some_and(|reply| is_failure(reply) && !reply.starts_with("503"))
    })?;
    let first = lines[..at]
        .iter()
        .rposition(|line| said_by_them(line).is_none())
        .map_or(0, |before| before + 1);
    let texts: Vec<&str> = lines[first..=at]
        .iter()
        .filter_map(|line| said_by_them(line))
        .collect();
    let command = lines[..first]
        .iter()
        .rev()
        .find_map(|line| said_by_us(line))
        .and_then(command);
    Some(Reply {
        text: texts.join("\n"),
        command,
    })
}

/// The recipients that only the dialogue names: `554 <a@b.example>... Remote protocol error`.
pub(super) fn named(lines: &[&str]) -> Vec<Named> {
    let mut found: Vec<Named> = Vec::new();
    for (line, text) in lines.iter().enumerate() {
        let own = is_reply(text) && text.contains("...");
        let Some((place, address)) = address::spans(text).next().filter(|_| own) else {
            continue;
        };
        if text[place.end..].trim_start_matches('>').starts_with("...") {
            found.push(Named {
                address,
                line,
                words_from: 0,
                original: None,
                form: Form::Dialogue,
            });
        }
    }
    found
}

/// Whether the lines hold a dialogue at all.
pub(super) fn is_in(lines: &[&str]) -> bool {
    lines
        .iter()
        .any(|line| said_by_us(line).is_some() || said_by_them(line).is_some())
}

fn said_by_us(line: &str) -> Option<&str> {
    let line = line.trim_start();
    [">>>", "Sent <<<", "=>"]
        .iter()
        .find_map(|mark| line.strip_prefix(mark))
        .map(str::trim_start)
}

fn said_by_them(line: &str) -> Option<&str> {
    let line = line.trim_start();
    ["<<<", "Received >>>", "<="]
        .iter()
        .find_map(|mark| line.strip_prefix(mark))
        .map(str::trim)
}

fn command(said: &str) -> Option<Command> {
    let word = said.split([' ', ':']).next().unwrap_or_default();
    let commands = [
        ("RCPT", Command::Rcpt),
        ("MAIL", Command::Mail),
        ("DATA", Command::Data),
        (".", Command::Data),
        ("EHLO", Command::Ehlo),
        ("HELO", Command::Ehlo),
        ("STARTTLS", Command::Starttls),
        ("AUTH", Command::Auth),
    ];
    commands
        .into_iter()
        .find(|(name, _)| word.eq_ignore_ascii_case(name))
        .map(|(_, command)| command)
}

/// The reply right behind a command, which may have several lines.
fn replies<'x>(lines: &[&'x str]) -> Vec<&'x str> {
    lines.iter().map_while(|line| said_by_them(line)).collect()
}

/// `550 5.1.1 ...`: a line that starts with a reply code of failure.
fn is_reply(line: &str) -> bool {
    is_failure(line.trim_start())
}

/// The line without the recipient in front, where a reply stands behind it: `554 <a@b>... 550 Host unknown`.
fn own_reply(line: &str) -> &str {
    match line.split_once("... ") {
        Some((_, reply)) if is_failure(reply) => reply,
        _ => line.trim(),
    }
}

fn is_failure(line: &str) -> bool {
    let bytes = line.as_bytes();
    bytes.len() > 4
        && matches!(bytes[0], b'4' | b'5')
        && bytes[1..3].iter().all(u8::is_ascii_digit)
        && matches!(bytes[3], b' ' | b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIALOGUE: &str = "While talking to mx.a.example:\n>>> MAIL From:<s@x.example>\n<<< 501 open relay\n554 <k@a.example>... Remote protocol error\n\
        554 <m@a.example>... 550 Host unknown\n>>> RCPT To:<h@b.example>\n<<< 550-no\n<<< 550 such user\n550 <h@b.example>... User unknown";

    fn reply(dialogue: &str, address: &str) -> (String, Option<Command>) {
        let lines: Vec<&str> = dialogue.lines().collect();
        let reply = about(&lines, &address.parse().expect("an address")).expect("a reply");
        (reply.text, reply.command)
    }

    #[test]
    fn each_recipient_gets_its_own_reply() {
        assert_eq!(
            reply(DIALOGUE, "k@a.example"),
            ("501 open relay".to_owned(), Some(Command::Mail))
        );
        assert_eq!(reply(DIALOGUE, "m@a.example").0, "550 Host unknown");
        assert_eq!(
            reply(DIALOGUE, "h@b.example"),
            ("550-no\n550 such user".to_owned(), Some(Command::Rcpt))
        );
        assert_eq!(named(&DIALOGUE.lines().collect::<Vec<_>>()).len(), 3);
    }

    #[test]
    fn a_pipelined_reply_is_for_the_recipient() {
        let pipelined = ">>> DATA\n<<< 550 5.1.1 <a@b.example>... User unknown\n550 5.1.1 <a@b.example>... User unknown\n<<< 503 5.0.0 Need RCPT";
        assert_eq!(reply(pipelined, "a@b.example").1, Some(Command::Rcpt));
        let refused =
            ">>> DATA\n<<< 550 no such user here\n554 5.0.0 <a@b.example>... Service unavailable";
        assert_eq!(
            reply(refused, "a@b.example"),
            ("550 no such user here".to_owned(), Some(Command::Data))
        );
    }
}
