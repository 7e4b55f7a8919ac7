//! The lines that a mail system wrote, apart from the returned mail that it put below them.

use crate::report::phrases::PHRASES;
use memchr::memchr;

/// How many lines of free text are read: a report of a thousand recipients has a few thousand.
const MAX_LINES: usize = 50_000;

/// The words of a mail system, and what stands below them.
#[derive(Debug)]
pub(super) struct Text<'x> {
    /// What is said, line by line, without line ends; a quoted mail without its quote marks.
    pub(super) lines: Vec<&'x str>,
    /// The returned mail, from its first header line on.
    pub(super) returned: Option<&'x str>,
    /// Whether it was quoted.
    pub(super) is_quoted: bool,
}

impl<'x> Text<'x> {
    pub(super) fn read(text: &'x str) -> Text<'x> {
        let is_quoted = is_quoted(text);
        let mut lines = Vec::with_capacity(32);
        let mut at = 0;
        while at < text.len() && lines.len() < MAX_LINES {
            let end = memchr(b'\n', &text.as_bytes()[at..]).map_or(text.len(), |n| at + n);
            let mut line = text[at..end].trim_end();
            if is_quoted {
                line = line.strip_prefix('>').unwrap_or(line);
                line = line.strip_prefix(' ').unwrap_or(line);
            }
            let spoken = !lines.is_empty();
            // A fold of a reply may put such words first on a line: a line that goes on with the one above announces
            // nothing.
            let goes_on = is_plainly_indented(line)
                && lines
                    .last()
                    .is_some_and(|above: &&str| !above.trim().is_empty());
            if spoken && !goes_on && announces_returned(line) {
                return Text {
                    lines,
                    returned: text.get(end + 1..),
                    is_quoted,
                };
            }
            if starts_returned(line) {
                return Text {
                    lines,
                    returned: text.get(at..),
                    is_quoted,
                };
            }
            if spoken || !line.trim().is_empty() {
                lines.push(line);
            }
            at = end + 1;
        }
        Text {
            lines,
            returned: None,
            is_quoted,
        }
    }
}

/// Whether most of the text is quoted with `>`, as somebody forwards a bounce by hand.
fn is_quoted(text: &str) -> bool {
    let lines = || text.lines().take(60).filter(|line| !line.trim().is_empty());
    let quoted = lines().filter(|line| line.starts_with('>')).count();
    quoted > 3 && quoted * 2 > lines().count()
}

/// Whether a line is indented by blanks alone: `   ----- Original message` is a heading.
fn is_plainly_indented(line: &str) -> bool {
    line.starts_with([' ', '\t']) && line.trim_start().starts_with(char::is_alphanumeric)
}

/// Whether the returned mail comes next.
fn announces_returned(line: &str) -> bool {
    if line.len() > 120 {
        return false;
    }
    let phrase = line.trim_start_matches(|c: char| !c.is_alphanumeric());
    PHRASES.returned.start(phrase)
}

/// Whether the line is the first of the returned mail's header, with nothing to announce it, also where only that is
/// quoted.
fn starts_returned(line: &str) -> bool {
    let line = line.strip_prefix("> ").unwrap_or(line);
    starts_with(line, "received: ")
        || starts_with(line, "return-path: ")
        || starts_with(line, "x-envelope-from: ")
}

/// Whether `text` starts with `lower`, in any case of ASCII letters.
pub(super) fn starts_with(text: &str, lower: &str) -> bool {
    text.as_bytes()
        .get(..lower.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(lower.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_returned_mail_is_not_said() {
        let text = Text::read(
            "\nIt failed\r\n\n--- Below this line is a copy of the message.\n\nSubject: x\n",
        );
        assert_eq!(text.lines, ["It failed", ""]);
        assert_eq!(text.returned, Some("\nSubject: x\n"));
        let text = Text::read("It failed\nReceived: from a\n");
        assert_eq!(text.returned, Some("Received: from a\n"));
    }

    #[test]
    fn a_quoted_bounce_is_read_without_its_marks() {
        let text = Text::read("see:\n> a\n> b\n> c\n> d\n>\n> Original message follows.\n> x");
        assert_eq!(text.lines, ["see:", "a", "b", "c", "d", ""]);
    }
}
