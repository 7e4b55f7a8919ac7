//! Which lines belong to the reply about one recipient: a mail system indents what follows on the line that names it,
//! or, as qmail does, ends it with a blank line. Whatever a fold puts first on such a line (an address, a code, a
//! courtesy) is a part of the reply.

use crate::address::{self, Candidate};

/// Where the reply ends that starts on line `named`, which an address leads and whose words start at `words_from`.
pub(super) fn end(lines: &[&str], named: usize, words_from: usize) -> usize {
    let owner = lines[named];
    let below = &lines[named + 1..];
    let words = owner.get(words_from..).unwrap_or_default();
    let is_bare = !words.contains(char::is_alphanumeric);
    // A list of addresses may be indented in any way.
    if is_bare && below.first().is_some_and(|next| is_bare_address(next)) {
        return named + 1;
    }
    let heads_paragraph =
        |line: &str| indentation(line) == 0 && line.ends_with(':') && is_bare_address(line);
    let is_paragraph = heads_paragraph(owner);
    let belongs = |line: &&&str| {
        let is_blank = line.trim().is_empty();
        let is_inside = is_paragraph && !heads_paragraph(line);
        !is_blank && (is_inside || indentation(line) > indentation(owner))
    };
    named + 1 + below.iter().take_while(belongs).count()
}

/// How far the text of a line is from its left edge.
fn indentation(line: &str) -> usize {
    line.len() - line.trim_start_matches([' ', '\t']).len()
}

/// Whether a line holds an address and nothing else.
fn is_bare_address(line: &str) -> bool {
    let Some(Candidate { place, .. }) = address::candidates(line).next() else {
        return false;
    };
    !line[..place.start].contains(char::is_alphanumeric)
        && !line[place.end..].contains(char::is_alphanumeric)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn length(text: &str) -> usize {
        let lines: Vec<&str> = text.lines().collect();
        let words_from = lines[0].find('>').map_or(lines[0].len(), |end| end + 1);
        end(&lines, 0, words_from) - 1
    }

    #[test]
    fn what_is_indented_belongs_to_the_reply() {
        assert_eq!(
            length("<a@b.example>: 550\n    <c@d.example>: no\n    (in reply\n\nThanks"),
            2
        );
        assert_eq!(
            length("  a@b.example\n    550 no\n  c@d.example\n    550 no"),
            1
        );
    }

    #[test]
    fn a_paragraph_belongs_to_the_name_above_it() {
        assert_eq!(
            length("<a@b.example>:\nno such user\nRemote host said: 550\n\nThanks"),
            2
        );
    }

    #[test]
    fn a_list_of_addresses_is_no_reply() {
        assert_eq!(length("a@b.example\n  c@d.example\n  e@f.example"), 0);
        assert_eq!(length("<a@b.example>:\n<c@d.example>:\nno such users"), 0);
    }
}
