//! The fixed wording of mail systems, as `phrases.toml` lists it, compiled once.
//!
//! Data without a meaning of its own: who asks decides what a phrase tells.

use aho_corasick::{AhoCorasick, Anchored, Input, MatchKind, StartKind};
use serde::Deserialize;
use std::sync::{LazyLock, OnceLock};

/// All phrases.
pub(super) static PHRASES: LazyLock<Phrases> =
    LazyLock::new(|| Phrases::read(include_str!("phrases.toml")));

#[derive(Debug)]
pub(super) struct Phrases {
    /// What mail systems write, and what each phrase tells.
    pub(super) systems: Words,
    pub(super) signs: Vec<(String, Sign)>,
    /// Starts of the lines that announce the returned mail.
    pub(super) returned: Words,
    /// Words on which a failed address follows.
    pub(super) announcing: Vec<String>,
    /// The last word in front of an address in a sentence.
    pub(super) before_address: Vec<String>,
    /// Words under which an address is asked for help.
    pub(super) helping: Words,
    /// Words on which the address follows that takes the place of the failed one.
    pub(super) moved: Words,
    /// Words behind an address that say that it failed.
    pub(super) failing: Words,
    /// Names of fields that say why.
    pub(super) reason: Vec<String>,
    /// Starts of lines that only say what to do.
    pub(super) courtesy: Words,
    /// In paragraphs that a gateway puts above or below what others wrote.
    pub(super) banner: Words,
    /// In `From`: mail systems.
    pub(super) daemon: Words,
    /// In `Subject`: bounces.
    pub(super) bounce: Words,
    /// In `Subject`: notices of success.
    pub(super) success: Words,
    /// In `Subject`: warnings of a mail that waits.
    pub(super) delay: Words,
    /// At the start of `Subject`: automatic replies.
    pub(super) answer: Words,
    /// At the end of `Subject`: automatic replies.
    pub(super) answer_end: Words,
    /// At the start of `Subject`: somebody answers.
    pub(super) reply: Words,
    /// At the start of `Subject`: somebody passes a mail on.
    pub(super) forward: Words,
    /// Starts of the local part of senders that read no answers: programs.
    pub(super) automaton: Words,
    /// In `Subject`: challenges.
    pub(super) challenge: Words,
}

/// What a phrase of a mail system tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    /// Only a bounce says this.
    Failed,
    /// Only the warning of a mail that waits says this.
    Delayed,
    /// Only a notice of success says this.
    Delivered,
    /// Names the mail system, but it may speak of something else than a failure.
    Named,
}

/// A set of phrases that is looked for at once, in any case of ASCII letters.
#[derive(Debug)]
pub(super) struct Words {
    list: Vec<String>,
    /// Compiled when it is first asked for: a program that reads one mail asks for few of them.
    automaton: OnceLock<AhoCorasick>,
}

impl Words {
    fn of(list: Vec<String>) -> Words {
        Words {
            list,
            automaton: OnceLock::new(),
        }
    }

    fn automaton(&self) -> &AhoCorasick {
        self.automaton.get_or_init(|| {
            AhoCorasick::builder()
                .ascii_case_insensitive(true)
                .match_kind(MatchKind::LeftmostLongest)
                .start_kind(StartKind::Both)
                .build(&self.list)
                .expect("the phrases are a part of the program, which a test reads")
        })
    }

    /// The first phrase that `text` contains.
    pub(super) fn find(&self, text: &str) -> Option<&str> {
        let found = self.automaton().find(text)?;
        Some(&self.list[found.pattern().as_usize()])
    }

    /// The numbers of all phrases in `text`.
    pub(super) fn all<'a>(&'a self, text: &'a str) -> impl Iterator<Item = usize> + 'a {
        self.automaton()
            .find_iter(text)
            .map(|found| found.pattern().as_usize())
    }

    /// The phrase with this number.
    pub(super) fn phrase(&self, number: usize) -> &str {
        &self.list[number]
    }

