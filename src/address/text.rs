//! Finds the addresses in running text, and never half of one: the half of `anna,berta@example.com` is somebody else.
//!
//! Between angle brackets stands one whole address or nobody. Elsewhere an address is whole where a blank, the end of
//! the line, or punctuation that can't belong to it stands on both sides.

use super::Address;
use memchr::{memchr, memchr2, memrchr, memrchr2};
use std::ops::Range;

/// A place in a text that has the form of an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// Where it stands, without brackets.
    pub(crate) place: Range<usize>,
    /// None where what stands there is no whole address: then nobody is named.
    pub(crate) address: Option<Address>,
}

/// The addresses in running text, in their order.
///
/// Only what looks like an address on the internet counts: the domain has a dot, or the address stands in angle
/// brackets or is a literal. Quoted local parts and UTF-8 (RFC 6531) are read, punctuation around an address is not.
///
/// ```
/// use bouncedemails::address::in_text;
/// let text = "Mail to 'a.b@example.com' failed: <\"c;d\"@example.org>, not e,f@example.org.";
/// let found: Vec<String> = in_text(text).map(|address| address.to_string()).collect();
/// assert_eq!(found, ["a.b@example.com", "\"c;d\"@example.org"]);
/// ```
pub fn in_text(text: &str) -> impl Iterator<Item = Address> {
    candidates(text).filter_map(|candidate| candidate.address)
}

/// Every place in the text that has the form of an address, whole or not, in their order.
pub(crate) fn candidates(text: &str) -> Candidates<'_> {
    Candidates {
        text,
        from: 0,
        accepted: None,
    }
}

/// The iterator of [`candidates`].
#[derive(Debug, Clone)]
pub(crate) struct Candidates<'x> {
    text: &'x str,
    /// Up to here everything is decided.
    from: usize,
    /// Where the last whole address ended, behind its bracket.
    accepted: Option<usize>,
}

impl Iterator for Candidates<'_> {
    type Item = Candidate;

    fn next(&mut self) -> Option<Candidate> {
        loop {
            let bytes = self.text.as_bytes();
            let at = self.from + memchr2(b'@', b'<', &bytes[self.from..])?;
            if bytes[at] == b'<' {
                let Some(close) = closing_bracket(self.text, at) else {
                    self.from = at + 1;
                    continue;
                };
                let content = at + 1..close;
                self.from = close + 1;
                if memchr(b'@', &bytes[content.clone()]).is_some() {
                    let candidate = bracketed(self.text, content);
                    self.note(&candidate, close + 1);
                    return Some(candidate);
                }
            } else {
                self.from = at + 1;
                if let Some(candidate) = self.bare(at) {
                    self.from = self.from.max(candidate.place.end);
                    self.note(&candidate, candidate.place.end);
                    return Some(candidate);
                }
            }
        }
    }
}

impl Candidates<'_> {
    fn note(&mut self, candidate: &Candidate, end: usize) {
        if candidate.address.is_some() {
            self.accepted = Some(end);
        }
    }

    /// What stands around the `@` at `at`, which is in no brackets.
    fn bare(&self, at: usize) -> Option<Candidate> {
        let start = local_start(self.text, at)?;
        let domain = at + 1..domain_end(self.text, at)?;
        let (before, after) = (&self.text[..start], &self.text[domain.end..]);
        let written = &self.text[start..domain.end];
        // Decoration that could as well belong to the local part is none unless it stands on the other side, too.
        let decoration = written.len() - written.trim_start_matches(is_decoration).len();
        let mirrored = decoration > 0 && is_mirrored(&written[..decoration], after);
        let place = start + if mirrored { decoration } else { 0 }..domain.end;
        let text = &self.text[domain.clone()];
        if !text.contains('.') && !text.starts_with('[') || place.start >= at {
            return None;
        }
        let whole = (mirrored || decoration == 0)
            && self.begins_cleanly(start, after)
            && ends_cleanly(text, after)
            && (!runs_on(&self.text[start..at]) || stands_alone(before, after));
        let address = whole.then(|| parsed(&self.text[place.clone()])).flatten();
        Some(Candidate { place, address })
    }

    /// Whether nothing that could belong to the address stands in front of it.
    fn begins_cleanly(&self, start: usize, after: &str) -> bool {
        let window = self.text.ceil_char_boundary(start.saturating_sub(WINDOW));
        let before = self.text[window..start].trim_end_matches(is_invisible);
        let Some(last) = before.chars().next_back() else {
            return true;
        };
        let further = &before[..before.len() - last.len_utf8()];
        let before_it = further.chars().next_back();
        let unspaced = before_it.is_some_and(is_unspaced);
        let fresh = unspaced || before_it.is_none_or(char::is_whitespace);
        match last {
            _ if last.is_whitespace() => true,
            // A list without blanks.
            ',' | ';' => self.accepted == Some(window + further.len()),
            // Behind a tag.
            '>' => memrchr(b'<', further.as_bytes()).is_some_and(|open| {
                closing_bracket(self.text, window + open) == Some(window + further.len())
            }),
            ':' => unspaced || is_label(further),
            '=' => further.ends_with("SMTP") || further.ends_with("smtp"),
            '：' | '、' | '。' | '，' | '；' => unspaced,
            _ => closer_of(last).is_some_and(|closer| {
                after.starts_with(closer) || fresh && line_of(after).contains(closer)
            }),
        }
    }
}

