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

use super::named_addresses::{Form, Named};
use crate::address::{self, Address};
use crate::report::diagnostic::MAX_DIAGNOSTIC;
use crate::report::limits::cut;
use crate::report::types::Recipient;
use crate::smtp_reply::{self, Command};
use std::collections::HashMap;
use std::ops::Range;

/// Whether Sendmail wrote a text, with or without a dialogue in it.
pub(super) fn is_in(said: &str) -> bool {
    said.contains("Transcript of session follows")
}

/// Takes away a status of addresses and mailboxes that Sendmail made of a reply code alone (`smtptodsn` in its deliver.c: 5.1.1
/// of every 550, 5.2.2 of every 552): what the reply says decides.
pub(super) fn without_guess(recipient: &mut Recipient) {
    let reply = recipient.diagnostic.as_deref().unwrap_or_default();
    if smtp_reply::reply_code(reply).is_some() && smtp_reply::status(reply).is_none() {
        recipient.status = recipient
            .status
            .filter(|status| !matches!(status.subject, 1 | 2));
    }
}

/// The dialogue in a text.
#[derive(Debug, Default)]
pub(super) struct Transcript {
    /// By address (in lower case): the reply to `RCPT TO`, or else what the mail system sums up in its own line.
    replies: HashMap<String, Reply>,
    /// Who is named by the mail system's own lines, in their order.
    pub(super) named: Vec<Named>,
    /// The last refusal, whomever it was for.
    pub(super) last: Option<Reply>,
}

/// A reply, and the command that it answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) text: String,
    pub(super) command: Option<Command>,
}

