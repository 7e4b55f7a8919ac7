//! What a platform's bounces are proven by: `proof`, `dkim_keys`, `token_secrets`, and `dns`.

use super::Handler;
use super::values::{interpolate, meant};
use crate::dns::Resolver;
use crate::trust::{Keys, PublicKey, Secret};
use serde::{Deserialize, Deserializer};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// A platform's proofs, and whether they are needed.
#[derive(Debug, Clone, Default)]
pub struct Proving {
    /// Whether what is not proven is acted on.
    pub demand: Demand,
    /// The keys that its mail is signed with.
    pub keys: Vec<NamedKey>,
    /// The secrets that it makes tokens with; the first is the newest.
    pub tokens: Vec<Secret>,
}

/// Whether a platform's bounces have to be proven.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Demand {
    /// What is proven is noted; what is not is acted on all the same.
    #[default]
    Note,
    /// What is not proven is noted, and neither suspends nor counts.
    Require,
}

/// Whether DNS is asked for the keys of our domains, and which server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Dns {
    /// Those that the system uses.
    #[default]
    System,
    /// None.
    Off,
    /// This one.
    At(SocketAddr),
}

impl<'de> Deserialize<'de> for Dns {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        meant(deserializer, |text| match text.as_str() {
            "system" => Ok(Dns::System),
            "off" => Ok(Dns::Off),
            address => address.parse().map(Dns::At).map_err(|_| {
                format!(
                    "{address} is no DNS server; write system, off, or for example 192.0.2.1:53"
                )
            }),
        })
    }
}

impl Dns {
    /// Who is asked.
    pub fn resolver(self) -> Option<Resolver> {
        match self {
            Dns::System => Some(Resolver::of_system()),
            Dns::Off => None,
            Dns::At(server) => Some(Resolver::at(server)),
        }
    }
}

/// A key, and where its record stands in DNS.
#[derive(Debug, Clone)]
pub struct NamedKey {
    /// `s=` of the signatures that it fits.
    pub selector: String,
    /// `d=` of them; none, the platform's own.
    pub domain: Option<String>,
    /// The key.
    pub key: PublicKey,
}

/// More keys than this no platform has at a time, nor a larger record.
const MAX_KEYS: usize = 100;
const MAX_RECORD: usize = 4_096;

/// Each secret is tried on every token: so many are enough to get from one to the next.
const MAX_SECRETS: usize = 8;

/// What stands in DNS between a selector and its domain (RFC 6376 section 3.6.2.1).
const DKIM: &str = "._domainkey";

/// Reads `dkim_keys`: records by selector, or by `selector._domainkey.domain`.
pub(super) fn keys(written: &BTreeMap<String, String>) -> Result<Vec<NamedKey>, String> {
    if written.len() > MAX_KEYS {
        return Err(format!("`dkim_keys` has more than {MAX_KEYS} keys"));
    }
    let read = |(name, record): (&String, &String)| {
        let fault = |fault: String| format!("`dkim_keys` has `{name}`, which {fault}");
        let record = interpolate(record)
            .map_err(|error| format!("`dkim_keys` has `{name}`, but {error}"))?;
        if record.len() > MAX_RECORD {
            return Err(fault(format!("has more than {MAX_RECORD} characters")));
        }
        let key = PublicKey::parse(&of_zone_file(&record));
        let key = key.map_err(|error| fault(error.to_string()))?;
        let (selector, domain) = match name.split_once(DKIM) {
            None => (name.as_str(), None),
            Some((selector, "")) => (selector, None),
            Some((selector, domain)) => (selector, domain.strip_prefix('.')),
        };
        Ok(NamedKey {
            selector: selector.to_owned(),
            domain: domain.map(str::to_owned),
            key,
        })
    };
    written.iter().map(read).collect()
}

/// The text of a record as `opendkim-genkey` writes it, in pieces between quotation marks; any other stands as it is.
fn of_zone_file(record: &str) -> Cow<'_, str> {
    if !record.contains('"') {
        return record.into();
    }
    record.split('"').skip(1).step_by(2).collect()
}

