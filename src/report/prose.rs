//! Bounces in free text: which mail system wrote it, whom it names, and what it says of each.
//!
//! The general way, for every mail system: its own phrases tell that it is a bounce ([`signs`]), lines that start with or announce an
//! address name the recipients ([`named`]), and the lines behind each hold the words about it. Where a mail system
//! does it differently, a small parser reads it: [`transcript`] for Sendmail's dialogue, [`notification`] for Amazon's JSON.

mod gist;
mod named;
pub(super) mod notification;
mod screen_names;
mod sender;
mod signs;
mod text;
mod transcript;

use super::address::Address;
use super::dsn;
use super::limits::{self, Limit, MAX_RECIPIENTS};
use super::mail::Mail;
use super::types::{Action, Kind, Recipient};
use super::words;
use crate::diagnosis::smtp_reply;
use named::{Form, Named};
use signs::Signs;
use text::Text;

pub(super) use sender::Sender;

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

/// Reads the text of a mail, if a mail system wrote it of a failure, a delay or a success.
pub(super) fn read<'x>(
    mail: &Mail<'_>,
    said: &'x str,
    limits: &mut Vec<Limit>,
) -> Option<Found<'x>> {
    let text = Text::read(said);
    let sender = Sender::of(mail);
    let signs = signs::read(&text.lines);
    let failed = failed_header(mail);
    let suspicious = sender.is_daemon || sender.subject.is_some();
    let certain = !failed.is_empty() || signs.own || suspicious && signs.phrase.is_some();
    let somebody_else = (sender.is_answer || sender.is_list) && !sender.is_daemon;
    if !certain && !suspicious || somebody_else && failed.is_empty() {
        return None;
    }
    if let Some(phrase) = signs.delivered.filter(|_| failed.is_empty()) {
        return Some(Found {
            kind: Kind::DeliveryNotice,
            recipients: Vec::new(),
            evidence: format!("the words '{phrase}'"),
            returned: text.returned,
            certain: false,
            signs,
            gist: String::new(),
        });
    }
    let mut recipients = if failed.is_empty() {
        named_recipients(&text, signs, limits)
    } else {
        header_recipients(&text, signs, failed)
    };
    if recipients.is_empty() {
        let members = screen_names::find(mail, &text.lines);
        recipients.extend(
            members
                .into_iter()
                .map(|(line, member)| fresh(member, signs, Some(line))),
        );
    }
    if recipients.is_empty() && sender.is_mail_system() {
        recipients.extend(mentioned(mail, &text, signs));
    }
    take_gist(&mut recipients, &text.lines);
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
        gist: gist::of(&text.lines),
    })
}

/// What a text says of the recipients of a delivery status part whose fields say too little: better words, and the
/// refused command, where it names it.
pub(super) fn improve(said: &str, recipients: &mut [Recipient]) {
    let text = Text::read(said);
    let signs = signs::read(&text.lines);
    let told = told_recipients(&text.lines, signs, &mut Vec::new());
    improve_with(&text.lines, signs, &told, recipients);
    if let ([recipient], Some(reason)) = (recipients, dovecot_reason(&text.lines)) {
        words::take(recipient, &reason);
        recipient.source = "Dovecot text".to_owned();
    }
}

/// Dovecot's delivery agent puts its reason only here: `Your message to <a@b> was automatically rejected:` and the reason
/// on the next line (mail-send.c, `rejection_reason`). It decided; a Diagnostic-Code beside it is a relay's.
fn dovecot_reason(lines: &[&str]) -> Option<String> {
    let at = lines
        .iter()
        .position(|line| line.ends_with("was automatically rejected:"))?;
    Some(gist::behind("", &lines[at + 1..])).filter(|reason| !reason.is_empty())
}

