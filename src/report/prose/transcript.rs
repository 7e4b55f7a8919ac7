//! The SMTP dialogue that Sendmail, and systems that write as it does, put into a bounce: which reply was for whom.
//!
//! ```text
//! >>> RCPT To:<a@b.example>
//! <<< 550 5.1.1 <a@b.example>... User unknown
//! 550 5.1.1 a@b.example... User unknown
//! ```

use super::named::{Form, Named};
use crate::report::address::{self, Address};

/// What the remote server, or else the mail system itself, said of `address`.
pub(super) fn reply_about(lines: &[&str], address: &Address) -> Option<String> {
    let about = |line: &str| address::in_text(line).any(|found| found.key() == address.key());
    let asked = lines
        .iter()
        .position(|line| said_by_us(line) && about(line));
    if let Some(asked) = asked {
        let replies = replies(&lines[asked + 1..]);
        if !replies.is_empty() {
            return Some(replies.join("\n"));
        }
    }
    let own = lines
        .iter()
        .position(|line| is_reply(line) && about(line))?;
    let before = lines[..own]
        .iter()
        .rev()
        .take_while(|line| said_by_them(line).is_some());
    let mut heard: Vec<&str> = before.filter_map(|line| said_by_them(line)).collect();
    heard.reverse();
    heard.retain(|line| is_failure(line));
    match heard.is_empty() {
        true => Some(lines[own].trim().to_owned()),
        false => Some(heard.join("\n")),
    }
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
        .any(|line| said_by_us(line) || said_by_them(line).is_some())
}

fn said_by_us(line: &str) -> bool {
    let line = line.trim_start();
    [">>> ", ">>>", "Sent <<<", "=> "]
        .iter()
        .any(|mark| line.starts_with(mark))
}

fn said_by_them(line: &str) -> Option<&str> {
    let line = line.trim_start();
    ["<<< ", "Received >>>", "<= "]
        .iter()
        .find_map(|mark| line.strip_prefix(mark))
        .map(str::trim)
}

/// The reply right behind a command, which may have several lines.
fn replies<'x>(lines: &[&'x str]) -> Vec<&'x str> {
    lines.iter().map_while(|line| said_by_them(line)).collect()
}

/// `550 5.1.1 ...`: a line that starts with a reply code of failure.
fn is_reply(line: &str) -> bool {
    is_failure(line.trim_start())
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

    #[test]
    fn each_recipient_gets_its_own_reply() {
        let lines: Vec<&str> = DIALOGUE.lines().collect();
        let reply = |address: &str| reply_about(&lines, &address.parse().expect("an address"));
        assert_eq!(reply("k@a.example").as_deref(), Some("501 open relay"));
        assert_eq!(
            reply("m@a.example").as_deref(),
            Some("554 <m@a.example>... 550 Host unknown")
        );
        assert_eq!(
            reply("h@b.example").as_deref(),
            Some("550-no\n550 such user")
        );
        assert_eq!(reply("s@x.example").as_deref(), Some("501 open relay"));
        assert_eq!(named(&lines).len(), 3);
    }
}