/// Reads `token_secrets`. What is wrong is said without a word of them.
pub(super) fn secrets(written: &[String]) -> Result<Vec<Secret>, String> {
    if written.len() > MAX_SECRETS {
        return Err(format!("`token_secrets` has more than {MAX_SECRETS}"));
    }
    let read = |(at, text): (usize, &String)| {
        let number = at + 1;
        let text = interpolate(text)
            .map_err(|error| format!("`token_secrets`, number {number}: {error}"))?;
        Secret::new(&text).map_err(|fault| format!("`token_secrets`, number {number} {fault}"))
    };
    written.iter().enumerate().map(read).collect()
}

impl Handler {
    /// A platform that requires what nothing can give.
    pub(super) fn asks_the_impossible(&self) -> Option<&str> {
        let is_unprovable = |proving: &Proving| {
            let has_none = proving.keys.is_empty() && proving.tokens.is_empty();
            proving.demand == Demand::Require && has_none && self.dns == Dns::Off
        };
        let mut platforms = self.domains.iter();
        let found = platforms.find(|(_, settings)| is_unprovable(&settings.proving));
        found.map(|(domain, _)| domain.as_str())
    }

    /// Whether a platform acts only on what is proven.
    pub fn requires_proof(&self, platform: &str) -> bool {
        let settings = self.domains.get(platform);
        settings.is_some_and(|settings| settings.proving.demand == Demand::Require)
    }

    /// The keys of all platforms.
    pub fn keys(&self) -> Keys {
        let mut keys = Keys::none();
        for (platform, settings) in &self.domains {
            for named in &settings.proving.keys {
                let domain = named.domain.as_deref().unwrap_or(platform);
                keys.add(domain, &named.selector, named.key.clone());
            }
        }
        keys
    }

    /// The secrets of each platform.
    pub fn secrets(&self) -> BTreeMap<String, Vec<Secret>> {
        let secrets = self.domains.iter();
        secrets
            .map(|(platform, settings)| (platform.clone(), settings.proving.tokens.clone()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: &str = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

    fn written(name: &str, record: &str) -> BTreeMap<String, String> {
        BTreeMap::from([(name.to_owned(), record.to_owned())])
    }

    #[test]
    fn a_key_has_a_selector_and_may_have_a_domain_of_its_own() {
        for (name, domain) in [
            ("s1", None),
            ("s1._domainkey", None),
            ("s1._domainkey.mail.openhpi.de", Some("mail.openhpi.de")),
        ] {
            let keys = keys(&written(name, RECORD)).unwrap();
            let found = (keys[0].selector.as_str(), keys[0].domain.as_deref());
            assert_eq!(found, ("s1", domain));
        }
    }

    #[test]
    fn a_record_may_be_of_a_zone_file() {
        let (front, back) = RECORD.split_at(20);
        let zone =
            format!("s1._domainkey\tIN\tTXT\t( \"{front}\"\n\t  \"{back}\" )  ; ----- key s1");
        let (plain, of_zone) = (keys(&written("s1", RECORD)), keys(&written("s1", &zone)));
        assert_eq!(plain.unwrap()[0].key, of_zone.unwrap()[0].key);
    }

    #[test]
    fn what_is_no_key_or_no_secret_is_named() {
        for (record, fault) in [
            (
                "v=spf1 -all",
                "`dkim_keys` has `s1`, which is no DKIM key record",
            ),
            (
                "v=DKIM1; p=",
                "`dkim_keys` has `s1`, which is a revoked key",
            ),
            ("${NOT_SET_ANYWHERE}", "NOT_SET_ANYWHERE is not set"),
            (&"x".repeat(MAX_RECORD + 1), "more than 4096 characters"),
        ] {
            let error = keys(&written("s1", record)).unwrap_err();
            assert!(error.contains(fault), "{error}");
        }
        let good = "0123456789abcdef".to_owned();
        let error = secrets(&[good.clone(), "short".to_owned()]).unwrap_err();
        assert!(
            error.contains("number 2 is too short") && !error.contains("short\""),
            "{error}"
        );
        assert!(secrets(&vec![good; MAX_SECRETS + 1]).is_err());
    }
}
