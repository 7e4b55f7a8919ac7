//! Where a platform is told about an address: an RFC 6570 template that holds `{address}`.

use super::masked::masked;
use crate::address::Address;
use iri_string::spec::UriSpec;
use iri_string::template::UriTemplateString;
use iri_string::template::simple_context::SimpleContext;
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// An RFC 6570 template that holds `{address}`.
#[derive(Clone, PartialEq, Eq)]
pub struct Template(UriTemplateString);

/// Why a text is no [`Template`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// It does not say where the address goes.
    #[error("must hold {{address}}, for example https://open.hpi.de/emails/{{address}}/suspend")]
    NoAddress,
    /// It puts the address in as it is.
    #[error("must hold {{address}}, which is percent-encoded, not {{+address}} or {{#address}}")]
    Unencoded,
    /// It does not lead anywhere.
    #[error("must begin with https:// or http://")]
    NoScheme,
    /// It is no RFC 6570 template.
    #[error("is no URI template (RFC 6570): {0}")]
    Malformed(String),
}

/// An address that is put into no URL, because a server that decodes it once too often would act upon another path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the address is put into no URL, as its `?`, `#` or `..` could lead a server that decodes URLs twice to something else; \
     if it is real, stop mailing it at the platform itself"
)]
pub struct Misleading;

impl FromStr for Template {
    type Err = TemplateError;

    fn from_str(text: &str) -> Result<Self, TemplateError> {
        if !is_http(text) {
            return Err(TemplateError::NoScheme);
        }
        let template = UriTemplateString::try_from(text.to_owned())
            .map_err(|error| TemplateError::Malformed(error.to_string()))?;
        let template = Template(template);
        // `{+address}` would let a `/` through, and with it whatever path a forged address spells.
        match template.try_expand("a/b@example.org") {
            Some(expanded) if expanded.contains("a%2Fb%40example.org") => Ok(template),
            Some(expanded) if expanded.contains("a/b@example.org") => Err(TemplateError::Unencoded),
            _ => Err(TemplateError::NoAddress),
        }
    }
}

impl Template {
    /// Puts an address in, percent-encoded but for RFC 3986's unreserved characters.
    ///
    /// # Errors
    /// For an address that could mislead a proxy or framework which decodes the path before it looks at it (RFC 3986 section 2.4
    /// forbids to decode twice, and some do). A `/` may add segments to such a path: what the template says in front and behind
    /// still holds. Segments of dots would take some away, and `?` or `#` would cut off what follows.
    pub fn expand(&self, address: &Address) -> Result<String, Misleading> {
        let url = self
            .try_expand(address.as_str())
            .expect("a template that expanded one text expands every text");
        let query = url.find(['?', '#']).unwrap_or(url.len());
        match is_misleading(&url[..query]) {
            true => Err(Misleading),
            false => Ok(url),
        }
    }

    fn try_expand(&self, address: &str) -> Option<String> {
        let mut context = SimpleContext::new();
        context.insert("address", address);
        let expanded = self.0.expand::<UriSpec, _>(&context).ok()?;
        Some(expanded.to_string())
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

/// What it says may hold a token.
impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&masked(self.as_str()))
    }
}

/// Whether a path, decoded however often, has a segment of dots, a query or a fragment.
fn is_misleading(path: &str) -> bool {
    let mut path = path.as_bytes().to_vec();
    loop {
        // `..;x` is `..` to servers that know parameters of segments (RFC 3986 section 3.3), and `\` is `/` to some.
        let is_dots = |segment: &[u8]| {
            let name = segment.split(|byte| *byte == b';').next();
            matches!(name, Some(b"." | b".."))
        };
        let mut segments = path.split(|byte| matches!(byte, b'/' | b'\\'));
        if segments.any(is_dots) || path.contains(&b'?') || path.contains(&b'#') {
            return true;
        }
        // Each round makes it shorter, so there are few.
        match percent_decoded(&path) {
            Cow::Borrowed(_) => return false,
            Cow::Owned(decoded) => path = decoded,
        }
    }
}

/// Borrowed if there was nothing to decode.
fn percent_decoded(bytes: &[u8]) -> Cow<'_, [u8]> {
    percent_encoding::percent_decode(bytes).into()
}

pub(super) fn is_http(text: &str) -> bool {
    text.starts_with("https://") || text.starts_with("http://")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand(template: &str, address: &str) -> Result<String, Misleading> {
        let template: Template = template.parse().unwrap();
        template.expand(&address.parse().unwrap())
    }

    #[test]
    fn an_odd_address_stays_one_segment() {
        for (address, encoded) in [
            ("a/b@x.example", "a%2Fb%40x.example"),
            ("a/..b/c..@x.example", "a%2F..b%2Fc..%40x.example"),
            ("../a@x.example", ""),
            ("100%@x.example", "100%25%40x.example"),
            ("r&d=1@x.example", "r%26d%3D1%40x.example"),
            ("müller@x.example", "m%C3%BCller%40x.example"),
        ] {
            let expanded = expand("https://a.example/e/{address}/s", address);
            match encoded {
                "" => assert_eq!(expanded, Err(Misleading), "{address}"),
                _ => assert_eq!(expanded, Ok(format!("https://a.example/e/{encoded}/s"))),
            }
        }
    }

    /// A server that decodes the path however often never leaves what the template says.
    #[test]
    fn no_address_leads_a_server_that_decodes_elsewhere() {
        for local in [
            "a/../../admin",
            "a/./b",
            "\"a\\\\..\\\\b\"",
            "a%2f..%2f..%2fadmin",
            "a%252F..%252Fadmin",
            "a%2525252f%2e%2e%2fadmin",
            "a/%2e%2e/b",
            "a/.%2e/b",
            "\"/..;/admin/\"",
            "a/..%3bx/b",
            "1/delete?",
            "1/delete%3f",
            "1/delete%23",
            "1/delete#",
        ] {
            let address = format!("{local}@x.example");
            let expanded = expand("https://a.example/e/{address}/s", &address);
            assert_eq!(expanded, Err(Misleading), "{address}");
        }
        // In a query there are no segments.
        let expanded = expand("https://a.example/s?a={address}", "a/../b?@x.example");
        let url = "https://a.example/s?a=a%2F..%2Fb%3F%40x.example";
        assert_eq!(expanded.as_deref(), Ok(url));
    }

    #[test]
    fn the_longest_address_is_judged_at_once() {
        let nested = "25".repeat((Address::MAX_LEN - 20) / 2);
        let expanded = expand(
            "https://a.example/e/{address}",
            &format!("%{nested}2f@x.example"),
        );
        assert!(expanded.is_ok());
    }

    #[test]
    fn a_token_is_not_shown() {
        let template: Template = "https://a.example/{address}?token=secret".parse().unwrap();
        assert_eq!(format!("{template:?}"), "https://a.example/{address}?***");
    }
}
