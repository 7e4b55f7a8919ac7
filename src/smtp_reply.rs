//! Finds reply code, enhanced status and refused command in the words that a mail system wrote down of an SMTP
//! dialogue.
//!
//! Pure functions over one text each; nothing here knows what a code means. All of them read the text once or twice and
//! allocate nothing but the result, so that their cost is linear in a length that the caller bounds.

mod nested;
mod refused_command;
mod types;

pub use nested::innermost;
pub(crate) use refused_command::prepare;
pub use refused_command::{command, spoken_command};
pub use types::{Command, Status};

/// The SMTP reply code (RFC 5321 section 4.2), 400 to 599, or `None`.
///
/// A number counts as a reply code only where one is expected: at the start, after punctuation, or after a word that
/// announces it (`said`, `error`). So parts of addresses, dates, sizes and ports do not. Of a reply that hands on
/// another one, the [`innermost`] counts.
///
/// ```
/// use bouncedemails::smtp_reply::reply_code;
/// assert_eq!(reply_code("smtp; 550-5.1.1 no such user"), Some(550));
/// assert_eq!(reply_code("host mx.example.com[192.0.2.5] said: 452 try later"), Some(452));
/// assert_eq!(reply_code("larger than 500 MB, see rfc2822 section 550"), None);
/// ```
pub fn reply_code(text: &str) -> Option<u16> {
    reply_codes(innermost(text)).next().map(|(_, code)| code)
}

/// The enhanced status code (RFC 3463) of class 4 or 5, or `None`.
///
/// Of a reply that hands on another one, the [`innermost`] counts, if it has any. The first that says something wins
/// over an earlier
/// `5.0.0` or `4.0.0`. IP addresses, versions and dates are no codes.
///
/// ```
/// use bouncedemails::smtp_reply::status;
/// assert_eq!(status("Sorry, no mailbox here by that name. (#5.1.1)").unwrap().to_string(), "5.1.1");
/// assert_eq!(status("connection to 5.1.1.7 refused on 4.11.2026"), None);
/// ```
pub fn status(text: &str) -> Option<Status> {
    let mut vague = None;
    for found in statuses(innermost(text)).chain(statuses(text)) {
        if found.is_telling() {
            return Some(found);
        }
        vague = vague.or(Some(found));
    }
    vague
}

/// The one precedence of codes: of what the remote said in its reply and what the report's Status field says, the
/// status that says most. The reply is better evidence than what the reporter made of it, and `5.0.0` says nothing.
///
/// ```
/// use bouncedemails::smtp_reply::prevailing;
/// let status = |text: &str| text.parse().ok();
/// assert_eq!(prevailing(status("5.1.1"), status("5.7.1")), status("5.1.1"));
/// assert_eq!(prevailing(status("5.0.0"), status("5.7.1")), status("5.7.1"));
/// ```
pub fn prevailing(said: Option<Status>, field: Option<Status>) -> Option<Status> {
    said.filter(Status::is_telling)
        .or(field.filter(Status::is_telling))
        .or(said)
        .or(field)
}

/// Makes one line of a reply: white space and control characters are folded to single blanks, and the code that is
/// repeated in front of each line of a multi-line reply (RFC 5321 section 4.2.1) stands only once, at the start.
///
/// ```
/// use bouncedemails::smtp_reply::one_line;
/// assert_eq!(one_line("550-5.1.1 The email\n550 5.1.1 account is gone"), "550 5.1.1 The email account is gone");
/// ```
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()) {
        if word.is_empty() {
            continue;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    match repeated_prefix(&line) {
        Some(prefix) => without_repeats(&line, &prefix),
        None => line,
    }
}

/// What stands in front of every line of a multi-line reply.
struct Prefix {
    /// Where the first line's code starts.
    at: usize,
    /// `550`
    code: String,
    /// `5.1.1`, or empty.
    status: String,
}

/// The prefix of the first multi-line reply in `line`: one whose code is followed by a hyphen.
fn repeated_prefix(line: &str) -> Option<Prefix> {
    let (at, _) = reply_codes(line).find(|(at, _)| line[at + 3..].starts_with('-'))?;
    let status = line[at + 4..].split(' ').next().unwrap_or_default();
    Some(Prefix {
        at,
        code: line[at..at + 3].to_owned(),
        status: match status.parse::<Status>() {
            Ok(_) => status.to_owned(),
            Err(()) => String::new(),
        },
    })
}

/// Drops the prefix of every line but the first; the line whose code is followed by a blank is the reply's last.
fn without_repeats(line: &str, prefix: &Prefix) -> String {
    let mut joined = String::with_capacity(line.len());
    joined.push_str(&line[..prefix.at + 3]);
    let mut rest = &line[prefix.at + 4..];
    if !rest.starts_with(' ') {
        joined.push(' ');
    }
    let mut last = false;
    while let Some(blank) = rest.find(' ') {
        joined.push_str(&rest[..blank]);
        rest = &rest[blank + 1..];
        while !last
            && let Some(after) = rest.strip_prefix(&prefix.code)
            && let Some(after) = after.strip_prefix(['-', ' '])
        {
            last = rest.as_bytes()[3] == b' ';
            rest = match after.strip_prefix(&prefix.status) {
                Some(text) if text.is_empty() || text.starts_with(' ') => text.trim_start(),
                _ => after.trim_start(),
            };
        }
        if !joined.ends_with(' ') {
            joined.push(' ');
        }
    }
    joined.push_str(rest);
    joined.truncate(joined.trim_end().len());
    joined
}

/// Every reply code in the text with its byte position.
fn reply_codes(text: &str) -> impl Iterator<Item = (usize, u16)> + '_ {
    let bytes = text.as_bytes();
    (0..bytes.len().saturating_sub(2)).filter_map(move |at| {
        let digits = &bytes[at..at + 3];
        let is_code = matches!(digits[0], b'4' | b'5')
            && digits[1].is_ascii_digit()
            && digits[2].is_ascii_digit()
            && announces_code(&text.as_bytes()[..at])
            && ends_code(&bytes[at + 3..]);
        is_code.then(|| {
            let code = digits
                .iter()
                .fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0'));
            (at, code)
        })
    })
}

