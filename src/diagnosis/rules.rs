//! The rule engine: ordered rules, the first whose conditions all hold decides.
//!
//! All phrases of all rules are one Aho-Corasick automaton: one walk over the words finds the few rules that are worth a
//! look, and only those run their pattern. So the cost is linear in the text, whatever it says, and hardly depends on the
//! number of rules. What the rules say is data: `rules.toml`; its head explains the keys.

use super::facts::Facts;
use super::rule::{Rule, RuleError};
use super::rule_file;
use aho_corasick::{AhoCorasick, BuildError, MatchKind};
use fixedbitset::FixedBitSet;
use std::collections::HashMap;

/// The rules that come with the program.
const BUILTIN: &str = include_str!("rules.toml");

/// The compiled rules.
#[derive(Debug)]
pub struct Rules {
    /// In the order of the files.
    rules: Vec<Rule>,
    /// Every phrase of every rule once.
    automaton: AhoCorasick,
    /// For each phrase of the automaton, the rules that have it.
    uses: Vec<Vec<Use>>,
    /// The rules without words: they are always worth a look.
    wordless: FixedBitSet,
}

/// How a rule uses a phrase.
#[derive(Debug, Clone, Copy)]
struct Use {
    rule: usize,
    role: Role,
}

#[derive(Debug, Clone, Copy)]
enum Role {
    Words,
    And,
    Not,
}

impl Rules {
    /// The rules that come with the program.
    pub fn builtin() -> Rules {
        Rules::compile(builtin_rules()).expect("the phrases of rules.toml fit an automaton")
    }

    /// The rules that come with the program, and in front of them a user's own (`handler.rules` in the configuration).
    ///
    /// ```
    /// use bouncedemails::diagnosis::Rules;
    /// let error = Rules::with_user_rules("[[rule]]\nname = 'x'\nreason = 'dead'\nwords = ['gone']").unwrap_err();
    /// assert!(error.to_string().starts_with("line 3: no such reason: dead"));
    /// ```
    ///
    /// # Errors
    /// Names the first line that is wrong: no TOML, an unknown key, reason, status, code or command, a bad pattern, a rule
    /// that would match every bounce, or one that is not what decides its own example.
    pub fn with_user_rules(toml_text: &str) -> Result<Rules, RuleError> {
        let mut rules = rule_file::read(toml_text)?;
        let own = rules.len();
        rules.extend(builtin_rules());
        let rules = Rules::compile(rules).map_err(|error| RuleError {
            line: 1,
            message: format!("there are too many rules: {error}"),
        })?;
        if let Some(error) = rules.wrong_examples(0..own).next() {
            return Err(error);
        }
        Ok(rules)
    }

    /// The rules that do not decide their own examples.
    fn wrong_examples(
        &self,
        range: std::ops::Range<usize>,
    ) -> impl Iterator<Item = RuleError> + '_ {
        range.filter_map(|index| {
            let rule = &self.rules[index];
            let decided_by = match self.decide(&example(rule)?) {
                Some(found) if std::ptr::eq(found, rule) => return None,
                Some(found) => format!("rule '{}' decides it", found.name),
                None => "no rule matches it".to_owned(),
            };
            Some(RuleError {
                line: rule.line,
                message: format!(
                    "rule '{}' does not decide its own example: {decided_by}",
                    rule.name
                ),
            })
        })
    }

    fn compile(rules: Vec<Rule>) -> Result<Rules, BuildError> {
        let mut numbers: HashMap<String, usize> = HashMap::new();
        let mut uses: Vec<Vec<Use>> = Vec::new();
        let mut wordless = FixedBitSet::with_capacity(rules.len());
        for (index, rule) in rules.iter().enumerate() {
            if rule.words.is_empty() {
                wordless.insert(index);
            }
            let roles = [
                (&rule.words, Role::Words),
                (&rule.and, Role::And),
                (&rule.not, Role::Not),
            ];
            for (phrases, role) in roles {
                for phrase in phrases {
                    let number = *numbers.entry(phrase.clone()).or_insert_with(|| {
                        uses.push(Vec::new());
                        uses.len() - 1
                    });
                    uses[number].push(Use { rule: index, role });
                }
            }
        }
        let mut phrases = vec![String::new(); uses.len()];
        for (phrase, number) in numbers {
            phrases[number] = phrase;
        }
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .build(&phrases)?;
        Ok(Rules {
            rules,
            automaton,
            uses,
            wordless,
        })
    }

    /// The first rule whose conditions all hold.
    pub(super) fn decide(&self, facts: &Facts) -> Option<&Rule> {
        let mut candidates = self.wordless.clone();
        let mut anded = FixedBitSet::with_capacity(self.rules.len());
        let mut forbidden = FixedBitSet::with_capacity(self.rules.len());
        for found in self.automaton.find_overlapping_iter(&facts.words) {
            if !starts_word(facts.words.as_bytes(), found.start()) {
                continue;
            }
            for used in &self.uses[found.pattern().as_usize()] {
                match used.role {
                    Role::Words => candidates.insert(used.rule),
                    Role::And => anded.insert(used.rule),
                    Role::Not => forbidden.insert(used.rule),
                }
            }
        }
        candidates.ones().find_map(|index| {
            let rule = &self.rules[index];
            let words =
                !forbidden.contains(index) && (rule.and.is_empty() || anded.contains(index));
            (words && rule.holds(facts)).then_some(rule)
        })
    }
}

