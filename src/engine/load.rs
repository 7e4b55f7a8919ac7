//! What mails cost, so that neither memory nor a transaction grows with what they say.

use crate::ledger::Entry;
use crate::mail::Mail;
use crate::policy::Decision;
use std::iter::Sum;
use std::ops::{AddAssign, SubAssign};

/// So many mails, so many bytes of them, and so many rows that the ledger writes for them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Load {
    pub mails: usize,
    pub bytes: usize,
    pub rows: usize,
}

impl Load {
    /// What a mail costs before anything is known of it.
    pub fn unread(mail: &Mail) -> Load {
        let bytes = mail.raw().len();
        Load {
            mails: 1,
            bytes,
            rows: 0,
        }
    }

    /// What a mail costs that was read.
    pub fn of(entry: &Entry) -> Load {
        let rows = match &entry.decision {
            Decision::Act { rulings, .. } => rulings.len(),
            Decision::Ignore { .. } | Decision::Quarantine { .. } => 0,
        };
        Load {
            rows,
            ..Load::unread(&entry.mail)
        }
    }

    /// Whether it is at most `most` in every respect.
    pub fn is_within(self, most: Load) -> bool {
        self.mails <= most.mails && self.bytes <= most.bytes && self.rows <= most.rows
    }

    /// Whether it is less than `most` in every respect: there is room for one more.
    pub fn leaves_room(self, most: Load) -> bool {
        self.mails < most.mails && self.bytes < most.bytes && self.rows < most.rows
    }
}

impl AddAssign for Load {
    fn add_assign(&mut self, other: Load) {
        self.mails += other.mails;
        self.bytes += other.bytes;
        self.rows += other.rows;
    }
}

impl SubAssign for Load {
    fn sub_assign(&mut self, other: Load) {
        self.mails -= other.mails;
        self.bytes -= other.bytes;
        self.rows -= other.rows;
    }
}

impl Sum for Load {
    fn sum<I: Iterator<Item = Load>>(loads: I) -> Load {
        loads.fold(Load::default(), |mut sum, load| {
            sum += load;
            sum
        })
    }
}
