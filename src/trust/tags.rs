//! Lists of tags (RFC 6376 section 3.2): `v=1; a=rsa-sha256; d=example.com`.

use std::ops::Range;

/// More tags than this no signature and no key has.
const MAX_TAGS: usize = 64;

/// A list of tags. Values are as they stand, with folds inside.
#[derive(Debug)]
pub(super) struct Tags<'x> {
    text: &'x str,
    tags: Vec<(&'x str, Range<usize>)>,
}

impl<'x> Tags<'x> {
    /// None where it is no such list, or has a tag twice.
    pub(super) fn read(text: &'x str) -> Option<Tags<'x>> {
        let mut tags: Vec<(&str, Range<usize>)> = Vec::with_capacity(12);
        let mut start = 0;
        for tag in text.split(';') {
            let end = start + tag.len();
            if !tag.trim().is_empty() {
                let (name, value) = tag.split_once('=')?;
                let name = name.trim();
                let is_known = tags.iter().any(|(known, _)| *known == name);
                if name.is_empty() || is_known || tags.len() == MAX_TAGS {
                    return None;
                }
                tags.push((name, end - value.len()..end));
            }
            start = end + 1;
        }
        Some(Tags { text, tags })
    }

    /// Where the value of a tag stands, with all white space around it.
    pub(super) fn place(&self, name: &str) -> Option<Range<usize>> {
        let tag = self.tags.iter().find(|(known, _)| *known == name)?;
        Some(tag.1.clone())
    }

    /// The value of a tag, without white space around it.
    pub(super) fn get(&self, name: &str) -> Option<&'x str> {
        Some(self.text[self.place(name)?].trim())
    }

    /// The value of a tag in base64, in which white space stands for nothing.
    pub(super) fn base64(&self, name: &str) -> Option<Vec<u8>> {
        let text: Vec<u8> = self
            .get(name)?
            .bytes()
            .filter(|b| !b.is_ascii_whitespace())
            .collect();
        data_encoding::BASE64.decode(&text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_have_places() {
        let text = "v=1; a = x=y ;b=Zm\r\n\t9v;; c=";
        let tags = Tags::read(text).unwrap();
        assert_eq!(tags.get("v"), Some("1"));
        assert_eq!(tags.get("a"), Some("x=y"));
        assert_eq!(tags.base64("b").as_deref(), Some(&b"foo"[..]));
        assert_eq!(&text[tags.place("b").unwrap()], "Zm\r\n\t9v");
        assert_eq!((tags.get("c"), tags.get("d")), (Some(""), None));
    }

    #[test]
    fn what_is_no_list_of_tags_is_none() {
        for text in ["v", "v=1; =2", "v=1; v=1", &"x;".repeat(9)] {
            assert!(Tags::read(text).is_none(), "{text}");
        }
        let many: String = (0..=MAX_TAGS).map(|n| format!("t{n}=;")).collect();
        assert!(Tags::read(&many).is_none());
        assert!(Tags::read("").unwrap().get("v").is_none());
    }
}
