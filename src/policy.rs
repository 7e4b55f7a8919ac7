//! Findings → what is done: suspend, count or ignore, with the sentence that says why.
//!
//! Pure: it decides, the ledger and the suspender act. Whether a count exceeds the threshold is for the ledger, which
//! holds the counters.

use crate::address::{Address, Domains};
use crate::diagnosis::{BounceType, Diagnosis, Fault};
use crate::report::{Envelope, Kind, Recipient, Report};
use crate::trust::{Day, Keys, Proof};
use demand::{Standard, complaint_is_proven};
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

mod demand;

/// What is to be done with bounces, and for whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// The platforms, by the domain of their no-reply address.
    pub platforms: Domains,
    /// Those of them that act only on what is proven to answer a mail of theirs (`proof: require`).
    pub proof_required: BTreeSet<String>,
    /// How soft failures are counted.
    pub counting: Counting,
    /// Whether soft failures that are our own fault count, too.
    pub count_sender_faults: bool,
    /// What a complaint (feedback report) leads to.
    pub complaints: Complaints,
    /// How many addresses one mail may suspend; one that would suspend more is held in quarantine.
    pub brake_per_mail: u32,
}

/// As of a configuration that says no more than it must, but for no platform.
impl Default for Policy {
    fn default() -> Policy {
        Policy {
            platforms: Domains::default(),
            proof_required: BTreeSet::new(),
            counting: Counting::default(),
            count_sender_faults: false,
            complaints: Complaints::Ignore,
            brake_per_mail: 20,
        }
    }
}

impl Policy {
    /// Whether an action suspends whatever the counters say: a threshold of 0 lets the first soft failure exceed it.
    pub fn suspends_at_once(&self, action: Action) -> bool {
        match action {
            Action::Suspend => true,
            Action::Count => self.counting.threshold == 0,
            Action::Ignore => false,
        }
    }

    /// Whether a platform acts only on what is proven.
    pub fn requires_proof(&self, platform: &str) -> bool {
        self.proof_required.contains(platform)
    }
}

/// How soft failures are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counting {
    /// How many of them an address may have; the one that exceeds it suspends.
    pub threshold: u32,
    /// Those that are older no longer count; none, all count.
    pub window: Option<Duration>,
}

impl Default for Counting {
    fn default() -> Counting {
        Counting {
            threshold: 3,
            window: None,
        }
    }
}

/// What a complaint leads to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Complaints {
    /// It is logged.
    #[default]
    Ignore,
    /// The address is suspended.
    Suspend,
}

/// One failed recipient, why it failed, and what proves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Who failed, and what was said of it.
    pub recipient: Recipient,
    /// Why.
    pub diagnosis: Diagnosis,
    /// Whether the mail answers one that we sent to this address.
    pub proof: Proof,
}

/// One who complained, and what proves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// Who complained.
    pub address: Address,
    /// Whether the mail answers one that we sent to this address.
    pub proof: Proof,
}

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

impl Decision {
    /// The rulings, by the key of their address.
    pub fn by_address(&self) -> HashMap<String, &Ruling> {
        let rulings = match self {
            Decision::Act { rulings, .. } => rulings.as_slice(),
            Decision::Ignore { .. } | Decision::Quarantine { .. } => &[],
        };
        rulings
            .iter()
            .map(|ruling| (ruling.address.key(), ruling))
            .collect()
    }
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
    /// It would suspend who is said to complain, and anybody could have written it.
    #[error("a complaint without a token of ours: {0}")]
    UnprovenComplaint(Cow<'static, str>),
}

/// What is done about one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruling {
    /// Whom it is about.
    pub address: Address,
    /// What decided; none for a complaint.
    pub finding: Option<Arc<Finding>>,
    /// Whether the mail answers one that we sent to this address.
    pub proof: Proof,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known<'a> {
    /// The recipients of the SMTP envelope, where the intake knows them.
    pub envelope_recipients: &'a [Address],
    /// A person has looked at it and releases what holds it.
    pub released: bool,
    /// The keys that our domains sign with, or did.
    pub keys: &'a Keys,
    /// What day it is.
    pub today: Day,
}

/// Nothing; nothing is proven by it.
impl Default for Known<'_> {
    fn default() -> Self {
        static NO_KEYS: Keys = Keys::none();
        Known {
            envelope_recipients: &[],
            released: false,
            keys: &NO_KEYS,
            today: Day(0),
        }
    }
}

/// Decides about a mail whose report led to these findings, or these complaints.
pub fn decide(
    report: &Report,
    findings: &[Arc<Finding>],
    complaints: &[Complaint],
    known: Known<'_>,
    policy: &Policy,
) -> Decision {
    let platform = platform_of(report, known, policy);
    let rulings = match report.kind {
        Kind::Bounce => on_bounce(findings, Standard::of(platform, policy), policy),
        Kind::Feedback if policy.complaints == Complaints::Suspend => {
            on_complaint(report, complaints)
        }
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
    let suspends = |ruling: &&Ruling| policy.suspends_at_once(ruling.action);
    let suspensions = rulings.iter().filter(suspends).count();
    if let Some(why) = braked(suspensions, known.released, policy.brake_per_mail) {
        return Decision::Quarantine { why };
    }
    let unproven = complaints
        .iter()
        .find(|complaint| !complaint_is_proven(&complaint.proof));
    if let Some(complaint) = unproven.filter(|_| !known.released) {
        let why = Unhandled::UnprovenComplaint(complaint.proof.sentence.clone());
        return Decision::Quarantine { why };
    }
    Decision::Act {
        platform: platform.to_owned(),
        rulings,
    }
}

/// Why a mail that would suspend so many addresses is held, if it is. Nobody's mailing fails for dozens in one report; what
/// a counter leads to is known by the ledger alone, which asks again.
pub fn braked(suspensions: usize, released: bool, most: u32) -> Option<Unhandled> {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    (suspensions > most && !released).then_some(Unhandled::Brake { suspensions, most })
}

/// One ruling for each address; one that the mail reports both ways is hard.
fn on_bounce(findings: &[Arc<Finding>], standard: Standard, policy: &Policy) -> Vec<Ruling> {
    let mut rulings: Vec<Ruling> = Vec::with_capacity(findings.len());
    let mut places: HashMap<String, usize> = HashMap::with_capacity(findings.len());
    for finding in findings {
        let address = &finding.recipient.address;
        let (action, why) = standard.holds(weigh(finding, policy), &finding.proof);
        let ruling = Ruling {
            address: address.clone(),
            finding: Some(finding.clone()),
            proof: finding.proof.clone(),
            action,
            why,
        };
        match places.entry(address.key()) {
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
pub fn weigh(finding: &Finding, policy: &Policy) -> (Action, String) {
    let Finding {
        recipient,
        diagnosis,
        ..
    } = finding;
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
        (BounceType::Soft, Fault::Sender) if !policy.count_sender_faults => (
            Action::Ignore,
            format!("soft, {reason}, which is the sender's fault and not counted: {evidence}"),
        ),
        (BounceType::Soft, _) => (Action::Count, format!("soft, {reason}: {evidence}")),
    }
}

/// One ruling for each address that complained.
fn on_complaint(report: &Report, complaints: &[Complaint]) -> Vec<Ruling> {
    complaints
        .iter()
        .map(|complaint| Ruling {
            address: complaint.address.clone(),
            finding: None,
            proof: complaint.proof.clone(),
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
pub fn platform_of<'a>(report: &Report, known: Known<'_>, policy: &'a Policy) -> Option<&'a str> {
    returned_to(report, known).find_map(|address| policy.platforms.closest(address.domain()))
}
