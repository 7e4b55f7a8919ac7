//! Report and configuration → what is done: suspend, count or ignore, with the sentence that says why.
//!
//! Pure: it decides, [`crate::ledger`] and [`crate::suspend`] act. Whether a count exceeds the threshold is for the ledger, which
//! holds the counters.

use crate::address::Address;
use crate::address::ascii_domain;
use crate::config::{Complaints, Handler};
use crate::diagnosis::{BounceType, Diagnosis, Fault};
use crate::mail::Mail;
use crate::report::limits::MAX_RECIPIENTS;
use crate::report::{Envelope, Kind, Recipient, Report};
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};

/// What is done about one mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Something is known of recipients of a platform.
    Act {
        /// The configured domain that the mail belongs to.
        platform: String,
        /// One for each recipient.
        rulings: Vec<Ruling>,
    },
    /// Nothing is to be done, and why.
    Ignore {
        /// The configured domain, where the mail belongs to one.
        platform: Option<String>,
        /// Why.
        why: String,
    },
    /// A person has to look at it.
    Quarantine {
        /// Why it could not be handled.
        why: Unhandled,
    },
}

/// Why a mail could not be handled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unhandled {
    /// It came back to an address of no configured platform.
    #[error("no configured platform: it came back to {0}")]
    UnknownPlatform(String),
    /// It has none of the headers that every mail has.
    #[error("unreadable: no header in it can be read")]
    Unreadable,
    /// Reading it ended the process, or would have: it is not tried again.
    #[error("unparsed: {0}")]
    Poison(String),
    /// A bounce or complaint that names nobody.
    #[error("a {0} that names no address")]
    NoRecipient(Kind),
    /// It would suspend more addresses than one mail may: a forgery, or a provider's bad night.
    #[error("it would suspend {suspensions} addresses, and one mail may {most} (brake_per_mail)")]
    Brake {
        /// How many addresses it would suspend.
        suspensions: usize,
        /// `brake_per_mail`.
        most: usize,
    },
}

/// What is done about one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruling {
    /// Whom it is about.
    pub address: Address,
    /// The diagnosis (and recipient) that decided, by its place in the report; none for a complaint.
    pub diagnosis: Option<usize>,
    /// What is done.
    pub action: Action,
    /// The sentence that says why, for people. Holds text from the mail.
    pub why: String,
}

/// What can be done about a recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Tell the platform at once.
    Suspend,
    /// Count it; the platform is told when the threshold is exceeded.
    Count,
    /// Only record it.
    Ignore,
}

impl Action {
    /// Of two actions for one address, the heavier one is taken.
    fn weight(self) -> u8 {
        match self {
            Action::Ignore => 0,
            Action::Count => 1,
            Action::Suspend => 2,
        }
    }
}

/// What is known of a mail beside its bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Known<'a> {
    /// The recipients of the SMTP envelope, where the intake knows them.
    pub envelope_recipients: &'a [Address],
    /// A person has looked at it and releases the brake for it.
    pub released: bool,
}

