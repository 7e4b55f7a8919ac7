//! Better words for a delivery status part that says too little, from the text that stands beside it.

use super::signs::{self, Signs};
use super::text::Text;
use super::transcript::Transcript;
use super::{gist, told};
use crate::address::Address;
use crate::report::types::Recipient;
use crate::report::words;
use memchr::memmem;
use std::collections::HashMap;

/// What a text says of the recipients of a delivery status part whose fields say too little: better words, and the
/// refused command, where it names it.
pub(in crate::report) fn improve(said: &str, recipients: &mut [Recipient]) {
    let says_more = said.contains(DOVECOT);
    let names_command = || {
        [&b"in reply to"[..], b">>>", b" RCPT"]
            .iter()
            .any(|words| memmem::find(said.as_bytes(), words).is_some())
    };
    let lacks_words = || recipients.iter().any(words::are_poor);
    let lacks_command = || recipients.iter().any(|known| known.command.is_none());
    let is_of_use = says_more || lacks_words() || lacks_command() && names_command();
    if !is_of_use {
        return;
    }
    let text = Text::read(said);
    let signs = signs::read(&text.lines);
    let told = told::by_lines(&text.lines, signs, &mut Vec::new());
    with(&text.lines, signs, &told, recipients);
    if let ([recipient], Some(reason)) = (recipients, dovecot_reason(&text.lines)) {
        words::take(recipient, &reason);
        recipient.source = "Dovecot text".into();
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

const DOVECOT: &str = "was automatically rejected:";

/// Dovecot's delivery agent puts its reason only here: `Your message to <a@b> was automatically rejected:` and the reason
/// on the next line (mail-send.c, `rejection_reason`). It decided; a Diagnostic-Code beside it is a relay's.
fn dovecot_reason(lines: &[&str]) -> Option<String> {
    let at = lines.iter().position(|line| line.ends_with(DOVECOT))?;
    Some(gist::behind("", &lines[at + 1..])).filter(|reason| !reason.is_empty())
}

/// Improves recipients with what the lines told of the same addresses.
pub(super) fn with(lines: &[&str], signs: Signs, told: &[Recipient], recipients: &mut [Recipient]) {
    let single = recipients.len() == 1;
    let by_address: HashMap<String, &Recipient> = told
        .iter()
        .map(|recipient| (recipient.address.key(), recipient))
        .collect();
    let last = Transcript::read(lines).last;
    for recipient in recipients {
        let named = |address: &Address| by_address.get(&address.key()).copied();
        let about = named(&recipient.address)
            .or_else(|| recipient.original_recipient.as_ref().and_then(named))
            .or_else(|| told.first().filter(|_| single && told.len() == 1));
        if let Some(about) = about {
            recipient.command = recipient.command.or(about.command);
            if words::are_poor(recipient) && !words::are_poor(about) {
                let exit = local_exit(recipient);
                let words = about.diagnostic.as_deref().unwrap_or_default();
                words::take(recipient, &format!("{exit}{words}"));
                recipient.source.clone_from(&about.source);
            }
        }
        if single
            && (words::are_poor(recipient) || recipient.command.is_none())
            && let Some(reply) = &last
        {
            recipient.command = recipient.command.or(reply.command);
            if words::are_poor(recipient) {
                words::take(recipient, &reply.text);
                recipient.source = told::source(signs, "SMTP dialogue");
            }
        }
        if single && words::are_poor(recipient) {
            let transcript =
                told::transcript_heading(lines).map(|heading| gist::of(&lines[heading + 1..]));
            let all = || recipient.diagnostic.is_none().then(|| gist::of(lines));
            if let Some(said) = transcript.filter(|said| !said.is_empty()).or_else(all) {
                words::take(recipient, &format!("{}{said}", local_exit(recipient)));
                recipient.source = told::source(signs, "whole");
            }
        }
    }
}