    /// Whether `text` ends with one of the phrases.
    pub(super) fn end(&self, text: &str) -> bool {
        self.list
            .iter()
            .any(|phrase| text.ends_with(phrase.as_str()))
    }

    /// Whether `text` starts with one of the phrases.
    pub(super) fn start(&self, text: &str) -> bool {
        self.automaton()
            .is_match(Input::new(text).anchored(Anchored::Yes))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    system: Vec<System>,
    text: Text,
    header: Header,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct System {
    name: String,
    #[serde(default)]
    named: Vec<String>,
    #[serde(default)]
    failed: Vec<String>,
    #[serde(default)]
    delayed: Vec<String>,
    #[serde(default)]
    delivered: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    returned: Vec<String>,
    announcing: Vec<String>,
    before_address: Vec<String>,
    helping: Vec<String>,
    moved: Vec<String>,
    failing: Vec<String>,
    reason: Vec<String>,
    courtesy: Vec<String>,
    banner: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    daemon: Vec<String>,
    bounce: Vec<String>,
    success: Vec<String>,
    delay: Vec<String>,
    answer: Vec<String>,
    answer_end: Vec<String>,
    reply: Vec<String>,
    forward: Vec<String>,
    automaton: Vec<String>,
    challenge: Vec<String>,
}

impl Phrases {
    fn read(toml: &str) -> Phrases {
        let file: File = toml::from_str(toml)
            .expect("phrases.toml is a part of the program, which a test reads");
        let mut list = Vec::new();
        let mut signs = Vec::new();
        for system in file.system {
            let told = [
                (Sign::Named, system.named),
                (Sign::Failed, system.failed),
                (Sign::Delayed, system.delayed),
                (Sign::Delivered, system.delivered),
            ];
            for (sign, phrases) in told {
                signs.extend(phrases.iter().map(|_| (system.name.clone(), sign)));
                list.extend(phrases);
            }
        }
        Phrases {
            systems: Words::of(list),
            signs,
            returned: Words::of(file.text.returned),
            announcing: file.text.announcing,
            before_address: file.text.before_address,
            helping: Words::of(file.text.helping),
            moved: Words::of(file.text.moved),
            failing: Words::of(file.text.failing),
            reason: file.text.reason,
            courtesy: Words::of(file.text.courtesy),
            banner: Words::of(file.text.banner),
            daemon: Words::of(file.header.daemon),
            bounce: Words::of(file.header.bounce),
            success: Words::of(file.header.success),
            delay: Words::of(file.header.delay),
            answer: Words::of(file.header.answer),
            answer_end: Words::of(file.header.answer_end),
            reply: Words::of(file.header.reply),
            forward: Words::of(file.header.forward),
            automaton: Words::of(file.header.automaton),
            challenge: Words::of(file.header.challenge),
        }
    }

    /// Compiles all of them, which takes a while.
    pub(super) fn prepare(&self) {
        for set in self.sets() {
            set.automaton();
        }
    }

    fn sets(&self) -> [&Words; 17] {
        [
            &self.systems,
            &self.returned,
            &self.helping,
            &self.moved,
            &self.failing,
            &self.courtesy,
            &self.banner,
            &self.daemon,
            &self.bounce,
            &self.success,
            &self.delay,
            &self.answer,
            &self.answer_end,
            &self.reply,
            &self.forward,
            &self.automaton,
            &self.challenge,
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_phrase_is_written_as_it_is_looked_for() {
        for set in PHRASES.sets() {
            for (at, phrase) in set.list.iter().enumerate() {
                let words: Vec<&str> = phrase.split_ascii_whitespace().collect();
                assert_eq!(*phrase, words.join(" "), "white space is folded");
                assert_eq!(*phrase, phrase.to_lowercase(), "phrases are in lower case");
                assert!(
                    !set.list[..at].contains(phrase),
                    "{phrase} stands there twice"
                );
            }
        }
    }
}
