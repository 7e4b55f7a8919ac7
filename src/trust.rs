//! Whether a mail answers one that we really sent to the address that it calls dead (DESIGN 3, "proof").
//!
//! Pure: the report, keys, secrets and today's date are handed in. Whoever can send a mail can write a bounce; what he can't write is what
//! only a mail of ours holds. That may be:
//!
//! - `dkim`: our own signature of the original, whose signed `To` names the address
//! - `token`: a token that the platform put into the original, or into its return path
//!
//! Each binds the address: what is proven is that *we* mailed *this* address, within the last [`MAX_AGE`] days. So somebody else's bounce
//! proves nothing of another address, and who has a mail of ours can only have himself called dead. Whether the same mail has proven the
//! same failure before, the ledger knows: [`Proof::spends`].

mod body;
mod day;
mod dkim;
mod header;
mod key;
mod proof;
mod signature;
mod tags;
mod token;

pub use day::{Day, MAX_AGE};
pub use key::{KeyError, KeyName, Keys, PublicKey};
pub use proof::{Evidence, Proof, Standing};
pub use token::{Secret, WeakSecret};

use crate::address::Address;
use crate::report::Report;
use day::Age;
use dkim::{Body, Fault};
use std::borrow::Cow;
use std::collections::HashSet;
use token::Token;

/// The field of a mail of ours that holds its token.
pub const TOKEN_FIELD: &str = "X-Bounce-Token";

/// So many tokens are looked at: those of one mail, and of one that was forwarded. Each is checked against every address.
const MAX_TOKENS: usize = 4;

/// What is known besides the report.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// The configured domain that the mail came back to.
    pub platform: &'a str,
    /// The bytes that were parsed.
    pub raw: &'a [u8],
    /// The recipients of the SMTP envelope, where they are known.
    pub envelope_recipients: &'a [Address],
    /// The keys of our domains.
    pub keys: &'a Keys,
    /// The platform's secrets.
    pub secrets: &'a [Secret],
    /// What day it is.
    pub today: Day,
}

