//! Which of some configured domains an address belongs to.

use super::ascii_domain;
use std::collections::BTreeSet;

/// Configured domains, in the form of [`ascii_domain`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Domains(BTreeSet<String>);

impl Domains {
    /// `domain` itself, else its closest configured parent, down to the registrable domain (public suffix list):
    /// `mail.openhpi.de` belongs to `openhpi.de`, and nothing belongs to `de` or `co.uk`. `domain` may have any form.
    pub fn closest(&self, domain: &str) -> Option<&str> {
        let domain = ascii_domain(domain);
        if let Some(exact) = self.0.get(&*domain) {
            return Some(exact);
        }
        let registrable = psl::domain_str(&domain)?;
        let mut parent = &*domain;
        while parent.len() > registrable.len() {
            parent = &parent[parent.find('.')? + 1..];
            if let Some(found) = self.0.get(parent) {
                return Some(found);
            }
        }
        None
    }
}

impl<D: AsRef<str>> FromIterator<D> for Domains {
    fn from_iter<I: IntoIterator<Item = D>>(domains: I) -> Domains {
        let ascii = |domain: D| ascii_domain(domain.as_ref()).into_owned();
        Domains(domains.into_iter().map(ascii).collect())
    }
}

/// Whether a domain or host name is `parent` or lies below it. Both in ASCII; case does not matter.
pub(crate) fn is_or_below(name: &str, parent: &str) -> bool {
    let Some(start) = name.len().checked_sub(parent.len()) else {
        return false;
    };
    let (front, end) = name.as_bytes().split_at(start);
    end.eq_ignore_ascii_case(parent.as_bytes()) && matches!(front.last(), None | Some(b'.'))
}
