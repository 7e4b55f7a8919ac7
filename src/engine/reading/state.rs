//! What is to be read, what is being read and what was read, and which of that may be recorded.

use crate::engine::load::Load;
use crate::ledger::Entry;
use crate::mail::{Delivery, Mail, Receipt};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::{Duration, Instant};

/// From this size on a mail is a large one. Bounces are smaller, unless they return a whole original with attachments.
pub const LARGE: usize = 128 * 1024;

/// How often it is looked how long the mails that are being read have taken. One that is being read for so long is slow.
pub const LOOK: Duration = Duration::from_millis(100);

/// A mail that was read, or given up.
pub struct Read {
    /// What was found out.
    pub entry: Entry,
    /// To be confirmed when it is recorded.
    pub receipt: Receipt,
}

/// The mails between the inbox and the ledger.
#[derive(Default)]
pub struct State {
    /// What is to be read, by lane.
    pub queues: [VecDeque<Delivery>; 2],
    pub reading: HashMap<u64, Reading>,
    /// What was read, by the order in which reading began.
    pub read: BTreeMap<u64, (Lane, Read)>,
    /// All that came out of the inbox and is not recorded yet.
    pub load: Load,
    /// Nothing more will come.
    pub closed: bool,
    /// What was not read was given back, and so is what comes after it.
    pub gave_back: bool,
    /// How many threads read slow mails, and have others in their place, by lane.
    pub slow: [usize; 2],
    pub next: u64,
}

/// A mail that a thread is reading.
pub struct Reading {
    pub delivery: Delivery,
    pub lane: Lane,
    pub since: Instant,
    /// The thread's number at the kernel, and the time of a processor that it had when it was first looked at.
    pub thread: i32,
    pub had: Option<Duration>,
    /// Whether another thread took the place of this one.
    pub replaced: bool,
}

/// Large mails are read apart from small ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    Small = 0,
    Large = 1,
}

impl State {
    /// What was read and has nothing of its lane before it that is still being read, unless that is slow: the intakes rely on the
    /// order of mails that are equal.
    fn in_order(&self) -> Vec<u64> {
        let quick = |lane: Lane| {
            let of_lane = |(_, reading): &(&u64, &Reading)| {
                reading.lane == lane && reading.since.elapsed() < LOOK
            };
            let numbers = self
                .reading
                .iter()
                .filter(of_lane)
                .map(|(number, _)| *number);
            numbers.min().unwrap_or(u64::MAX)
        };
        let first = [quick(Lane::Small), quick(Lane::Large)];
        let ready = self.read.iter();
        let ready = ready.filter(|(number, (lane, _))| **number < first[*lane as usize]);
        ready.map(|(number, _)| *number).collect()
    }

    /// Takes out what may be recorded: at most `most`, or one mail.
    pub fn take(&mut self, most: Load) -> Vec<Read> {
        let mut batch = Vec::new();
        let mut load = Load::default();
        for number in self.in_order() {
            let Some((_, next)) = self.read.get(&number) else {
                break;
            };
            load += Load::of(&next.entry);
            if !batch.is_empty() && !load.is_within(most) {
                break;
            }
            batch.extend(self.read.remove(&number).map(|(_, read)| read));
        }
        batch
    }

    /// Whether anything may be taken out.
    pub fn is_ready(&self) -> bool {
        !self.in_order().is_empty()
    }

    /// Whether nothing is left to be read, and nothing will come.
    pub fn is_finished(&self) -> bool {
        self.closed && self.queues.iter().all(VecDeque::is_empty) && self.reading.is_empty()
    }
}

impl Lane {
    /// The one that a mail is read in.
    pub fn of(mail: &Mail) -> Lane {
        match mail.raw().len() < LARGE {
            true => Lane::Small,
            false => Lane::Large,
        }
    }
}
