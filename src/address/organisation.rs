//! Whether two domains are one organisation's: then mail that goes from one to the other was not forwarded to somebody else.

use super::{ascii_domain, is_or_below};

/// Domains below which hosters give each customer one of its own, beside the one that the world writes to.
const OF_TENANTS: [&str; 2] = ["onmicrosoft.com", "test-google-a.com"];

/// Top-level names of inner networks (RFC 6762 appendix G, RFC 8375, and what ICANN keeps free for them).
const INNER: [&str; 9] = [
    "local",
    "localdomain",
    "localhost",
    "internal",
    "intranet",
    "private",
    "corp",
    "home",
    "lan",
];

/// Whether an address at `end` is but another name for one at `mailed`: the same registrable domain (public suffix list), a
/// tenant's own name, or a host that only the receiver's network knows.
///
/// ```
/// use bouncedemails::address::is_one_organisation;
/// assert!(is_one_organisation("example.com", "mailbox01.example.com"));
/// assert!(is_one_organisation("example.com", "example.onmicrosoft.com"));
/// assert!(is_one_organisation("example.com", "mailstore"));
/// assert!(!is_one_organisation("example.co.uk", "example.org"));
/// assert!(!is_one_organisation("one.co.uk", "other.co.uk"));
/// ```
pub fn is_one_organisation(mailed: &str, end: &str) -> bool {
    let (mailed, end) = (ascii_domain(mailed), ascii_domain(end));
    if mailed == end {
        return true;
    }
    is_inner(&end) || is_tenant(&end) || is_tenant(&mailed) || is_one_owner(&mailed, &end)
}

/// Whether two domains or hosts have the same registrable domain (public suffix list).
pub(crate) fn is_one_owner(a: &str, b: &str) -> bool {
    let (a, b) = (ascii_domain(a), ascii_domain(b));
    let registrable = psl::domain_str(&a);
    registrable.is_some() && registrable == psl::domain_str(&b)
}

/// Whether only the network that it stands in knows a host of this name.
pub(crate) fn is_inner(domain: &str) -> bool {
    match domain.rsplit_once('.') {
        None => true,
        Some((_, top)) => domain.starts_with('[') || INNER.contains(&top),
    }
}

fn is_tenant(domain: &str) -> bool {
    OF_TENANTS
        .into_iter()
        .any(|hoster| domain != hoster && is_or_below(domain, hoster))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_within_are_one_organisation_and_neighbours_are_not() {
        for end in [
            "bücher.example",
            "XN--BCHER-KVA.example",
            "mx7.bücher.example",
            "buecher.mail.onmicrosoft.com",
            "xn--bcher-kva.example.test-google-a.com",
            "store.lan",
            "[10.0.0.7]",
        ] {
            assert!(is_one_organisation("bücher.example", end), "{end}");
        }
        for end in [
            "cher.example",
            "notonmicrosoft.com",
            "gmail.com",
            "other.example",
        ] {
            assert!(!is_one_organisation("bücher.example", end), "{end}");
        }
    }
}
