//! Public keys as DNS has them (RFC 6376 section 3.6, RFC 8463), and the store of those that are known.

use super::tags::Tags;
use crate::address::ascii_domain;
use ring::digest::{SHA256, digest};
use ring::signature::{ED25519, RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, UnparsedPublicKey};
use std::collections::BTreeMap;
use std::fmt;

/// A key that signatures can be checked with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    algorithm: Algorithm,
    bytes: Vec<u8>,
}

/// How was signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    /// `rsa-sha256`
    Rsa,
    /// `ed25519-sha256`
    Ed25519,
}

/// Why a text is no [`PublicKey`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not a list of tags, or `v=` says that it is something else.
    #[error("is no DKIM key record; write for example `v=DKIM1; k=rsa; p=…`")]
    NoRecord,
    /// `p=` is empty (RFC 6376 section 3.6.1).
    #[error("is a revoked key (its `p=` is empty)")]
    Revoked,
    /// `k=` is something else than `rsa` or `ed25519`.
    #[error("has a `k=` other than rsa and ed25519")]
    Type,
    /// `h=` leaves out `sha256`, or `s=` leaves out mail.
    #[error("is not for mail signed with SHA-256 (see its `h=` and `s=`)")]
    Use,
    /// `p=` holds no such key.
    #[error(
        "has no key in `p=`: base64 of an RSA key of 1,024 to 8,192 bits, or of the 32 bytes of an Ed25519 key"
    )]
    Key,
}

impl PublicKey {
    /// Reads a key record: `v=DKIM1; k=rsa; p=…`. Whether its owner calls it a test (`t=y`) does not matter: he has signed all the same.
    ///
    /// # Errors
    /// When it is none, or none that mail of today is signed with.
    pub fn parse(record: &str) -> Result<PublicKey, KeyError> {
        let tags = Tags::read(record).ok_or(KeyError::NoRecord)?;
        let lists = |name, word: &str| match tags.get(name) {
            None => true,
            Some(list) => list.split(':').any(|entry| entry.trim() == word),
        };
        let is_key = tags.get("v").is_none_or(|version| version == "DKIM1");
        let key = tags.get("p").filter(|_| is_key);
        if key.ok_or(KeyError::NoRecord)?.is_empty() {
            return Err(KeyError::Revoked);
        }
        if !lists("h", "sha256") || !lists("s", "email") && !lists("s", "*") {
            return Err(KeyError::Use);
        }
        let bytes = tags.base64("p").ok_or(KeyError::Key)?;
        let (algorithm, bytes) = match tags.get("k").unwrap_or("rsa") {
            "rsa" => (Algorithm::Rsa, rsa_key(&bytes).ok_or(KeyError::Key)?),
            "ed25519" if bytes.len() == 32 => (Algorithm::Ed25519, bytes.as_slice()),
            "ed25519" => return Err(KeyError::Key),
            _ => return Err(KeyError::Type),
        };
        Ok(PublicKey {
            algorithm,
            bytes: bytes.to_vec(),
        })
    }

    pub(super) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Whether it is the key that made this signature of `signed`.
    pub(super) fn has_signed(&self, signed: &[u8], signature: &[u8]) -> bool {
        let verified = match self.algorithm {
            Algorithm::Rsa => {
                let how = &RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY;
                UnparsedPublicKey::new(how, &self.bytes).verify(signed, signature)
            }
            Algorithm::Ed25519 => UnparsedPublicKey::new(&ED25519, &self.bytes)
                .verify(digest(&SHA256, signed).as_ref(), signature),
        };
        verified.is_ok()
    }
}

/// The RSA key (PKCS #1) in `p=`: inside of the wrapping (SubjectPublicKeyInfo) that everybody writes, or bare, as RFC 6376 says.
fn rsa_key(der: &[u8]) -> Option<&[u8]> {
    const SEQUENCE: u8 = 0x30;
    const BIT_STRING: u8 = 0x03;
    const INTEGER: u8 = 0x02;
    let (inner, _) = element(der, SEQUENCE)?;
    let key = match element(inner, SEQUENCE) {
        Some((_algorithm, rest)) => element(rest, BIT_STRING)?.0.strip_prefix(&[0])?,
        None => der,
    };
    let (numbers, _) = element(key, SEQUENCE)?;
    let (modulus, _) = element(numbers, INTEGER)?;
    let modulus = modulus.strip_prefix(&[0]).unwrap_or(modulus);
    (128..=1024).contains(&modulus.len()).then_some(key)
}

/// What the element of ASN.1 (DER) at the beginning holds, and what stands behind it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let rest = der.strip_prefix(&[tag])?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81 | 0x82 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first - 0x80))?;
            let length = digits.iter().fold(0, |sum, &b| sum << 8 | usize::from(b));
            (length, rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}

