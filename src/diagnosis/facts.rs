//! What rules ask about one failure, gathered once from all that a report says of it.
//!
//! Decides nothing: it prefers what the remote system said in words to what the reporter made of it.

use super::rules::Rule;
use super::words;
use crate::report::Recipient;
use crate::smtp_reply::{self, Command, Status};

/// What rules ask about.
#[derive(Debug)]
pub(super) struct Facts<'a> {
    /// The diagnostic, normalised.
    pub words: String,
    /// The status that says most: what the remote said in words is better evidence than what the reporter made of it.
    pub status: Option<Status>,
    /// The reply code.
    pub code: Option<u16>,
    /// The refused command.
    pub command: Option<Command>,
    /// The remote MTA, the reporting MTA, and the recipient's domain.
    pub hosts: [&'a str; 3],
}

impl<'a> Facts<'a> {
    pub fn of(recipient: &'a Recipient) -> Facts<'a> {
        let text = words::head(recipient.diagnostic.as_deref().unwrap_or_default());
        let telling = |status: &Status| (status.subject, status.detail) != (0, 0);
        let said = smtp_reply::status(text);
        Facts {
            words: words::normalise(text),
            status: said
                .filter(telling)
                .or(recipient.status.filter(telling))
                .or(said)
                .or(recipient.status),
            code: smtp_reply::reply_code(text).or(recipient.reply_code),
            command: recipient.command.or_else(|| smtp_reply::command(text)),
            hosts: [
                host(recipient.remote_mta.as_deref()),
                host(recipient.reporting_mta.as_deref()),
                recipient.address.domain(),
            ],
        }
    }
}

impl<'a> Facts<'a> {
    /// The facts of a rule's example, as the rule's receiver would say it.
    pub fn of_example(rule: &'a Rule) -> Option<Facts<'a>> {
        let text = words::head(rule.example.as_deref()?);
        Some(Facts {
            words: words::normalise(text),
            status: smtp_reply::status(text),
            code: smtp_reply::reply_code(text),
            command: smtp_reply::command(text),
            hosts: [rule.receivers.first().map_or("", String::as_str), "", ""],
        })
    }
}

/// The name in `mx.example.com. (192.0.2.5, the server for example.com)`.
fn host(mta: Option<&str>) -> &str {
    let name = mta
        .unwrap_or_default()
        .split([' ', '(', '['])
        .next()
        .unwrap_or_default();
    name.trim_end_matches('.')
}
