//! Bounces in free text: which mail system wrote it, whom it names, and what it says of each.
//!
//! The general way, for every mail system: its own phrases tell that it is a bounce ([`templates`]), lines that start
//! with or announce an address name the recipients ([`named_addresses`]), and the lines behind each hold the words
//! about it ([`block`], [`recipients`], [`explanation`]). [`enrich()`] gives a delivery status part the words that it
//! lacks.
//!
//! The phrases of each mail system stand in `phrases.toml`, which lists them all. Those that have more of their own
//! than phrases have a parser of their own:
//!
//! - [`dialogue`]: Sendmail, and systems that write as it does, put the SMTP dialogue into the text
//! - [`aol`]: AOL names its members by their screen names
//! - [`dovecot`]: Dovecot's delivery agent puts its reason only into the text
//! - [`super::amazon_ses`]: Amazon writes JSON

mod aol;
mod block;
mod body;
mod dialogue;
mod dovecot;
mod enrich;
mod explanation;
mod merge;
mod named_addresses;
mod recipients;
mod templates;

use super::diagnostic;
use super::limits::{self, Limit, MAX_RECIPIENTS};
use super::mime::Mail;
use super::phrases::PHRASES;
use super::sender::{Machine, Sender};
use super::types::{Kind, Recipient};
use crate::address::{self, Address};
use crate::smtp_reply;
use body::Text;
use std::collections::HashSet;
use templates::Signs;

pub(super) use enrich::enrich;

/// What a mail system wrote in free text.
#[derive(Debug)]
pub(super) struct Found<'x> {
    /// A bounce or a notice of success.
    pub(super) kind: Kind,
    pub(super) recipients: Vec<Recipient>,
    /// Why it is one.
    pub(super) evidence: String,
    /// The returned mail, where it stands below the text.
    pub(super) returned: Option<&'x str>,
    /// Whether the mail system is known, so that the returned mail's `To` may be trusted to name the recipient.
    pub(super) certain: bool,
    signs: Signs,
    /// All that is said, for a recipient that is named elsewhere.
    explanation: String,
}

impl Found<'_> {
    /// A recipient that something else than the text names: all that is said is about it.
    pub(super) fn recipient(&self, address: Address, source: &str) -> Recipient {
        let mut recipient = merge::fresh(address, self.signs, None);
        diagnostic::take(&mut recipient, &self.explanation);
        recipient.source = source.into();
        recipient
    }
}

/// Reads the text of a mail, if a mail system wrote it of a failure, a delay or a success.
pub(super) fn read<'x>(
    mail: &Mail<'_>,
    said: &'x str,
    limits: &mut Vec<Limit>,
) -> Option<Found<'x>> {
    let text = Text::read(said);
    let sender = Sender::of(mail);
    let mut signs = templates::read(&text.lines);
    signs.delayed |= sender.is_delay;
    if !is_from_machine(mail, &sender, signs, &text) {
        return None;
    }
    let failed = failed_header(mail, limits);
    let in_header = failed.as_ref().is_none_or(|failed| !failed.is_empty());
    let begins_as_one = sender.machine == Machine::Certain && signs.leads;
    let suspicious = sender.is_daemon || sender.subject.is_some() || begins_as_one;
    let certain = in_header || signs.own || suspicious && signs.phrase.is_some();
    let somebody_else = (sender.is_answer || sender.is_list) && !sender.is_daemon;
    if !certain && !suspicious || somebody_else && !in_header {
        return None;
    }
    let succeeded = signs
        .delivered
        .or(sender.success.filter(|_| signs.phrase.is_none()));
    if let Some(phrase) = succeeded.filter(|_| !in_header) {
        return Some(Found {
            kind: Kind::DeliveryNotice,
            recipients: Vec::new(),
            evidence: format!("the words '{phrase}'"),
            returned: text.returned,
            certain: false,
            signs,
            explanation: String::new(),
        });
    }
    let named = match failed {
        Some(failed) if failed.is_empty() => recipients::by_text(&text, signs, limits),
        Some(failed) => Some(recipients::by_header(&text, signs, failed)),
        None => None,
    };
    let unreadable = named.is_none();
    let mut recipients = named.unwrap_or_default();
    if recipients.is_empty() && !unreadable {
        let members = aol::members(mail, &text.lines, limits);
        recipients.extend(
            members
                .into_iter()
                .map(|(line, member)| merge::fresh(member, signs, Some(line))),
        );
    }
    if recipients.is_empty() && !unreadable && (sender.is_mail_system() || certain && suspicious) {
        recipients.extend(mentioned(mail, &text, signs));
    }
    if !in_header {
        let reporter = mail.header.addresses("From").unwrap_or_default();
        recipients.retain(|recipient| !is_staff(&recipient.address, &reporter));
    }
    recipients::take_explanation(&mut recipients, &text.lines);
    // A notice in a language that nobody knows here may also tell of a success: only a code says that it failed.
    if !certain && sender.subject.is_none() {
        recipients.retain(|recipient| recipient.reply_code.is_some() || recipient.status.is_some());
    }
    if recipients.is_empty() && !(certain && suspicious || sender.is_mail_system()) {
        return None;
    }
    let evidence = match (signs.phrase, sender.subject) {
        (Some(phrase), _) => format!("the words '{phrase}'"),
        (None, Some(subject)) => format!("'{subject}' in Subject"),
        (None, None) => "a mail system as sender that names a failed address".to_owned(),
    };
    Some(Found {
        kind: Kind::Bounce,
        recipients,
        evidence,
        returned: text.returned,
        certain: certain || sender.is_mail_system(),
        signs,
        explanation: explanation::of(&text.lines),
    })
}