/// Where keys stand.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName {
    /// The domain that signs, in the form of [`ascii_domain`].
    pub domain: String,
    /// Which of its keys, in lower case.
    pub selector: String,
}

impl KeyName {
    /// In the form in which names are compared.
    pub fn new(domain: &str, selector: &str) -> KeyName {
        KeyName {
            domain: ascii_domain(domain).into_owned(),
            selector: selector.to_ascii_lowercase(),
        }
    }
}

/// As in DNS (RFC 6376 section 3.6.2.1): `s2026._domainkey.example.com`.
impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}._domainkey.{}", self.selector, self.domain)
    }
}

/// The keys that are known of our domains.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keys(BTreeMap<KeyName, Vec<PublicKey>>);

/// So many keys of one name are used: those that were added last. Whoever gives a name a new key every day has to name it anew.
const MAX_OF_ONE_NAME: usize = 4;

impl Keys {
    /// None.
    pub const fn none() -> Keys {
        Keys(BTreeMap::new())
    }

    /// Adds a key that a domain has, or had, under a selector.
    pub fn add(&mut self, domain: &str, selector: &str, key: PublicKey) {
        self.put(KeyName::new(domain, selector), key);
    }

    /// Adds all of these.
    pub fn add_all(&mut self, others: Keys) {
        for (name, keys) in others.0 {
            // The last that was added stands first.
            for key in keys.into_iter().rev() {
                self.put(name.clone(), key);
            }
        }
    }

    /// Where there are some.
    pub fn names(&self) -> impl Iterator<Item = &KeyName> {
        self.0.keys()
    }

    fn put(&mut self, name: KeyName, key: PublicKey) {
        let keys = self.0.entry(name).or_default();
        keys.retain(|known| *known != key);
        keys.insert(0, key);
        keys.truncate(MAX_OF_ONE_NAME);
    }

    pub(super) fn of(&self, domain: &str, selector: &str) -> &[PublicKey] {
        self.0
            .get(&KeyName::new(domain, selector))
            .map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8463 appendix A.2.
    const ED25519_RECORD: &str =
        "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
    const RSA_RECORD: &str = "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWR\
        iGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutAC\
        DfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3\
        Ip3G+2kryOTIKT+l/K4w3QIDAQAB";

    #[test]
    fn keys_are_read() {
        let rsa = PublicKey::parse(RSA_RECORD).unwrap();
        assert_eq!((rsa.algorithm, rsa.bytes.len()), (Algorithm::Rsa, 140));
        let bare = format!("p={}", data_encoding::BASE64.encode(&rsa.bytes));
        assert_eq!(PublicKey::parse(&bare), Ok(rsa));
        let ed25519 = PublicKey::parse(ED25519_RECORD).unwrap();
        assert_eq!(ed25519.algorithm, Algorithm::Ed25519);
        let key = RSA_RECORD.strip_prefix("v=DKIM1;").unwrap();
        for with in ["t=y", "s=email", "s=*", "h=sha1:sha256", "n=hello"] {
            assert!(PublicKey::parse(&format!("{with};{key}")).is_ok(), "{with}");
        }
    }

    #[test]
    fn what_is_no_key_says_why() {
        for (record, error) in [
            ("", KeyError::NoRecord),
            ("v=spf1 -all", KeyError::NoRecord),
            ("v=DKIM2; p=AAAA", KeyError::NoRecord),
            ("v=DKIM1; k=rsa; p=", KeyError::Revoked),
            ("k=dsa; p=AAAA", KeyError::Type),
            ("h=sha1; p=AAAA", KeyError::Use),
            ("s=tlsrpt; p=AAAA", KeyError::Use),
            ("p=AAAA", KeyError::Key),
            ("p=%%%", KeyError::Key),
            ("k=ed25519; p=AAAA", KeyError::Key),
            // An RSA key of 512 bits can be broken at home.
            (
                "p=MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAKj34GkxFhD90vcNLYLInFEX6Ppy1tPf9Cnzj4p4WGeKLs1Pt8QuKUpRKfFLfRYC9AIKjbJTWit+CqvjWYzvQwECAwEAAQ==",
                KeyError::Key,
            ),
        ] {
            assert_eq!(PublicKey::parse(record), Err(error), "{record}");
        }
    }

    #[test]
    fn a_name_keeps_its_newest_keys() {
        let mut keys = Keys::default();
        let key = |number: u8| PublicKey {
            algorithm: Algorithm::Ed25519,
            bytes: vec![number],
        };
        for number in [1, 2, 3, 1, 4, 5] {
            keys.add("OpenHPI.de", "S1", key(number));
        }
        keys.add("openhpi.de", "s2", key(9));
        assert_eq!(
            keys.of("openhpi.de", "s1"),
            [key(5), key(4), key(1), key(3)]
        );
        assert!(keys.of("openhpi.de", "s3").is_empty());
    }
}
