//! The values of a configuration that carry their own rules, and `${NAME}` and `${file:PATH}` inside of texts.

use super::Platform;
use crate::report::Address;
use iri_string::spec::UriSpec;
use iri_string::template::UriTemplateString;
use iri_string::template::simple_context::SimpleContext;
use lapin::uri::AMQPUri;
use serde::Deserialize;
use serde::de::{self, Deserializer};
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// Takes `${NAME}` from the environment and `${file:PATH}` from a file (without its last line break). What is put in is not looked
/// at again.
fn interpolate(text: &str) -> Result<String, String> {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let Some(length) = rest[start..].find('}') else {
            return Err(format!("`{}` lacks its closing brace", &rest[start..]));
        };
        result.push_str(&rest[..start]);
        let name = &rest[start + 2..start + length];
        match name.strip_prefix("file:") {
            Some(path) => {
                let content = std::fs::read_to_string(path)
                    .map_err(|error| format!("the file {path} cannot be read: {error}"))?;
                result.push_str(content.trim_end_matches(['\n', '\r']));
            }
            None => result.push_str(&std::env::var(name).map_err(|_| {
                format!(
                    "the environment variable {name} is not set; set it, or write ${{file:PATH}}"
                )
            })?),
        }
        rest = &rest[start + length + 1..];
    }
    result.push_str(rest);
    Ok(result)
}

/// A text, interpolated.
pub(super) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    interpolate(&String::deserialize(deserializer)?).map_err(de::Error::custom)
}

/// A path, interpolated.
pub(super) fn path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
    Ok(PathBuf::from(text(deserializer)?))
}

/// An optional path, interpolated.
pub(super) fn optional_path<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<PathBuf>, D::Error> {
    path(deserializer).map(Some)
}

/// A count, with an error that says what to write.
pub(super) fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let value = serde_yaml::Value::deserialize(deserializer)?;
    value
        .as_u64()
        .and_then(|count| u32::try_from(count).ok())
        .ok_or_else(|| {
            let written = serde_yaml::to_string(&value).unwrap_or_default();
            let written = written.trim();
            de::Error::custom(format!(
                "{written} is no count; write a whole number of 0 or more, for example 3"
            ))
        })
}

/// Platforms by domain: at least one, lower-cased, none twice.
pub(super) fn domains<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, Platform>, D::Error> {
    struct Domains;
    impl<'de> de::Visitor<'de> for Domains {
        type Value = BTreeMap<String, Platform>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("domains, each with its base_url")
        }

        fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut domains = BTreeMap::new();
            while let Some(domain) = map.next_key::<String>()? {
                let platform = map.next_value()?;
                if domains.insert(domain.to_lowercase(), platform).is_some() {
                    return Err(de::Error::custom(format!("`{domain}` stands there twice")));
                }
            }
            if domains.is_empty() {
                return Err(de::Error::custom(
                    "there is no domain; write at least one, such as `openhpi.de:` with its `base_url:`",
                ));
            }
            Ok(domains)
        }
    }
    deserializer.deserialize_map(Domains)
}

/// A span of time, written as `7d`, `12h`, `30m` or `1h 30m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period(pub Duration);

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = text(deserializer)?;
        humantime::parse_duration(&text).map(Period).map_err(|_| {
            de::Error::custom(format!(
                "{text} is no span of time; write it as 7d, 12h or 30m"
            ))
        })
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_duration(self.0).fmt(f)
    }
}

/// An RFC 6570 template that holds `{address}`.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    pub fn expand(&self, address: &Address) -> String {
        self.try_expand(address.as_str())
            .expect("a template that expanded one text expands every text")
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

/// Where a platform's suspend URLs come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The template itself (`url_resolver: default`).
    Template(Template),
    /// The URL whose JSON answer holds the template in `email_suspensions_url` (`url_resolver: xikolo`).
    Xikolo(String),
}

/// A platform's keys as they are written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenPlatform {
    #[serde(deserialize_with = "text")]
    base_url: String,
    #[serde(default)]
    url_resolver: UrlResolver,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum UrlResolver {
    #[default]
    Default,
    Xikolo,
}

impl TryFrom<WrittenPlatform> for Platform {
    type Error = String;

    fn try_from(written: WrittenPlatform) -> Result<Platform, String> {
        let base_url = &written.base_url;
        let target = match written.url_resolver {
            UrlResolver::Default => base_url
                .parse()
                .map(Target::Template)
                .map_err(|error: TemplateError| error.to_string()),
            UrlResolver::Xikolo if is_http(base_url) => Ok(Target::Xikolo(base_url.clone())),
            UrlResolver::Xikolo => Err(TemplateError::NoScheme.to_string()),
        };
        let target = target.map_err(|fault| format!("`base_url` {fault} (it is {base_url})"))?;
        Ok(Platform { target })
    }
}

/// `amqp://` or `amqps://` with user, password, host and vhost.
#[derive(Clone)]
pub struct AmqpUrl(AMQPUri);

impl AmqpUrl {
    /// What lapin connects to.
    pub fn uri(&self) -> &AMQPUri {
        &self.0
    }
}

impl fmt::Display for AmqpUrl {
    /// The URL with its password masked.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let AmqpUrl(AMQPUri {
            scheme,
            authority,
            vhost,
            ..
        }) = self;
        write!(
            f,
            "{scheme}://{}:***@{}:{}/{}",
            authority.userinfo.username,
            authority.host,
            authority.port,
            vhost.replace('/', "%2f"),
        )
    }
}

impl fmt::Debug for AmqpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<'de> Deserialize<'de> for AmqpUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The fault, not the URL: that one holds a password.
        AMQPUri::from_str(&text(deserializer)?)
            .map(AmqpUrl)
            .map_err(|fault| {
                de::Error::custom(format!(
                    "{fault}; write amqp://USER:PASSWORD@HOST/VHOST, with %2f for the vhost /, and other special characters \
                     percent-encoded, too"
                ))
            })
    }
}

fn is_http(text: &str) -> bool {
    text.starts_with("https://") || text.starts_with("http://")
}