/// Whether a machine wrote the text, and no person who quotes one. What was sent without a person may still be an
/// answer to a mail that it quotes, with something of its own in front and nothing returned. A forward is believed
/// where it holds the fields of a report.
fn is_from_machine(mail: &Mail<'_>, sender: &Sender, signs: Signs, text: &Text<'_>) -> bool {
    match sender.machine {
        Machine::Certain => true,
        Machine::Likely => !text.is_quoted && (signs.leads || mail.returned().is_some()),
        Machine::No => sender.is_forward && recipients::has_fields(text),
    }
}

/// The addresses in `X-Failed-Recipients` (Exim, Google); none where one of them can't be read: a text would only name
/// half of it.
fn failed_header(mail: &Mail<'_>, limits: &mut Vec<Limit>) -> Option<Vec<Address>> {
    let mut failed = mail.header.addresses("X-Failed-Recipients")?;
    if failed.len() > MAX_RECIPIENTS {
        limits::hit(limits, Limit::Recipients);
        failed.truncate(MAX_RECIPIENTS);
    }
    Some(failed)
}

/// Who reads questions about a report.
const STAFF: [&str; 7] = [
    "postmaster",
    "mailer-daemon",
    "abuse",
    "support",
    "helpdesk",
    "admin",
    "noc",
];

/// Whether an address is of the staff of the host that reports: it signs, and has not failed.
fn is_staff(address: &Address, reporter: &[Address]) -> bool {
    let local = address.local_part().to_ascii_lowercase();
    let of = |reporter: &Address| reporter.domain() == address.domain();
    STAFF.contains(&local.as_str()) && reporter.iter().any(of)
}

/// The only foreign address that a mail system's own report mentions, where no line names one properly.
fn mentioned(mail: &Mail<'_>, text: &Text<'_>, signs: Signs) -> Option<Recipient> {
    let own: HashSet<String> = ["From", "To", "Sender", "Reply-To", "Delivered-To"]
        .into_iter()
        .flat_map(|name| mail.header.all(name))
        .flat_map(|value| {
            address::in_text(&value)
                .map(|a| a.key())
                .collect::<Vec<_>>()
        })
        .collect();
    // A returned text may name others of our domain, such as whom to ask.
    let returned_to = mail.header.addresses("To").unwrap_or_default();
    let is_foreign = |address: &Address| {
        let local = address.local_part().to_ascii_lowercase();
        !own.contains(&address.key())
            && !STAFF.contains(&local.as_str())
            && !returned_to.iter().any(|to| to.domain() == address.domain())
    };
    let mut only: Option<Address> = None;
    let lines = &text.lines[..text.lines.len().min(MAX_MENTION_LINES)];
    for (number, line) in lines.iter().enumerate() {
        if names_a_mail(line) {
            continue;
        }
        for candidate in address::candidates(line) {
            let address = candidate.address?; // one that can't be read may be the one that failed
            if !is_foreign(&address) {
                continue;
            }
            let before = &line[..candidate.place.start];
            if named_addresses::is_end_of_line_above(lines, number, candidate.place.start)
                || !stands_for_itself(before)
                || takes_the_place(before, number.checked_sub(1).map(|above| &*lines[above]))
                || only
                    .as_ref()
                    .is_some_and(|other| other.key() != address.key())
            {
                return None;
            }
            only = Some(address);
        }
    }
    let first = only?;
    let mut recipient = merge::fresh(first, signs, None);
    diagnostic::take(&mut recipient, &explanation::of(&text.lines));
    recipient.source = "the only address in the text".into();
    Some(recipient)
}

/// Whether a line is a field that holds what looks like an address and names a mail (RFC 5322 section 3.6.4).
fn names_a_mail(line: &str) -> bool {
    const FIELDS: [&str; 5] = [
        "message-id",
        "in-reply-to",
        "references",
        "content-id",
        "resent-message-id",
    ];
    let name = line.trim_start().split_once(':').map(|(name, _)| name);
    name.is_some_and(|name| {
        FIELDS
            .iter()
            .any(|field| name.trim_end().eq_ignore_ascii_case(field))
    })
}

/// Whether an address behind these words of its line, and the line above, is the one that mail should go to from now on.
fn takes_the_place(before: &str, above: Option<&str>) -> bool {
    [Some(before), above].into_iter().flatten().any(|line| {
        let start = line.ceil_char_boundary(line.len().saturating_sub(LONGEST_SENTENCE));
        let sentence = &line[start..];
        matches!(smtp_reply::reply_code(sentence), Some(251 | 551))
            || PHRASES.moved.find(sentence).is_some()
    })
}

/// The words that tell of a new address are less far in front of it, in bytes.
const LONGEST_SENTENCE: usize = 200;

/// Whether the words in front of an address in a sentence are the sentence's: an unknown one may be the first half of
/// an address.
fn stands_for_itself(before: &str) -> bool {
    let before = before.trim_end();
    if !before.ends_with(|c: char| c.is_alphanumeric()) {
        return true;
    }
    let window = before.ceil_char_boundary(before.len().saturating_sub(LONGEST_WORD));
    let word = before[window..].rsplit(char::is_whitespace).next();
    let word = word.unwrap_or_default();
    PHRASES.before_address.contains(&word.to_lowercase())
}

/// The words that may stand in front of an address are shorter, in bytes: a line may go on for ever without a blank.
const LONGEST_WORD: usize = 64;

/// Where a report names somebody in a sentence, it is a short one.
const MAX_MENTION_LINES: usize = 100;