/// The address between angle brackets, which is all of it or nobody.
fn bracketed(text: &str, content: Range<usize>) -> Candidate {
    let written = &text[content.clone()];
    let skipped = ["mailto:", "smtp:", "rfc822:"]
        .into_iter()
        .find(|scheme| {
            written
                .get(..scheme.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
        })
        .map_or(0, str::len);
    // A source route (RFC 5321 appendix C): `@relay.example.net:user@example.com`
    let route = match written.strip_prefix('@').and_then(|rest| rest.find(':')) {
        Some(colon) => colon + 2,
        None => skipped,
    };
    let bare = written[route..].trim_start();
    // `<<a@b>` is the half of `<a@b`.
    let opened = text[..content.start]
        .bytes()
        .rev()
        .take(8)
        .take_while(|b| *b == b'<')
        .count();
    let closed = text[content.end..]
        .bytes()
        .take(8)
        .take_while(|b| *b == b'>')
        .count();
    let start = content.end - bare.len();
    let bare = bare.trim_end();
    Candidate {
        place: start..start + bare.len(),
        address: parsed(bare).filter(|_| opened <= closed),
    }
}

/// Where the bracket that opens at `open` is closed in the same line; none where it is no bracket.
fn closing_bracket(text: &str, open: usize) -> Option<usize> {
    let behind = &text[open + 1..];
    let window = &behind.as_bytes()[..behind.len().min(Address::MAX_LEN + 16)];
    if window
        .first()
        .is_none_or(|b| b.is_ascii_whitespace() || *b == b'<')
    {
        return None;
    }
    let quoted = match window.strip_prefix(b"\"") {
        Some(rest) => closing_quote(rest).map_or(0, |quote| quote + 2),
        None => 0,
    };
    let end = quoted + memchr2(b'>', b'\n', &window[quoted..])?;
    (window[end] == b'>').then_some(open + 1 + end)
}

/// Where the first quote is that no backslash escapes.
fn closing_quote(text: &[u8]) -> Option<usize> {
    let mut escaped = false;
    for (at, &byte) in text.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(at),
            b'\n' => return None,
            _ => {}
        }
    }
    None
}

/// Where the local part in front of the `@` at `at` begins, with what may be decoration.
fn local_start(text: &str, at: usize) -> Option<usize> {
    let window = text.ceil_char_boundary(at.saturating_sub(Address::MAX_LEN));
    let before = &text[window..at];
    let start = if let Some(quoted) = before.strip_suffix('"') {
        window + opening_quote(quoted)?
    } else {
        let local = before.len() - before.trim_end_matches(is_local).len();
        at - local
    };
    // X.400: `c=US;dda:SMTP=user@example.com`
    let explicit = text[start..at]
        .get(..5)
        .is_some_and(|kind| kind.eq_ignore_ascii_case("smtp="));
    let start = if explicit { start + 5 } else { start };
    (start < at && (start > window || window == 0)).then_some(start)
}

/// Where the quote opens that is closed at the end of `text`; none where a backslash escapes the closing one.
fn opening_quote(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let escapes = |at: usize| {
        bytes[..at]
            .iter()
            .rev()
            .take_while(|b| **b == b'\\')
            .count()
            % 2
            == 1
    };
    if escapes(bytes.len()) {
        return None;
    }
    let mut end = bytes.len();
    loop {
        let at = memrchr2(b'"', b'\n', &bytes[..end])?;
        match bytes[at] {
            b'\n' => return None,
            _ if escapes(at) => end = at,
            _ => return Some(at),
        }
    }
}

