//! Whom we mailed, where a report names somebody else alone and does not say that it passed the mail on.
//!
//! Somebody else in `To` of the returned mail shows no forward: reports are rewritten, and made anonymous, in one place and not in
//! another. It shows one where who reports had the mail in hand for that address: a host of the address's own organisation reports,
//! or one that `Received` of the returned mail names, in which some server says that it took the mail for that address.
//! A host of ours passes nothing on: it relays. Nor was a mail passed on to somebody for whom a server took it.

use super::{Addressees, is_outside};
use crate::address::{self, Address, is_inner, is_one_organisation, is_one_owner};
use crate::report::types::Report;
use std::collections::HashSet;

/// The address that the mail was passed on from.
pub(super) struct Forward(Address);

impl Forward {
    /// The only one who comes into question. `our` are the addresses that our mail comes back to, and is from.
    pub fn of(report: &Report, our: &[&Address], addressees: &Addressees<'_>) -> Option<Forward> {
        let is_ours = |domain: &str| our.iter().any(|our| is_one_owner(our.domain(), domain));
        let original = &report.original;
        let mailed = only_addressee(report)?;
        if is_ours(mailed.domain()) || !is_outside(mailed) {
            return None;
        }
        // Where the report names one to whom the mail was, the others that it names are none of theirs.
        let receivers: HashSet<String> = original.receivers.iter().map(Address::mailbox).collect();
        let is_known = |named: &Address| {
            receivers.contains(&named.mailbox()) || addressees.spelling(named).is_some()
        };
        let mut named = report.recipients.iter().map(|recipient| &recipient.address);
        if named.any(is_known) {
            return None;
        }
        let notice = report.envelope.from.as_deref().unwrap_or_default();
        let notice = address::in_text(notice).next();
        let first = report.recipients.first()?;
        let reporters = [
            notice.as_ref().map(Address::domain),
            first.reporting_mta.as_deref().map(host),
        ];
        let reporters = || reporters.iter().flatten();
        let had_it = |reporter: &str| {
            let mut hosts = original.taken_by.iter();
            is_one_owner(reporter, mailed.domain())
                || !receivers.is_empty() && hosts.any(|by| is_one_owner(reporter, by))
        };
        let is_plain = !reporters().any(|reporter| is_ours(reporter))
            && reporters().any(|reporter| had_it(reporter));
        is_plain.then(|| Forward(mailed.clone()))
    }

    /// The mailed address of a recipient whom the report names; none where both are one organisation's, and so one mailbox.
    pub fn mailed(&self, named: &Address) -> Option<Address> {
        let (mailed, end) = (self.0.domain(), named.domain());
        let is_other =
            is_inner(end) || !is_one_organisation(mailed, end) && !self.is_namesake(named);
        is_other.then(|| self.0.clone())
    }

    /// `anna@hazel.provider.example` may be what the provider calls `anna@hazel.example` itself.
    fn is_namesake(&self, named: &Address) -> bool {
        let own = self.0.domain().split('.').next().unwrap_or_default();
        let local = |address: &Address| address.local_part().to_lowercase();
        named.domain().split('.').any(|label| label == own) && local(&self.0) == local(named)
    }
}

/// The only address in `To`, with which the first receiver must agree where one is known; else the first receiver.
fn only_addressee(report: &Report) -> Option<&Address> {
    let original = &report.original;
    match (original.to.as_slice(), original.receivers.first()) {
        ([only], None) => Some(only),
        ([only], Some(first)) => is_one_owner(only.domain(), first.domain()).then_some(only),
        (_, first) => first,
    }
}

/// The name in `mx.example.com (192.0.2.5)`.
fn host(mta: &str) -> &str {
    mta.split([' ', '(', '[']).next().unwrap_or_default()
}
