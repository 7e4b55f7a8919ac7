//! The words of a diagnostic in the form that rules match: lower case, without accents, and `@` in the place of every
//! address.
//!
//! An address may hold anything (`user-unknown@example.com`), and often stands in the middle of a phrase
//! (`User <a@example.com> unknown`): with a mere `@` there, it can't be mistaken for words, and phrases stay phrases. Host
//! names and URLs stay, since receivers are known by them, but their places are noted: `refused.example` says nothing.

use std::ops::Range;

/// How much of a diagnostic is read, in bytes: replies of RFC 5321 have lines of at most 512, and what matters comes first.
pub const MAX_DIAGNOSTIC: usize = 4096;

/// A normalised text.
#[derive(Debug, Default)]
pub(super) struct Words {
    /// The text.
    pub text: String,
    /// Where host names and URLs stand in it, in their order.
    names: Vec<Range<usize>>,
    /// Where an `@` stands for an address that is not the recipient's.
    strangers: Vec<usize>,
    /// Whether a stranger's address stands where a reply names its recipient: behind the codes, `550 5.1.1 <a@example.com>`,
    /// or in front of the first, `<a@example.com>: 550`.
    pub about_stranger: bool,
}

impl Words {
    /// Normalises a text. `own` are the local parts, folded, that the recipient's address may have; where there is
    /// none, every address may be the recipient's.
    pub fn of(text: &str, own: &[String]) -> Words {
        let text = without_local_parts(folded(text), own);
        let mut words = Words {
            text: String::with_capacity(text.len()),
            ..Words::default()
        };
        let mut rest = &*text;
        let mut is_answered = false;
        let mut is_own_named = false;
        while let Some(at) = rest.find('@') {
            let local = local_length(&rest[..at]);
            let domain = domain_length(&rest[at + 1..]);
            let (before, after) = (&rest[..at - local], &rest[at + 1 + domain..]);
            let is_address = local > 0 && domain > 0;
            let is_own = !is_address || own.is_empty() || is_one_of(&rest[..at], local, own);
            let (before, after) = match (before.strip_suffix('<'), after.strip_prefix('>')) {
                (Some(before), Some(after)) => (before, after),
                _ => (before, after),
            };
            words.text.push_str(before);
            let leads_reply = is_address && !is_answered && starts_with_reply(after);
            is_answered |= leads_reply;
            if !is_own {
                let leads = words.strangers.is_empty() && is_reply_prefix(&words.text)
                    || !is_own_named && ends_with_codes(&words.text);
                words.about_stranger |= leads || leads_reply;
                words.strangers.push(words.text.len());
            }
            is_own_named |= is_address && is_own;
            words.text.push('@');
            rest = after;
        }
        words.text.push_str(rest);
        words.names = names(&words.text);
        words
    }

    /// Whether a match is a part of a host name or of a URL.
    pub fn is_within_name(&self, start: usize, end: usize) -> bool {
        let next = self.names.partition_point(|name| name.end < end);
        self.names.get(next).is_some_and(|name| name.start <= start)
    }

    /// Whether a host name or a URL stands in this range.
    pub fn has_name_in(&self, place: &Range<usize>) -> bool {
        let next = self.names.partition_point(|name| name.end <= place.start);
        self.names
            .get(next)
            .is_some_and(|name| name.start < place.end)
    }

    /// Whether the `@` at this place stands for an address that is not the recipient's.
    pub fn is_stranger(&self, at: usize) -> bool {
        self.strangers.binary_search(&at).is_ok()
    }
}

/// The part of a diagnostic that is read.
pub(super) fn head(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_DIAGNOSTIC)]
}

/// A phrase in the form of the texts that it is looked for in.
pub(super) fn phrase(text: &str) -> String {
    Words::of(text, &[]).text
}

/// Whether a phrase is meant to be found within host names and URLs: it is a part of one, as `spamhaus.org` and
/// `p=nosuchuser` are.
pub(super) fn is_of_name(phrase: &str) -> bool {
    phrase.contains(['/', '=', '#']) || phrase.trim_matches('.').contains('.')
}

/// Puts `@` in the place of the recipient's local part where it stands alone in angle brackets: `<anna> is unknown`.
fn without_local_parts(text: String, own: &[String]) -> String {
    let bracketed = |local: &String| format!("<{local}>");
    let found = own
        .iter()
        .map(bracketed)
        .find(|local| text.contains(local.as_str()));
    match found {
        Some(local) => text.replace(&local, "@"),
        None => text,
    }
}

