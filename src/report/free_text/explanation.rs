//! Which lines of a text are words about a failure, and which are courtesy.

use crate::report::diagnostic::MAX_DIAGNOSTIC;
use crate::report::phrases::PHRASES;

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
    PHRASES.courtesy.start(line)
}
