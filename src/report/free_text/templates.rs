//! Which mail system wrote a text, and whether it says "failed" or "not yet".

use crate::report::phrases::{PHRASES, Sign};

/// What the known phrases say of a text.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Signs {
    /// The mail system, where a phrase names one.
    pub(super) system: Option<&'static str>,
    /// The first phrase that only a bounce or a warning has.
    pub(super) phrase: Option<&'static str>,
    /// Whether one of these phrases is some mail system's own, so that nobody else writes it.
    pub(super) own: bool,
    /// Whether it only warns of a delay.
    pub(super) delayed: bool,
    /// Whether the text begins with such a phrase, as what a mail system writes does.
    pub(super) leads: bool,
    /// The phrase by which it is a notice of success, and nothing says otherwise.
    pub(super) delivered: Option<&'static str>,
}

/// Looks for the known phrases in the lines of a text, also where a phrase is broken over two lines.
pub(super) fn read(lines: &[&str]) -> Signs {
    let mut joined = String::with_capacity(1024);
    for word in lines.iter().flat_map(|line| line.split_ascii_whitespace()) {
        if joined.len() > MAX_BYTES {
            break;
        }
        joined.push_str(word);
        joined.push(' ');
    }
    let mut signs = Signs::default();
    let first = first_paragraph(lines);
    signs.leads = PHRASES
        .systems
        .find(&joined[..joined.len().min(first)])
        .is_some();
    let mut names = Names::default();
    for number in PHRASES.systems.all(&joined) {
        let (system, sign) = &PHRASES.signs[number];
        names.add(system, *sign);
        let phrase = Some(PHRASES.systems.phrase(number));
        match sign {
            Sign::Named => {}
            Sign::Delivered => signs.delivered = signs.delivered.or(phrase),
            Sign::Failed | Sign::Delayed => {
                signs.phrase = signs.phrase.or(phrase);
                signs.own |= !system.is_empty();
            }
        }
        signs.delayed |= *sign == Sign::Delayed;
    }
    signs.system = names.system();
    if signs.phrase.is_some() {
        signs.delivered = None;
    }
    signs
}

/// How long the first paragraph is, its words joined by single blanks.
fn first_paragraph(lines: &[&str]) -> usize {
    let begun = lines.iter().skip_while(|line| line.trim().is_empty());
    begun
        .take_while(|line| !line.trim().is_empty())
        .flat_map(|line| line.split_ascii_whitespace())
        .map(|word| word.len() + 1)
        .sum()
}

/// The mail systems that the phrases of a text belong to.
#[derive(Default)]
struct Names {
    /// The first that calls itself by its name.
    own: Option<&'static str>,
    /// The first whose words the text has.
    first: Option<&'static str>,
    /// Whether the text has words of another, too.
    several: bool,
}

impl Names {
    fn add(&mut self, system: &'static str, sign: Sign) {
        if system.is_empty() {
            return;
        }
        if sign == Sign::Named {
            self.own = self.own.or(Some(system));
        }
        self.several |= self.first.is_some_and(|first| first != system);
        self.first = self.first.or(Some(system));
    }

    /// The system that wrote the text: the one that names itself, else the only one whose words it has.
    fn system(&self) -> Option<&'static str> {
        self.own.or(self.first.filter(|_| !self.several))
    }
}

/// A template shows itself early.
const MAX_BYTES: usize = 8 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phrase_over_two_lines_is_found() {
        let signs = read(&["Hi. This is the qmail-send", "  program at mx.example.com."]);
        assert_eq!(
            (signs.system, signs.own, signs.delayed),
            (Some("qmail"), true, false)
        );
    }

    #[test]
    fn the_system_is_the_one_that_wrote_the_text() {
        let system = |text| read(&[text]).system;
        // Exchange's words in a text of Exim's.
        let relayed = "This message was created automatically by mail delivery software. Delivery has failed to these recipients";
        assert_eq!(system(relayed), Some("Exim"));
        let mixed =
            "Delivery has failed to these recipients. Technical details of permanent failure";
        assert_eq!(system(mixed), None);
        assert_eq!(
            system("Delivery has failed to these recipients"),
            Some("Exchange")
        );
    }

    #[test]
    fn a_mail_system_begins_with_its_own_words() {
        assert!(
            read(&[
                "",
                "Hi. This is the qmail-send",
                "program at mx.example.com.",
                "",
                "Bye"
            ])
            .leads
        );
        assert!(
            !read(&[
                "Look at this:",
                "",
                "Hi. This is the qmail-send program at mx"
            ])
            .leads
        );
    }

    #[test]
    fn a_warning_is_a_delay() {
        assert!(read(&["Delivery to the following recipient has been delayed:"]).delayed);
        assert_eq!(read(&["Dear friend, how are you?"]), Signs::default());
    }
}