/// The names of the keys that are needed for a report, each once.
pub fn needed_keys(report: &Report, platform: &str) -> Vec<KeyName> {
    let fields = header::fields(&report.original.returned.header);
    let mut names = Vec::new();
    for signature in dkim::ours(&fields, platform) {
        let name = KeyName::new(&signature.domain, signature.selector);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// What a mail holds that only an answer to a mail of ours can hold.
#[derive(Debug)]
pub struct Clues<'a> {
    known: Known<'a>,
    /// The readable signatures of ours.
    signatures: Vec<Clue>,
    tokens: Vec<(Token, Evidence)>,
}

/// A signature of ours that was checked.
#[derive(Debug)]
struct Clue {
    checked: dkim::Checked,
    /// Whom the signed mail was to, by [`Address::mailbox`].
    to: HashSet<String>,
}

impl<'a> Clues<'a> {
    /// Looks for them.
    pub fn find(report: &Report, known: Known<'a>) -> Clues<'a> {
        let returned = &report.original.returned;
        let fields = header::fields(&returned.header);
        let body = returned.body.clone().and_then(|at| known.raw.get(at));
        let signatures = dkim::ours(&fields, known.platform)
            .iter()
            .map(|signature| dkim::check(signature, &fields, returned.is_whole, body, known.keys))
            .map(Clue::new)
            .collect();
        let mut tokens = Vec::new();
        if !known.secrets.is_empty() {
            tokens = tokens_in(report, &fields, known.envelope_recipients);
        }
        Clues {
            known,
            signatures,
            tokens,
        }
    }

    /// What they say of the failure of an address that the platform mailed.
    pub fn about(&self, mailed: &Address) -> Proof {
        let mut weightiest: Option<Proof> = None;
        let signatures = self
            .signatures
            .iter()
            .map(|clue| clue.about(mailed, self.known.today));
        let tokens = self
            .tokens
            .iter()
            .map(|(token, place)| self.of_token(token, *place, mailed));
        let mut spends = Vec::new();
        for mut proof in signatures.chain(tokens) {
            for mark in std::mem::take(&mut proof.spends) {
                if !spends.contains(&mark) {
                    spends.push(mark);
                }
            }
            if weightiest
                .as_ref()
                .is_none_or(|other| weight(&proof) > weight(other))
            {
                weightiest = Some(proof);
            }
        }
        Proof {
            spends,
            ..weightiest.unwrap_or(Proof::UNPROVEN)
        }
    }

    fn of_token(&self, token: &Token, place: Evidence, mailed: &Address) -> Proof {
        let Known {
            platform,
            secrets,
            today,
            ..
        } = self.known;
        let day = token.day;
        if !token.is_for(mailed, platform, secrets) {
            return unproven("there is a token, but none that was made for this address");
        }
        if let Some(proof) = out_of_date(&format!("the {place}"), day, today) {
            return proof;
        }
        Proof {
            standing: Standing::Proven,
            by: Some(place),
            sentence: format!("the {place} was made for this address on {day}").into(),
            spends: vec![token.to_string()],
        }
    }
}

/// What is believed where several clues differ: one that proves shows that we mailed the address, whatever else was added.
fn weight(proof: &Proof) -> u8 {
    match (proof.standing, proof.by) {
        (Standing::Unproven, _) => 0,
        (Standing::Contradicted, _) => 1,
        (Standing::Proven, Some(Evidence::DkimHeader)) => 2,
        (Standing::Proven, _) => 3,
    }
}

fn unproven(sentence: impl Into<Cow<'static, str>>) -> Proof {
    Proof {
        sentence: sentence.into(),
        ..Proof::UNPROVEN
    }
}

/// What is to be said of a proof whose day is too long ago, or yet to come.
fn out_of_date(what: &str, day: Day, today: Day) -> Option<Proof> {
    match day.age(today) {
        Age::Fresh => None,
        Age::Old => Some(unproven(format!(
            "{what} is old: of {day}, and {MAX_AGE} days are believed"
        ))),
        Age::Ahead => Some(unproven(format!(
            "{what} is of {day}, a day that is yet to come"
        ))),
    }
}

impl Clue {
    fn new(checked: dkim::Checked) -> Clue {
        let to = checked
            .result
            .iter()
            .flat_map(|signed| signed.to.iter().flatten());
        let to = to.map(Address::mailbox).collect();
        Clue { checked, to }
    }

    fn about(&self, mailed: &Address, today: Day) -> Proof {
        let key = format!(
            "the signature of {} (key {})",
            self.checked.domain, self.checked.selector
        );
        let signed = match &self.checked.result {
            Ok(signed) => signed,
            Err(Fault::NoKey) => {
                return unproven(format!("{key} can't be checked: the key is not known"));
            }
            Err(Fault::Cut) => {
                return unproven(format!(
                    "{key} does not fit the returned header, which is cut short"
                ));
            }
            Err(Fault::Rewritten) => {
                return unproven(format!(
                    "{key} does not fit the returned header, which was rewritten on the way"
                ));
            }
            Err(Fault::Wrong) => {
                return contradicted(format!(
                    "{key} does not fit the returned header: it was changed"
                ));
            }
        };
        let Some(to) = &signed.to else {
            return unproven(format!(
                "{key} is valid, but does not say to whom the mail was"
            ));
        };
        if !self.to.contains(&mailed.mailbox()) {
            let Some(first) = to.first() else {
                return unproven(format!(
                    "{key} is valid, but the mail was to nobody by name"
                ));
            };
            let others = match to.len() {
                1 => String::new(),
                count => format!(" and {} more", count - 1),
            };
            return contradicted(format!(
                "{key} is of a mail to {first}{others}, not to this address"
            ));
        }
        let Some(day) = signed.day else {
            return unproven(format!(
                "{key} is valid, but does not say when the mail was sent"
            ));
        };
        if let Some(proof) = out_of_date(&key, day, today) {
            return proof;
        }
        let (by, body) = match signed.body {
            Body::Whole => (Evidence::Dkim, ""),
            Body::Absent => (
                Evidence::DkimHeader,
                "; its body was not returned as it was sent",
            ),
            Body::Differs => (
                Evidence::DkimHeader,
                "; its body was returned cut short, or changed",
            ),
        };
        Proof {
            standing: Standing::Proven,
            by: Some(by),
            sentence: format!("{key} is of a mail to this address of {day}{body}").into(),
            spends: vec![signed.id.clone()],
        }
    }
}

fn contradicted(sentence: String) -> Proof {
    Proof {
        standing: Standing::Contradicted,
        by: Some(Evidence::DkimHeader),
        sentence: sentence.into(),
        spends: Vec::new(),
    }
}

/// The tokens in the original's header, and in the addresses that the mail came back to.
fn tokens_in(
    report: &Report,
    fields: &[header::Field<'_>],
    envelope_recipients: &[Address],
) -> Vec<(Token, Evidence)> {
    let in_header = fields
        .iter()
        .filter(|field| field.is(TOKEN_FIELD.as_bytes()))
        .filter_map(|field| Token::read(field.value().trim_ascii()))
        .map(|token| (token, Evidence::TokenHeader));
    let envelope = &report.envelope;
    let in_return_path = envelope_recipients
        .iter()
        .chain(&envelope.delivered_to)
        .chain(&envelope.x_original_to)
        .chain(&envelope.to)
        .filter_map(Token::in_return_path)
        .map(|token| (token, Evidence::TokenReturnPath));
    let mut tokens: Vec<(Token, Evidence)> = Vec::new();
    for (token, place) in in_return_path.chain(in_header) {
        if tokens.len() == MAX_TOKENS {
            break;
        }
        if tokens.iter().all(|(known, _)| *known != token) {
            tokens.push((token, place));
        }
    }
    tokens
}
