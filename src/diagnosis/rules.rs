//! The rule engine: ordered rules, the first whose conditions all hold decides.
//!
//! All phrases of all rules are one Aho-Corasick automaton: one walk over the words finds the few rules that are worth a
//! look, and only those run their pattern. So the cost is linear in the text, whatever it says, and hardly depends on the
//! number of rules. What the rules say is data, in the folder `rules`; the head of
//! `receivers.toml` there explains the keys.

use super::concepts::{Concept, Found};
use super::facts::Facts;
use super::index::{Index, Role};
use super::normalise::Words;
use super::reason::Fault;
use super::rule::{Rule, RuleError};
use super::rule_file;
use aho_corasick::BuildError;
use fixedbitset::FixedBitSet;

/// The concepts and rules that come with the program, in the order in which they are tried.
const FILES: [&str; 4] = [
    include_str!("rules/concepts.toml"),
    include_str!("rules/receivers.toml"),
    include_str!("rules/words.toml"),
    include_str!("rules/codes.toml"),
];

/// The compiled rules.
#[derive(Debug)]
pub struct Rules {
    /// In the order of the files.
    rules: Vec<Rule>,
    /// The phrases of all rules and concepts.
    index: Index,
    /// The rules without words: they are always worth a look.
    wordless: FixedBitSet,
}

impl Rules {
    /// The rules that come with the program.
    pub fn builtin() -> Rules {
        let (concepts, rules) = builtin();
        Rules::compile(&concepts, rules).expect("the phrases of the program fit an automaton")
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
        let (mut concepts, builtin) = builtin();
        let mut rules = rule_file::read(toml_text, &mut concepts)?;
        let own = rules.len();
        rules.extend(builtin);
        let rules = Rules::compile(&concepts, rules).map_err(|error| RuleError {
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

    fn compile(concepts: &[Concept], rules: Vec<Rule>) -> Result<Rules, BuildError> {
        let mut wordless = FixedBitSet::with_capacity(rules.len());
        for (number, rule) in rules.iter().enumerate() {
            wordless.set(number, rule.words.is_empty());
        }
        Ok(Rules {
            index: Index::of(concepts, &rules)?,
            rules,
            wordless,
        })
    }

    /// The rule that decides: the first whose conditions all hold. Where one server quotes another's reply, that reply
    /// decides if a rule knows its words, else the words around it, else its codes. Of what broke on the way, whoever gave
    /// up may know more than the reply: `Message expired: <421 4.4.2 Connection timed out>`.
    pub(super) fn decide(&self, facts: &Facts) -> Option<&Rule> {
        let inner = self.first(&facts.words, facts, true);
        let Some(whole) = &facts.whole else {
            return inner.map(|index| &self.rules[index]);
        };
        let outer = || {
            let outer = self.first(whole, facts, false)?;
            (!self.rules[outer].goes_by_codes()).then_some(outer)
        };
        let decides = match inner.map(|index| (index, &self.rules[index])) {
            Some((index, rule)) if !rule.goes_by_codes() => match rule.reason.fault() {
                Fault::Transport => outer().filter(|outer| *outer < index).or(inner),
                Fault::Recipient | Fault::Sender => inner,
            },
            _ => outer().or(inner),
        };
        decides.map(|index| &self.rules[index])
    }

    /// The first rule whose conditions all hold. None blames a recipient who had not been named yet. What a reporter writes
    /// around a reply has no sentences: `after RCPT TO:<a@example.com>: host mx.example.com: 551 Unknown error`.
    fn first(&self, words: &Words, facts: &Facts, has_sentences: bool) -> Option<usize> {
        let mut candidates = self.wordless.clone();
        let mut anded = FixedBitSet::with_capacity(self.rules.len());
        let mut forbidden = FixedBitSet::with_capacity(self.rules.len());
        let mut concepts = Found::default();
        for found in self.index.find(words) {
            for (rule, role) in found.rules() {
                match role {
                    Role::Words if found.decides => candidates.insert(*rule),
                    Role::Words => {}
                    Role::And => anded.insert(*rule),
                    Role::Not => forbidden.insert(*rule),
                }
            }
            if found.decides && has_sentences {
                for concept in found.concepts(words) {
                    concepts.note(concept, found.start, found.end);
                }
            }
        }
        concepts.settle(words);
        let nobody = facts.is_before_recipient();
        candidates.ones().find(|&index| {
            let rule = &self.rules[index];
            let is_asked = !forbidden.contains(index)
                && (rule.and.is_empty() || anded.contains(index))
                && !(nobody && rule.blames_recipient());
            is_asked && rule.holds(words, &concepts, facts)
        })
    }
}

/// The facts of a rule's example, as the rule's receiver would say it.
fn example(rule: &Rule) -> Option<Facts<'_>> {
    let host = rule.receivers.first().map_or("", String::as_str);
    Some(Facts::said(rule.example.as_deref()?, host))
}

/// The concepts and rules of the program; a test reads them all, so a mistake in them can't be released.
fn builtin() -> (Vec<Concept>, Vec<Rule>) {
    let mut concepts = Vec::new();
    let mut rules = Vec::new();
    for file in FILES {
        let read = rule_file::read(file, &mut concepts);
        rules.extend(read.expect("a test reads the rules of the program"));
    }
    (concepts, rules)
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
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
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
                hard.push(format!("'{}': rule '{}'", facts.words.text, found.name));
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
                &format!("{rule}near = ['recipient', 'weather']"),
                "line 4: no such concept: weather; write one of recipient, ",
            ),
            (
                &format!("{rule}near = ['us', 'us', 'us', 'us', 'us']"),
                "line 1: a rule may ask for 4 concepts at most",
            ),
            (
                "[[concept]]\nname = 'x'\nwords = ['a', '*']",
                "line 3: an empty word would match everything",
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
    fn users_rules_have_concepts() {
        let rules = Rules::with_user_rules(
            "[[concept]]
            name = 'recipient'
            words = ['vulpes']
            [[concept]]
            name = 'den'
            words = ['burrow*', 'lair']
            [[rule]]
            name = 'fox'
            reason = 'filtered'
            near = ['recipient', 'den']
            without = ['policy']
            example = '550 The vulpes sleeps in its burrows'",
        )
        .unwrap();
        let decides = |words: &str| {
            let facts = Facts::said(words, "");
            rules.decide(&facts).is_some_and(|rule| rule.name == "fox")
        };
        assert!(decides("550 a lair for a mailbox") && decides("550 burrow: <a@example.com>"));
        assert!(
            decides("550 no lair550 for this vulpes"),
            "lines joined without a blank"
        );
        assert!(!decides("550 a lair") && !decides("550 a lair, says our policy, for a user"));
        assert!(
            !decides("550 a lair. A user")
                && !decides("550 lairs for a user")
                && !decides("550 user lair.example")
        );
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
            let mut facts = Facts::said(words, "");
            facts.status = status.parse().ok();
            facts.code = Some(code);
            facts.command = Some(command);
            facts.hosts = ["", "", host];
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
