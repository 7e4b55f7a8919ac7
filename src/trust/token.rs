//! Tokens that a platform puts into its mails, so that what comes back can be told from a forgery even where nothing of the original is
//! returned.
//!
//! A token is 30 hexadecimal digits: four of the [`Day`] on which it was made, and the first 26 of an HMAC-SHA256 (RFC 2104) over the
//! number of the day, the platform's domain and the mailed address, in this order, each on a line of its own and with a line feed between
//! them. ASCII letters of domain and address are lower case in it; everything else stands as it was mailed.
//!
//! It holds no address: it is checked against those that a report names. So a token that fits none of them says nothing.

use super::day::Day;
use crate::address::{Address, ascii_domain};
use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use ring::hmac;
use std::fmt;

/// A secret that tokens are made with.
#[derive(Clone)]
pub struct Secret {
    key: hmac::Key,
}

/// Why a text is no [`Secret`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "is too short to be secret: it needs {MIN_SECRET} characters; `openssl rand -hex 32` makes one"
)]
pub struct WeakSecret;

/// As many characters of hexadecimal hold 64 bits, of prose few.
const MIN_SECRET: usize = 16;

/// How much of the HMAC a token has: a guess succeeds once in 2^104.
const MAC: usize = 13;

/// How many hexadecimal digits a token has.
const DIGITS: usize = 4 + 2 * MAC;

impl Secret {
    /// Takes a text as it is.
    ///
    /// # Errors
    /// When it is too short to be a secret.
    pub fn new(text: &str) -> Result<Secret, WeakSecret> {
        if text.len() < MIN_SECRET {
            return Err(WeakSecret);
        }
        let key = hmac::Key::new(hmac::HMAC_SHA256, text.as_bytes());
        Ok(Secret { key })
    }

    /// The token for a mail that a platform sends to an address on a day.
    ///
    /// ```
    /// use bouncedemails::trust::{Day, Secret};
    /// let secret = Secret::new("an example, not a secret").unwrap();
    /// let address = "Someone@example.com".parse().unwrap();
    /// let token = secret.token(&address, "openhpi.de", Day(20_782));
    /// assert_eq!(token, "512e854c7b8da7329e6b7cb3ee4c3c");
    /// ```
    pub fn token(&self, address: &Address, platform: &str, day: Day) -> String {
        let mac = self.mac(address.as_str(), platform, day);
        let day = u16::try_from(day.0).unwrap_or(u16::MAX);
        format!("{day:04x}{}", HEXLOWER.encode(&mac.as_ref()[..MAC]))
    }

    fn mac(&self, address: &str, platform: &str, day: Day) -> hmac::Tag {
        let platform = platform.to_ascii_lowercase();
        let address = address.to_ascii_lowercase();
        hmac::sign(
            &self.key,
            format!("{}\n{platform}\n{address}", day.0).as_bytes(),
        )
    }
}

/// Never shown.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A text that has the form of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) day: Day,
    mac: [u8; MAC],
}

impl Token {
    /// Upper and lower case are the same: mail systems fold them.
    pub(super) fn read(text: &[u8]) -> Option<Token> {
        if text.len() != DIGITS {
            return None;
        }
        let bytes = HEXLOWER_PERMISSIVE.decode(text).ok()?;
        let (day, mac) = bytes.split_first_chunk()?;
        Some(Token {
            day: Day(u16::from_be_bytes(*day).into()),
            mac: mac.try_into().ok()?,
        })
    }

    /// The token in the local part of a return path, `no-reply+TOKEN@example.com`.
    pub(super) fn in_return_path(path: &Address) -> Option<Token> {
        let (_, token) = path.local_part().rsplit_once('+')?;
        Token::read(token.as_bytes())
    }

