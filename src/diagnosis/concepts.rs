//! Concepts: what many words mean, and where they stand beside each other in a text.
//!
//! `mailbox`, `Postfach` and `casilla` are one concept, `does not exist` and `unbekannt` another; a rule asks for both of
//! them in one sentence, in either order. What the concepts are is data (`rules/concepts.toml`); this finds their places.

use super::normalise::Words;

/// A set of concepts, one bit each.
pub(super) type Set = u64;

/// The most concepts that there may be: as many as a [`Set`] has bits.
pub(super) const MOST: usize = Set::BITS as usize;

/// The most concepts that one rule may ask for.
pub(super) const MOST_NEAR: usize = 4;

/// The most words between two concepts that still belong together.
const NEAR: usize = 6;

/// The words of a concept.
#[derive(Debug)]
pub(super) struct Concept {
    /// What rules call it by.
    pub name: String,
    /// Its words and phrases.
    pub words: Vec<Word>,
}

/// One word or phrase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    /// As normalised texts have it.
    pub phrase: String,
    /// Whether it may go on: `disabl*` is in `disabled`, `user` is not in `users`.
    pub is_stem: bool,
}

/// Where a concept was found.
#[derive(Debug, Clone, Copy)]
struct Hit {
    concept: usize,
    start: usize,
    end: usize,
    /// How many words stand in front of it in the text.
    words_before: usize,
}

/// The concepts in one text, by sentences.
#[derive(Debug, Default)]
pub(super) struct Found {
    hits: Vec<Hit>,
    /// The hits of each sentence that has any, and the concepts among them.
    sentences: Vec<(std::ops::Range<usize>, Set)>,
}

impl Found {
    /// Notes that a concept stands in the text.
    pub fn note(&mut self, concept: usize, start: usize, end: usize) {
        let hit = Hit {
            concept,
            start,
            end,
            words_before: 0,
        };
        self.hits.push(hit);
    }

    /// To be called when all are noted: sorts them into sentences.
    pub fn settle(&mut self, words: &Words) {
        self.hits.sort_unstable_by_key(|hit| (hit.start, hit.end));
        let text = words.text.as_bytes();
        let (mut read, mut words_before) = (0, 0);
        for index in 0..self.hits.len() {
            let hit = &mut self.hits[index];
            let mut is_new = index == 0;
            let between = &text[read..hit.start];
            words_before += memchr::memchr_iter(b' ', between).count();
            is_new |= (read..hit.start).any(|at| ends_sentence(words, at));
            read = hit.start;
            hit.words_before = words_before;
            let bit = 1 << hit.concept;
            match self.sentences.last_mut() {
                Some((hits, concepts)) if !is_new => {
                    hits.end = index + 1;
                    *concepts |= bit;
                }
                _ => self.sentences.push((index..index + 1, bit)),
            }
        }
    }

    /// Whether one sentence has all of the concepts `near` each other, in any order, and none of `without`.
    pub fn has(&self, near: &[usize], without: Set) -> bool {
        let wanted = near.iter().fold(0, |set, concept| set | 1 << concept);
        self.sentences.iter().any(|(hits, concepts)| {
            concepts & wanted == wanted
                && concepts & without == 0
                && are_near(&self.hits[hits.clone()], near)
        })
    }
}

/// Whether each of the concepts has a place in the sentence with no more than [`NEAR`] words to the one before it. One walk:
/// of each concept the last place is remembered.
fn are_near(hits: &[Hit], near: &[usize]) -> bool {
    let mut last: [Option<&Hit>; MOST_NEAR] = [None; MOST_NEAR];
    hits.iter().any(|hit| {
        let Some(own) = near.iter().position(|concept| *concept == hit.concept) else {
            return false;
        };
        let all = near.iter().enumerate().all(|(other, _)| {
            other == own
                || last
                    .get(other)
                    .copied()
                    .flatten()
                    .is_some_and(|before: &Hit| {
                        before.end <= hit.start && hit.words_before - before.words_before <= NEAR
                    })
        });
        if let Some(place) = last.get_mut(own) {
            *place = Some(hit);
        }
        all
    })
}

/// Whether a sentence ends with the character at `at`: `User unknown. Your IP` does, `<a@b>... unknown`, `destin. unknown`
/// and `mx.example` don't.
fn ends_sentence(words: &Words, at: usize) -> bool {
    let text = words.text.as_bytes();
    let is_last = text.get(at + 1).is_none_or(|next| *next == b' ');
    match text[at] {
        b';' | b'!' | b'?' => is_last,
        b'.' => {
            let before = &text[..at];
            let stem = before
                .iter()
                .rev()
                .take_while(|b| b.is_ascii_alphabetic())
                .count();
            let word = &before[before.len() - stem..];
            let is_short = [&b"destin"[..], b"addr", b"max", b"nr", b"tel"].contains(&word);
            is_last && !is_short && before.last() != Some(&b'.')
        }
        // The ideographic full stop.
        0xe3 => words.text[at..].starts_with('。'),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The places of single letters as concepts: `a` is 0, `b` is 1.
    fn found(text: &str) -> Found {
        let words = Words::of(text, &[]);
        let mut found = Found::default();
        for (at, letter) in words.text.match_indices(['a', 'b', 'c']) {
            found.note(usize::from(letter.as_bytes()[0] - b'a'), at, at + 1);
        }
        found.settle(&words);
        found
    }

    #[test]
    fn concepts_are_near_in_one_sentence_in_any_order() {
        let is = |text: &str| found(text).has(&[0, 1], 1 << 2);
        assert!(
            is("a b")
                && is("b x y a")
                && is("x. a b")
                && is("a - b")
                && is("a... b")
                && is("a b. c")
        );
        assert!(
            !is("a")
                && !is("a. b")
                && !is("a; b")
                && !is("a 1 2 3 4 5 6 7 b")
                && !is("a b c")
                && !is("")
        );
        assert!(is("a 1 2 3 4 5 6 7 b a"));
    }
}
