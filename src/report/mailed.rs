//! Who is judged: the address that the platform mailed, since that is all that the platform knows.
//!
//! A report names who failed in the end. Where a mailbox passed the mail on (an alias, a `.forward`, a list), that is somebody
//! else; then `Recipient::address` becomes the mailed one, and `Recipient::final_recipient` keeps the other.
//!
//! That somebody else stands alone in `To` of the returned mail shows no forward by itself: of the labelled mails nearly all such
//! were made anonymous in one of the two places only.

use super::types::{Original, Report};
use crate::address::{Address, is_one_organisation};

/// Finds the mailed address of each recipient, in its spelling.
pub(super) fn find(report: &mut Report) {
    let original = &report.original;
    let paths = report.envelope.to.iter().chain(&original.return_path);
    let mut ours: Vec<Address> = paths.cloned().collect();
    // A list may have put its own address into From.
    let is_our_domain = |from: &&Address| {
        let domain = from.domain();
        ours.iter()
            .any(|our| is_one_organisation(our.domain(), domain))
    };
    let from = original.from.as_ref().filter(is_our_domain).cloned();
    ours.extend(from);
    let is_ours = |address: &Address| ours.iter().any(|our| our.is_same_mailbox(address));
    let is_alone = report.recipients.len() == 1;
    for recipient in &mut report.recipients {
        let named = recipient.address.clone();
        let in_path = is_alone.then(|| in_return_path(&report.envelope.to, original, &named));
        let before = recipient.original_recipient.take();
        let before = before.filter(|address| is_outside(address) && !is_ours(address));
        let is_first = |first: &Address| first.is_same_mailbox(&named);
        let mailed = in_path
            .flatten()
            .or_else(|| before.map(|address| as_mailed(original, &address).unwrap_or(address)))
            .or_else(|| as_mailed(original, &named))
            .or_else(|| original.first_receiver.clone().filter(is_first))
            .unwrap_or_else(|| named.clone());
        let end = recipient.final_recipient.take().unwrap_or(named);
        recipient.final_recipient = Some(end).filter(|end| !end.is_same_mailbox(&mailed));
        recipient.address = mailed;
    }
}

/// Whether an address may be one of the internet, and not a name of the receiver's own network (`anna@mailstore`).
fn is_outside(address: &Address) -> bool {
    address.domain().contains(['.', ':'])
}

/// The same mailbox as the returned mail's `To` or `Cc` spells it, if it is there.
fn as_mailed(original: &Original, address: &Address) -> Option<Address> {
    let mut mailed = original.to.iter().chain(&original.cc);
    mailed.find(|to| to.is_same_mailbox(address)).cloned()
}

/// The address that our own return path holds (VERP: `bounces+user=example.com@our.example`).
///
/// Other things may stand in front of it (`bounces-77-user=example.com`): of the possible readings one that is known is
/// taken, else the one behind a plus sign.
fn in_return_path(
    returned_to: &[Address],
    original: &Original,
    named: &Address,
) -> Option<Address> {
    let known = |address: &Address| {
        address.is_same_mailbox(named) || as_mailed(original, address).is_some()
    };
    let paths = || returned_to.iter().chain(&original.return_path);
    let certain = paths()
        .flat_map(readings)
        .map(|(_, address)| address)
        .find(known);
    certain
        .map(|address| as_mailed(original, &address).unwrap_or(address))
        .or_else(|| verp(paths()))
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
        .filter_map(move |(at, separator)| {
            let address = format!("{}@{domain}", &before[at + 1..]).parse().ok()?;
            Some((separator.chars().next()?, address))
        })
}