/// Where the domain behind the `@` at `at` ends, without the full stop of a sentence.
fn domain_end(text: &str, at: usize) -> Option<usize> {
    let window = text.floor_char_boundary(at + 1 + Address::MAX_LEN);
    let after = &text[at + 1..window];
    if after.starts_with('[') {
        return Some(at + 1 + memchr(b']', after.as_bytes())? + 1);
    }
    let run = &after[..after.len() - after.trim_start_matches(is_domain).len()];
    let run = run.trim_end_matches('.');
    // The text of scripts without blanks goes on behind an address. No top-level domain mixes them with ASCII.
    let last = run.rfind('.').map_or(0, |dot| dot + 1);
    let prose = match run[last..].starts_with(|c: char| c.is_ascii_alphanumeric()) {
        true => run[last..]
            .find(is_unspaced)
            .map_or(run.len(), |prose| last + prose),
        false => run.len(),
    };
    let domain = run[..prose].trim_end_matches('.');
    (!domain.is_empty() && !domain.starts_with('.')).then_some(at + 1 + domain.len())
}

/// Whether nothing behind the address belongs to it.
fn ends_cleanly(domain: &str, after: &str) -> bool {
    let after = after.trim_start_matches(is_invisible);
    if domain.ends_with(['-', '_']) {
        return false;
    }
    let beyond = after.trim_start_matches('.');
    if beyond.starts_with(['=', '%', '\\', '+', '~', '^', '$', '/', '@', '>', '#', '&']) {
        return false;
    }
    // `a@b` would be the local part of `a@b"c@d`; but not in a list, or where another address follows in brackets.
    let window = &beyond[..beyond.floor_char_boundary(WINDOW)];
    let stop = |c: char| c.is_whitespace() || "@,;<".contains(c) || is_punctuation(c);
    window
        .find(stop)
        .is_none_or(|end| !window[end..].starts_with('@'))
}

/// Whether a local part holds letters of a script that is written without blanks, so that words in front may run on
/// into it.
fn runs_on(local: &str) -> bool {
    !local.starts_with('"') && local.contains(is_unspaced)
}

/// Whether there is nothing else in the line.
fn stands_alone(before: &str, after: &str) -> bool {
    let ahead = &before[before.ceil_char_boundary(before.len().saturating_sub(WINDOW))..];
    let ahead = ahead.rsplit('\n').next().unwrap_or_default();
    ahead.trim().is_empty() && line_of(after).trim().is_empty()
}

/// How far is looked for what stands on the other side of an address.
const WINDOW: usize = Address::MAX_LEN;

/// The rest of the line, as far as it is looked at.
fn line_of(after: &str) -> &str {
    let window = &after[..after.floor_char_boundary(WINDOW)];
    window.lines().next().unwrap_or_default()
}

/// Whether a word that says that an address follows stands in front of a colon.
fn is_label(before: &str) -> bool {
    const LABELS: [&str; 12] = [
        "smtp",
        "rfc822",
        "mailto",
        "to",
        "recipient",
        "address",
        "email",
        "mail",
        "e-mail",
        "user",
        "from",
        "for",
    ];
    let word = before.trim_end_matches(|c: char| c.is_ascii_alphanumeric() || c == '-');
    LABELS
        .iter()
        .any(|label| before[word.len()..].eq_ignore_ascii_case(label))
}

/// What closes a bracket or quote.
fn closer_of(opener: char) -> Option<char> {
    Some(match opener {
        '(' => ')',
        '[' => ']',
        '"' => '"',
        '«' => '»',
        '“' | '„' => '”',
        '‘' | '‚' => '’',
        '‹' => '›',
        '「' => '」',
        '『' => '』',
        '【' => '】',
        '〈' => '〉',
        '《' => '》',
        '（' => '）',
        '［' => '］',
        '＜' => '＞',
        _ => return None,
    })
}

/// What RFC 5322 lets stand in a local part, but people put around an address.
fn is_decoration(c: char) -> bool {
    "'`*|{/=_~!?&^".contains(c) || !c.is_ascii() && !c.is_alphanumeric()
}

/// Whether the text behind an address closes what the decoration in front of it opens.
fn is_mirrored(decoration: &str, after: &str) -> bool {
    let mut after = after.chars();
    decoration.chars().rev().all(|c| {
        let closing = after.next();
        closing == Some(c) || c == '{' && closing == Some('}') || c == '`' && closing == Some('\'')
    })
}

