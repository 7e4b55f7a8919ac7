//! Whom a text names, and what it says of each.

use super::body::{self, Text};
use super::dialogue::{Transcript, is_failure, is_summary};
use super::merge::{self, fresh, transcript_heading};
use super::named_addresses::{self, Form, Named};
use super::templates::Signs;
use super::{block, explanation};
use crate::address::Address;
use crate::report::diagnostic::{self, Said};
use crate::report::dsn;
use crate::report::limits::{self, Limit, cut};
use crate::report::types::Recipient;
use crate::smtp_reply;
use std::collections::HashMap;
use std::sync::Arc;

/// Recipients that the header names; the text gives the words.
pub(super) fn by_header(text: &Text<'_>, signs: Signs, failed: Vec<Address>) -> Vec<Recipient> {
    let told = by_lines(&text.lines, signs, &mut Vec::new());
    let told = merge::by_address(&told);
    let single = failed.len() == 1;
    let recipient = |address: Address| {
        let mut recipient = told.get(&address.key()).map_or_else(
            || fresh(address.clone(), signs, None),
            |told| (*told).clone(),
        );
        let end = std::mem::replace(&mut recipient.address, address);
        recipient.final_recipient =
            Some(end).filter(|end| !end.is_same_mailbox(&recipient.address));
        if diagnostic::are_poor(&recipient) && single {
            diagnostic::take(&mut recipient, &explanation::of(&text.lines));
        }
        recipient
    };
    failed.into_iter().map(recipient).collect()
}

/// Recipients that the text itself names; none at all where its fields name one whom nobody can read.
pub(super) fn by_text(
    text: &Text<'_>,
    signs: Signs,
    limits: &mut Vec<Limit>,
) -> Option<Vec<Recipient>> {
    let dsn::Named {
        recipients: mut fields,
        unreadable,
    } = fields_in(text, limits);
    if fields.is_empty() && unreadable {
        return None;
    }
    let told = by_lines(&text.lines, signs, limits);
    if fields.is_empty() {
        return Some(told);
    }
    merge::told(&text.lines, signs, &told, &mut fields);
    Some(fields)
}

/// Recipients that the lines name to people.
pub(super) fn by_lines(lines: &[&str], signs: Signs, limits: &mut Vec<Limit>) -> Vec<Recipient> {
    let mut named = named_addresses::find(lines);
    let transcript = Transcript::read(lines);
    named.extend_from_slice(&transcript.named);
    if named.iter().any(|named| named.form != Form::Dialogue) {
        named.retain(|named| named.form != Form::Dialogue);
    }
    named.sort_by_key(|named| named.line);
    let alone = named
        .windows(2)
        .all(|pair| pair[0].address.key() == pair[1].address.key());
    let mut recipients: Vec<Recipient> = Vec::new();
    let mut places: Vec<usize> = Vec::new();
    let mut index = HashMap::new();
    let mut first = 0;
    while first < named.len() {
        let same = |other: &&Named| other.address.key() == named[first].address.key();
        let next = first + named[first..].iter().take_while(same).count();
        let until = named.get(next).map_or(lines.len(), |next| next.line);
        let below = &lines[named[first].line + 1..until.max(named[first].line + 1)];
        let below = if alone {
            below
        } else {
            without_transcript(below)
        };
        let recipient = from_lines(lines, &named[first], below, signs, &transcript);
        match index.get(&recipient.address.key()) {
            Some(&known) => replace_if_better(&mut recipients[known], recipient),
            None if !limits::has_room(recipients.len(), limits) => break,
            None => {
                index.insert(recipient.address.key(), recipients.len());
                recipients.push(recipient);
                places.push(named[first].line);
            }
        }
        first = next;
    }
    if let [recipient] = recipients.as_mut_slice() {
        if diagnostic::are_poor(recipient) {
            diagnostic::take(recipient, &explanation::of(lines));
        }
    } else {
        share_words(&mut recipients, &places, lines);
    }
    recipients
}

/// How many bytes of words are said of all recipients together that share them: each is looked at by itself later on.
const MAX_SHARED_WORDS: usize = 400_000;
/// How many bytes of shared words each recipient gets in any case: the longest replies of real receivers have as many.
const MAX_REPLY: usize = 500;

