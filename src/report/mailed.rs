//! Who is judged: the address that the platform mailed, since that is all that the platform knows.
//!
//! A report names who failed in the end. Where a mailbox passed the mail on (an alias, a `.forward`, a list), that is somebody
//! else; then `Recipient::address` becomes the mailed one, and `Recipient::final_recipient` keeps the other.
//!
//! Most mail systems that pass mail on don't say so, and report the other address alone. Then the returned mail shows whom we
//! mailed, where it is plain that who reports had the mail in hand for that address: see [`forward`].

mod forward;

use super::types::{Original, Report};
use crate::address::{Address, is_one_organisation};
use forward::Forward;
use std::collections::{HashMap, HashSet};

/// In so many of the addresses that a mail came back to is looked for the mailed one, and in each behind so many hyphens and plus signs:
/// a mail comes back to one, but a forged `To` may hold thousands of both.
const MOST_READINGS: usize = 16;

/// Finds the mailed address of each recipient, in its spelling.
pub(super) fn find(report: &mut Report) {
    let original = &report.original;
    let paths: HashSet<String> = return_paths(&report.envelope.to, original)
        .map(Address::mailbox)
        .collect();
    // A list may have put its own address into From.
    let from = original.from.as_ref().filter(|from| {
        let domain = from.domain();
        return_paths(&report.envelope.to, original)
            .any(|our| is_one_organisation(our.domain(), domain))
    });
    let our: Vec<&Address> = return_paths(&report.envelope.to, original)
        .chain(from)
        .collect();
    let from = from.map(Address::mailbox);
    let is_ours = |address: &Address| {
        let mailbox = address.mailbox();
        paths.contains(&mailbox) || from.as_ref() == Some(&mailbox)
    };
    let addressees = Addressees::of(original);
    let forward = Forward::of(report, &our, &addressees);
    let is_alone = report.recipients.len() == 1;
    for recipient in &mut report.recipients {
        let named = recipient.address.clone();
        let in_path = || {
            let paths = || return_paths(&report.envelope.to, original).take(MOST_READINGS);
            in_return_path(paths, &addressees, &named)
        };
        let before = recipient.original_recipient.take();
        let before = before.filter(|address| is_outside(address) && !is_ours(address));
        let is_first = |first: &Address| first.is_same_mailbox(&named);
        let mailed = is_alone
            .then(in_path)
            .flatten()
            .or_else(|| before.map(|address| addressees.spelling(&address).unwrap_or(address)))
            .or_else(|| addressees.spelling(&named))
            .or_else(|| original.receivers.first().cloned().filter(is_first))
            .or_else(|| forward.as_ref()?.mailed(&named))
            .unwrap_or_else(|| named.clone());
        let end = recipient.final_recipient.take().unwrap_or(named);
        recipient.final_recipient = Some(end).filter(|end| !end.is_same_mailbox(&mailed));
        recipient.address = mailed;
    }
}

/// The addresses that a mail of ours comes back to.
fn return_paths<'a>(
    returned_to: &'a [Address],
    original: &'a Original,
) -> impl Iterator<Item = &'a Address> {
    returned_to.iter().chain(&original.return_path)
}

/// Whom the returned mail names in `To` and `Cc`. Both it and the report may name thousands: so they are looked up.
struct Addressees<'a>(HashMap<String, &'a Address>);

impl<'a> Addressees<'a> {
    fn of(original: &'a Original) -> Addressees<'a> {
        let mut by_mailbox = HashMap::new();
        for address in original.to.iter().chain(&original.cc) {
            by_mailbox.entry(address.mailbox()).or_insert(address);
        }
        Addressees(by_mailbox)
    }

    /// The same mailbox as the returned mail spells it, if it is there.
    fn spelling(&self, address: &Address) -> Option<Address> {
        self.0.get(&address.mailbox()).copied().cloned()
    }
}

/// Whether an address may be one of the internet, and not a name of the receiver's own network (`anna@mailstore`).
fn is_outside(address: &Address) -> bool {
    address.domain().contains(['.', ':'])
}

/// The address that our own return path holds (VERP: `bounces+user=example.com@our.example`).
///
/// Other things may stand in front of it (`bounces-77-user=example.com`): of the possible readings one that is known is
/// taken, else the one behind a plus sign.
fn in_return_path<'a, P: Iterator<Item = &'a Address>>(
    paths: impl Fn() -> P,
    addressees: &Addressees<'_>,
    named: &Address,
) -> Option<Address> {
    let spelt = |address: Address| match addressees.spelling(&address) {
        None if address.is_same_mailbox(named) => Some(address),
        spelling => spelling,
    };
    let mut readings = paths().flat_map(readings).map(|(_, address)| address);
    readings.find_map(spelt).or_else(|| verp(paths()))
}

/// The address behind the first plus sign of a return path.
pub(super) fn verp<'a>(paths: impl IntoIterator<Item = &'a Address>) -> Option<Address> {
    let mut readings = paths.into_iter().flat_map(readings);
    readings.find_map(|(separator, address)| (separator == '+').then_some(address))
}

/// What `bounces-77-user=example.com` may hold: what is behind each hyphen or plus sign.
fn readings(path: &Address) -> impl Iterator<Item = (char, Address)> {
    let encoded = path.local_part().rsplit_once('=');
    // A domain ends with letters; what else has an equals sign is some other token.
    let is_domain = |domain: &str| {
        let top = domain.rsplit_once('.').map(|(_, top)| top);
        top.is_some_and(|top| top.len() > 1 && !top.bytes().any(|b| b.is_ascii_digit()))
    };
    let encoded = encoded.filter(|(_, domain)| is_domain(domain));
    let (before, domain) = encoded.unwrap_or_default();
    before
        .match_indices(['+', '-'])
        .take(MOST_READINGS)
        .filter_map(move |(at, separator)| {
            let address = format!("{}@{domain}", &before[at + 1..]).parse().ok()?;
            Some((separator.chars().next()?, address))
        })
}
