//! The form of a rule file (TOML) → checked concepts and rules, or the line that is wrong and why.
//!
//! Reads text only; that the rules are fast and in order is the business of [`super::rules`].

use super::concepts::{self, Concept, Set, Word};
use super::rule::{Rule, RuleError};
use super::{Reason, normalise};
use crate::smtp_reply::Command;
use regex::{Regex, RegexBuilder};
use serde::Deserialize;
use std::ops::Range;
use toml::Spanned;

/// The most memory that one compiled pattern may take, in bytes.
const MAX_PATTERN: usize = 1 << 20;

/// The whole file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleFile {
    #[serde(default)]
    concept: Vec<ConceptEntry>,
    #[serde(default)]
    rule: Vec<Spanned<Entry>>,
}

/// One `[[concept]]`, as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConceptEntry {
    name: Spanned<String>,
    words: Vec<Spanned<String>>,
}

/// One `[[rule]]`, as it is written. The head of `rules/receivers.toml` explains the keys.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Entry {
    name: Spanned<String>,
    reason: Spanned<String>,
    #[serde(default)]
    words: Vec<Spanned<String>>,
    words_of: Option<Spanned<String>>,
    #[serde(default)]
    and: Vec<Spanned<String>>,
    #[serde(default)]
    not: Vec<Spanned<String>>,
    #[serde(default)]
    near: Vec<Spanned<String>>,
    #[serde(default)]
    without: Vec<Spanned<String>>,
    pattern: Option<Spanned<String>>,
    #[serde(default)]
    receiver: Vec<Spanned<String>>,
    #[serde(default)]
    status: Vec<Spanned<String>>,
    #[serde(default)]
    code: Vec<Spanned<String>>,
    #[serde(default)]
    command: Vec<Spanned<String>>,
    example: Option<String>,
}

/// Reads a rule file. Its concepts join `concepts`, which its rules may name: one of a name that is there adds its words.
///
/// # Errors
/// Names the first line that is wrong.
pub(super) fn read(toml_text: &str, concepts: &mut Vec<Concept>) -> Result<Vec<Rule>, RuleError> {
    let line_ends: Vec<usize> = memchr::memchr_iter(b'\n', toml_text.as_bytes()).collect();
    let line_of = |span: Range<usize>| 1 + line_ends.partition_point(|end| *end < span.start);
    let file: RuleFile = toml::from_str(toml_text).map_err(|error| RuleError {
        line: line_of(error.span().unwrap_or(0..0)),
        message: error.message().replace('\n', ", "),
    })?;
    for entry in file.concept {
        add_concept(entry, concepts).map_err(|(span, message)| RuleError {
            line: line_of(span),
            message,
        })?;
    }
    let mut rules: Vec<Rule> = Vec::with_capacity(file.rule.len());
    for entry in file.rule {
        let line = line_of(entry.span());
        let rule = check(entry, line, &rules, concepts).map_err(|(span, message)| RuleError {
            line: line_of(span),
            message,
        })?;
        rules.push(rule);
    }
    Ok(rules)
}

/// Where a mistake stands in the file, and what it is.
type Mistake = (Range<usize>, String);

/// Adds a concept, or words to one.
fn add_concept(entry: ConceptEntry, concepts: &mut Vec<Concept>) -> Result<(), Mistake> {
    let words = each(entry.words, |text| {
        let stem = text.strip_suffix('*');
        let phrase = normalise::phrase(stem.unwrap_or(text).trim());
        match phrase.is_empty() {
            true => Err("an empty word would match everything".to_owned()),
            false => Ok(Word {
                phrase,
                is_stem: stem.is_some(),
            }),
        }
    })?;
    let known = concepts
        .iter()
        .position(|concept| concept.name == *entry.name.get_ref());
    match known {
        Some(number) => concepts[number].words.extend(words),
        None if concepts.len() == concepts::MOST => {
            let message = format!("there may be {} concepts at most", concepts::MOST);
            return Err((entry.name.span(), message));
        }
        None => concepts.push(Concept {
            name: entry.name.into_inner(),
            words,
        }),
    }
    Ok(())
}

/// The number of a concept.
fn concept(name: &str, concepts: &[Concept]) -> Result<usize, String> {
    let number = concepts.iter().position(|concept| concept.name == name);
    number.ok_or_else(|| {
        let known: Vec<&str> = concepts
            .iter()
            .map(|concept| concept.name.as_str())
            .collect();
        format!("no such concept: {name}; write one of {}", known.join(", "))
    })
}

