//! A platform and how it is told: `base_url`, `url_resolver`, `headers`, `ca_file`, `body`; and how its
//! bounces are proven.

use super::masked::masked;
use super::proof::{self, Demand, Proving};
use super::template::{Template, TemplateError, is_http};
use super::values::{self, interpolate};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// A platform and how it is told.
#[derive(Debug, Clone)]
pub struct Platform {
    /// Where its suspend URLs come from.
    pub target: Target,
    /// Sent with every request to the origin of `base_url`, for instance a bearer token. The values are marked as sensitive, so
    /// `Debug` masks them.
    pub headers: HeaderMap,
    /// The private authority that alone may have signed its certificate; none, those that the system trusts.
    pub authority: Option<Authority>,
    /// What a suspension's POST holds.
    pub body: Body,
    /// What its bounces are proven by.
    pub proving: Proving,
}

/// Where a platform's suspend URLs come from.
#[derive(Clone, PartialEq, Eq)]
pub enum Target {
    /// The template itself (`url_resolver: default`).
    Template(Template),
    /// The URL whose JSON answer holds the template in `email_suspensions_url` (`url_resolver: xikolo`).
    Xikolo(String),
}

/// Masked, as everywhere.
impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Template(template) => f.debug_tuple("Template").field(template).finish(),
            Target::Xikolo(url) => f.debug_tuple("Xikolo").field(&masked(url)).finish(),
        }
    }
}

/// How the platform is told, for people: what may be a token in a URL ([`masked()`]) and the values of headers are masked.
impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.target {
            Target::Template(template) => write!(f, "POST {}", masked(template.as_str()))?,
            Target::Xikolo(url) => {
                let url = masked(url);
                write!(f, "POST to the email_suspensions_url that GET {url} gives")?;
            }
        }
        for name in self.headers.keys() {
            write!(f, ", {name}: ***")?;
        }
        if let Some(Authority { file, .. }) = &self.authority {
            write!(f, ", certified by {} only", file.display())?;
        }
        match self.body {
            Body::Empty => Ok(()),
            Body::Json => f.write_str(", with a JSON body"),
        }
    }
}

/// The certificates of a private authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    /// Where they were read from.
    pub file: PathBuf,
    /// One or more.
    pub certificates: Vec<CertificateDer<'static>>,
}

/// What a suspension's POST holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Body {
    /// Nothing: the URL says it all.
    #[default]
    Empty,
    /// A JSON object with what is known of the failure, so that the platform can show people why.
    Json,
}

/// A platform's keys as they are written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenPlatform {
    #[serde(deserialize_with = "values::text")]
    base_url: String,
    #[serde(default)]
    url_resolver: UrlResolver,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "values::optional_path")]
    ca_file: Option<PathBuf>,
    #[serde(default)]
    body: Body,
    #[serde(default)]
    proof: Demand,
    #[serde(default)]
    dkim_keys: BTreeMap<String, String>,
    #[serde(default)]
    token_secrets: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum UrlResolver {
    #[default]
    Default,
    Xikolo,
}

impl<'de> Deserialize<'de> for Platform {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Written;
        impl<'de> Visitor<'de> for Written {
            type Value = Platform;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a platform's keys, at least `base_url:`")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Platform, A::Error> {
                let written = WrittenPlatform::deserialize(MapAccessDeserializer::new(map))?;
                written.meant().map_err(de::Error::custom)
            }
        }
        deserializer.deserialize_map(Written)
    }
}

impl WrittenPlatform {
    fn meant(self) -> Result<Platform, String> {
        let base_url = self.base_url;
        let target = match self.url_resolver {
            UrlResolver::Default => base_url.parse().map(Target::Template),
            UrlResolver::Xikolo if is_http(&base_url) => Ok(Target::Xikolo(base_url.clone())),
            UrlResolver::Xikolo => Err(TemplateError::NoScheme),
        };
        let target =
            target.map_err(|fault| format!("`base_url` {fault} (it is {})", masked(&base_url)))?;
        Ok(Platform {
            target,
            headers: headers(&self.headers)?,
            authority: self.ca_file.map(authority).transpose()?,
            body: self.body,
            proving: Proving {
                demand: self.proof,
                keys: proof::keys(&self.dkim_keys)?,
                tokens: proof::secrets(&self.token_secrets)?,
            },
        })
    }
}