/// Whether a reply code may follow on `before`.
fn announces_code(before: &[u8]) -> bool {
    let trimmed = before.trim_ascii_end();
    match trimmed.last() {
        None => true,
        // Stuck to a letter or digit, a point or a hyphen, it is part of something longer.
        Some(last) if trimmed.len() == before.len() => b":;<>(\"'[=|#".contains(last),
        Some(last) if last.is_ascii_alphabetic() => {
            let start = trimmed
                .iter()
                .rposition(|b| !b.is_ascii_alphabetic())
                .map_or(0, |at| at + 1);
            ANNOUNCING
                .iter()
                .any(|word| trimmed[start..].eq_ignore_ascii_case(word.as_bytes()))
        }
        Some(last) => {
            b":;<>(\"'[=|,.])".contains(last) || before.ends_with(b"\n") || before.ends_with(b"- ")
        }
    }
}

/// Words after which mail systems write a reply code.
const ANNOUNCING: &[&str] = &[
    "said", "says", "error", "code", "smtp", "esmtp", "reply", "response", "returned", "with",
    "status", "result", "message", "was", "reason", "dsn", "answered", "fehler", "got",
];

/// Whether a reply code may end before `after`: at the end, before its text, or before an enhanced code.
fn ends_code(after: &[u8]) -> bool {
    match after {
        [] => true,
        [b'-' | b'_', next, ..] => !next.is_ascii_digit() || is_status(&after[1..]),
        [b'.' | b',' | b':', rest @ ..] => !rest.first().is_some_and(u8::is_ascii_digit),
        [b')' | b']' | b'"' | b'\'' | b'>' | b'<' | b';' | b'#', ..] => true,
        [blank, rest @ ..] if blank.is_ascii_whitespace() => !starts_with_unit(rest),
        _ => false,
    }
}

/// `bytes`, `MB`, `seconds`: the number before was a quantity.
fn starts_with_unit(after: &[u8]) -> bool {
    let end = after
        .iter()
        .position(|b| !b.is_ascii_alphabetic())
        .unwrap_or(after.len());
    [
        "bytes",
        "byte",
        "k",
        "kb",
        "mb",
        "gb",
        "kib",
        "mib",
        "octets",
        "seconds",
        "minutes",
        "hours",
        "days",
        "recipients",
    ]
    .iter()
    .any(|unit| after[..end].eq_ignore_ascii_case(unit.as_bytes()))
}

/// Whether the bytes start with an enhanced status code.
fn is_status(bytes: &[u8]) -> bool {
    statuses(std::str::from_utf8(&bytes[..bytes.len().min(12)]).unwrap_or_default())
        .next()
        .is_some()
}

/// Every enhanced status code in the text.
fn statuses(text: &str) -> impl Iterator<Item = Status> + '_ {
    let bytes = text.as_bytes();
    (0..bytes.len().saturating_sub(4)).filter_map(move |at| {
        let starts = matches!(bytes[at], b'4' | b'5')
            && bytes[at + 1] == b'.'
            && begins_status(&bytes[..at]);
        if !starts {
            return None;
        }
        let rest = &bytes[at..];
        let len = rest
            .iter()
            .position(|b| !b.is_ascii_digit() && *b != b'.')
            .unwrap_or(rest.len());
        // A full stop that ends the sentence is not part of it.
        let token = text.get(at..at + len)?.trim_end_matches('.');
        let stuck = rest
            .get(len)
            .is_some_and(|b| b.is_ascii_alphabetic() || matches!(b, b'@' | b'/'));
        token
            .parse::<Status>()
            .ok()
            .filter(|found| !stuck && found.subject <= 7)
    })
}