    /// Whether one of the secrets made it for this address. The domain of the address may have been written in either form (RFC 5890).
    pub(super) fn is_for(&self, address: &Address, platform: &str, secrets: &[Secret]) -> bool {
        let domain = address.domain();
        let ascii = ascii_domain(domain);
        let other = match *ascii == *domain {
            false => Some(ascii.into_owned()),
            true if domain.contains("xn--") => Some(idna::domain_to_unicode(domain).0),
            true => None,
        };
        let other = other.map(|domain| format!("{}@{domain}", address.local_part()));
        let mut forms = [Some(address.as_str()), other.as_deref()]
            .into_iter()
            .flatten();
        forms.any(|address| {
            secrets
                .iter()
                .any(|secret| self.is_by(secret, address, platform))
        })
    }

    fn is_by(&self, secret: &Secret, address: &str, platform: &str) -> bool {
        // Whoever could measure the time of this comparison would learn something of a token; he would have to send a mail for each
        // look. All bytes are compared all the same.
        let mac = secret.mac(address, platform, self.day);
        let differences = mac.as_ref().iter().zip(&self.mac).map(|(a, b)| a ^ b);
        differences.fold(0, |all, one| all | one) == 0
    }
}

/// As it is written.
impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04x}{}", self.day.0, HEXLOWER.encode(&self.mac))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        text.parse().unwrap()
    }

    fn secret(text: &str) -> Secret {
        Secret::new(text).unwrap()
    }

    #[test]
    fn a_token_is_for_one_address_one_day_and_one_platform() {
        let old = secret("the old secret of ours");
        let new = secret("the new secret of ours");
        let made = old.token(&address("Some.One@Example.com"), "openHPI.de", Day(20_000));
        assert_eq!(made.len(), DIGITS);
        let token = Token::read(made.to_ascii_uppercase().as_bytes()).unwrap();
        assert_eq!((token.day, token.to_string()), (Day(20_000), made));
        let both = [new, old];
        assert!(token.is_for(&address("some.one@example.com"), "openhpi.de", &both));
        assert!(!token.is_for(&address("some.one@example.com"), "openhpi.de", &both[..1]));
        assert!(!token.is_for(&address("someone@example.com"), "openhpi.de", &both));
        assert!(!token.is_for(&address("some.one@example.com"), "opensap.info", &both));
        let tomorrow = Token {
            day: Day(20_001),
            ..token
        };
        assert!(!tomorrow.is_for(&address("some.one@example.com"), "openhpi.de", &both));
        assert!(!token.is_for(&address("some.one@example.com"), "openhpi.de", &[]));
    }

    #[test]
    fn a_domain_may_come_back_in_either_form() {
        let secrets = [secret("the only secret of ours")];
        for (mailed, failed) in [
            ("a@bücher.de", "a@xn--bcher-kva.de"),
            ("a@xn--bcher-kva.de", "a@bücher.de"),
            ("a@bücher.de", "a@bücher.de"),
        ] {
            let made = secrets[0].token(&address(mailed), "openhpi.de", Day(7));
            let token = Token::read(made.as_bytes()).unwrap();
            assert!(
                token.is_for(&address(failed), "openhpi.de", &secrets),
                "{mailed}"
            );
        }
    }

    #[test]
    fn a_return_path_may_hold_a_token() {
        let made =
            secret("the only secret of ours").token(&address("a@b.example"), "openhpi.de", Day(7));
        let path = address(&format!("no-reply+{made}@openhpi.de"));
        assert!(path.local_part().len() < 64);
        assert_eq!(Token::in_return_path(&path), Token::read(made.as_bytes()));
        for other in [
            "no-reply@openhpi.de",
            "no-reply+x@openhpi.de",
            "+@openhpi.de",
        ] {
            assert_eq!(Token::in_return_path(&address(other)), None);
        }
        let odd = format!("{}g", &made[1..]);
        assert_eq!(Token::read(odd.as_bytes()), None);
    }

    #[test]
    fn a_short_secret_is_none_and_no_secret_is_shown() {
        assert_eq!(Secret::new("123456789012345").unwrap_err(), WeakSecret);
        assert_eq!(format!("{:?}", secret("1234567890123456")), "***");
    }
}