/// Lower case, without the accents of Latin letters, which some systems leave out, and with the apostrophe of ASCII.
pub(super) fn folded(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let mut plain = String::with_capacity(text.len());
    for character in text.chars().flat_map(char::to_lowercase) {
        match character {
            '’' | '´' => plain.push('\''),
            'à'..='å' | 'ă' | 'ą' => plain.push('a'),
            'æ' => plain.push_str("ae"),
            'ç' | 'ć' | 'č' => plain.push('c'),
            'ď' | 'đ' => plain.push('d'),
            'è'..='ë' | 'ę' | 'ě' | 'ė' => plain.push('e'),
            'ğ' => plain.push('g'),
            'ì'..='ï' | 'ı' => plain.push('i'),
            'ł' => plain.push('l'),
            'ñ' | 'ń' | 'ň' => plain.push('n'),
            'ò'..='ö' | 'ø' | 'ő' => plain.push('o'),
            'ř' => plain.push('r'),
            'ß' => plain.push_str("ss"),
            'ś' | 'š' | 'ş' | 'ș' => plain.push('s'),
            'ť' | 'ţ' | 'ț' => plain.push('t'),
            'ù'..='ü' | 'ű' | 'ů' => plain.push('u'),
            'ý' | 'ÿ' => plain.push('y'),
            'ź' | 'ż' | 'ž' => plain.push('z'),
            // What is left of a letter that was taken apart (Unicode NFD): its accent.
            '\u{300}'..='\u{36f}' => {}
            other => plain.push(other),
        }
    }
    plain
}

/// RFC 5322 `atext`, the point, and whatever is not ASCII; without the quotes that people put around addresses.
fn local_length(before: &str) -> usize {
    let is_local =
        |b: &u8| b.is_ascii_alphanumeric() || b"!#$%&*+/=?^_{|}~.-".contains(b) || !b.is_ascii();
    before.bytes().rev().take_while(is_local).count()
}

fn domain_length(after: &str) -> usize {
    let is_domain = |b: &u8| b.is_ascii_alphanumeric() || b".-".contains(b) || !b.is_ascii();
    let length = after.bytes().take_while(is_domain).count();
    after[..length].trim_end_matches(['.', '-']).len()
}

/// Whether the local part at the end of `before`, `local` bytes long, is one of `own`, with or without a tag: `anna+news` is `anna`.
/// It may begin later than the reader of local parts thought (`rcpt=anna`), or earlier (`'anna'`).
fn is_one_of(before: &str, local: usize, own: &[String]) -> bool {
    let untagged = |local: &str| local.split('+').next().unwrap_or_default().to_owned();
    own.iter().any(|own| {
        let front = before.strip_suffix(own.as_str());
        front.is_some_and(|front| !front.ends_with(|c: char| c.is_alphanumeric()))
            || untagged(&before[before.len() - local..]) == untagged(own)
    })
}

/// Whether `text` is no more than the codes in front of a reply.
fn is_reply_prefix(text: &str) -> bool {
    let is_code = |b: u8| b.is_ascii_digit() || b" .-#<('\"".contains(&b);
    text.bytes().all(is_code) && text.bytes().any(|b| b.is_ascii_digit())
}

/// Whether `text` ends with the codes in front of a reply, whatever stands before: `smtp: Failed: 550 5.1.1 `.
fn ends_with_codes(text: &str) -> bool {
    let is_code = |b: &u8| b.is_ascii_digit() || b" .-#<('\"".contains(b);
    let length = text.bytes().rev().take_while(is_code).count();
    let mut words = text[text.len() - length..].split([' ', '-']);
    words.any(|word| word.len() == 3 && word.starts_with(['4', '5']) && !word.contains('.'))
}

/// Whether a text behind an address begins with a reply: `: 550 5.1.1 …`.
fn starts_with_reply(after: &str) -> bool {
    let reply = after.trim_start_matches([':', ' ']).as_bytes();
    let is_code =
        |code: &[u8]| matches!(code[0], b'4' | b'5') && code.iter().all(u8::is_ascii_digit);
    reply.len() > 3 && is_code(&reply[..3]) && !reply[3].is_ascii_digit()
}

/// Where host names and URLs stand.
fn names(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut start = 0;
    for token in text.split_inclusive(|c: char| c.is_whitespace() || "<>()[]\"',;|".contains(c)) {
        let place = start..start + token.len();
        start = place.end;
        let token = token.trim_end();
        if token.contains(['.', '/']) {
            found.extend(name(token).map(|name| place.start + name.start..place.start + name.end));
        }
    }
    found
}

