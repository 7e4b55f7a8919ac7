//! HTML to plain text, keeping what bounces need: line breaks where a browser shows them, and addresses in angle brackets
//! that somebody forgot to escape.
//!
//! No parser of documents: unknown tags vanish, broken ones end at the next `>`.

use memchr::{memchr, memchr2, memmem};

/// The text that a person would see, one line for each block.
pub(super) fn to_text(html: &str) -> String {
    let mut text = String::with_capacity(html.len() / 2);
    let mut rest = html;
    let mut preformatted = false;
    // The length of what follows on the next `>`: it is looked for once, as many a `<` may stand before it.
    let mut behind_next = html.len() + 1;
    while let Some(at) = memchr2(b'<', b'&', rest.as_bytes()) {
        push(&mut text, &rest[..at], preformatted);
        rest = &rest[at..];
        if rest.starts_with('&') {
            rest = entity(&mut text, rest);
            continue;
        }
        if rest.len() <= behind_next {
            let Some(end) = memchr(b'>', rest.as_bytes()) else {
                break; // no tag can follow
            };
            behind_next = rest.len() - end - 1;
        }
        let Some((tag, after)) = tag(rest, rest.len() - behind_next - 1) else {
            text.push('<');
            rest = &rest[1..];
            continue;
        };
        let close = tag.starts_with('/');
        let name = tag.trim_start_matches('/');
        let name = &name[..name.bytes().take_while(u8::is_ascii_alphanumeric).count()];
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        rest = after;
        if is_address(tag) {
            text.push('<');
            text.push_str(tag);
            text.push('>');
        } else if !close && (is("style") || is("script") || is("title")) {
            rest = behind_end_tag(after, name);
        } else if is("pre") {
            preformatted = !close;
            line_break(&mut text);
        } else if is("br") {
            text.push('\n');
        } else if is("td") || is("th") {
            text.push(' ');
        } else if BLOCKS.iter().any(|block| is(block)) {
            line_break(&mut text);
        }
    }
    push(&mut text, rest, preformatted);
    text
}

/// `<user@example.com>` that was not escaped.
fn is_address(tag: &str) -> bool {
    tag.contains('@') && !tag.contains(['=', ' ', '\n', '"']) && !tag.starts_with(['!', '/', '?'])
}

const BLOCKS: [&str; 19] = [
    "p",
    "div",
    "tr",
    "li",
    "ul",
    "ol",
    "table",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "blockquote",
    "dl",
    "dt",
    "dd",
    "center",
];

fn line_break(text: &mut String) {
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
}

/// Adds running text; outside of `<pre>` white space is one blank.
fn push(text: &mut String, run: &str, preformatted: bool) {
    if preformatted {
        text.push_str(run);
        return;
    }
    for (i, word) in run.split([' ', '\t', '\r', '\n']).enumerate() {
        if i > 0 && !text.ends_with([' ', '\n']) {
            text.push(' ');
        }
        text.push_str(word);
    }
}

/// The inside of the tag or comment that `rest` starts with, and what follows it. The first `>` is at `end`.
fn tag(rest: &str, end: usize) -> Option<(&str, &str)> {
    if rest.starts_with("<!--") {
        let end = memmem::find(rest.as_bytes(), b"-->").map_or(rest.len(), |at| at + 3);
        return Some(("!", &rest[end..]));
    }
    let first = rest[1..].chars().next()?;
    if !first.is_alphanumeric() && !matches!(first, '/' | '!' | '?' | '_') {
        return None;
    }
    Some((&rest[1..end], &rest[end + 1..]))
}

fn behind_end_tag<'x>(rest: &'x str, name: &str) -> &'x str {
    let mut at = 0;
    while let Some(found) = memmem::find(&rest.as_bytes()[at..], b"</") {
        at += found + 2;
        let end = rest.as_bytes().get(at..at + name.len());
        if end.is_some_and(|end| end.eq_ignore_ascii_case(name.as_bytes())) {
            let end = at + name.len();
            return memchr(b'>', &rest.as_bytes()[end..])
                .map_or("", |close| &rest[end + close + 1..]);
        }
    }
    ""
}

/// Writes the character that an entity stands for; the unknown ones stay as they are.
fn entity<'x>(text: &mut String, rest: &'x str) -> &'x str {
    const LONGEST: usize = 10;
    let window = &rest.as_bytes()[..rest.len().min(LONGEST)];
    let Some(end) = memchr(b';', window) else {
        text.push('&');
        return &rest[1..];
    };
    let name = &rest[1..end];
    let code = name.strip_prefix('#').and_then(|code| {
        let hex = code.strip_prefix(['x', 'X']);
        hex.map_or_else(
            || code.parse().ok(),
            |hex| u32::from_str_radix(hex, 16).ok(),
        )
    });
    let character = match name {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "nbsp" => Some(' '),
        "auml" => Some('ä'),
        "ouml" => Some('ö'),
        "uuml" => Some('ü'),
        "szlig" => Some('ß'),
        "eacute" => Some('é'),
        "egrave" => Some('è'),
        "agrave" => Some('à'),
        _ => code
            .and_then(char::from_u32)
            .map(|c| if c == '\u{a0}' { ' ' } else { c }),
    };
    match character {
        Some(character) => text.push(character),
        None => text.push_str(&rest[..=end]),
    }
    &rest[end + 1..]
}

#[cfg(test)]
mod tests {
    use super::to_text;

    #[test]
    fn blocks_are_lines() {
        let html = "<html><head><title>x</title><style>p{}</style></head><body><p>Your mail to\n <b>a@b.example</b></p><div>failed:<br>550&nbsp;no &lt;user&gt;</div>";
        assert_eq!(
            to_text(html).trim(),
            "Your mail to a@b.example\nfailed:\n550 no <user>"
        );
    }

    #[test]
    fn preformatted_lines_stay() {
        assert_eq!(to_text("<PRE>550 a\n  b</PRE>c").trim(), "550 a\n  b\nc");
    }

    #[test]
    fn an_address_is_no_tag() {
        assert_eq!(
            to_text("to <a@b.example> <!-- <x@y.example> --> 1 < 2"),
            "to <a@b.example> 1 < 2"
        );
    }

    #[test]
    fn broken_ends_are_no_panic() {
        for broken in [
            "<",
            "<b",
            "&",
            "&#;",
            "&#xffffffff;x",
            "<!--",
            "<style>",
            "ü<ü&ü;",
        ] {
            to_text(broken);
        }
    }
}
