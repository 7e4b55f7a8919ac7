//! Mails that are equal to the byte: is one a repeat of the other?
//!
//! It is if the earlier one's client lost its connection before it had our 250 (RFC 1047). It is not if the earlier one's client knows,
//! nor if both are on their way at the same time by two connections, as a load generator sends them.
//!
//! Earlier means sent earlier, not read earlier: a client that hangs up after its mail and brings it again at once may find the
//! second one read first. So the order is that of the connections.

use super::connection::Connection;
use crate::intake::Repeat;
use crate::ledger::Fingerprint;
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::pin::pin;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::time::timeout_at;

/// A client that neither goes on nor hangs up for so long after it sent a mail may have been cut off from us without notice. Mail
/// servers wait longer than this before they try again.
const UNNOTICED: Duration = Duration::from_secs(90);

/// For so long a client's kernel may go on sending what was lost on the way of a connection that the client has given up.
const STRAGGLING: Duration = Duration::from_secs(300);

/// How many mails are remembered against stragglers, which takes less than a megabyte.
const MAX_KNOWN: usize = 4_096;

/// The mails that were taken of late.
#[derive(Debug, Default)]
pub(super) struct Twins {
    mails: Mutex<Mails>,
    decided: Notify,
}

#[derive(Debug, Default)]
struct Mails {
    /// Of these it is not decided yet whether their clients know.
    undecided: BTreeMap<(Fingerprint, u64), Pending>,
    known: Known,
}

#[derive(Debug)]
struct Pending {
    connection: Weak<Connection>,
    came: Instant,
    since: Instant,
}

/// The place of one mail among the undecided; it is decided when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    twins: Arc<Twins>,
    key: (Fingerprint, u64),
    came: Instant,
}

/// What a mail is, seen beside its twins.
#[derive(Debug)]
pub(super) enum Entry {
    /// One to be recorded, unless the ledger knows it.
    Mail(Place, Repeat),
    /// One that its client gave up, and brought again by a later connection before this one was read.
    Straggler,
}

impl Twins {
    /// Takes a mail in. If the client of its twin has left, that is decided first; `patience` bounds the wait.
    pub async fn enter(
        self: &Arc<Self>,
        fingerprint: Fingerprint,
        connection: &Arc<Connection>,
        patience: Duration,
    ) -> Entry {
        let deadline = tokio::time::Instant::now() + patience;
        loop {
            let mut decided = pin!(self.decided.notified());
            decided.as_mut().enable();
            if self.is_straggler(&fingerprint, connection) {
                return Entry::Straggler;
            }
            if let Some(repeat) = self.judge(&fingerprint) {
                return Entry::Mail(self.place(fingerprint, connection), repeat);
            }
            if timeout_at(deadline, decided).await.is_err() {
                return Entry::Mail(self.place(fingerprint, connection), Repeat::Possible);
            }
        }
    }

    fn is_straggler(&self, fingerprint: &Fingerprint, connection: &Connection) -> bool {
        let later = |came: Instant| came > connection.came();
        let has_later_twin = {
            let mails = self.mails.lock();
            mails.twins(fingerprint).any(|twin| later(twin.came))
                || mails.known.last(fingerprint).is_some_and(later)
        };
        has_later_twin && !connection.is_open()
    }

    /// Whether a mail may be a repeat; none as long as that hangs on a twin whose client has left.
    fn judge(&self, fingerprint: &Fingerprint) -> Option<Repeat> {
        let mails = self.mails.lock();
        let mut repeat = Repeat::Possible;
        for twin in mails.twins(fingerprint) {
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
        let undecided = &mut self.mails.lock().undecided;
        let number = undecided
            .range(all(&fingerprint))
            .next_back()
            .map_or(0, |((_, last), _)| last + 1);
        let key = (fingerprint, number);
        let came = connection.came();
        let pending = Pending {
            connection: Arc::downgrade(connection),
            came,
            since: Instant::now(),
        };
        undecided.insert(key, pending);
        Place {
            twins: self.clone(),
            key,
            came,
        }
    }
}

impl Mails {
    fn twins(&self, fingerprint: &Fingerprint) -> impl Iterator<Item = &Pending> {
        self.undecided.range(all(fingerprint)).map(|(_, twin)| twin)
    }
}

fn all(fingerprint: &Fingerprint) -> std::ops::RangeInclusive<(Fingerprint, u64)> {
    (*fingerprint, 0)..=(*fingerprint, u64::MAX)
}

impl Place {
    /// Remembers that the client knows. It is still undecided: the ledger does not know yet that the client knows.
    pub fn known(&self) {
        let (fingerprint, _) = self.key;
        let mut mails = self.twins.mails.lock();
        mails.known.note(fingerprint, self.came, Instant::now());
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.twins.mails.lock().undecided.remove(&self.key);
        self.twins.decided.notify_waiters();
    }
}

/// Mails whose clients know, of the last minutes.
#[derive(Debug, Default)]
struct Known {
    /// When the last connection came that brought one, and when that was noted.
    last: HashMap<Fingerprint, (Instant, Instant)>,
    by_age: VecDeque<(Instant, Fingerprint)>,
}

impl Known {
    fn note(&mut self, fingerprint: Fingerprint, came: Instant, now: Instant) {
        let last = self.last.entry(fingerprint).or_insert((came, now));
        *last = (came.max(last.0), now);
        self.by_age.push_back((now, fingerprint));
        while let Some(&(at, oldest)) = self.by_age.front()
            && (self.by_age.len() > MAX_KNOWN || now - at > STRAGGLING)
        {
            self.by_age.pop_front();
            if self
                .last
                .get(&oldest)
                .is_some_and(|(_, noted)| *noted == at)
            {
                self.last.remove(&oldest);
            }
        }
    }

