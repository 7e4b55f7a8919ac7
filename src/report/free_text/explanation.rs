//! Which lines of a text are words about a failure, and which are courtesy.

use crate::report::diagnostic::MAX_DIAGNOSTIC;
use crate::report::phrases::PHRASES;
use crate::smtp_reply;

/// What stands behind a recipient: the rest of its line and the lines below, up to a courtesy, without what gateways
/// put between.
pub(super) fn behind(inline: &str, lines: &[&str]) -> String {
    let end = lines.iter().position(|line| is_courtesy(line));
    let mut words = first(inline);
    let spoken = &lines[..end.unwrap_or(lines.len())];
    for paragraph in spoken.split(|line| line.trim().is_empty()) {
        if words.len() > MAX_DIAGNOSTIC {
            break;
        }
        if !is_banner(paragraph) {
            add_all(&mut words, paragraph);
        }
    }
    words
}

/// The rest of a line and the lines below, whatever they say.
pub(super) fn all(inline: &str, lines: &[&str]) -> String {
    let mut words = first(inline);
    add_all(&mut words, lines);
    words
}

/// All that a text says, without what every text says.
pub(super) fn of(lines: &[&str]) -> String {
    behind("", lines)
}

fn first(inline: &str) -> String {
    inline
        .trim_start_matches([':', ' ', '.', '>', ']'])
        .to_owned()
}

fn add_all(words: &mut String, lines: &[&str]) {
    for line in lines {
        if words.len() > MAX_DIAGNOSTIC {
            break;
        }
        add(words, line);
    }
}

fn add(words: &mut String, line: &str) {
    if !line.bytes().any(|b| b.is_ascii_alphanumeric() || b >= 0x80) {
        return; // a ruler, or nothing
    }
    words.push('\n');
    words.push_str(line.trim());
}

fn is_courtesy(line: &str) -> bool {
    let line = line.trim_start_matches(|c: char| !c.is_alphanumeric());
    PHRASES.courtesy.start(line)
}

/// Whether a gateway wrote a paragraph, and no reply stands in it: some of their phrases are also what receivers say of
/// a mail.
fn is_banner(paragraph: &[&str]) -> bool {
    let mut words = String::new();
    add_all(&mut words, paragraph);
    let words = words.replace('\n', " ");
    PHRASES.banner.find(&words).is_some()
        && smtp_reply::reply_code(&words).is_none()
        && smtp_reply::status(&words).is_none()
}

/// What a list of fields says of the reason, in the lines around the one that names the recipient, as in
/// `Reject reason: mailbox full`.
pub(super) fn reason_field(lines: &[&str], named: usize) -> Option<String> {
    let is_blank = |line: &&str| line.trim().is_empty();
    let lines = &lines[..lines.len().min(named + MAX_FIELDS)];
    let first = named.saturating_sub(MAX_FIELDS);
    let start = lines[first..named]
        .iter()
        .rposition(is_blank)
        .map_or(first, |at| first + at + 1);
    let end = lines[named..]
        .iter()
        .position(is_blank)
        .map_or(lines.len(), |at| named + at);
    (start..end).find_map(|at| {
        let (name, value) = lines[at].split_once([':', '：'])?;
        let is_reason = value.contains(char::is_alphanumeric) && is_reason(name);
        let folds = lines[at + 1..end]
            .iter()
            .take_while(|line| line.starts_with([' ', '\t']) && !line.contains(": "))
            .count();
        is_reason.then(|| all(value, &lines[at + 1..at + 1 + folds]))
    })
}

/// How far from a recipient the reason is looked for: lists of fields are short, lists of recipients are not.
const MAX_FIELDS: usize = 12;

/// Whether the name of a field ends in a word for the reason.
fn is_reason(name: &str) -> bool {
    let name = name
        .trim_matches(|c: char| !c.is_alphanumeric())
        .to_lowercase();
    name.chars().count() <= 40
        && PHRASES.reason.iter().any(|words| {
            name.strip_suffix(words.as_str())
                .is_some_and(|rest| !rest.ends_with(char::is_alphanumeric) || !words.is_ascii())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_says_why() {
        let notice = "We could not store your mail.\n\nRecipient : a@b.example\nReject reason: no room\n   in the box\nDate: today";
        let lines: Vec<&str> = notice.lines().collect();
        assert_eq!(
            reason_field(&lines, 2).as_deref(),
            Some("no room\nin the box")
        );
        assert_eq!(
            reason_field(&["a@b.example", "Reasonable: yes", "see: error"], 0),
            None
        );
    }

    #[test]
    fn what_gateways_add_is_not_said() {
        let notice =
            "It failed.\n\nThis mail was scanned for viruses\nand spam.\n\nThe box is full.";
        assert_eq!(
            of(&notice.lines().collect::<Vec<_>>()),
            "\nIt failed.\nThe box is full."
        );
        let refused = "550 5.7.1 this mail was scanned for viruses";
        assert_eq!(of(&[refused]), format!("\n{refused}"));
    }
}
