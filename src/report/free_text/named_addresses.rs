//! Where a text names the recipients that failed: a line that starts with an address, or an address behind words that
//! announce a failed one.
//!
//! Never any other address: not one in a sentence, in a `From:`, or under "please contact".

use super::block;
use super::body::starts_with;
use crate::address::{self, Address, Candidate};
use crate::report::phrases::PHRASES;
use std::ops::Range;

/// An address that a line names as failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) address: Address,
    /// The line, from 0.
    pub(super) line: usize,
    /// Where in the line the words about it start.
    pub(super) words_from: usize,
    /// The address before forwarding or alias expansion, where a line says so.
    pub(super) original: Option<Address>,
    /// How sure it is.
    pub(super) form: Form,
}

/// How a line names the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Form {
    /// In the SMTP dialogue: `>>> RCPT TO:<a@b>`.
    Dialogue,
    /// The line starts with it.
    Leads,
    /// Behind words that announce it: `Failed Recipient: a@b`.
    Announced,
}

/// Every place where the lines name a failed address, in their order.
pub(super) fn find(lines: &[&str]) -> Vec<Named> {
    let mut found: Vec<Named> = Vec::new();
    let mut reply_ends = 0;
    for (line, text) in lines.iter().enumerate() {
        let Some(Candidate { place, address }) = address::candidates(text).next() else {
            continue;
        };
        let is_end = is_end_of_line_above(lines, line, place.start);
        let Some(address) = address.filter(|_| !is_end) else {
            continue;
        };
        if let Some(original) = expanded_from(text, &place) {
            if let Some(last) = found.last_mut().filter(|last| last.line + 3 >= line) {
                last.original.get_or_insert(original);
            }
            continue;
        }
        if line < reply_ends {
            continue;
        }
        if let Some((form, words_from)) = form(lines, line, &place) {
            if form == Form::Leads {
                reply_ends = block::end(lines, line, words_from);
            }
            let original = expanded_from_tail(&text[place.end..]);
            found.push(Named {
                address,
                line,
                words_from,
                original,
                form,
            });
        }
    }
    found
}

/// Whether an address at `start` of a line began in the line above: at a soft line break of quoted-printable (RFC 2045
/// section 6.7) that nothing declared.
pub(super) fn is_end_of_line_above(lines: &[&str], line: usize, start: usize) -> bool {
    start == 0 && line > 0 && lines[line - 1].ends_with('=')
}

/// How the line names the address at `place`, and where the words about it start; none where it only mentions it.
fn form(lines: &[&str], line: usize, place: &Range<usize>) -> Option<(Form, usize)> {
    let text = lines[line];
    let before = &text[..place.start];
    let after = &text[place.end..];
    let lead = before.trim_matches(is_decoration);
    if in_dialogue(before) {
        return Some((Form::Dialogue, 0));
    }
    if lead.is_empty() || is_enumeration(lead) {
        let words_from = place.end + leading_end(before, after)?;
        let certain = before.ends_with('<') && after.starts_with('>');
        return (certain || !asks_for_help(lines, line)).then_some((Form::Leads, words_from));
    }
    if is_announcement(lead) || is_announced_by_tail(lead, after) {
        return (!asks_for_help(&[lead], 1)).then_some((Form::Announced, 0));
    }
    None
}

/// Whether the blanks, bullets, quotes and brackets of a list may hold this character.
fn is_decoration(c: char) -> bool {
    c.is_whitespace() || "<[(\"'`*->•·:|+=«„“”：＜「『【（、".contains(c)
}

/// `1.`, `2)`
fn is_enumeration(lead: &str) -> bool {
    lead.len() <= 4
        && lead.ends_with(['.', ')'])
        && lead[..lead.len() - 1].bytes().all(|b| b.is_ascii_digit())
}

/// Where the words about a leading address start behind it, or none where the line goes on as a sentence does.
fn leading_end(before: &str, after: &str) -> Option<usize> {
    let bracketed = before.ends_with(['<', '[', '"', '\'']);
    let rest = after.trim_start_matches(['>', ']', '"', '\'', ')']);
    let closed = after.len() - rest.len();
    let trimmed = rest.trim_start();
    let at = closed + (rest.len() - trimmed.len());
    if trimmed.is_empty() {
        return Some(at);
    }
    // `a@b<mailto:a@b>`, and in RTF turned into text `a@b <a@b>`
    if trimmed.starts_with("<mailto:") || trimmed.starts_with('<') && trimmed.contains('@') {
        return Some(at + trimmed.find('>').map_or(0, |end| end + 1));
    }
    if trimmed.starts_with(':')
        || trimmed.starts_with("...")
        || trimmed.starts_with(';')
        || trimmed.starts_with(" -")
    {
        return Some(at + trimmed.bytes().take_while(|b| b":.;".contains(b)).count());
    }
    let goes_on = trimmed.starts_with("on ")
        || trimmed.starts_with('(')
        || trimmed.starts_with("- ")
        || trimmed.starts_with('[')
        || trimmed.starts_with('#')
        || PHRASES.failing.find(trimmed).is_some();
    let column = rest.starts_with("   ") || rest.starts_with('\t');
    (bracketed || goes_on || column).then_some(at)
}

