//! Bounces in free text: which mail system wrote it, whom it names, and what it says of each.
//!
//! The general way, for every mail system: its own phrases tell that it is a bounce ([`signs`]), lines that start with or announce an
//! address name the recipients ([`named`]), and the lines behind each hold the words about it. Where a mail system
//! does it differently, a small parser reads it: [`transcript`] for Sendmail's dialogue, [`notification`] for Amazon's JSON.

mod gist;
mod named;
pub(super) mod notification;
mod sender;
mod signs;
mod text;
mod transcript;

use super::address::Address;
use super::dsn;
use super::limits::{self, Limit, MAX_RECIPIENTS};
use super::mail::Mail;
use super::types::{Action, Recipient};
use super::words;
use named::{Form, Named};
use signs::Signs;
use text::Text;

pub(super) use sender::Sender;

/// A bounce in free text.
#[derive(Debug)]
pub(super) struct Found<'x> {
    pub(super) recipients: Vec<Recipient>,
    /// Why it is a bounce.
    pub(super) evidence: String,
    /// The returned mail, where it stands below the text.
    pub(super) returned: Option<&'x str>,
    /// Whether the mail system is known, so that the returned mail's `To` may be trusted to name the recipient.
    pub(super) certain: bool,
    signs: Signs,
    /// All that is said, for a recipient that is named elsewhere.
    gist: String,
}

impl Found<'_> {
    /// A recipient that something else than the text names: all that is said is about it.
    pub(super) fn recipient(&self, address: Address, source: &str) -> Recipient {
        let mut recipient = fresh(address, self.signs, None);
        words::take(&mut recipient, &self.gist);
        source.clone_into(&mut recipient.source);
        recipient
    }
}

/// Reads the text of a mail, if it is a bounce.
pub(super) fn read<'x>(
    mail: &Mail<'_>,
    said: &'x str,
    limits: &mut Vec<Limit>,
) -> Option<Found<'x>> {
    let text = Text::read(said);
    let sender = Sender::of(mail);
    let signs = signs::read(&text.lines);
    let failed: Vec<Address> = failed_header(mail);
    let suspicious = sender.is_daemon || sender.subject.is_some();
    let certain = signs.phrase.is_some() || !failed.is_empty();
    if !certain && !suspicious || sender.is_answer && !sender.is_daemon && failed.is_empty() {
        return None;
    }
    let recipients = if failed.is_empty() {
        named_recipients(&text, signs, limits)
    } else {
        header_recipients(&text, signs, failed)
    };
    if recipients.is_empty()
        && !(certain && suspicious || sender.is_daemon && sender.subject.is_some())
    {
        return None;
    }
    let evidence = match (signs.phrase, sender.subject) {
        (Some(phrase), _) => format!("the words '{phrase}'"),
        (None, Some(subject)) => format!("'{subject}' in Subject"),
        (None, None) => "a mail system as sender that names a failed address".to_owned(),
    };
    Some(Found {
        recipients,
        evidence,
        returned: text.returned,
        certain: certain || sender.is_daemon && sender.subject.is_some(),
        signs,
        gist: gist::of(&text.lines),
    })
}

/// What a text says of the recipients of a delivery status part whose fields say too little: better words, and the
/// refused command, where it names it.
pub(super) fn improve(said: &str, recipients: &mut [Recipient]) {
    let text = Text::read(said);
    let signs = signs::read(&text.lines);
    let single = recipients.len() == 1;
    let told = named_recipients(&text, signs, &mut Vec::new());
    for recipient in recipients {
        let same = |other: &&Recipient| {
            other.address.key() == recipient.address.key()
                || recipient
                    .original_recipient
                    .as_ref()
                    .is_some_and(|original| original.key() == other.address.key())
        };
        let about = told
            .iter()
            .find(same)
            .or(told.first().filter(|_| single && told.len() == 1));
        if let Some(about) = about {
            recipient.command = recipient.command.or(about.command);
            if words::are_poor(recipient) && !words::are_poor(about) {
                words::take(recipient, about.diagnostic.as_deref().unwrap_or_default());
                recipient.source.clone_from(&about.source);
            }
        } else if single && recipient.diagnostic.is_none() {
            words::take(recipient, &gist::of(&text.lines));
            recipient.source = source(signs, "whole");
        }
    }
}

/// The addresses in `X-Failed-Recipients` (Exim, Google).
fn failed_header(mail: &Mail<'_>) -> Vec<Address> {
    mail.header
        .all("X-Failed-Recipients")
        .flat_map(|value| super::address::in_text(&value).collect::<Vec<_>>())
        .take(MAX_RECIPIENTS)
        .collect()
}

