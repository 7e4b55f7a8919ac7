//! What rules ask about one failure, gathered once from all that a report says of it.
//!
//! Decides nothing: it prefers what the remote system said in words to what the reporter made of it.

use super::normalise::{self, Words};
use crate::address::Address;
use crate::report::Recipient;
use crate::smtp_reply::{self, Command, Status};

/// What rules ask about.
#[derive(Debug)]
pub(super) struct Facts<'a> {
    /// What was said: the innermost reply, where one server quotes another's.
    pub words: Words,
    /// All that stands around it, where there is more.
    pub whole: Option<Words>,
    /// The status that prevails over the others.
    pub status: Option<Status>,
    /// The reply code.
    pub code: Option<u16>,
    /// The refused command.
    pub command: Option<Command>,
    /// The remote MTA, the reporting MTA, and the domain of the final recipient.
    pub hosts: [&'a str; 3],
    /// Whether the codes contradict each other: without known words, none of them is to be believed.
    pub contradictory: bool,
}

impl<'a> Facts<'a> {
    /// All that a report says of a recipient.
    pub fn of(recipient: &'a Recipient) -> Facts<'a> {
        let text = recipient.diagnostic.as_deref().unwrap_or_default();
        let local = |address: &Address| normalise::folded(address.local_part());
        let own: Vec<String> = [
            Some(&recipient.address),
            recipient.final_recipient.as_ref(),
            recipient.original_recipient.as_ref(),
        ]
        .into_iter()
        .flatten()
        .map(local)
        .collect();
        let mut facts = Facts::read(text, &own);
        let said = facts.status;
        facts.status = smtp_reply::prevailing(said, recipient.status);
        facts.code = facts.code.or(recipient.reply_code);
        facts.command = recipient.command.or(facts.command);
        facts.hosts = [
            host(recipient.remote_mta.as_deref()),
            host(recipient.reporting_mta.as_deref()),
            recipient
                .final_recipient
                .as_ref()
                .unwrap_or(&recipient.address)
                .domain(),
        ];
        facts.contradictory = contradict([said, recipient.status], facts.code);
        facts
    }

    /// A mere text, said by `host`.
    pub fn said(text: &str, host: &'a str) -> Facts<'a> {
        Facts {
            hosts: [host, "", ""],
            ..Facts::read(text, &[])
        }
    }

    fn read(text: &str, own: &[String]) -> Facts<'a> {
        let text = normalise::head(text);
        let innermost = without_remark(smtp_reply::innermost(text));
        let (status, code) = (
            smtp_reply::status(innermost),
            smtp_reply::reply_code(innermost),
        );
        Facts {
            words: Words::of(innermost, own),
            whole: (innermost.len() < text.len()).then(|| Words::of(text, own)),
            status,
            code,
            command: smtp_reply::command(text),
            hosts: [""; 3],
            contradictory: contradict([status, None], code),
        }
    }
}

impl Facts<'_> {
    /// Whether what was refused named no recipient: then nothing that was said is about one.
    pub fn is_before_recipient(&self) -> bool {
        use Command::{Auth, Conn, Ehlo, Mail, Starttls};
        matches!(self.command, Some(Conn | Ehlo | Starttls | Auth | Mail))
    }

    /// Whether nothing was said.
    pub fn is_silent(&self) -> bool {
        self.words.text.is_empty() && self.whole.is_none()
    }
}

/// A reply without what the reporter adds behind it: Postfix `(in reply to RCPT TO command)`, Exim `: retry timeout exceeded`. Those
/// are not the words of who refused.
fn without_remark(reply: &str) -> &str {
    let ends = ["(in reply to ", ": retry timeout exceeded"].map(|remark| reply.find(remark));
    let end = ends.into_iter().flatten().min().unwrap_or(reply.len());
    match reply[..end].trim_end() {
        "" => reply,
        said => said,
    }
}

/// Whether the status of the reply, that of the report and the reply code can't all be true.
fn contradict(statuses: [Option<Status>; 2], code: Option<u16>) -> bool {
    let of_code = code.map(|code| Status {
        class: if code < 500 { 4 } else { 5 },
        subject: 0,
        detail: 0,
    });
    let [said, field] = statuses;
    let disagree = |a: Option<Status>, b: Option<Status>| match (a, b) {
        (Some(a), Some(b)) => !a.agrees_with(&b),
        _ => false,
    };
    disagree(said, field) || disagree(said, of_code) || disagree(field, of_code)
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