/// `>>> RCPT TO:<a@b>`, `SMTP command: RCPT TO:<a@b>`.
fn in_dialogue(before: &str) -> bool {
    let before = before.trim_end_matches(['<', ' ']);
    before.len() >= 8 && before.as_bytes()[before.len() - 8..].eq_ignore_ascii_case(b"rcpt to:")
}

/// Whether words that announce a failed address end here.
fn is_announcement(lead: &str) -> bool {
    let lead = lead.to_lowercase().replace("  ", " ");
    let lead = lead.trim_end_matches([',', ' ', '=', ';']);
    PHRASES.announcing.iter().any(|words| {
        lead.strip_suffix(words.as_str())
            .is_some_and(|rest| !rest.ends_with(char::is_alphanumeric) || !words.is_ascii())
    })
}

/// `Mailbox a@b is unavailable`, `User a@b does not exist`: the words that follow say that it failed.
fn is_announced_by_tail(lead: &str, after: &str) -> bool {
    let after = after.trim_start_matches(['>', ')', ']', '"', '\'', ' ', '.']);
    let noun = [
        "mailbox",
        "user",
        "account",
        "recipient",
        "address",
        "user's mailbox",
    ];
    let failed = [
        "is unavailable",
        "is not available",
        "does not exist",
        "doesn't exist",
        "not found",
        "was not found",
        "is unknown",
        "unknown",
        "is not a valid",
        "is invalid",
        "is disabled",
        "has been disabled",
        "is full",
        "is over quota",
    ];
    let last = lead.rsplit(' ').next().unwrap_or_default();
    noun.iter().any(|noun| last.eq_ignore_ascii_case(noun))
        && failed.iter().any(|words| starts_with(after, words))
}

/// Whether the words in front of a line ask to write to an address.
fn asks_for_help(lines: &[&str], line: usize) -> bool {
    let mut above = lines[..line]
        .iter()
        .rev()
        .skip_while(|text| text.trim().is_empty());
    let heading = above
        .next()
        .map_or(String::new(), |text| text.to_lowercase());
    let failure = ["fail", "deliver", "could not", "unable", "recipient"];
    PHRASES.helping.find(&heading).is_some() && !failure.iter().any(|word| heading.contains(word))
}

/// The address in `(expanded from: <a@b>)`, `(generated from a@b)` on a line of its own.
fn expanded_from(text: &str, place: &Range<usize>) -> Option<Address> {
    let lead = text[..place.start].trim_start();
    let known = [
        "(expanded from",
        "(generated from",
        "(ultimately generated from",
        "(originally addressed to",
        "original address",
    ];
    let is =
        known.iter().any(|words| starts_with(lead, words)) && !starts_with(lead, "(originally");
    is.then(|| text[place.clone()].parse().ok()).flatten()
}

/// The same behind the failed address, as Postfix writes it.
fn expanded_from_tail(after: &str) -> Option<Address> {
    let at = after.find("(expanded from")?;
    address::in_text(&after[at..]).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(text: &str) -> Vec<String> {
        let lines: Vec<&str> = text.lines().collect();
        find(&lines)
            .iter()
            .map(|named| named.address.to_string())
            .collect()
    }

    #[test]
    fn leading_addresses_are_named() {
        for line in [
            "<a@b.example>: host mx.b.example said: 550",
            "  a@b.example",
            "\"a@b.example\":",
            "   * a@b.example",
            "> a@b.example",
            "a@b.example<mailto:a@b.example>",
            "a@B.example on Fri, 20 Jul 2001",
            "a@b.example: 550 5.1.1 no",
            "* [a@b.example]: 550 full",
            "1. a@b.example",
        ] {
            assert_eq!(named(line), ["a@b.example"], "{line}");
        }
    }

    #[test]
    fn announced_addresses_are_named() {
        for line in [
            "Unknown user: a@b.example",
            "undeliverable  to a@b.example",
            "c=US;a= ;o=x;dda:SMTP=a@b.example; on Fri",
            "[Status: Error, Address: <a@b.example>, ResponseCode 421]",
            "Sorry, unable to deliver your message to a@b.example for",
            "(Originally addressed to a@b.example)",
            "User's mailbox is full: <a@b.example>",
            "Local mailbox a@b.example is unavailable: user not found",
            "    >>> RCPT TO:<a@b.example>",
            "Empfänger: a@b.example",
        ] {
            assert_eq!(named(line), ["a@b.example"], "{line}");
        }
    }

    #[test]
    fn mentioned_addresses_are_not() {
        for text in [
            "For further assistance, please contact <postmaster@b.example>",
            "If you have questions write to:\n\nhelp@b.example",
            "System Contact: postmaster@b.example",
            "  From: a@b.example",
            "a@b.example is where I can be reached.",
            "please write to\nsupport@b.example.",
            "https://b.example/?mail=a@b.example",
            "550 5.7.1 <a@b.example>... Access denied",
        ] {
            assert_eq!(named(text), [""; 0], "{text}");
        }
    }
}