/// One line of the dialogue.
enum Line<'x> {
    /// `>>> RCPT To:<a@b.example>`
    Us(&'x str),
    /// `<<< 550 no`
    Them(&'x str),
    /// `550 5.1.1 <a@b.example>... User unknown`
    Own(&'x str),
    Other,
}

/// What Sendmail says in its own line where the remote refused something else than the recipient.
const NOT_THE_RECIPIENT: [&str; 4] = [
    "service unavailable",
    "remote protocol error",
    "data format error",
    "message is too large",
];

impl Transcript {
    /// Reads the dialogue, as far as there is one.
    pub(super) fn read(lines: &[&str]) -> Transcript {
        let mut transcript = Transcript::default();
        let mut asked: Option<(&str, Option<Command>)> = None;
        let mut heard: Vec<&str> = Vec::new();
        let mut in_dialogue = false;
        for (number, line) in lines.iter().enumerate() {
            let line = match Line::of(line) {
                // A fold of somebody's reply may put its code first on an indented line.
                Line::Own(_) if line.starts_with([' ', '\t']) && !in_dialogue => Line::Other,
                line => line,
            };
            in_dialogue = !matches!(line, Line::Other);
            if let Line::Them(reply) = line {
                heard.push(reply);
                continue;
            }
            transcript.hear(asked, &heard);
            match line {
                Line::Us(said) => asked = Some((said, smtp_reply::spoken_command(said))),
                Line::Own(own) => transcript.sum_up(asked, &heard, own, number),
                Line::Them(_) | Line::Other => {}
            }
            heard.clear();
        }
        transcript.hear(asked, &heard);
        transcript
    }

    /// What was said of `address`.
    pub(super) fn about(&self, address: &Address) -> Option<&Reply> {
        self.replies.get(&address.key())
    }

    /// The lines of the remote's reply to the command before it.
    fn hear(&mut self, asked: Option<(&str, Option<Command>)>, heard: &[&str]) {
        let heard = &heard[..heard.len().min(MAX_REPLY_LINES)];
        let refused = heard
            .iter()
            .any(|line| is_failure(line) && !line.starts_with("503"));
        if !refused {
            return;
        }
        let reply = Reply {
            text: joined(heard),
            command: asked.and_then(|(_, command)| command),
        };
        if let Some((said, Some(Command::Rcpt))) = asked {
            let recipient = first_address(said).map(|(_, address)| address);
            self.replies
                .extend(recipient.map(|address| (address.key(), reply.clone())));
        }
        self.last = Some(reply);
    }

    /// A line of the mail system's own, behind what it heard.
    fn sum_up(
        &mut self,
        asked: Option<(&str, Option<Command>)>,
        heard: &[&str],
        own: &str,
        number: usize,
    ) {
        let Some((address, form)) = subject(own) else {
            return;
        };
        if let Some(form) = form {
            self.named.push(Named {
                address: address.clone(),
                line: number,
                words_from: 0,
                original: None,
                form,
            });
        }
        let recipient_refused = !is_summary(own);
        let heard: Vec<&str> = heard
            .iter()
            .copied()
            .filter(|line| is_failure(line))
            .take(MAX_REPLY_LINES)
            .collect();
        let command = asked.and_then(|(_, command)| command);
        let reply = if !heard.is_empty() {
            let pipelined = recipient_refused && command == Some(Command::Data);
            Reply {
                text: joined(&heard),
                command: if pipelined {
                    Some(Command::Rcpt)
                } else {
                    command
                },
            }
        } else if recipient_refused {
            Reply {
                text: cut(own_reply(own), MAX_DIAGNOSTIC).to_owned(),
                command: None,
            }
        } else {
            return; // a summary of what stands elsewhere
        };
        self.replies.entry(address.key()).or_insert(reply);
    }
}

/// The address that a line of the mail system's own is about, and in what form the line says that it failed, if it does: it stands before
/// three dots, or at the end of `554 5.4.6 Too many hops 26 (25 max): from A via HOST, to B`, as Sendmail writes of a loop.
fn subject(own: &str) -> Option<(Address, Option<Form>)> {
    if own.contains("Too many hops")
        && let Some(to) = own.rfind(", to ")
    {
        return Some((first_address(&own[to..])?.1, Some(Form::Announced)));
    }
    let (place, address) = first_address(own)?;
    // Only codes stand in front of it: a word would belong to the address.
    let leads = !own[..place.start].contains(char::is_alphabetic);
    let failed = leads && own[place.end..].trim_start_matches('>').starts_with("...");
    Some((address, failed.then_some(Form::Dialogue)))
}

/// The address that a line names first; none where what has the form of one is not whole.
fn first_address(line: &str) -> Option<(Range<usize>, Address)> {
    let first = address::candidates(line).next()?;
    Some((first.place, first.address?))
}

/// Replies of real servers have up to a dozen lines.
const MAX_REPLY_LINES: usize = 50;

/// The lines of a reply, as far as anybody reads them.
fn joined(lines: &[&str]) -> String {
    let mut text = String::new();
    for line in lines {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(cut(line, MAX_DIAGNOSTIC));
        if text.len() > MAX_DIAGNOSTIC {
            break;
        }
    }
    text
}

impl<'x> Line<'x> {
    fn of(line: &'x str) -> Line<'x> {
        let line = line.trim();
        let behind = |marks: &[&str]| {
            marks
                .iter()
                .find_map(|mark| line.strip_prefix(mark))
                .map(str::trim_start)
        };
        if let Some(said) = behind(&[">>>", "Sent <<<", "=>"]) {
            Line::Us(said)
        } else if let Some(reply) = behind(&["<<<", "Received >>>", "<="]) {
            Line::Them(reply)
        } else if is_failure(line) {
            Line::Own(line)
        } else {
            Line::Other
        }
    }
}

/// The line without the recipient in front, where a reply stands behind it: `554 <a@b>... 550 Host unknown`.
fn own_reply(line: &str) -> &str {
    match line.split_once("... ") {
        Some((_, reply)) if is_failure(reply) => reply,
        _ => line,
    }
}

/// Whether a line of Sendmail's own only sums up what stands elsewhere: `554 <a@b>... Service unavailable`.
pub(super) fn is_summary(line: &str) -> bool {
    let line = line.to_ascii_lowercase();
    NOT_THE_RECIPIENT.iter().any(|words| line.contains(words))
}

/// `550 5.1.1 ...`: a line that starts with a reply code of failure.
pub(super) fn is_failure(line: &str) -> bool {
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
        let transcript = Transcript::read(&lines);
        let reply = transcript
            .about(&address.parse().expect("an address"))
            .expect("a reply")
            .clone();
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
        let transcript = Transcript::read(&DIALOGUE.lines().collect::<Vec<_>>());
        assert_eq!(transcript.named.len(), 3);
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