impl<'a> Known<'a> {
    /// What the intake knows of a mail.
    pub fn of(mail: &'a Mail) -> Known<'a> {
        Known {
            envelope_recipients: mail.envelope_recipients(),
            released: mail.released,
        }
    }
}

/// Decides about a mail. `diagnoses` holds one for each recipient of the report, in their order.
pub fn decide(
    report: &Report,
    diagnoses: &[Diagnosis],
    known: Known<'_>,
    handler: &Handler,
) -> Decision {
    let platform = platform_of(report, known, handler);
    let rulings = match report.kind {
        Kind::Bounce => on_bounce(report, diagnoses, handler),
        Kind::Feedback if handler.complaints == Complaints::Suspend => on_complaint(report),
        Kind::None if report.envelope == Envelope::default() => {
            let why = Unhandled::Unreadable;
            return Decision::Quarantine { why };
        }
        kind => {
            return Decision::Ignore {
                platform: platform.map(str::to_owned),
                why: format!("{kind}: {}", report.evidence),
            };
        }
    };
    if rulings.is_empty() {
        let why = Unhandled::NoRecipient(report.kind);
        return Decision::Quarantine { why };
    }
    let Some(platform) = platform else {
        let came_back_to = returned_to(report, known)
            .next()
            .map_or_else(|| "no address".to_owned(), Address::to_string);
        let why = Unhandled::UnknownPlatform(came_back_to);
        return Decision::Quarantine { why };
    };
    let hard = |ruling: &&Ruling| ruling.action == Action::Suspend;
    let suspensions = rulings.iter().filter(hard).count();
    if let Some(why) = braked(suspensions, known.released, handler) {
        return Decision::Quarantine { why };
    }
    Decision::Act {
        platform: platform.to_owned(),
        rulings,
    }
}

/// Why a mail that would suspend so many addresses is held, if it is. Nobody's mailing fails for dozens in one report; what
/// a counter leads to is known by the ledger alone, which asks again.
pub fn braked(suspensions: usize, released: bool, handler: &Handler) -> Option<Unhandled> {
    let most = usize::try_from(handler.brake_per_mail).unwrap_or(usize::MAX);
    (suspensions > most && !released).then_some(Unhandled::Brake { suspensions, most })
}

/// One ruling for each address; one that the mail reports both ways is hard.
fn on_bounce(report: &Report, diagnoses: &[Diagnosis], handler: &Handler) -> Vec<Ruling> {
    let mut rulings: Vec<Ruling> = Vec::with_capacity(report.recipients.len());
    let mut places: HashMap<String, usize> = HashMap::with_capacity(report.recipients.len());
    for (recipient, (index, diagnosis)) in
        report.recipients.iter().zip(diagnoses.iter().enumerate())
    {
        let (action, why) = weigh(recipient, diagnosis, handler.count_sender_faults);
        let ruling = Ruling {
            address: recipient.address.clone(),
            diagnosis: Some(index),
            action,
            why,
        };
        match places.entry(recipient.address.key()) {
            Entry::Vacant(place) => {
                place.insert(rulings.len());
                rulings.push(ruling);
            }
            Entry::Occupied(place) => {
                let earlier = &mut rulings[*place.get()];
                if ruling.action.weight() > earlier.action.weight() {
                    *earlier = ruling;
                }
            }
        }
    }
    rulings
}

/// What a single diagnosis leads to (DESIGN 6), and the sentence that says why. Holds text from the mail.
///
/// A hard failure behind a forward only counts: the mailbox that we mailed took the mail, and other members of a list may live.
pub fn weigh(
    recipient: &Recipient,
    diagnosis: &Diagnosis,
    count_sender_faults: bool,
) -> (Action, String) {
    let Diagnosis {
        reason, evidence, ..
    } = diagnosis;
    match (diagnosis.bounce_type, diagnosis.fault()) {
        (BounceType::Hard, _) => match recipient.behind_forward() {
            Some(end) => (
                Action::Count,
                format!("hard, {reason}, but only of {end}, to whom it was forwarded: {evidence}"),
            ),
            None => (Action::Suspend, format!("hard, {reason}: {evidence}")),
        },
        (BounceType::Delayed, _) => (
            Action::Ignore,
            format!("delayed, still being tried, {reason}: {evidence}"),
        ),
        (BounceType::Soft, Fault::Sender) if !count_sender_faults => (
            Action::Ignore,
            format!("soft, {reason}, which is the sender's fault and not counted: {evidence}"),
        ),
        (BounceType::Soft, _) => (Action::Count, format!("soft, {reason}: {evidence}")),
    }
}

/// One ruling for each address that complained.
fn on_complaint(report: &Report) -> Vec<Ruling> {
    let mut seen = HashSet::new();
    let first = |address: &&Address| seen.insert(address.key());
    let complainants = report.complainants.iter().filter(first);
    complainants
        .take(MAX_RECIPIENTS)
        .map(|address| Ruling {
            address: address.clone(),
            diagnosis: None,
            action: Action::Suspend,
            why: format!("complaint: {}", report.evidence),
        })
        .collect()
}

/// The addresses that a mail may have come back to. What a mail server knew goes before what a stranger wrote.
fn returned_to<'a>(report: &'a Report, known: Known<'a>) -> impl Iterator<Item = &'a Address> {
    let envelope = &report.envelope;
    known
        .envelope_recipients
        .iter()
        .chain(&envelope.delivered_to)
        .chain(&envelope.x_original_to)
        .chain(&envelope.to)
        .chain(&report.original.return_path)
        .chain(&report.original.from)
}

/// The configured domain that a mail belongs to: of the first address that has one.
fn platform_of<'a>(report: &Report, known: Known<'_>, handler: &'a Handler) -> Option<&'a str> {
    returned_to(report, known)
        .find_map(|address| configured_domain(address.domain(), &handler.domains))
}

/// `domain` itself, else its closest configured parent, down to the registrable domain (public suffix list):
/// `mail.openhpi.de` belongs to `openhpi.de`, and nothing belongs to `de` or `co.uk`. The configured ones are in the form of
/// [`ascii_domain`], `domain` may have any.
pub fn configured_domain<'a, P>(
    domain: &str,
    configured: &'a BTreeMap<String, P>,
) -> Option<&'a str> {
    let find = |domain: &str| {
        configured
            .get_key_value(domain)
            .map(|(key, _)| key.as_str())
    };
    let domain = ascii_domain(domain);
    if let Some(exact) = find(&domain) {
        return Some(exact);
    }
    let registrable = psl::domain_str(&domain)?;
    let mut parent = &*domain;
    while parent.len() > registrable.len() {
        parent = &parent[parent.find('.')? + 1..];
        if let Some(found) = find(parent) {
            return Some(found);
        }
    }
    None
}
