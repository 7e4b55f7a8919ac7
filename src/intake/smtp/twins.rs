//! Mails that are equal to the byte: is one a repeat of the other?
//!
//! It is if the earlier one's client lost its connection before it had our 250 (RFC 1047). It is not if the earlier one's client knows,
//! nor if both are on their way at the same time by two connections, as a load generator sends them.

use super::connection::Connection;
use crate::intake::Repeat;
use crate::ledger::Fingerprint;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

/// A client that neither goes on nor hangs up for so long after it sent a mail may have been cut off from us without notice. Mail
/// servers wait longer than this before they try again.
const UNNOTICED: Duration = Duration::from_secs(90);

/// The mails of which it is not decided yet whether their clients know.
#[derive(Debug, Default)]
pub(super) struct Undecided {
    mails: Mutex<BTreeMap<(Fingerprint, u64), Pending>>,
    decided: Notify,
}

#[derive(Debug)]
struct Pending {
    connection: Weak<Connection>,
    since: Instant,
}

/// The place of one mail among the undecided; it is decided when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    undecided: Arc<Undecided>,
    key: (Fingerprint, u64),
}

impl Undecided {
    /// Takes a mail in, and says whether it may be a repeat. If the client of its twin has left, that is decided first; `patience` bounds the wait.
    pub async fn enter(
        self: &Arc<Self>,
        fingerprint: Fingerprint,
        connection: &Arc<Connection>,
        patience: Duration,
    ) -> (Place, Repeat) {
        let deadline = Instant::now() + patience;
        loop {
            let mut decided = pin!(self.decided.notified());
            decided.as_mut().enable();
            if let Some(repeat) = self.judge(&fingerprint) {
                return (self.place(fingerprint, connection), repeat);
            }
            if timeout_at(deadline, decided).await.is_err() {
                return (self.place(fingerprint, connection), Repeat::Possible);
            }
        }
    }

    /// Whether a mail may be a repeat; none as long as that hangs on a twin whose client has left.
    fn judge(&self, fingerprint: &Fingerprint) -> Option<Repeat> {
        let mails = self.mails.lock();
        let mut repeat = Repeat::Possible;
        for (_, twin) in mails.range((*fingerprint, 0)..=(*fingerprint, u64::MAX)) {
            let there = twin.connection.upgrade().is_some_and(|c| c.is_open());
            if !there {
                return None;
            }
            if twin.since.elapsed() > UNNOTICED {
                return Some(Repeat::Possible);
            }
            repeat = Repeat::No;
        }
        Some(repeat)
    }

    fn place(self: &Arc<Self>, fingerprint: Fingerprint, connection: &Arc<Connection>) -> Place {
        let mut mails = self.mails.lock();
        let number = mails
            .range((fingerprint, 0)..=(fingerprint, u64::MAX))
            .next_back()
            .map_or(0, |((_, last), _)| last + 1);
        let key = (fingerprint, number);
        let pending = Pending {
            connection: Arc::downgrade(connection),
            since: Instant::now(),
        };
        mails.insert(key, pending);
        Place {
            undecided: self.clone(),
            key,
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.undecided.mails.lock().remove(&self.key);
        self.undecided.decided.notify_waiters();
    }
}
