//! The words of a diagnostic in the form that rules match: lower case, and `@` in the place of every address.
//!
//! An address may hold anything (`user-unknown@example.com`), and often stands in the middle of a phrase
//! (`User <a@example.com> unknown`): with a mere `@` there, it can't be mistaken for words, and phrases stay phrases.

use std::borrow::Cow;

/// How much of a diagnostic is read, in bytes: replies of RFC 5321 have lines of at most 512, and what matters comes first.
pub const MAX_DIAGNOSTIC: usize = 4096;

/// The part of a diagnostic that is read.
pub(super) fn head(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_DIAGNOSTIC)]
}

/// Lower-cases the text, makes every apostrophe the one of ASCII, and puts a mere `@` in the place of addresses, with or
/// without their angle brackets.
pub(super) fn normalise(text: &str) -> String {
    let text = match text.is_ascii() {
        true => Cow::Borrowed(text),
        false => Cow::Owned(text.to_lowercase().replace('’', "'")),
    };
    let mut words = String::with_capacity(text.len());
    let mut rest = &*text;
    while let Some(at) = rest.find('@') {
        let local = rest[..at]
            .bytes()
            .rev()
            .take_while(|b| is_local(*b))
            .count();
        let domain = rest[at + 1..].bytes().take_while(|b| is_domain(*b)).count();
        let domain = rest[at + 1..at + 1 + domain]
            .trim_end_matches(['.', '-'])
            .len();
        let (before, after) = (&rest[..at - local], &rest[at + 1 + domain..]);
        match (before.strip_suffix('<'), after.strip_prefix('>')) {
            (Some(before), Some(after)) => {
                words.push_str(before);
                rest = after;
            }
            _ => {
                words.push_str(before);
                rest = after;
            }
        }
        words.push('@');
    }
    words.push_str(rest);
    words.make_ascii_lowercase();
    words
}

/// RFC 5322 `atext`, the point, and whatever is not ASCII; without the quotes that people put around addresses.
fn is_local(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&*+/=?^_{|}~.-".contains(&byte) || !byte.is_ascii()
}

fn is_domain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b".-".contains(&byte) || !byte.is_ascii()
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
            ("", ""),
        ] {
            assert_eq!(normalise(text), words);
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
}