    /// When the last connection came that brought such a mail.
    fn last(&self, fingerprint: &Fingerprint) -> Option<Instant> {
        self.last.get(fingerprint).map(|(came, _)| *came)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use std::os::unix::net::UnixStream;

    struct Client {
        ours: Arc<Connection>,
        theirs: UnixStream,
    }

    fn connect() -> Client {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let ours = Arc::new(Connection::new(ours, None).unwrap());
        Client { ours, theirs }
    }

    fn fingerprint(byte: u8) -> Fingerprint {
        Fingerprint([byte; 32])
    }

    /// What the mail of a client is; it must be told without waiting.
    fn enter(twins: &Arc<Twins>, connection: &Arc<Connection>) -> Entry {
        twins
            .enter(fingerprint(1), connection, UNNOTICED)
            .now_or_never()
            .expect("no waiting")
    }

    fn place(entry: Entry, expected: Repeat) -> Place {
        match entry {
            Entry::Mail(place, repeat) if repeat == expected => place,
            other => panic!("{other:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn a_mail_read_after_its_repeat_is_a_straggler() {
        let (twins, first, second) = (Arc::default(), connect(), connect());
        drop(first.theirs);
        let repeat = place(enter(&twins, &second.ours), Repeat::Possible);
        assert!(matches!(enter(&twins, &first.ours), Entry::Straggler));
        repeat.known();
        drop((repeat, second));
        assert!(matches!(enter(&twins, &first.ours), Entry::Straggler));
    }

    #[test]
    fn who_is_still_there_or_came_later_is_no_straggler() {
        let (twins, first, second) = (Arc::default(), connect(), connect());
        let taken = place(enter(&twins, &second.ours), Repeat::Possible);
        let also = place(enter(&twins, &first.ours), Repeat::No);
        also.known();
        taken.known();
        drop((taken, also));
        let third = connect();
        third.theirs.shutdown(std::net::Shutdown::Write).unwrap();
        place(enter(&twins, &third.ours), Repeat::Possible);
    }

    #[tokio::test]
    async fn a_twin_whose_client_has_left_is_decided_first() {
        let (twins, first, second): (Arc<Twins>, _, _) = (Arc::default(), connect(), connect());
        let unknown = place(enter(&twins, &first.ours), Repeat::Possible);
        drop(first.theirs);
        let mut waiting = pin!(twins.enter(fingerprint(1), &second.ours, UNNOTICED));
        assert!(waiting.as_mut().now_or_never().is_none());
        drop(unknown);
        place(waiting.await, Repeat::Possible);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut known = Known::default();
        let start = Instant::now();
        let later = start + Duration::from_millis(1);
        known.note(fingerprint(1), later, start);
        known.note(fingerprint(1), start, later);
        assert_eq!(known.last(&fingerprint(1)), Some(later));
        for _ in 0..2 * MAX_KNOWN {
            known.note(fingerprint(2), start, later);
        }
        assert_eq!(known.by_age.len(), MAX_KNOWN);
        assert_eq!(known.last(&fingerprint(1)), None);
        known.note(fingerprint(3), start, later + STRAGGLING + STRAGGLING);
        assert_eq!(known.last(&fingerprint(2)), None);
        assert_eq!((known.last.len(), known.by_age.len()), (1, 1));
    }
}
