//! `config.yml` → [`Config`]. Every error names file, line and key, and says what to write instead.
//!
//! What was typed and what is meant are one step apart: the types here check their values while they are read, so nothing below
//! ever sees a template without `{address}` or a threshold below zero.

mod error;
mod loaded;
mod masked;
mod platform;
mod proof;
mod smtp;
mod template;
mod tls;
mod values;

pub use error::ConfigError;
pub use loaded::Loaded;
pub use masked::masked;
pub use platform::{Authority, Body, Platform, Target};
pub use proof::{Demand, Dns, NamedKey, Proving};
pub use smtp::Smtp;
pub use template::{Misleading, Template, TemplateError};
pub use values::{AmqpUrl, Period};

use crate::policy::{Complaints, Counting, Policy};
use bytesize::ByteSize;
use serde::Deserialize;
use serde::de::{self, DeserializeSeed, IgnoredAny, MapAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// Where a configuration is looked for when none is named.
pub const SEARCHED: [&str; 2] = ["config.yml", "/etc/bouncedemails/config.yml"];

/// One environment of a configuration file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// What is done with bounces, and for whom.
    pub handler: Handler,
    /// The message broker to consume from.
    #[serde(default, deserialize_with = "values::section")]
    pub amqp: Option<Amqp>,
    /// The SMTP server to run.
    #[serde(default, deserialize_with = "smtp::section")]
    pub smtp: Option<Smtp>,
}

/// What is done with bounces, and for whom.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Handler {
    /// The SQLite database.
    #[serde(deserialize_with = "values::path")]
    pub dbfile: PathBuf,
    /// Where the raw mails of permanent failures are kept; unset, they are not.
    #[serde(default, deserialize_with = "values::optional_path")]
    pub permanent_bounced_emails_path: Option<PathBuf>,
    /// How many temporary failures an address may have; the one that exceeds it suspends.
    #[serde(
        default = "defaults::temporary_threshold",
        deserialize_with = "values::count"
    )]
    pub temporary_threshold: u32,
    /// The platforms, by the domain of their no-reply address ([`ascii_domain`](crate::address::ascii_domain)).
    #[serde(deserialize_with = "values::domains")]
    pub domains: BTreeMap<String, Platform>,
    /// A file of rules of the user's own, which go in front of those that come with the program (`src/diagnosis/rules/`).
    #[serde(default, deserialize_with = "values::optional_path")]
    pub rules: Option<PathBuf>,
    /// Whether soft failures that are our own fault count, too.
    #[serde(default)]
    pub count_sender_faults: bool,
    /// Whether DNS is asked for the keys of our domains.
    #[serde(default)]
    pub dns: Dns,
    /// What a complaint (feedback report) leads to.
    #[serde(default)]
    pub complaints: Complaints,
    /// Temporary failures that are older no longer count; unset, all count.
    #[serde(default)]
    pub temporary_window: Option<Period>,
    /// For how long the history of mails and bounces is kept.
    #[serde(default = "defaults::history_max_age")]
    pub history_max_age: Period,
    /// How large it may be: beyond, the oldest goes.
    #[serde(default = "defaults::history_max_size")]
    pub history_max_size: ByteSize,
    /// How many mails that could not be handled are kept.
    #[serde(
        default = "defaults::quarantine_max_count",
        deserialize_with = "values::count"
    )]
    pub quarantine_max_count: u32,
    /// How large they may be in all, compressed.
    #[serde(default = "defaults::quarantine_max_size")]
    pub quarantine_max_size: ByteSize,
    /// For how long they are kept.
    #[serde(default = "defaults::quarantine_max_age")]
    pub quarantine_max_age: Period,
    /// How many addresses one mail may suspend; one that would suspend more is held in quarantine.
    #[serde(
        default = "defaults::brake_per_mail",
        deserialize_with = "values::count"
    )]
    pub brake_per_mail: u32,
    /// For how long a platform that does not answer is tried.
    #[serde(default = "defaults::suspension_max_age")]
    pub suspension_max_age: Period,
}

