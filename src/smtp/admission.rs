//! Who may connect, and how many at a time.

use super::reply::{self, Reply};
use crate::memory::network_of;
use ipnet::IpNet;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

/// The rules, and who is there now.
#[derive(Debug)]
pub(super) struct Admission {
    allow: Vec<IpNet>,
    max: usize,
    /// How many of `max` one address may have, so that a single client can't keep out all others.
    share: usize,
    present: Mutex<Present>,
}

#[derive(Debug, Default)]
struct Present {
    total: usize,
    /// By [`network_of`] the address.
    by_address: HashMap<IpAddr, usize>,
}

/// A client's place. Dropped, it is free again.
#[derive(Debug)]
pub(super) struct Slot {
    admission: Arc<Admission>,
    address: Option<IpAddr>,
}

impl Admission {
    pub fn new(allow: &[IpNet], max: usize) -> Admission {
        Admission {
            allow: allow.to_vec(),
            max,
            share: max.div_ceil(2),
            present: Mutex::default(),
        }
    }

    /// A place for a client. One without an address came by a unix socket: whoever may open that is allowed, and it
    /// knows no shares.
    ///
    /// # Errors
    /// The reply to a client that may not come, or for which there is no place.
    pub fn admit(self: &Arc<Self>, address: Option<IpAddr>) -> Result<Slot, Reply> {
        if let Some(address) = &address
            && !self.allow.iter().any(|network| network.contains(address))
        {
            return Err(reply::NOT_ALLOWED);
        }
        let address = address.map(network_of);
        let mut present = self.present.lock();
        if present.total >= self.max {
            return Err(reply::TOO_MANY_CONNECTIONS);
        }
        if let Some(address) = address {
            let count = present.by_address.entry(address).or_default();
            if *count >= self.share {
                return Err(reply::TOO_MANY_CONNECTIONS);
            }
            *count += 1;
        }
        present.total += 1;
        Ok(Slot {
            admission: self.clone(),
            address,
        })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut present = self.admission.present.lock();
        present.total -= 1;
        let Some(address) = self.address else { return };
        if let Some(count) = present.by_address.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                present.by_address.remove(&address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(allow: &[&str], max: usize) -> Arc<Admission> {
        let allow: Vec<IpNet> = allow.iter().map(|net| net.parse().unwrap()).collect();
        Arc::new(Admission::new(&allow, max))
    }

    fn ip(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn admits_networks_and_nobody_else() {
        let admission = admission(&["10.0.0.0/8", "fd00::/8"], 9);
        for address in ["10.255.0.1", "fd12::1"] {
            assert!(admission.admit(ip(address)).is_ok(), "{address}");
        }
        for address in ["11.0.0.1", "fe80::1", "::1"] {
            let refused = admission.admit(ip(address)).unwrap_err();
            assert_eq!(refused, reply::NOT_ALLOWED, "{address}");
        }
        assert!(admission.admit(None).is_ok());
    }

    #[test]
    fn one_address_gets_half_of_the_places_and_gives_them_back() {
        let admission = admission(&["0.0.0.0/0"], 4);
        let greedy: Vec<Slot> = (0..2)
            .map(|_| admission.admit(ip("1.1.1.1")).unwrap())
            .collect();
        assert!(admission.admit(ip("1.1.1.1")).is_err());
        let second = admission.admit(ip("2.2.2.2")).unwrap();
        let third = admission.admit(None).unwrap();
        assert!(admission.admit(ip("3.3.3.3")).is_err());
        drop((greedy, second, third));
        assert!(admission.present.lock().by_address.is_empty());
        assert_eq!(admission.present.lock().total, 0);
        assert!(admission.admit(ip("1.1.1.1")).is_ok());
    }
}
