//! The five calls of mail-parser: it decodes what stands in a header field, charsets and base64.
//!
//! They are a part of it that is hardly meant for others, so that nothing else here calls it.

use mail_parser::HeaderValue;
use mail_parser::decoders::base64::base64_decode;
use mail_parser::decoders::charsets::map::charset_decoder;
use mail_parser::parsers::MessageStream;
use std::borrow::Cow;

/// What a `Content-Type` field says: the media type in lower case, and the parameters that matter here.
#[derive(Debug, Default)]
pub(super) struct ContentType {
    pub(super) name: Option<String>,
    pub(super) report_type: Option<String>,
    pub(super) charset: Option<String>,
    pub(super) boundary: Option<String>,
}

/// Reads the value of a `Content-Type` field (RFC 2045 section 5.1, RFC 2231).
pub(super) fn content_type(value: &[u8]) -> ContentType {
    let value = terminated(value);
    let HeaderValue::ContentType(parsed) = MessageStream::new(&value).parse_content_type() else {
        return ContentType::default();
    };
    let attribute = |name| parsed.attribute(name).map(str::to_owned);
    let name = |subtype| format!("{}/{subtype}", parsed.ctype()).to_ascii_lowercase();
    ContentType {
        name: parsed.subtype().map(name),
        report_type: attribute("report-type").map(|kind| kind.to_ascii_lowercase()),
        charset: attribute("charset"),
        boundary: attribute("boundary"),
    }
}

/// The address and the display name of the first mailbox in an address list (RFC 5322 section 3.4).
pub(in crate::report) fn first_mailbox(value: &[u8]) -> (Option<String>, Option<String>) {
    let value = terminated(value);
    let list = MessageStream::new(&value).parse_address();
    let first = list.as_address().and_then(|list| list.first());
    let owned = |text: &Option<Cow<'_, str>>| text.as_deref().map(str::to_owned);
    first.map_or((None, None), |first| {
        (owned(&first.address), owned(&first.name))
    })
}

/// A text in one line with its encoded words (RFC 2047) decoded; none where it can't be read.
pub(super) fn encoded_words(line: &str) -> Option<String> {
    match MessageStream::new(&terminated(line.as_bytes())).parse_unstructured() {
        HeaderValue::Text(text) => Some(text.trim().to_owned()),
        _ => None,
    }
}

/// Undoes base64 (RFC 2045 section 6.8); none where it is none.
pub(super) fn base64(bytes: &[u8]) -> Option<Vec<u8>> {
    base64_decode(bytes)
}

/// How a charset is decoded; none where it isn't known.
pub(super) fn charset(name: &str) -> Option<fn(&[u8]) -> String> {
    charset_decoder(name.as_bytes())
}

/// The parser reads up to a line end.
fn terminated(value: &[u8]) -> Vec<u8> {
    [value, b"\n"].concat()
}
