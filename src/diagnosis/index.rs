//! The phrases of all rules and concepts as one Aho-Corasick automaton: one walk over the words finds every one that stands in them.

use super::concepts::Concept;
use super::normalise::{self, Words};
use super::rule::Rule;
use aho_corasick::{AhoCorasick, BuildError, MatchKind};
use std::collections::HashMap;

/// Every phrase once.
#[derive(Debug)]
pub(super) struct Index {
    automaton: AhoCorasick,
    /// What each phrase of the automaton is for.
    phrases: Vec<Phrase>,
}

/// A phrase that stands in a text.
pub(super) struct Hit<'a> {
    phrase: &'a Phrase,
    /// Where it stands.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
    /// Whether it says something: within a host name or a URL most phrases don't.
    pub decides: bool,
}

/// What a phrase is for.
#[derive(Debug, Default)]
struct Phrase {
    /// Whether it counts within host names and URLs.
    is_of_name: bool,
    /// The rules that have it.
    rules: Vec<(usize, Role)>,
    /// The concepts that have it, and whether as the stem of a word.
    concepts: Vec<(usize, bool)>,
}

/// How a rule uses a phrase.
#[derive(Debug, Clone, Copy)]
pub(super) enum Role {
    Words,
    And,
    Not,
}

impl Index {
    /// The phrases of these concepts and rules, which are known by their places in the lists.
    pub fn of(concepts: &[Concept], rules: &[Rule]) -> Result<Index, BuildError> {
        let mut table = Table::default();
        for (number, rule) in rules.iter().enumerate() {
            let roles = [
                (&rule.words, Role::Words),
                (&rule.and, Role::And),
                (&rule.not, Role::Not),
            ];
            for (phrases, role) in roles {
                for phrase in phrases {
                    table.entry(phrase).rules.push((number, role));
                }
            }
        }
        for (number, concept) in concepts.iter().enumerate() {
            for word in &concept.words {
                let phrase = table.entry(&word.phrase);
                phrase.concepts.push((number, word.is_stem));
            }
        }
        let mut texts = vec![""; table.phrases.len()];
        for (text, number) in &table.numbers {
            texts[*number] = text;
        }
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .build(&texts)?;
        Ok(Index {
            automaton,
            phrases: table.phrases,
        })
    }

    /// Every phrase that starts where a word does.
    pub fn find<'a>(&'a self, words: &'a Words) -> impl Iterator<Item = Hit<'a>> {
        let text = words.text.as_bytes();
        let found = self.automaton.find_overlapping_iter(text);
        let found = found.filter(move |found| starts_word(text, found.start()));
        found.map(move |found| {
            let (start, end) = (found.start(), found.end());
            let phrase = &self.phrases[found.pattern().as_usize()];
            Hit {
                phrase,
                start,
                end,
                decides: phrase.is_of_name || !words.is_within_name(start, end),
            }
        })
    }
}

impl Hit<'_> {
    /// The rules that have it.
    pub fn rules(&self) -> &[(usize, Role)] {
        &self.phrase.rules
    }

    /// The concepts that have it, as a whole word or as the stem of one.
    pub fn concepts<'a>(&'a self, words: &'a Words) -> impl Iterator<Item = usize> + 'a {
        let ends = ends_word(words.text.as_bytes(), self.end);
        let concepts = self.phrase.concepts.iter();
        let meant = concepts.filter(move |(_, is_stem)| *is_stem || ends);
        meant
            .filter(|_| !words.is_stranger(self.start))
            .map(|(concept, _)| *concept)
    }
}

/// The phrases of all rules and concepts, each once.
#[derive(Default)]
struct Table {
    numbers: HashMap<String, usize>,
    phrases: Vec<Phrase>,
}

impl Table {
    fn entry(&mut self, text: &str) -> &mut Phrase {
        let number = match self.numbers.get(text) {
            Some(number) => *number,
            None => {
                self.numbers.insert(text.to_owned(), self.phrases.len());
                self.phrases.push(Phrase {
                    is_of_name: normalise::is_of_name(text),
                    ..Phrase::default()
                });
                self.phrases.len() - 1
            }
        };
        &mut self.phrases[number]
    }
}

/// Whether the word before `at` ends there. A code may stick to it, where lines were joined: `user unknown550 5.1.1`.
fn ends_word(text: &[u8], at: usize) -> bool {
    let is_joined = || text[at].is_ascii_digit() && text[at - 1].is_ascii_alphabetic();
    at == text.len() || starts_word(text, at) || is_joined()
}

/// A phrase matches only from the start of a word: `full` is not in `helpful`.
fn starts_word(text: &[u8], at: usize) -> bool {
    at == 0 || !text[at].is_ascii_alphanumeric() || !text[at - 1].is_ascii_alphanumeric()
}