fn improve_with(lines: &[&str], signs: Signs, told: &[Recipient], recipients: &mut [Recipient]) {
    let single = recipients.len() == 1;
    for recipient in recipients {
        let is_it = |address: &Address| {
            address.key() == recipient.address.key()
                || recipient
                    .original_recipient
                    .as_ref()
                    .is_some_and(|original| original.key() == address.key())
        };
        let about = told.iter().find(|other| is_it(&other.address));
        let about = about.or(told.first().filter(|_| single && told.len() == 1));
        if let Some(about) = about {
            recipient.command = recipient.command.or(about.command);
            if words::are_poor(recipient) && !words::are_poor(about) {
                words::take(recipient, about.diagnostic.as_deref().unwrap_or_default());
                recipient.source.clone_from(&about.source);
            }
        }
        if single
            && (words::are_poor(recipient) || recipient.command.is_none())
            && let Some(reply) = transcript::last(lines)
        {
            recipient.command = recipient.command.or(reply.command);
            if words::are_poor(recipient) {
                words::take(recipient, &reply.text);
                recipient.source = source(signs, "SMTP dialogue");
            }
        }
        if single && recipient.diagnostic.is_none() {
            words::take(recipient, &gist::of(lines));
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
    let told = told_recipients(&text.lines, signs, &mut Vec::new());
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
    let mut fields = fields_in(text, limits);
    let told = told_recipients(&text.lines, signs, limits);
    if fields.is_empty() {
        return told;
    }
    improve_with(&text.lines, signs, &told, &mut fields);
    fields
}

/// Recipients that the lines name to people.
fn told_recipients(lines: &[&str], signs: Signs, limits: &mut Vec<Limit>) -> Vec<Recipient> {
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

/// Where one recipient failed, and what stands behind it holds no code but the rest of the text does, all of it is about
/// that recipient.
fn take_gist(recipients: &mut [Recipient], lines: &[&str]) {
    let [recipient] = recipients else {
        for recipient in recipients
            .iter_mut()
            .filter(|recipient| recipient.diagnostic.is_none())
        {
            words::take(recipient, &gist::of(lines));
        }
        return;
    };
    if recipient.reply_code.is_none() && recipient.status.is_none() {
        let gist = gist::of(lines);
        let has_code =
            smtp_reply::reply_code(&gist).is_some() || smtp_reply::status(&gist).is_some();
        if has_code || recipient.diagnostic.is_none() {
            words::take(recipient, &gist);
        }
    }
}

/// The only foreign address that a mail system's own report mentions, where no line names one properly.
fn mentioned(mail: &Mail<'_>, text: &Text<'_>, signs: Signs) -> Option<Recipient> {
    const STAFF: [&str; 7] = [
        "postmaster",
        "mailer-daemon",
        "abuse",
        "support",
        "helpdesk",
        "admin",
        "noc",
    ];
    let own: Vec<String> = ["From", "To", "Sender", "Reply-To", "Delivered-To"]
        .into_iter()
        .flat_map(|name| mail.header.all(name))
        .flat_map(|value| {
            super::address::in_text(&value)
                .map(|a| a.key())
                .collect::<Vec<_>>()
        })
        .collect();
    let mut foreign = text
        .lines
        .iter()
        .take(MAX_MENTION_LINES)
        .flat_map(|line| super::address::in_text(line))
        .filter(|address| {
            let local = address.local_part().to_ascii_lowercase();
            !own.contains(&address.key()) && !STAFF.contains(&local.as_str())
        });
    let first = foreign.next()?;
    if !foreign.all(|other| other.key() == first.key()) {
        return None;
    }
    let mut recipient = fresh(first, signs, None);
    words::take(&mut recipient, &gist::of(&text.lines));
    recipient.source = "the only address in the text".to_owned();
    Some(recipient)
}

/// Where a report names somebody in a sentence, it is a short one.
const MAX_MENTION_LINES: usize = 100;

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
    take_reply(&mut recipient, lines);
    if words::are_poor(&recipient) {
        words::take(&mut recipient, &gist::of(lines));
    }
    recipient
}

/// Takes the reply about the recipient in an SMTP dialogue, if there is one: what the remote said beats all summaries.
fn take_reply(recipient: &mut Recipient, lines: &[&str]) {
    if let Some(reply) = transcript::about(lines, &recipient.address) {
        recipient.command = reply.command.or(recipient.command);
        words::take(recipient, &reply.text);
    }
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