/// RFC 5322 `atext` and the dot, the backslash of escapes, and RFC 6531's characters but for punctuation.
fn is_local(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.\\".contains(c) || is_international(c)
}

fn is_domain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') || is_international(c)
}

/// Letters, marks and symbols beyond ASCII. Blanks and punctuation, which RFC 6531 would allow, stand around addresses
/// instead.
fn is_international(c: char) -> bool {
    !c.is_ascii() && !c.is_whitespace() && !c.is_control() && !is_invisible(c) && !is_punctuation(c)
}

/// Characters without a shape: zero-width blanks and the controls of the direction of text.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// Punctuation beyond ASCII: of Latin, the general one, of East Asia, in full and half width.
fn is_punctuation(c: char) -> bool {
    matches!(
        c,
        '¡' | '§' | '«' | '¶' | '·' | '»' | '¿' | '\u{2010}'..='\u{2027}' | '\u{2030}'..='\u{205e}' | '\u{3001}'..='\u{3003}'
            | '\u{3008}'..='\u{3011}' | '\u{3014}'..='\u{301f}' | '・' | '\u{ff01}'..='\u{ff0f}' | '\u{ff1a}'..='\u{ff20}'
            | '\u{ff3b}'..='\u{ff40}' | '\u{ff5b}'..='\u{ff65}'
    )
}

/// Letters of scripts that are written without blanks between words: those of East and South-East Asia.
fn is_unspaced(c: char) -> bool {
    matches!(c, '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{2e80}'..)
        && !c.is_whitespace()
        && !is_punctuation(c)
}

/// The address that `text` is. Exim writes bytes beyond ASCII as `\\303\\266`; no address where a backslash outside of
/// quotes stands for something else.
fn parsed(text: &str) -> Option<Address> {
    if text.contains('\\') && !text.starts_with('"') {
        return unescaped(text)?.parse().ok();
    }
    text.parse().ok()
}

fn unescaped(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        if first == b'\\' {
            let octal = std::str::from_utf8(behind.get(..3)?).ok()?;
            bytes.push(u8::from_str_radix(octal, 8).ok()?);
            rest = &behind[3..];
        } else {
            bytes.push(first);
            rest = behind;
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        in_text(text).map(|a| a.to_string()).collect()
    }

    #[test]
    fn punctuation_is_not_part_of_an_address() {
        assert_eq!(
            found("to: (a@b.example), 'c@D.example'; <e@localhost>."),
            ["a@b.example", "c@d.example", "e@localhost"]
        );
        assert_eq!(
            found("mailto:a+b=c@d.example?subject=x"),
            ["a+b=c@d.example"]
        );
        assert_eq!(
            found("a@b.example,c@d.example;<e@f.example>,g@h.example").len(),
            4
        );
        assert_eq!(
            found("müller@example.de、b@c.exampleに"),
            ["müller@example.de"]
        );
        assert_eq!(
            found("宛先：「a@b.example」に、<日本@b.example>"),
            ["a@b.example", "日本@b.example"]
        );
    }

    #[test]
    fn what_is_no_address_is_left() {
        assert_eq!(
            found("user@host @b.example a@ a@.b.example \"\"@b.example @@@"),
            [""; 0]
        );
    }

    #[test]
    fn half_of_an_address_is_left() {
        for text in [
            "a,b@c.example",
            "a;b@c.example",
            "<a b@c.example>",
            "<a,b@c.example>",
            "a@b@c.example",
            "\"a\"b@c.example",
            "宛先a@b.exampleに",
            "a@b.example-",
            "https://b.example/?mail=a@b.example",
            "(a@b.example",
            "a:b@c.example",
        ] {
            assert_eq!(found(text), [""; 0], "{text}");
        }
    }

    #[test]
    fn literals_and_odd_local_parts_are_read() {
        assert_eq!(
            found("u@[192.0.2.1] a..b.@d.example \"a b\"@c.example \"a\\\"@b\"@c.example"),
            [
                "u@[192.0.2.1]",
                "a..b.@d.example",
                "\"a b\"@c.example",
                "\"a\\\"@b\"@c.example"
            ]
        );
        let escaped = found(r"j\303\266rg@d.example \nx@d.example");
        assert_eq!(escaped, ["jörg@d.example"]);
    }
}