/// Gives words to recipients that have none of their own: those of the list that they stand in, or else what stands above
/// all names. Never those of somebody else further down.
fn share_words(recipients: &mut [Recipient], places: &[usize], lines: &[&str]) {
    let Some(&top) = places.iter().min() else {
        return;
    };
    let most = (MAX_SHARED_WORDS / recipients.len()).max(MAX_REPLY);
    let above = Said::of(cut(&explanation::of(&lines[..top]), most));
    let mut listed: Option<(usize, Arc<str>)> = None;
    let mut shared: Option<Said> = None;
    for (recipient, &place) in recipients.iter_mut().zip(places).rev() {
        if diagnostic::are_poor(recipient) {
            let in_list = listed.filter(|(next, _)| *next == place + 1);
            let said = match in_list {
                None => &above,
                Some((_, words)) => {
                    let known = shared.filter(|said| Arc::ptr_eq(&said.line, &words));
                    shared = known.or_else(|| Said::of(cut(&words, most)));
                    &shared
                }
            };
            if let Some(said) = said {
                said.about(recipient);
            }
        }
        listed = recipient.diagnostic.clone().map(|words| (place, words));
    }
}

/// Where several failed, a dialogue below the last of them is not about that one alone; the replies in it that name
/// somebody are found by [`Transcript`].
fn without_transcript<'a, 'x>(lines: &'a [&'x str]) -> &'a [&'x str] {
    let end = transcript_heading(lines).unwrap_or(lines.len());
    &lines[..end]
}

/// Whether RFC 3464 fields stand in the text.
pub(super) fn has_fields(text: &Text<'_>) -> bool {
    let starts = |line: &&str| body::starts_with(line.trim_start(), "final-recipient:");
    text.lines.iter().any(starts)
}

/// RFC 3464 fields that stand in the text itself, where a gateway has flattened the report or the system never learnt MIME.
fn fields_in(text: &Text<'_>, limits: &mut Vec<Limit>) -> dsn::Named {
    if !has_fields(text) {
        return dsn::Named::default();
    }
    let mut named = dsn::Named::default();
    dsn::read(&text.lines.join("\n"), None, &mut named, limits);
    named
}

/// One recipient, and the words between where it is named and `until`.
fn from_lines(
    lines: &[&str],
    named: &Named,
    below: &[&str],
    signs: Signs,
    transcript: &Transcript,
) -> Recipient {
    let mut recipient = fresh(named.address.clone(), signs, Some(named.line));
    recipient.original_recipient.clone_from(&named.original);
    let inline = &lines[named.line][named.words_from..];
    // Behind three dots Sendmail says only what it did; why stands around it.
    let is_summed_up = lines[named.line][..named.words_from].ends_with("...");
    if named.form == Form::Leads && !is_summed_up {
        let end = block::end(lines, named.line, named.words_from);
        diagnostic::take(
            &mut recipient,
            &explanation::all(inline, &lines[named.line + 1..end]),
        );
    }
    if diagnostic::are_poor(&recipient) {
        diagnostic::take(&mut recipient, &explanation::behind(inline, below));
        // Where the reply stands on lines of its own, it is the words; what leads up to it named the command and the host.
        let is_reply = |line: &&str| is_failure(line.trim_start()) && !is_summary(line);
        if let Some(reply) = below.iter().position(is_reply) {
            diagnostic::take(&mut recipient, &explanation::behind("", &below[reply..]));
        }
    }
    // In a list of fields, one says why; the others are no words about the failure.
    if named.form == Form::Announced
        && recipient.reply_code.is_none()
        && let Some(reason) = explanation::reason_field(lines, named.line)
    {
        diagnostic::take(&mut recipient, &reason);
    }
    // What the remote said beats all summaries.
    if let Some(reply) = transcript.about(&recipient.address) {
        recipient.command = reply.command.or(recipient.command);
        diagnostic::take(&mut recipient, &reply.text);
    }
    recipient
}

/// Where one recipient failed, and what stands behind it holds no code but the rest of the text does, all of it is about
/// that recipient.
pub(super) fn take_explanation(recipients: &mut [Recipient], lines: &[&str]) {
    let [recipient] = recipients else {
        return;
    };
    if recipient.reply_code.is_none() && recipient.status.is_none() {
        let all = explanation::of(lines);
        let has_code = smtp_reply::reply_code(&all).is_some() || smtp_reply::status(&all).is_some();
        if has_code || recipient.diagnostic.is_none() {
            diagnostic::take(recipient, &all);
        }
    }
}

fn replace_if_better(known: &mut Recipient, other: Recipient) {
    let codes = |recipient: &Recipient| {
        usize::from(recipient.reply_code.is_some()) + usize::from(recipient.status.is_some())
    };
    if codes(&other) > codes(known) || diagnostic::are_poor(known) && !diagnostic::are_poor(&other)
    {
        let original = known.original_recipient.take();
        *known = other;
        known.original_recipient = known.original_recipient.take().or(original);
    }
}