/// The headers that a request can't be framed without: they are the program's to set.
const OURS: [HeaderName; 6] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::HOST,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Header names and values, the values interpolated and marked as sensitive.
fn headers(written: &BTreeMap<String, String>) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::with_capacity(written.len());
    for (name, value) in written {
        let fault = |fault: &str| format!("`headers` has `{name}`, {fault}");
        let parsed: HeaderName = name
            .parse()
            .map_err(|_| fault("which is no header name; write for example `Authorization`"))?;
        if OURS.contains(&parsed) {
            return Err(fault("which the program sets itself; leave it out"));
        }
        let value = interpolate(value).map_err(|error| fault(&format!("but {error}")))?;
        // The fault, not the value: that one is secret.
        let mut value = HeaderValue::from_str(&value)
            .map_err(|_| fault("whose value has characters that no header can hold"))?;
        value.set_sensitive(true);
        if headers.insert(parsed, value).is_some() {
            return Err(fault("which stands there twice"));
        }
    }
    Ok(headers)
}

/// Reads a PEM file of certificates.
fn authority(file: PathBuf) -> Result<Authority, String> {
    let shown = file.display();
    let certificates: Vec<_> = CertificateDer::pem_file_iter(&file)
        .and_then(Iterator::collect)
        .map_err(|error| format!("`ca_file` {shown} cannot be read: {error}"))?;
    if certificates.is_empty() {
        return Err(format!(
            "`ca_file` {shown} holds no certificate; write the path of a PEM file with `-----BEGIN CERTIFICATE-----`"
        ));
    }
    Ok(Authority { file, certificates })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(yaml: &str) -> Result<Platform, String> {
        serde_yaml::from_str(yaml).map_err(|error| error.to_string())
    }

    #[test]
    fn a_header_is_masked_wherever_it_is_shown() {
        let platform = read(
            "{base_url: 'https://a.example/{address}', headers: {Authorization: Bearer secret}}",
        )
        .unwrap();
        assert_eq!(platform.headers["authorization"], "Bearer secret");
        let shown = format!("{platform:?}");
        assert!(
            shown.contains("authorization") && !shown.contains("secret"),
            "{shown}"
        );
    }

    #[test]
    fn a_wrong_header_is_named_without_its_value() {
        for (headers, fault) in [
            ("{'a b': x}", "`headers` has `a b`, which is no header name"),
            ("{Host: x}", "which the program sets itself"),
            (
                "{X-Token: \"sec\\nret\"}",
                "characters that no header can hold",
            ),
            (
                "{X-Token: '${NOT_SET_ANYWHERE}'}",
                "NOT_SET_ANYWHERE is not set",
            ),
            ("{X-A: x, x-a: y}", "stands there twice"),
        ] {
            let yaml = format!("{{base_url: 'https://a.example/{{address}}', headers: {headers}}}");
            let error = read(&yaml).unwrap_err();
            assert!(error.contains(fault) && !error.contains("sec"), "{error}");
        }
    }

    #[test]
    fn a_ca_file_without_a_certificate_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        let yaml = format!(
            "{{base_url: 'https://a.example/{{address}}', ca_file: {}}}",
            file.display()
        );
        assert!(read(&yaml).unwrap_err().contains("cannot be read"));
        std::fs::write(&file, "no certificate").unwrap();
        assert!(read(&yaml).unwrap_err().contains("holds no certificate"));
    }

    #[test]
    fn nothing_secret_is_shown() {
        for (yaml, shown) in [
            (
                "{base_url: 'https://me:secret@a.example/@/{address}', headers: {X-Token: secret}, body: json}",
                "POST https://***@a.example/@/{address}, x-token: ***, with a JSON body",
            ),
            (
                "{base_url: 'https://me:secret@a.example', url_resolver: xikolo}",
                "POST to the email_suspensions_url that GET https://***@a.example gives",
            ),
            (
                "{base_url: 'https://a.example/{address}?token=secret'}",
                "POST https://a.example/{address}?***",
            ),
            (
                "{base_url: 'https://a.example/api?token=secret', url_resolver: xikolo}",
                "POST to the email_suspensions_url that GET https://a.example/api?*** gives",
            ),
            (
                "{base_url: 'https://a.example/{address}'}",
                "POST https://a.example/{address}",
            ),
        ] {
            let platform = read(yaml).unwrap();
            assert_eq!(platform.to_string(), shown);
            assert!(!format!("{platform:?}").contains("secret"));
        }
        let error = read("{base_url: 'https://me:secret@a.example/?secret'}").unwrap_err();
        assert!(
            error.contains("it is https://***@a.example/?***") && !error.contains("secret"),
            "{error}"
        );
    }
}
