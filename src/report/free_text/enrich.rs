//! Better words for a delivery status part that says too little, from the text that stands beside it.

use super::body::Text;
use super::{dialogue, dovecot, merge, recipients, templates};
use crate::report::diagnostic;
use crate::report::types::Recipient;
use memchr::memmem;

/// What a text says of the recipients of a delivery status part whose fields say too little: better words, and the
/// refused command, where it names it.
pub(in crate::report) fn enrich(said: &str, known: &mut [Recipient]) {
    improve(said, known);
    if dialogue::is_in(said) {
        known.iter_mut().for_each(dialogue::without_guess);
    }
}

fn improve(said: &str, known: &mut [Recipient]) {
    let says_more =
        dovecot::is_in(said) || memmem::find(said.as_bytes(), b"generated from ").is_some();
    let names_command = || {
        [&b"in reply to"[..], b">>>", b" RCPT", b"refused to talk to"]
            .iter()
            .any(|words| memmem::find(said.as_bytes(), words).is_some())
    };
    let lacks_words = || known.iter().any(diagnostic::are_poor);
    let lacks_command = || known.iter().any(|recipient| recipient.command.is_none());
    let is_of_use = says_more || lacks_words() || lacks_command() && names_command();
    if !is_of_use {
        return;
    }
    let text = Text::read(said);
    let signs = templates::read(&text.lines);
    let told = recipients::by_lines(&text.lines, signs, &mut Vec::new());
    merge::told(&text.lines, signs, &told, known);
    if let ([recipient], Some(reason)) = (known, dovecot::reason(&text.lines)) {
        diagnostic::take(recipient, &reason);
        recipient.source = "Dovecot text".into();
    }
}