/// Recipients that the header names; the text gives the words.
fn header_recipients(text: &Text<'_>, signs: Signs, failed: Vec<Address>) -> Vec<Recipient> {
    let told = named_recipients(text, signs, &mut Vec::new());
    let single = failed.len() == 1;
    failed
        .into_iter()
        .map(|address| {
            let mut recipient = match told.iter().find(|told| told.address.key() == address.key()) {
                Some(told) => told.clone(),
                None => fresh(address.clone(), signs, None),
            };
            recipient.address = address;
            if words::are_poor(&recipient) && single {
                words::take(&mut recipient, &gist::of(&text.lines));
            }
            recipient
        })
        .collect()
}

/// Recipients that the text itself names.
fn named_recipients(text: &Text<'_>, signs: Signs, limits: &mut Vec<Limit>) -> Vec<Recipient> {
    let fields = fields_in(text, limits);
    if !fields.is_empty() {
        return fields;
    }
    let lines = &text.lines;
    let mut named = named::find(lines);
    if named.iter().any(|named| named.form != Form::Dialogue) {
        named.retain(|named| named.form != Form::Dialogue);
    } else if transcript::is_in(lines) {
        named.extend(transcript::named(lines));
        named.sort_by_key(|named| named.line);
    }
    let mut recipients: Vec<Recipient> = Vec::new();
    let mut index = std::collections::HashMap::new();
    let mut first = 0;
    while first < named.len() {
        let same = |other: &&Named| other.address.key() == named[first].address.key();
        let next = first + named[first..].iter().take_while(same).count();
        let until = named.get(next).map_or(lines.len(), |next| next.line);
        let recipient = from_text(lines, &named[first], until, signs);
        match index.get(&recipient.address.key()) {
            Some(&known) => replace_if_better(&mut recipients[known], recipient),
            None if recipients.len() >= MAX_RECIPIENTS => {
                limits::hit(limits, Limit::Recipients);
                break;
            }
            None => {
                index.insert(recipient.address.key(), recipients.len());
                recipients.push(recipient);
            }
        }
        first = next;
    }
    recipients
}

/// RFC 3464 fields that stand in the text itself, where a gateway has flattened the report or the system never learnt MIME.
fn fields_in(text: &Text<'_>, limits: &mut Vec<Limit>) -> Vec<Recipient> {
    let starts = |line: &&str| text::starts_with(line.trim_start(), "final-recipient:");
    if !text.lines.iter().any(starts) {
        return Vec::new();
    }
    let mut found = Vec::new();
    dsn::read(&text.lines.join("\n"), &mut found, limits);
    found
}

/// One recipient, and the words between where it is named and `until`.
fn from_text(lines: &[&str], named: &Named, until: usize, signs: Signs) -> Recipient {
    let mut recipient = fresh(named.address.clone(), signs, Some(named.line));
    recipient.original_recipient.clone_from(&named.original);
    let inline = &lines[named.line][named.words_from..];
    let behind = gist::behind(inline, &lines[named.line + 1..until.max(named.line + 1)]);
    words::take(&mut recipient, &behind);
    if (words::are_poor(&recipient) || named.form == Form::Dialogue)
        && let Some(reply) = transcript::reply_about(lines, &named.address)
    {
        words::take(&mut recipient, &reply);
    }
    if words::are_poor(&recipient) {
        words::take(&mut recipient, &gist::of(lines));
    }
    recipient
}

fn fresh(address: Address, signs: Signs, line: Option<usize>) -> Recipient {
    let place = line.map_or("whole".to_owned(), |line| format!("line {}", line + 1));
    Recipient {
        address,
        original_recipient: None,
        action: if signs.delayed {
            Action::Delayed
        } else {
            Action::Failed
        },
        status: None,
        reply_code: None,
        command: None,
        diagnostic: None,
        reporting_mta: None,
        remote_mta: None,
        source: source(signs, &place),
    }
}

/// `Exim text, line 4`
fn source(signs: Signs, place: &str) -> String {
    match signs.system {
        Some(system) => format!("{system} text, {place}"),
        None => format!("text, {place}"),
    }
}

fn replace_if_better(known: &mut Recipient, other: Recipient) {
    let codes = |recipient: &Recipient| {
        usize::from(recipient.reply_code.is_some()) + usize::from(recipient.status.is_some())
    };
    if codes(&other) > codes(known) || words::are_poor(known) && !words::are_poor(&other) {
        let original = known.original_recipient.take();
        *known = other;
        known.original_recipient = known.original_recipient.take().or(original);
    }
}
