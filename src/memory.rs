//! The memory that mails may take together, from their first byte until they are recorded: one budget for all intakes, in fair shares.
//!
//! Whoever asks gets memory as long as at least as much stays free as the asker holds then: at most half of what the others leave.
//! So however greedy some are, there is something left for the next.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::pin::pin;
use std::sync::Arc;
use tokio::sync::Notify;

/// A bounded amount of memory, shared by whoever has a clone.
#[derive(Debug, Clone)]
pub struct MemoryBudget(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limit: usize,
    held: Mutex<Held>,
    freed: Notify,
}

#[derive(Debug, Default)]
struct Held {
    /// In bytes, as everywhere here.
    total: usize,
    /// What is waited for: kept free of those who don't wait, who would otherwise always be first.
    awaited: usize,
    by_owner: HashMap<Owner, usize>,
}

/// Who is given a share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Owner {
    /// One part of the program.
    Part(&'static str),
    /// A client, by its address; of IPv6 addresses by the network of 64 bits, as any host may have all of that.
    Client(IpAddr),
}

impl Owner {
    /// The client at this address.
    pub fn client(address: IpAddr) -> Owner {
        Owner::Client(network_of(address))
    }
}

/// The address without what a client may choose at will.
pub fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = u128::from(address) & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from(network))
        }
        address => address,
    }
}

/// A part of a budget. Dropped, it is free again.
#[derive(Debug)]
pub struct Memory {
    shared: Arc<Shared>,
    owner: Owner,
    bytes: usize,
}

impl MemoryBudget {
    /// So many bytes.
    pub fn new(bytes: usize) -> MemoryBudget {
        MemoryBudget(Arc::new(Shared {
            limit: bytes,
            held: Mutex::default(),
            freed: Notify::new(),
        }))
    }

    /// Nothing yet, to be extended by [`Memory::extend`].
    pub fn nothing(&self, owner: Owner) -> Memory {
        Memory {
            shared: self.0.clone(),
            owner,
            bytes: 0,
        }
    }

    /// Waits for so many bytes. More than a quarter of the budget is counted as a quarter, lest something larger wait for ever.
    pub async fn acquire(&self, owner: Owner, bytes: usize) -> Memory {
        let bytes = bytes.min(self.0.limit / 4);
        let mut memory = self.nothing(owner);
        if memory.extend(bytes) {
            return memory;
        }
        let _awaited = Awaited::new(&self.0, bytes);
        loop {
            let mut freed = pin!(self.0.freed.notified());
            freed.as_mut().enable();
            if memory.extend_to(bytes, bytes) {
                return memory;
            }
            freed.await;
        }
    }

    /// How many bytes are given out.
    pub fn in_use(&self) -> usize {
        self.0.held.lock().total
    }
}

impl Memory {
    /// Makes it cover `bytes` in all, if that leaves enough for others. Whether it did.
    #[must_use]
    pub fn extend(&mut self, bytes: usize) -> bool {
        self.extend_to(bytes, 0)
    }

    /// `own` of what is awaited is for this one.
    fn extend_to(&mut self, bytes: usize, own: usize) -> bool {
        let more = bytes.saturating_sub(self.bytes);
        if more == 0 {
            return true;
        }
        let held = &mut *self.shared.held.lock();
        let taken = held.total + (held.awaited - own);
        let owned = held.by_owner.get(&self.owner).map_or(0, |owned| *owned);
        // Checked, as a client may announce any number.
        let enough = (more.checked_mul(2))
            .and_then(|twice| twice.checked_add(taken + owned))
            .is_some_and(|needed| needed <= self.shared.limit);
        if enough {
            held.total += more;
            *held.by_owner.entry(self.owner).or_default() += more;
            self.bytes = bytes;
        }
        enough
    }

    /// Gives everything back.
    pub fn clear(&mut self) {
        if self.bytes == 0 {
            return;
        }
        let held = &mut *self.shared.held.lock();
        held.total -= self.bytes;
        if let Some(owned) = held.by_owner.get_mut(&self.owner) {
            *owned -= self.bytes;
            if *owned == 0 {
                held.by_owner.remove(&self.owner);
            }
        }
        self.bytes = 0;
        self.shared.freed.notify_waiters();
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Keeps what is waited for free while it is waited for.
struct Awaited<'a> {
    shared: &'a Shared,
    bytes: usize,
}

impl<'a> Awaited<'a> {
    fn new(shared: &'a Shared, bytes: usize) -> Awaited<'a> {
        shared.held.lock().awaited += bytes;
        Awaited { shared, bytes }
    }
}

impl Drop for Awaited<'_> {
    fn drop(&mut self) {
        self.shared.held.lock().awaited -= self.bytes;
        self.shared.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    const ONE: Owner = Owner::Part("one");
    const OTHER: Owner = Owner::Part("other");

    #[test]
    fn one_owner_gets_half_and_gives_it_back() {
        let budget = MemoryBudget::new(100);
        let (mut first, mut second) = (budget.nothing(ONE), budget.nothing(ONE));
        assert!(first.extend(30));
        assert!(first.extend(20), "it has that already");
        assert!(second.extend(20));
        assert!(!first.extend(31));
        assert!(!second.extend(usize::MAX));
        assert_eq!(budget.in_use(), 50);
        drop(first);
        assert!(second.extend(50));
        drop(second);
        assert_eq!(budget.in_use(), 0);
        assert!(budget.0.held.lock().by_owner.is_empty());
    }

    #[test]
    fn however_many_want_everything_there_is_something_for_the_next() {
        let budget = MemoryBudget::new(1000);
        let mut greedy = Vec::new();
        for number in 0..8 {
            let client = Owner::client(IpAddr::from([10, 0, 0, number]));
            let mut memory = budget.nothing(client);
            let share = (1..).take_while(|bytes| memory.extend(*bytes)).last();
            assert!(share.is_some_and(|bytes| bytes > 0), "client {number}");
            greedy.push(memory);
        }
        // Who gives back and asks again gets no more than a fair share.
        greedy.remove(0);
        let mut next = budget.nothing(Owner::client(IpAddr::from([10, 0, 0, 0])));
        assert!(next.extend(100));
        assert!(!next.extend(600));
    }

    #[test]
    fn what_is_waited_for_is_not_given_to_others() {
        let budget = MemoryBudget::new(100);
        let mut held = budget.nothing(ONE);
        assert!(held.extend(50));
        let mut waiting = pin!(budget.acquire(ONE, 20));
        assert!(waiting.as_mut().now_or_never().is_none());
        let mut other = budget.nothing(OTHER);
        assert!(!other.extend(20), "20 are waited for, 50 are held");
        assert!(other.extend(15));
        held.clear();
        let got = waiting.now_or_never().expect("there is room");
        assert_eq!(got.bytes, 20);
        assert_eq!(budget.0.held.lock().awaited, 0);
    }

    #[test]
    fn what_is_larger_than_a_quarter_counts_as_a_quarter() {
        let budget = MemoryBudget::new(100);
        let memory = budget.acquire(ONE, usize::MAX).now_or_never();
        assert_eq!(memory.expect("there is room").bytes, 25);
    }

    #[test]
    fn a_client_is_known_by_what_it_can_not_choose() {
        let owner = |address: &str| Owner::client(address.parse().unwrap());
        assert_eq!(owner("2001:db8::1"), owner("2001:db8::ffff:2"));
        assert_ne!(owner("2001:db8::1"), owner("2001:db8:0:1::1"));
        assert_eq!(owner("::ffff:10.0.0.1"), owner("10.0.0.1"));
        assert_ne!(owner("10.0.0.1"), owner("10.0.0.2"));
    }
}
