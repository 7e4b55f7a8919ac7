//! The rule engine: ordered rules from `rules.toml`, first match wins, codes where no words are known.

use super::Reason;
use crate::report::Recipient;

/// The compiled rules.
#[derive(Debug)]
pub struct Rules {}

impl Rules {
    /// The rules that come with the program.
    pub fn builtin() -> Rules {
        Rules {}
    }

    /// Why `recipient` failed, and the evidence for it.
    pub(super) fn reason(&self, recipient: &Recipient) -> (Reason, String) {
        match recipient.diagnostic {
            Some(_) => (Reason::OnHold, "no rule knows these words".to_owned()),
            None => (Reason::Undefined, "there are no words to go by".to_owned()),
        }
    }
}
