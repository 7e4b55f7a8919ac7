//! The values of a configuration that carry their own rules, and `${NAME}` and `${file:PATH}` inside of texts.

use super::{Platform, defaults};
use crate::address::ascii_domain;
use lapin::uri::AMQPUri;
use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// Takes `${NAME}` from the environment and `${file:PATH}` from a file (without its last line break). What is put in is not looked
/// at again.
pub(super) fn interpolate(text: &str) -> Result<String, String> {
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

/// `[::1]:25` is a list for YAML.
const A_TEXT: &str = "a text (in quotes, where YAML takes it for something else)";

/// Reads a text, interpolates it, and makes of it what is meant. The fault is raised inside of the visitor, where the parser
/// still knows key and line.
pub(super) fn meant<'de, D, T>(
    deserializer: D,
    make: impl FnOnce(String) -> Result<T, String>,
) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
{
    struct Meant<F>(F);
    impl<F, T> Visitor<'_> for Meant<F>
    where
        F: FnOnce(String) -> Result<T, String>,
    {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(A_TEXT)
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
            interpolate(text).and_then(self.0).map_err(E::custom)
        }
    }
    deserializer.deserialize_str(Meant(make))
}

/// As [`meant`], for a key that may stand there with nothing behind it, as if it were left out.
pub(super) fn optional<'de, D, T>(
    deserializer: D,
    make: impl FnOnce(String) -> Result<T, String>,
) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
{
    struct Optional<F>(F);
    impl<'de, F, T> Visitor<'de> for Optional<F>
    where
        F: FnOnce(String) -> Result<T, String>,
    {
        type Value = Option<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(A_TEXT)
        }

        fn visit_none<E: de::Error>(self) -> Result<Option<T>, E> {
            Ok(None)
        }

        fn visit_some<D: Deserializer<'de>>(self, text: D) -> Result<Option<T>, D::Error> {
            meant(text, self.0).map(Some)
        }
    }
    deserializer.deserialize_option(Optional(make))
}

/// A section that may be left out, but not left empty: what it needs must stand in it.
pub(super) fn section<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}

/// A text, interpolated.
pub(super) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    meant(deserializer, Ok)
}

/// An optional path, interpolated.
pub(super) fn optional_path<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<PathBuf>, D::Error> {
    optional(deserializer, |text| Ok(PathBuf::from(text)))
}

/// A path, interpolated.
pub(super) fn path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
    meant(deserializer, |text| Ok(PathBuf::from(text)))
}

/// A count, with an error that says what to write.
pub(super) fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    struct Count;
    impl Visitor<'_> for Count {
        type Value = u32;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a whole number of 0 or more, for example 3")
        }

        fn visit_u64<E: de::Error>(self, count: u64) -> Result<u32, E> {
            u32::try_from(count)
                .map_err(|_| E::custom(format!("{count} is too large; write at most {}", u32::MAX)))
        }

        fn visit_i64<E: de::Error>(self, count: i64) -> Result<u32, E> {
            Err(E::custom(format!(
                "{count} is below zero; write a whole number of 0 or more, for example 3"
            )))
        }
    }
    deserializer.deserialize_any(Count)
}

/// A number of mails. To a broker 0 would mean all there are, and memory has an end.
pub(super) fn prefetch<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
    let prefetch = optional(deserializer, |text| match text.parse() {
        Ok(0) | Err(_) => Err(format!(
            "{text} is no number of mails; write one from 1 to {}",
            u16::MAX
        )),
        Ok(prefetch) => Ok(prefetch),
    });
    Ok(prefetch?.unwrap_or_else(defaults::prefetch))
}

/// Platforms by domain, in the form in which domains are compared: at least one, none twice.
pub(super) fn domains<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, Platform>, D::Error> {
    struct Domains;
    impl<'de> Visitor<'de> for Domains {
        type Value = BTreeMap<String, Platform>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("domains, each with its base_url")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut domains = BTreeMap::new();
            let mut written = BTreeMap::new();
            while let Some(key) = map.next_key::<String>()? {
                let platform = map.next_value()?;
                let domain = ascii_domain(&key).into_owned();
                if domain.is_empty() || !domain.is_ascii() {
                    return Err(de::Error::custom(format!("`{key}` is no domain name")));
                }
                domains.insert(domain.clone(), platform);
                if let Some(first) = written.insert(domain, key.clone()) {
                    return Err(de::Error::custom(format!(
                        "`{key}` stands there twice, first as `{first}`; leave one of them out"
                    )));
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
        meant(deserializer, |text| {
            humantime::parse_duration(&text)
                .map(Period)
                .map_err(|_| format!("{text} is no span of time; write it as 7d, 12h or 30m"))
        })
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_duration(self.0).fmt(f)
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
        meant(deserializer, |text| {
            // The fault is told, not the URL: that one holds a password.
            AMQPUri::from_str(&text).map(AmqpUrl).map_err(|fault| {
                format!(
                    "{fault}; write amqp://USER:PASSWORD@HOST/VHOST, with %2f for the vhost /, and other special characters \
                     percent-encoded, too"
                )
            })
        })
    }
}
