//! One rule: what it asks of a failure, and what it says where all of that holds.
//!
//! Knows nothing of other rules: which of them decides is the business of [`super::rules`].

use super::codes::{CodePattern, StatusPattern};
use super::concepts::{Found, Set};
use super::facts::Facts;
use super::normalise::Words;
use super::reason::{BounceType, Fault, Reason};
use crate::address::is_or_below;
use crate::smtp_reply::Command;
use regex::Regex;

/// Why a user's rule file can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct RuleError {
    /// The line in the file, counted from 1.
    pub line: usize,
    /// What is wrong with it, and what to write instead where that is known.
    pub message: String,
}

/// One rule. An empty list is a condition that always holds.
#[derive(Debug)]
pub(super) struct Rule {
    /// Stands in the evidence.
    pub name: String,
    /// What it says when all conditions hold.
    pub reason: Reason,
    /// One of these phrases is in the words,
    pub words: Vec<String>,
    /// and one of these too,
    pub and: Vec<String>,
    /// and none of these,
    pub not: Vec<String>,
    /// and one sentence has all of these concepts near each other,
    pub near: Vec<usize>,
    /// and none of these,
    pub without: Set,
    /// and this matches the words,
    pub pattern: Option<Regex>,
    /// and one of these domains is that of the remote MTA, the reporting MTA or the recipient,
    pub receivers: Vec<String>,
    /// and the enhanced status is one of these,
    pub statuses: Vec<StatusPattern>,
    /// and the reply code is one of these,
    pub codes: Vec<CodePattern>,
    /// and the refused command is one of these.
    pub commands: Vec<Command>,
    /// A diagnostic that this rule decides.
    pub example: Option<String>,
    /// Where it stands in its file.
    pub line: usize,
}

impl Rule {
    /// Whether it asks for no words, only for codes.
    pub fn goes_by_codes(&self) -> bool {
        self.words.is_empty() && self.near.is_empty() && self.pattern.is_none()
    }

    /// Whether it blames the recipient, for good or for now.
    pub fn blames_recipient(&self) -> bool {
        self.reason.fault() == Fault::Recipient
    }

    /// Whether what it says is for good.
    pub fn is_hard(&self) -> bool {
        self.reason.bounce_type() == BounceType::Hard
    }

    /// Whether all conditions but `words`, `and` and `not` hold.
    pub fn holds(&self, words: &Words, concepts: &Found, facts: &Facts) -> bool {
        let any = |empty: bool, one: bool| empty || one;
        any(
            self.statuses.is_empty(),
            facts
                .status
                .is_some_and(|s| self.statuses.iter().any(|p| p.matches(s))),
        ) && any(
            self.codes.is_empty(),
            facts
                .code
                .is_some_and(|c| self.codes.iter().any(|p| p.matches(c))),
        ) && any(
            self.commands.is_empty(),
            facts.command.is_some_and(|c| self.commands.contains(&c)),
        ) && any(
            self.receivers.is_empty(),
            facts
                .hosts
                .iter()
                .any(|host| self.receivers.iter().any(|d| is_or_below(host, d))),
        ) && self
            .pattern
            .as_ref()
            .is_none_or(|pattern| pattern.is_match(&words.text))
            && (self.near.is_empty() || concepts.has(&self.near, self.without))
    }
}