impl Handler {
    /// What is to be done with bounces.
    pub fn policy(&self) -> Policy {
        Policy {
            platforms: self.domains.keys().collect(),
            proof_required: self
                .domains
                .keys()
                .filter(|domain| self.requires_proof(domain))
                .cloned()
                .collect(),
            counting: Counting {
                threshold: self.temporary_threshold,
                window: self.temporary_window.map(|window| window.0),
            },
            count_sender_faults: self.count_sender_faults,
            complaints: self.complaints,
            brake_per_mail: self.brake_per_mail,
        }
    }
}

mod defaults {
    use super::Period;
    use crate::policy::{Counting, Policy};
    use bytesize::ByteSize;
    use std::time::Duration;

    pub const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    pub fn temporary_threshold() -> u32 {
        Counting::default().threshold
    }
    pub fn history_max_age() -> Period {
        Period(90 * DAY)
    }
    pub fn history_max_size() -> ByteSize {
        ByteSize::gb(1)
    }
    pub fn quarantine_max_count() -> u32 {
        10_000
    }
    pub fn quarantine_max_size() -> ByteSize {
        ByteSize::mb(100)
    }
    pub fn quarantine_max_age() -> Period {
        Period(90 * DAY)
    }
    pub fn brake_per_mail() -> u32 {
        Policy::default().brake_per_mail
    }
    pub fn suspension_max_age() -> Period {
        Period(7 * DAY)
    }
    pub fn prefetch() -> u16 {
        500
    }
}

/// The message broker to consume from.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Amqp {
    /// `amqp://user:password@host/vhost`, or `amqps://`.
    pub url: AmqpUrl,
    /// The queue.
    #[serde(deserialize_with = "values::text")]
    pub queue: String,
    /// How many mails may be on their way to us unacknowledged.
    #[serde(default = "defaults::prefetch", deserialize_with = "values::prefetch")]
    pub prefetch: u16,
}

/// Reads the environment `environment` of `file`, or of the first file of [`SEARCHED`] that exists.
///
/// # Errors
/// When there is no such file or environment, or something in it is wrong: in one line, with file, line and key.
pub fn load(file: Option<&Path>, environment: &str) -> Result<Loaded, ConfigError> {
    let file = match file {
        Some(file) => file.to_owned(),
        None => SEARCHED
            .iter()
            .map(PathBuf::from)
            .find(|path| path.exists())
            .ok_or(ConfigError::NotFound)?,
    };
    let text = std::fs::read_to_string(&file).map_err(|error| ConfigError::Unreadable {
        file: file.clone(),
        error,
    })?;
    let config = parse(&text, environment).map_err(|fault| fault.in_file(&file, &text))?;
    let loaded = Loaded {
        config,
        file,
        environment: environment.to_owned(),
    };
    if let Some(domain) = loaded.config.handler.asks_the_impossible() {
        let keys = ["handler", "domains", domain, "proof"];
        let fault = "require, but nothing can prove: add `dkim_keys` or `token_secrets`, or leave out `dns: off`";
        return Err(loaded.fault(&keys, fault));
    }
    Ok(loaded)
}

/// Reads one environment of the text of a configuration file. The others are not looked at.
fn parse(text: &str, environment: &str) -> Result<Config, error::Fault> {
    let document = serde_yaml::Deserializer::from_str(text);
    match (OneEnvironment { environment }).deserialize(document) {
        Ok(Ok(config)) => Ok(config),
        Ok(Err(others)) => Err(error::Fault::NoEnvironment {
            wanted: environment.to_owned(),
            others,
        }),
        Err(error) => Err(error::Fault::Yaml(error)),
    }
}

/// Picks one key of the top level, so that errors keep their line and a fault in another environment harms nobody.
struct OneEnvironment<'a> {
    environment: &'a str,
}

impl<'de> DeserializeSeed<'de> for OneEnvironment<'_> {
    type Value = Result<Config, Vec<String>>;

    fn deserialize<D: de::Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for OneEnvironment<'_> {
    type Value = Result<Config, Vec<String>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "environments, such as `{}:`", self.environment)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        let mut others = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            if name == self.environment {
                if found.is_some() {
                    return Err(de::Error::custom(format!("`{name}` stands there twice")));
                }
                found = Some(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
                others.push(name);
            }
        }
        Ok(found.ok_or(others))
    }
}
