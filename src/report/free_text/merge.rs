//! Recipients from one part of a mail, improved by what another part says of the same addresses.

use super::body::starts_with;
use super::dialogue::Transcript;
use super::explanation;
use super::templates::Signs;
use crate::address::Address;
use crate::report::diagnostic;
use crate::report::types::{Action, Recipient};
use std::collections::HashMap;
use std::sync::Arc;

/// Improves recipients with what the lines told of the same addresses.
pub(super) fn told(lines: &[&str], signs: Signs, told: &[Recipient], recipients: &mut [Recipient]) {
    let single = recipients.len() == 1;
    let by_address = by_address(told);
    let last = Transcript::read(lines).last;
    for recipient in recipients {
        let named = |address: &Address| by_address.get(&address.key()).copied();
        let about = named(&recipient.address)
            .or_else(|| recipient.original_recipient.as_ref().and_then(named))
            .or_else(|| told.first().filter(|_| single && told.len() == 1));
        if let Some(about) = about {
            leads_to(recipient, about);
            recipient.command = recipient.command.or(about.command);
            if diagnostic::are_poor(recipient) && !diagnostic::are_poor(about) {
                let exit = local_exit(recipient);
                let words = about.diagnostic.as_deref().unwrap_or_default();
                diagnostic::take(recipient, &format!("{exit}{words}"));
                recipient.source.clone_from(&about.source);
            }
        }
        if single
            && (diagnostic::are_poor(recipient) || recipient.command.is_none())
            && let Some(reply) = &last
        {
            recipient.command = recipient.command.or(reply.command);
            if diagnostic::are_poor(recipient) {
                diagnostic::take(recipient, &reply.text);
                recipient.source = source(signs, "SMTP dialogue");
            }
        }
        if single && diagnostic::are_poor(recipient) {
            let transcript =
                transcript_heading(lines).map(|heading| explanation::of(&lines[heading + 1..]));
            // Where the Status field tells why, a text that names nobody adds nothing but what gateways put around it.
            let tells_why = recipient.status.is_some_and(|status| status.is_telling());
            let all =
                || (recipient.diagnostic.is_none() && !tells_why).then(|| explanation::of(lines));
            if let Some(said) = transcript.filter(|said| !said.is_empty()).or_else(all) {
                diagnostic::take(recipient, &format!("{}{said}", local_exit(recipient)));
                recipient.source = source(signs, "whole");
            }
        }
    }
}

/// What was told, by the address that it is about and, where it is another, the one that the mail was sent to before.
pub(super) fn by_address(told: &[Recipient]) -> HashMap<String, &Recipient> {
    let originals = told.iter().filter_map(|recipient| {
        let original = recipient.original_recipient.as_ref()?;
        Some((original.key(), recipient))
    });
    let named = told
        .iter()
        .map(|recipient| (recipient.address.key(), recipient));
    originals.chain(named).collect()
}

/// Where a report names an alias, and the text whom that led to (Exim's `berta@b (generated from anna@a)`), keeps both.
pub(super) fn leads_to(recipient: &mut Recipient, about: &Recipient) {
    let is_alias = about
        .original_recipient
        .as_ref()
        .is_some_and(|original| original.is_same_mailbox(&recipient.address));
    if is_alias && recipient.final_recipient.is_none() {
        recipient.final_recipient = Some(about.address.clone());
    }
}

/// `x-unix; 77 `, where a local delivery program failed: its words follow on it.
fn local_exit(recipient: &Recipient) -> String {
    let words = recipient.diagnostic.as_deref().unwrap_or_default();
    let is_local = words
        .get(..6)
        .is_some_and(|kind| kind.eq_ignore_ascii_case("x-unix"));
    if is_local {
        format!("{words} ")
    } else {
        String::new()
    }
}

/// The line under which Sendmail puts the dialogue, and what delivery programs said.
pub(super) fn transcript_heading(lines: &[&str]) -> Option<usize> {
    lines.iter().position(|line| {
        let words = line.trim_start_matches(|c: char| !c.is_alphanumeric());
        starts_with(words, "transcript of session follows")
    })
}

/// A recipient of whom nothing is known yet.
pub(super) fn fresh(address: Address, signs: Signs, line: Option<usize>) -> Recipient {
    let place = line.map_or("whole".to_owned(), |line| format!("line {}", line + 1));
    let mut recipient = Recipient::new(address, source(signs, &place));
    if signs.delayed {
        recipient.action = Action::Delayed;
    }
    recipient
}

/// `Exim text, line 4`
pub(super) fn source(signs: Signs, place: &str) -> Arc<str> {
    let source = match signs.system {
        Some(system) => format!("{system} text, {place}"),
        None => format!("text, {place}"),
    };
    source.into()
}
