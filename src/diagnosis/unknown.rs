//! What no rule knows, gathered by its shape: with every address, number and host masked, the same text of a thousand mails is one.
//! Each shape becomes a rule to copy: that is how the knowledge of a service grows.

use super::facts::Facts;
use super::normalise::Words;
use super::{Reason, Rules};
use crate::printable::Printable;
use crate::report::Recipient;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::ops::Range;

/// The most shapes that are kept: hostile mails can say something new every time. What comes later is only counted.
const MOST_SHAPES: usize = 10_000;

/// The least letters of a phrase that means something by itself.
const LEAST_LETTERS: usize = 8;

/// The most characters of a phrase in a prepared rule.
const LONGEST_PHRASE: usize = 80;

/// Texts that no rule knows the words of.
#[derive(Debug, Default)]
pub struct Unknown {
    shapes: HashMap<String, Shape>,
    beyond: u64,
}

/// Texts of one shape.
#[derive(Debug)]
struct Shape {
    times: u64,
    /// What was said of the first one, by its codes.
    reason: Reason,
    /// The first one.
    example: String,
    /// The longest words of it that stand together.
    phrase: String,
}

impl Unknown {
    /// Adds what was said of a recipient, `times` times, unless a rule knows its words.
    pub fn add(&mut self, recipient: &Recipient, times: u64, rules: &Rules) {
        let facts = Facts::of(recipient);
        let is_known = rules
            .decide(&facts)
            .is_some_and(|rule| !rule.goes_by_codes());
        if is_known || facts.is_silent() {
            return;
        }
        let shape = shape(&facts.words);
        if let Some(known) = self.shapes.get_mut(&shape) {
            known.times += times;
        } else if self.shapes.len() == MOST_SHAPES {
            self.beyond += times;
        } else {
            let new = Shape {
                times,
                reason: super::reason(&facts, rules).0,
                example: recipient
                    .diagnostic
                    .as_deref()
                    .unwrap_or_default()
                    .to_owned(),
                phrase: phrase(&facts.words).to_owned(),
            };
            self.shapes.insert(shape, new);
        }
    }

    /// A file of rules (`handler.rules`), the most frequent shape first. Each rule says what is said today: whoever copies it
    /// writes what the text means.
    pub fn to_rules(&self) -> String {
        let mut shapes: Vec<(&String, &Shape)> = self.shapes.iter().collect();
        shapes.sort_unstable_by(|(a, one), (b, other)| (other.times, a).cmp(&(one.times, b)));
        let mut file = String::new();
        for (text, shape) in shapes {
            let _ = writeln!(file, "# {} times: {}", shape.times, Printable(text));
            let _ = writeln!(file, "# as in: {}", Printable(&shape.example));
            if shape.phrase.chars().filter(|c| c.is_alphanumeric()).count() < LEAST_LETTERS {
                file.push_str("# Its words are too few for a rule.\n\n");
                continue;
            }
            let phrase = toml::Value::String(shape.phrase.clone());
            let _ = writeln!(
                file,
                "[[rule]]\nname = {phrase}\nreason = \"{}\"\nwords = [{phrase}]\n",
                shape.reason
            );
        }
        if self.beyond > 0 {
            let _ = writeln!(file, "# {} more texts, of other shapes", self.beyond);
        }
        file
    }
}

/// The words with a sign in the place of each host, and of each word that has a digit.
fn shape(words: &Words) -> String {
    let parts = parts(words);
    let parts: Vec<&str> = parts
        .iter()
        .map(|(place, is_masked)| {
            if *is_masked {
                "#"
            } else {
                &words.text[place.clone()]
            }
        })
        .collect();
    parts.join(" ")
}

/// The longest run of words that are not masked.
fn phrase(words: &Words) -> &str {
    let mut longest = 0..0;
    let mut run: Option<Range<usize>> = None;
    for (place, is_masked) in parts(words) {
        let word = &words.text[place.clone()];
        let fits = |start: usize| words.text[start..place.end].chars().count() <= LONGEST_PHRASE;
        run = match run {
            _ if is_masked || word.contains('@') => None,
            Some(run) if fits(run.start) => Some(run.start..place.end),
            _ if fits(place.start) => Some(place),
            _ => None,
        };
        longest = run
            .clone()
            .filter(|run| run.len() > longest.len())
            .unwrap_or(longest);
    }
    let is_edge = |c: char| !c.is_alphanumeric();
    words.text[longest].trim_matches(is_edge)
}

/// The words between blanks, and whether each is a host, a URL, a number or the like.
fn parts(words: &Words) -> Vec<(Range<usize>, bool)> {
    let start = words.text.as_ptr() as usize;
    let place = |word: &str| {
        let at = word.as_ptr() as usize - start;
        at..at + word.len()
    };
    let is_masked = |word: &str, place: &Range<usize>| {
        word.bytes().any(|b| b.is_ascii_digit()) || words.has_name_in(place)
    };
    let split = words
        .text
        .split_whitespace()
        .map(|word| (word, place(word)));
    split
        .map(|(word, place)| (place.clone(), is_masked(word, &place)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Recipient {
        Recipient {
            diagnostic: Some(text.into()),
            ..Recipient::new("anna@example.com".parse().unwrap(), "a test")
        }
    }

    #[test]
    fn one_shape_is_one_rule_and_the_rules_know_it() {
        let rules = Rules::builtin();
        let mut unknown = Unknown::default();
        for text in [
            "550 5.0.0 <anna@example.com>: the moon says \"no\" to mx1.example.org (id 4711)",
            "550 5.0.0 <anna@example.com>: the moon says \"no\" to mx2.example.net (id x99)",
            "550 User unknown",
            "550 nope",
        ] {
            unknown.add(&said(text), 1, &rules);
        }
        let file = unknown.to_rules();
        assert!(
            file.starts_with(
                "# 2 times: # # @: the moon says \"no\" to # (id #\n# as in: 550 5.0.0 <anna@"
            ),
            "{file}"
        );
        assert!(
            file.contains("reason = \"onhold\"\nwords = [\"the moon says \\\"no\\\" to\"]")
                || file.contains("words = ['the moon says \"no\" to']"),
            "{file}"
        );
        assert!(file.contains("too few"), "{file}");
        let taught = Rules::with_user_rules(&file).expect(&file);
        let mut unknown = Unknown::default();
        let again = "550 5.0.0 <anna@example.com>: the moon says \"no\" to mx3.example.net (id 1)";
        unknown.add(&said(again), 1, &taught);
        assert_eq!(unknown.to_rules(), "");
    }

    #[test]
    fn shapes_are_bounded_and_texts_are_harmless() {
        let rules = Rules::builtin();
        let mut unknown = Unknown::default();
        for number in 0..MOST_SHAPES + 5 {
            let word: String = number
                .to_string()
                .bytes()
                .map(|b| char::from(b - b'0' + b'a'))
                .collect();
            unknown.add(
                &said(&format!("550 quux \u{1b}[2J\n[[rule]] {word}")),
                1,
                &rules,
            );
        }
        let file = unknown.to_rules();
        assert!(file.ends_with("# 5 more texts, of other shapes\n") && !file.contains('\u{1b}'));
        assert!(Rules::with_user_rules(&file).is_ok());
    }
}
