//! Which lines of a text are words about a failure, and which are courtesy.

use super::text::starts_with;
use crate::report::words::MAX_DIAGNOSTIC;

/// Starts of lines after which a mail system only says what to do, or nothing. In lower case.
const COURTESIES: [&str; 16] = [
    "no action is required",
    "for further assistance",
    "if you do so, please include",
    "delete your own text",
    "please note that this is only a temporary",
    "please do not reply",
    "this message has been generated automatically",
    "рекомендуем вам проверить",
    "no further delivery attempts will be made",
    "for more information",
    "for email administrators",
    "system contact:",
    "additional information",
    "end of message",
    "bei rückfragen",
    "wir bitten um verständnis",
];

/// What stands behind a recipient: the rest of its line and the lines below, up to a courtesy.
pub(super) fn behind(inline: &str, lines: &[&str]) -> String {
    let mut words = inline
        .trim_start_matches([':', ' ', '.', '>', ']'])
        .to_owned();
    for line in lines.iter().copied().take_while(|line| !is_courtesy(line)) {
        add(&mut words, line);
        if words.len() > MAX_DIAGNOSTIC {
            break;
        }
    }
    words
}

/// All that a text says, without what every text says.
pub(super) fn of(lines: &[&str]) -> String {
    behind("", lines)
}

fn add(words: &mut String, line: &str) {
    if !line.bytes().any(|b| b.is_ascii_alphanumeric() || b >= 0x80) {
        return; // a ruler, or nothing
    }
    words.push('\n');
    words.push_str(line.trim());
}

fn is_courtesy(line: &str) -> bool {
    let line = line.trim_start_matches(|c: char| !c.is_alphanumeric());
    COURTESIES.iter().any(|words| starts_with(line, words))
}