/// Whether an enhanced status code may follow on `before`.
fn begins_status(before: &[u8]) -> bool {
    let Some(last) = before.last() else {
        return true;
    };
    if last.is_ascii_alphanumeric() || matches!(last, b'.' | b'@' | b'/') || !last.is_ascii() {
        return false;
    }
    // `550-5.1.1` is one, `mail-5.1.1.example.com` is none.
    if *last == b'-' {
        return before
            .iter()
            .rev()
            .skip(1)
            .take_while(|b| b.is_ascii_digit())
            .count()
            == 3;
    }
    let before = before.trim_ascii_end();
    let start = before
        .iter()
        .rposition(|b| !b.is_ascii_alphabetic())
        .map_or(0, |at| at + 1);
    ![
        "version", "v", "exim", "sendmail", "postfix", "release", "build",
    ]
    .iter()
    .any(|word| before[start..].eq_ignore_ascii_case(word.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> (Option<u16>, Option<String>) {
        (
            reply_code(text),
            status(text).map(|status| status.to_string()),
        )
    }

    fn both(code: u16, status: &str) -> (Option<u16>, Option<String>) {
        (Some(code), Some(status.to_owned()))
    }

    #[test]
    fn codes_as_mail_systems_write_them() {
        assert_eq!(
            found("550 5.1.1 <a@example.com>: Recipient address rejected"),
            both(550, "5.1.1")
        );
        assert_eq!(found("smtp;550-5.1.1 gone"), both(550, "5.1.1"));
        assert_eq!(
            found("smtp; 554 delivery error: dd This user doesn't have an account (#5.1.1)"),
            both(554, "5.1.1")
        );
        assert_eq!(found("#5.1.1 SMTP; 550 unknown"), both(550, "5.1.1"));
        assert_eq!(
            found("The error was: 550 550 5.2.1 disabled (state 14)"),
            both(550, "5.2.1")
        );
        assert_eq!(
            found("#< #5.2.2 smtp;452 4.2.2 Mailbox full> #SMTP#"),
            both(452, "4.2.2")
        );
        assert_eq!(
            found("host mx.example.com [192.0.2.1]: 421-4.7.0 slow down"),
            both(421, "4.7.0")
        );
        assert_eq!(found("<<< 553 sorry"), (Some(553), None));
        assert_eq!(found("Remote host said: 550 no"), (Some(550), None));
        assert_eq!(found("550"), (Some(550), None));
    }

    #[test]
    fn what_only_looks_like_a_code() {
        for text in [
            "connect to 192.0.2.5:25",
            "at 4.1.1.2",
            "(5.1.1.7)",
            "on 4.11.2026",
            "5.12.26 at noon",
            "Exim 4.2.1",
            "sent 2026-11-04 550",
            "size of 552 bytes",
            "limit: 500 MB",
            "a5.1.1",
            "mx-5.1.1.example.com",
            "user450@example.com",
            "555-1234",
            "id 1550",
            "",
            "5.1",
            "5.",
            "5..1",
            "55",
        ] {
            assert_eq!(found(text), (None, None), "{text}");
        }
    }

    #[test]
    fn a_status_that_says_something_wins() {
        assert_eq!(
            found("5.0.0 refused: 550 5.7.1 no relay"),
            both(550, "5.7.1")
        );
        assert_eq!(found("550 5.0.0 refused"), both(550, "5.0.0"));
    }

    #[test]
    fn one_line_of_many() {
        assert_eq!(
            one_line("550-5.7.26 a\r\n 550-5.7.26 b\n550 5.7.26 c 550 d"),
            "550 5.7.26 a b c 550 d"
        );
        assert_eq!(
            one_line("host said: 554-no\n554-\n554 way"),
            "host said: 554 no way"
        );
        assert_eq!(one_line("  550  two \t blanks\0 "), "550 two blanks");
        assert_eq!(one_line("550-a 550"), "550 a 550");
        assert_eq!(one_line(""), "");
    }

    #[test]
    fn any_bytes_are_survived() {
        for text in [
            "é550 ü5.1.1ö",
            "550-é",
            "5.1.1é",
            "to é",
            "550-5.1.1",
            "４５０",
            "550 \u{2003}550-",
        ] {
            let _ = (found(text), one_line(text), command(text));
        }
    }
}
