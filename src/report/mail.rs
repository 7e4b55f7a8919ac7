//! The mail as the parsers of this module see it: its header, what it says to people, what it says to machines, and what
//! it returns.

use super::header::Header;
use super::limits::Limit;
use super::mime::{self, Media, Part};
use std::borrow::Cow;

/// A mail, taken apart.
#[derive(Debug)]
pub(super) struct Mail<'x> {
    pub(super) header: Header<'x>,
    /// The `report-type` of a `multipart/report`.
    pub(super) report_type: Option<String>,
    pub(super) parts: Vec<Part<'x>>,
}

/// The parts that hold the returned mail, or its header.
const ORIGINALS: [&str; 5] = [
    "message/rfc822",
    "text/rfc822-headers",
    "message/global",
    "message/global-headers",
    "message/partial",
];

impl<'x> Mail<'x> {
    pub(super) fn read(raw: &'x [u8], limits: &mut Vec<Limit>) -> Mail<'x> {
        let (header, body) = Header::split(raw, limits);
        let media = Media::of(&header);
        let report_type = media.report_type.clone();
        Mail {
            header,
            report_type,
            parts: mime::parts(media, body, limits),
        }
    }

    /// The parts of one media type.
    pub(super) fn parts_of(&self, media: &str) -> impl Iterator<Item = &Part<'x>> {
        self.parts
            .iter()
            .filter(move |part| part.media.name == media)
    }

    /// The part that holds the returned mail, or its header.
    pub(super) fn returned(&self) -> Option<&Part<'x>> {
        self.parts
            .iter()
            .find(|part| ORIGINALS.contains(&part.media.name.as_str()))
    }

    /// What the mail says to people: its text up to the returned mail. HTML only where there is no plain text; the text in
    /// front of the first part only where nothing else is there.
    pub(super) fn notes(&self) -> Cow<'x, str> {
        let is_original = |part: &&Part<'x>| ORIGINALS.contains(&part.media.name.as_str());
        let spoken = || self.parts.iter().take_while(|part| !is_original(part));
        let texts = |is: &dyn Fn(&Part<'x>) -> bool| {
            let mut texts = spoken()
                .filter(|part| is(part))
                .map(Part::text)
                .filter(|text| !text.trim().is_empty());
            let first = texts.next()?;
            Some(texts.fold(first, |all, text| all + "\n" + text))
        };
        texts(&|part| part.media.name == "text/plain")
            .or_else(|| texts(&|part| part.media.name == "text/html"))
            .or_else(|| texts(&Part::is_preamble))
            .unwrap_or_default()
    }
}