/// One entry → one rule. `earlier` are the rules that `words-of` may name.
fn check(
    entry: Spanned<Entry>,
    line: usize,
    earlier: &[Rule],
    concepts: &[Concept],
) -> Result<Rule, Mistake> {
    let whole = entry.span();
    let entry = entry.into_inner();
    if entry.name.get_ref().trim().is_empty() {
        return Err((
            entry.name.span(),
            "a rule needs a name: it stands in the evidence".to_owned(),
        ));
    }
    let reason = entry.reason.get_ref().parse::<Reason>().map_err(|error| {
        let known: Vec<&str> = Reason::ALL.iter().map(|reason| reason.word()).collect();
        (
            entry.reason.span(),
            format!("{error}; write one of {}", known.join(", ")),
        )
    })?;
    let mut words = phrases(entry.words)?;
    if let Some(name) = entry.words_of {
        let other = earlier.iter().find(|rule| rule.name == *name.get_ref());
        let other = other.ok_or_else(|| {
            (
                name.span(),
                format!("no rule '{}' stands above this one", name.get_ref()),
            )
        })?;
        words.extend_from_slice(&other.words);
    }
    if entry.near.len() > concepts::MOST_NEAR {
        let message = format!(
            "a rule may ask for {} concepts at most",
            concepts::MOST_NEAR
        );
        return Err((whole, message));
    }
    let without = each(entry.without, |name| concept(name, concepts))?;
    let rule = Rule {
        name: entry.name.into_inner(),
        reason,
        words,
        and: phrases(entry.and)?,
        not: phrases(entry.not)?,
        near: each(entry.near, |name| concept(name, concepts))?,
        without: without
            .iter()
            .fold(0, |set: Set, concept| set | 1 << concept),
        pattern: entry.pattern.map(pattern).transpose()?,
        receivers: each(entry.receiver, |domain| match domain.trim().is_empty() {
            true => Err("an empty receiver would match everybody".to_owned()),
            false => Ok(domain.to_lowercase()),
        })?,
        statuses: each(entry.status, |text| {
            text.parse()
                .map_err(|()| format!("'{text}' is no status: write 5.1.1, 5.1.* or *.1.1"))
        })?,
        codes: each(entry.code, |text| {
            text.parse()
                .map_err(|()| format!("'{text}' is no reply code: write 550, 55* or 5**"))
        })?,
        commands: each(entry.command, command)?,
        example: entry.example,
        line,
    };
    let selective = !rule.words.is_empty()
        || !rule.near.is_empty()
        || rule.pattern.is_some()
        || !rule.receivers.is_empty()
        || !rule.statuses.is_empty()
        || !rule.codes.is_empty()
        || !rule.commands.is_empty();
    match selective {
        true => Ok(rule),
        false => Err((
            whole,
            format!(
                "rule '{}' would match every bounce: give it words, concepts, a pattern, a receiver, a status, a code or a command",
                rule.name
            ),
        )),
    }
}

/// Maps every value of a list, and says which one is wrong.
fn each<T>(
    values: Vec<Spanned<String>>,
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<Vec<T>, Mistake> {
    let mut read_all = Vec::with_capacity(values.len());
    for value in values {
        read_all.push(read(value.get_ref()).map_err(|message| (value.span(), message))?);
    }
    Ok(read_all)
}

/// Phrases in the form of the words that they are matched with.
fn phrases(values: Vec<Spanned<String>>) -> Result<Vec<String>, Mistake> {
    each(values, |text| match text.trim().is_empty() {
        true => Err("an empty phrase would match everything".to_owned()),
        false => Ok(normalise::phrase(text)),
    })
}

/// Compiles a pattern.
fn pattern(text: Spanned<String>) -> Result<Regex, Mistake> {
    let compiled = RegexBuilder::new(text.get_ref())
        .case_insensitive(true)
        .size_limit(MAX_PATTERN)
        .build();
    compiled.map_err(|error| {
        let why = match &error {
            // The last line says what is wrong, those above draw an arrow to it.
            regex::Error::Syntax(drawing) => drawing.lines().last().unwrap_or_default().to_owned(),
            _ => error.to_string(),
        };
        (
            text.span(),
            format!("bad pattern: {}", why.trim_start_matches("error: ")),
        )
    })
}

/// The word for a command, as JSON has it.
fn command(word: &str) -> Result<Command, String> {
    const ALL: [(&str, Command); 7] = [
        ("CONN", Command::Conn),
        ("EHLO", Command::Ehlo),
        ("STARTTLS", Command::Starttls),
        ("AUTH", Command::Auth),
        ("MAIL", Command::Mail),
        ("RCPT", Command::Rcpt),
        ("DATA", Command::Data),
    ];
    let known = ALL.iter().find(|(name, _)| name.eq_ignore_ascii_case(word));
    known.map(|(_, command)| *command).ok_or_else(|| {
        format!(
            "'{word}' is no command: write {}",
            ALL.map(|(name, _)| name).join(", ")
        )
    })
}
