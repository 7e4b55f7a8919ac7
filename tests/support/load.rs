//! A known mix of mails, and what has to come of it whatever happens on the way.

use super::{Configuration, Platform, hard_bounce, ordinary_mail, soft_bounce};
use std::collections::{BTreeMap, BTreeSet};

/// The threshold in the configuration of whoever uses a load.
pub const THRESHOLD: u32 = 3;

/// Mails in a random order, made from a seed: the same seed makes the same mails.
pub struct Load {
    mails: Vec<Vec<u8>>,
    /// How many bounces there are for each address.
    bounces: BTreeMap<String, u32>,
    soft: BTreeSet<String>,
}

impl Load {
    /// About `size` mails, for addresses that hold `name`. The seed is printed, for a failure to be repeated.
    pub fn new(name: &str, size: usize, seed: u64) -> Load {
        println!("load {name}: {size} mails, seed {seed}");
        let mut random = fastrand::Rng::with_seed(seed);
        let mut load = Load {
            mails: Vec::with_capacity(size),
            bounces: BTreeMap::new(),
            soft: BTreeSet::new(),
        };
        let mut number = 0;
        while load.mails.len() < size {
            number += 1;
            match random.u32(..10) {
                0..3 => {
                    let address = format!("gone.{name}.{number}@example.org");
                    load.mails.push(hard_bounce(&address, number));
                    load.bounces.insert(address, 1);
                }
                3..7 => {
                    let address = format!("full.{name}.{number}@example.org");
                    let times = random.u32(1..=THRESHOLD + 3);
                    // Some are equal to the byte, and count each time all the same.
                    let equal = random.u8(..4) == 0;
                    for time in 0..times {
                        let mail = if equal { 0 } else { time };
                        load.mails.push(soft_bounce(&address, 10 * number + mail));
                    }
                    load.bounces.insert(address.clone(), times);
                    load.soft.insert(address);
                }
                _ => load.mails.push(ordinary_mail(number)),
            }
        }
        random.shuffle(&mut load.mails);
        load
    }

    pub fn mails(&self) -> &[Vec<u8>] {
        &self.mails
    }

    /// The mails in about as many parts.
    pub fn parts(&self, count: usize) -> impl Iterator<Item = &[Vec<u8>]> {
        self.mails.chunks(self.mails.len().div_ceil(count))
    }

    /// The paths of the POSTs that have to be made.
    pub fn suspensions(&self) -> BTreeSet<String> {
        self.bounces
            .iter()
            .filter(|(address, times)| !self.soft.contains(*address) || **times > THRESHOLD)
            .map(|(address, _)| format!("/emails/{}/suspend", address.replace('@', "%40")))
            .collect()
    }

    /// Asserts what has to be true at the end, once every mail was handled and the service was stopped.
    pub fn assert_all_counted_once(&self, configuration: &Configuration, platform: &Platform) {
        let differing = |expected: &BTreeMap<String, u32>, found: &BTreeMap<String, u32>| {
            let addresses: BTreeSet<_> = expected.keys().chain(found.keys()).collect();
            addresses
                .into_iter()
                .filter(|address| expected.get(*address) != found.get(*address))
                .map(|address| {
                    (
                        address.clone(),
                        expected.get(address).copied(),
                        found.get(address).copied(),
                    )
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(configuration.quarantine(), BTreeMap::new());
        // Address, expected, found.
        assert_eq!(differing(&self.bounces, &configuration.history()), []);
        let counters = self
            .bounces
            .iter()
            .filter(|(address, _)| self.soft.contains(*address))
            // The one that exceeds the threshold starts the counter again.
            .map(|(address, times)| (address.clone(), times % (THRESHOLD + 1)))
            .filter(|(_, count)| *count > 0)
            .collect();
        assert_eq!(differing(&counters, &configuration.counters()), []);
        let posted: BTreeSet<String> = platform.posts().into_iter().collect();
        assert_eq!(posted, self.suspensions());
    }
}