/// The facts of a rule's example, as the rule's receiver would say it.
fn example(rule: &Rule) -> Option<Facts<'_>> {
    let host = rule.receivers.first().map_or("", String::as_str);
    Some(Facts::said(rule.example.as_deref()?, host))
}

/// The rules of `rules.toml`; a test reads them all, so a mistake in them can't be released.
fn builtin_rules() -> Vec<Rule> {
    rule_file::read(BUILTIN).expect("rules.toml is checked by a test")
}

/// A phrase matches only from the start of a word: `full` is not in `helpful`.
fn starts_word(text: &[u8], at: usize) -> bool {
    at == 0 || !text[at].is_ascii_alphanumeric() || !text[at - 1].is_ascii_alphanumeric()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::{BounceType, Reason};
    use crate::smtp_reply::Command;

    #[test]
    fn every_builtin_rule_decides_its_example() {
        let rules = Rules::builtin();
        let without: Vec<&str> = rules
            .rules
            .iter()
            .filter(|rule| rule.example.is_none())
            .map(|rule| rule.name.as_str())
            .collect();
        assert_eq!(without, Vec::<&str>::new(), "rules without an example");
        let wrong: Vec<String> = rules
            .wrong_examples(0..rules.rules.len())
            .map(|error| error.to_string())
            .collect();
        assert!(wrong.is_empty(), "rules.toml:\n{}", wrong.join("\n"));
    }

    /// Receivers put the code of a dead address on refusals for policy, and refuse at RCPT TO what MAIL FROM or HELO said.
    #[test]
    fn no_refusal_is_hard_for_its_code() {
        let rules = Rules::builtin();
        let mut hard = Vec::new();
        for rule in &rules.rules {
            let worded =
                !rule.words.is_empty() && rule.statuses.is_empty() && rule.codes.is_empty();
            let about_codes = !worded || !rule.commands.is_empty();
            // What "user unknown" says does depend on code and command, and so does what says nothing.
            let depends = matches!(rule.reason, Reason::Filtered | Reason::Undefined);
            if rule.reason.bounce_type() == BounceType::Hard || about_codes || depends {
                continue;
            }
            let mut facts = example(rule).expect("every rule has an example");
            facts.status = "5.1.1".parse().ok();
            facts.code = Some(550);
            facts.command = Some(Command::Rcpt);
            if let Some(found) = rules.decide(&facts)
                && found.reason.bounce_type() == BounceType::Hard
            {
                hard.push(format!("'{}': rule '{}'", facts.words, found.name));
            }
        }
        assert!(hard.is_empty(), "{}", hard.join("\n"));
    }

    #[test]
    fn builtin_patterns_have_a_phrase_in_front() {
        for rule in Rules::builtin().rules {
            assert!(
                rule.pattern.is_none() || !rule.words.is_empty(),
                "rule '{}' would always run its pattern",
                rule.name
            );
        }
    }

    #[test]
    fn builtin_names_are_told_apart() {
        let rules = Rules::builtin().rules;
        let mut names: Vec<&str> = rules.iter().map(|rule| rule.name.as_str()).collect();
        names.sort_unstable();
        let twice: Vec<_> = names.windows(2).filter(|pair| pair[0] == pair[1]).collect();
        assert!(twice.is_empty(), "{twice:?}");
    }

    #[test]
    fn mistakes_name_line_and_cure() {
        let rule = "[[rule]]\nname = 'x'\nreason = 'expired'\n";
        for (toml, error) in [
            ("[[rule]\n", "line 1: "),
            ("\n[[rules]]\n", "line 2: unknown field `rules`"),
            ("[[rule]]\nname = 'x'\n", "line 1: missing field `reason`"),
            (rule, "line 1: rule 'x' would match every bounce"),
            (
                &format!("{rule}word = ['a']"),
                "line 4: unknown field `word`",
            ),
            (
                &format!("{rule}words = ['a',\n ' ']"),
                "line 5: an empty phrase",
            ),
            (
                &format!("{rule}pattern = 'a('"),
                "line 4: bad pattern: unclosed group",
            ),
            (
                &format!("{rule}pattern = 'a{{9999}}{{9999}}'"),
                "line 4: bad pattern: ",
            ),
            (
                &format!("{rule}status = ['5.1']"),
                "line 4: '5.1' is no status: write",
            ),
            (
                &format!("{rule}code = ['5']"),
                "line 4: '5' is no reply code: write",
            ),
            (
                &format!("{rule}command = ['PING']"),
                "line 4: 'PING' is no command: write CONN",
            ),
            (
                &format!("{rule}words-of = 'y'"),
                "line 4: no rule 'y' stands above",
            ),
            (
                &format!("{rule}words = ['zz']\nexample = 'aa'"),
                "line 1: rule 'x' does not decide its own example: no rule",
            ),
        ] {
            let found = Rules::with_user_rules(toml).unwrap_err().to_string();
            assert!(
                found.starts_with(error) && !found.contains('\n'),
                "{toml}\n{found}"
            );
        }
    }

    #[test]
    fn users_rules_go_first_and_all_conditions_count() {
        let rules = Rules::with_user_rules(
            "[[rule]]
            name = 'ours'
            reason = 'filtered'
            words = ['Mailbox full']
            and = ['really']
            not = ['perhaps']
            pattern = 'full.*[0-9]$'
            receiver = ['example.com']
            status = ['5.2.*']
            code = ['55*']
            command = ['RCPT']",
        )
        .unwrap();
        let decides = |words: &str, status: &str, code, command, host| {
            let facts = Facts {
                words: words.to_owned(),
                status: status.parse().ok(),
                code: Some(code),
                command: Some(command),
                hosts: ["", "", host],
                contradictory: false,
            };
            rules.decide(&facts).is_some_and(|rule| rule.name == "ours")
        };
        let words = "mailbox full really 1";
        assert!(decides(
            words,
            "5.2.2",
            552,
            Command::Rcpt,
            "mx.example.com"
        ));
        assert!(!decides(
            "mailbox full 1",
            "5.2.2",
            552,
            Command::Rcpt,
            "example.com"
        ));
        assert!(!decides(
            "mailbox fullreally 1",
            "5.2.2",
            552,
            Command::Rcpt,
            "example.com"
        ));
        assert!(!decides(
            "mailbox full really perhaps 1",
            "5.2.2",
            552,
            Command::Rcpt,
            "example.com"
        ));
        assert!(!decides(
            "mailbox full really",
            "5.2.2",
            552,
            Command::Rcpt,
            "example.com"
        ));
        assert!(!decides(words, "5.1.1", 552, Command::Rcpt, "example.com"));
        assert!(!decides(words, "5.2.2", 540, Command::Rcpt, "example.com"));
        assert!(!decides(words, "5.2.2", 552, Command::Data, "example.com"));
        assert!(!decides(
            words,
            "5.2.2",
            552,
            Command::Rcpt,
            "notexample.com"
        ));
    }
}
