//! A reply that hands on another one: `550 5.1.0 Address rejected 550-'5.1.1 no such user'`. The innermost was said by
//! the server that refused; what stands around it is what others made of it.

use super::reply_codes;

/// The reply of the server that refused, where `text` hands it on in words of its own; else the whole text.
///
/// ```
/// use bouncedemails::smtp_reply::innermost;
/// assert_eq!(innermost("550 Mailbox unavailable. The server response was: 450 4.7.1 later"), "450 4.7.1 later");
/// assert_eq!(innermost("5.1.0 - Unknown address error 550-'5.1.1 no such user'"), "550-'5.1.1 no such user");
/// assert_eq!(innermost("550 5.1.1 no such user"), "550 5.1.1 no such user");
/// ```
pub fn innermost(text: &str) -> &str {
    let codes = reply_codes(text).map(|(at, _)| at);
    let is_quoted = |after: &str| after.trim_start_matches(['-', ' ']).starts_with('\'');
    let is_told = |at: &usize| is_introduced(&text[..*at]) || is_quoted(&text[at + 3..]);
    let last = codes
        .filter(|at| is_told(at) && says_something(&text[at + 3..]))
        .last();
    last.map_or(text, |at| without_frame(&text[at..]))
}

/// What mail systems write in front of the reply that they hand on.
const INTRODUCTIONS: &[&str] = &[
    "said:",
    "says:",
    "replied:",
    "answered:",
    "responded:",
    "responded with:",
    "responded with",
    "response was:",
    "response:",
    "server returned",
    "server returned:",
    "server reported:",
    "reply was:",
    "smtp;",
    "]:", // the address of the host, as Exim writes it
];

/// Whether words that hand on a reply end here, maybe with an opening quote or bracket.
fn is_introduced(before: &str) -> bool {
    let before = before.trim_end_matches([' ', '\'', '"', '<', '(', '[']);
    let before = before.as_bytes();
    INTRODUCTIONS.iter().any(|words| {
        let start = before.len().checked_sub(words.len());
        start.is_some_and(|start| before[start..].eq_ignore_ascii_case(words.as_bytes()))
    })
}

/// Whether a word follows on a code: a bare code says less than what stands around it.
fn says_something(after: &str) -> bool {
    after
        .split(|c: char| !c.is_alphanumeric())
        .take(20)
        .any(|word| word.chars().count() > 1 && word.chars().all(char::is_alphabetic))
}

/// What the mail system that hands on the reply puts behind it.
const REMARKS: &[&str] = &["(in reply to ", "(delivery attempts", "Giving up on "];

/// The reply without the remarks and the closing quote behind it.
fn without_frame(reply: &str) -> &str {
    let end = REMARKS
        .iter()
        .filter_map(|remark| reply.find(remark))
        .min()
        .unwrap_or(reply.len());
    let reply = reply[..end].trim_end();
    let quote = reply[3..].trim_start_matches(['-', ' ']).chars().next();
    match quote {
        Some('\'' | '"') => reply.trim_end_matches(['\'', '"']),
        _ if !reply.contains('<') => reply.trim_end_matches(['>', '\'', '"']),
        _ => reply,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smtp_reply::{reply_code, status};

    fn codes(text: &str) -> (Option<u16>, Option<String>) {
        let reply = innermost(text);
        (
            reply_code(reply),
            status(reply).map(|status| status.to_string()),
        )
    }

    #[test]
    fn the_innermost_reply_has_its_own_codes() {
        for (text, code, status) in [
            (
                "5.1.0 - Unknown address error 550-'5.7.1 <a@b.example>... Access denied' (delivery attempts: 0)",
                550,
                "5.7.1",
            ),
            (
                "550 5.1.1 gone. The server response was: 552 5.2.2 mailbox full",
                552,
                "5.2.2",
            ),
            (
                "550 5.5.0 Remote host said: 554 5.7.1 spam [BODY]",
                554,
                "5.7.1",
            ),
            (
                "Remote Server returned '550 5.4.1 Recipient address rejected: Access denied'",
                550,
                "5.4.1",
            ),
            (
                "<mx.b.example #5.0.0 smtp; 550 5.4.1 [a@b.example]: Access denied [X.b.example]>",
                550,
                "5.4.1",
            ),
            (
                "host mx.b.example[192.0.2.1] said: 550 5.1.1 no (in reply to RCPT TO command)",
                550,
                "5.1.1",
            ),
        ] {
            assert_eq!(codes(text), (Some(code), Some(status.to_owned())), "{text}");
        }
    }

    #[test]
    fn a_plain_reply_stays_whole() {
        for text in [
            "550 5.1.1 no such user (550)",
            "5.1.1 said: 550",
            "550 5.7.1 refused: 550 is the code for spam",
            "",
            "550-'",
            "said: 550 é",
        ] {
            assert_eq!(innermost(text), text);
        }
    }
}