/// The host name or URL in a token that holds no blanks.
fn name(token: &str) -> Option<Range<usize>> {
    if let Some(at) = token.find("://") {
        let scheme = token[..at].bytes().rev();
        let scheme = scheme.take_while(u8::is_ascii_alphanumeric).count();
        return Some(at - scheme..token.len());
    }
    // The path of a file: `/var/virusmails/1.gz`
    if token.starts_with('/') && token[1..].contains('/') {
        return Some(0..token.len());
    }
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_' || c == '.';
    let start = token.find(|c: char| c.is_ascii_alphanumeric())?;
    let host = &token[start..];
    let host = &host[..host.find(|c| !is_part(c)).unwrap_or(host.len())];
    let host = host.trim_end_matches('.');
    let (_, last) = host.rsplit_once('.')?;
    let is_host = !host.contains("..") && (is_reserved(last) || is_top_level(last));
    let is_linked = token[start + host.len()..].starts_with(['/', '?', '#', ':']);
    let end = if is_linked {
        token.len()
    } else {
        start + host.len()
    };
    is_host.then_some(start..end)
}

/// Names that the internet has no host for (RFC 2606, RFC 6762, RFC 9476 and what people use at home).
fn is_reserved(label: &str) -> bool {
    let names = "example test invalid localhost localdomain local lan internal intern corp alt";
    names.split(' ').any(|name| name == label)
}

/// Whether there is such a domain at the top of the DNS.
fn is_top_level(label: &str) -> bool {
    label.len() > 1 && psl::suffix(label.as_bytes()).is_some_and(|suffix| suffix.is_known())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_become_a_sign() {
        for (text, words) in [
            (
                "550 <A.b@Example.com>... User Unknown",
                "550 @... user unknown",
            ),
            ("User a+b@example.com. is GONE", "user @. is gone"),
            ("RCPT TO:<a@example.com>:", "rcpt to:@:"),
            ("'user-unknown@example.com'", "'@'"),
            ("<a@example.com", "<@"),
            ("@ <@> @@", "@ @ @@"),
            (
                "Пользователь ПЁТР@example.com не найден",
                "пользователь @ не найден",
            ),
            ("It wasn’t found", "it wasn't found"),
            (
                "Boîte désactivée, Postfach ungültig",
                "boite desactivee, postfach ungultig",
            ),
            ("e\u{301}t\u{e9}", "ete"),
            ("", ""),
        ] {
            assert_eq!(phrase(text), words);
        }
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(head(&"ü".repeat(MAX_DIAGNOSTIC)).len(), MAX_DIAGNOSTIC);
        assert_eq!(
            head(&format!("x{}", "ü".repeat(MAX_DIAGNOSTIC))).len(),
            MAX_DIAGNOSTIC - 1
        );
        assert_eq!(head("short"), "short");
    }

    #[test]
    fn host_names_and_urls_are_noted() {
        let names = |text: &str| -> Vec<String> {
            let words = Words::of(text, &[]);
            let names = words.names.iter();
            names
                .map(|name| words.text[name.clone()].to_owned())
                .collect()
        };
        assert_eq!(
            names(
                "host mx.full.example[192.0.2.1] said: see https://disabled.example/user-unknown."
            ),
            ["mx.full.example", "https://disabled.example/user-unknown."]
        );
        assert_eq!(
            names("go to www.blocked.de/spam?a or (help.example.com.)."),
            ["www.blocked.de/spam?a", "help.example.com"]
        );
        for none in [
            "user unknown.see below",
            "5.1.1 no",
            "192.0.2.1",
            "@... x",
            "e.g. this",
            "a..de",
            ".",
        ] {
            assert_eq!(names(none), [""; 0], "{none}");
        }
    }

    #[test]
    fn strangers_are_told_from_the_recipient() {
        let own = ["anna".to_owned()];
        let strange = |text: &str| {
            let words = Words::of(text, &own);
            (words.strangers.len(), words.about_stranger)
        };
        assert_eq!(strange("550 5.1.1 <anna@a.example>: no"), (0, false));
        assert_eq!(strange("550 5.1.1 <ANNA+x@b.example>: no"), (0, false));
        assert_eq!(strange("550 rcpt=anna@a.example: no"), (0, false));
        assert_eq!(strange("550 5.1.1 <johanna@a.example>: no"), (1, true));
        let quoted = Words::of("550 5.1.1 <'anna'@a.example>: no", &["'anna'".to_owned()]);
        assert!(!quoted.about_stranger);
        assert_eq!(strange("550 no: ask postmaster@a.example"), (1, false));
        assert_eq!(strange("550 @ <@>"), (0, false));
    }
}
