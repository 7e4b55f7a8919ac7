//! The mail as the parsers see it: its header, what it says to people, what it says to machines, and what
//! it returns.

use super::header::Header;
use super::part::{self, Media, Part};
use crate::report::limits::Limit;
use std::borrow::Cow;

/// A mail, taken apart.
#[derive(Debug)]
pub(in crate::report) struct Mail<'x> {
    /// The bytes that were handed in, in which this mail stands, if it stands there as it is.
    pub(in crate::report) whole: &'x [u8],
    pub(in crate::report) header: Header<'x>,
    /// The `report-type` of a `multipart/report`.
    pub(in crate::report) report_type: Option<String>,
    pub(in crate::report) parts: Vec<Part<'x>>,
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
    /// Takes `raw` apart, which is a part of `whole` or made from one.
    pub(in crate::report) fn read(
        raw: &'x [u8],
        whole: &'x [u8],
        limits: &mut Vec<Limit>,
    ) -> Mail<'x> {
        let (header, body) = Header::split(raw, limits);
        let media = Media::of(&header);
        let report_type = media.report_type.clone();
        Mail {
            whole,
            header,
            report_type,
            parts: part::parts(media, body, limits),
        }
    }

    /// The parts of one media type.
    pub(in crate::report) fn parts_of(&self, media: &str) -> impl Iterator<Item = &Part<'x>> {
        self.parts
            .iter()
            .filter(move |part| part.media.name == media)
    }

    /// The part that holds the returned mail, or its header.
    pub(in crate::report) fn returned(&self) -> Option<&Part<'x>> {
        self.parts
            .iter()
            .find(|part| ORIGINALS.contains(&part.media.name.as_str()))
    }

    /// What the mail says to people: its text up to the returned mail. HTML only where there is no plain text; the text in
    /// front of the first part only where nothing else is there.
    pub(in crate::report) fn human_readable(&self) -> Cow<'x, str> {
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
