//! Hostile text, made fit for a line of a log or a terminal.

use std::fmt::{self, Write};

/// Shows a text from a mail, a platform or a peer in one line: control characters (and with them terminal escape sequences
/// and line breaks) and the invisible characters that change the direction of text are escaped as `\u{1b}`.
pub struct Printable<'a>(pub &'a str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut clean = 0;
        for (at, character) in self.0.char_indices().filter(|(_, c)| is_harmful(*c)) {
            f.write_str(&self.0[clean..at])?;
            write!(f, "{}", character.escape_unicode())?;
            clean = at + character.len_utf8();
        }
        f.write_str(&self.0[clean..])
    }
}

impl fmt::Debug for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        fmt::Display::fmt(self, f)?;
        f.write_char('"')
    }
}

/// Whether a terminal or a reader of logs could be misled by it.
pub(crate) fn is_harmful(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            // Line and paragraph separator; then what Unicode calls bidirectional controls (UAX #9).
            '\u{2028}' | '\u{2029}' | '\u{61c}' | '\u{200e}' | '\u{200f}'
            | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

#[cfg(test)]
mod tests {
    use super::Printable;

    #[test]
    fn a_terminal_gets_no_escape_sequence_and_a_log_no_second_line() {
        let hostile = "red \u{1b}[31m\r\nbouncedemails - Permanent: \u{202e}moc.live";
        assert_eq!(
            Printable(hostile).to_string(),
            r"red \u{1b}[31m\u{d}\u{a}bouncedemails - Permanent: \u{202e}moc.live"
        );
    }

    #[test]
    fn other_text_stays_as_it_is() {
        assert_eq!(
            Printable("Müller 日本 \\ \"").to_string(),
            "Müller 日本 \\ \""
        );
    }
}
