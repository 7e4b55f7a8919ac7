//! Mails that are equal to the byte: is one a repeat of the other?
//!
//! A mail that was taken is *undecided* until it is known whether its client knows: from the moment it was read, through the commit and our 250,
//! to the client's next sign of life or its end. Meanwhile it has a [`Place`] here. Afterwards, the ledger can tell alone: it has a ticket
//! of the mail as long as the client may not know (RFC 1047), and no ticket if the client does.
//!
//! So a mail may be a repeat if the client of an equal one has left, and it is none if that client is still there: several
//! connections bring equal mails at the same time on purpose, as a load generator does.
//!
//! What counts is which mail was sent first, not which was read first: a client that hangs up after its mail and brings it again at
//! once may find the second one read first. So the order is that of the connections. Within one connection equal mails are different
//! mails; nobody repeats himself without having lost a connection.

use super::connection::Connection;
use crate::mail::{Fingerprint, Repeat, Session};
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
    undecided: BTreeMap<(Fingerprint, u64), Undecided>,
    known: Known,
}

#[derive(Debug)]
struct Undecided {
    connection: Weak<Connection>,
    session: Session,
    since: Instant,
}

/// The place of one mail among the undecided; it is decided when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    twins: Arc<Twins>,
    key: (Fingerprint, u64),
    session: Session,
}

/// What a mail is, seen beside its twins.
#[derive(Debug)]
pub(super) enum Standing {
    /// One to be recorded, unless it may be a repeat and the ledger knows it.
    Mail(Place, Repeat),
    /// One that its client gave up, and brought again by a later connection before this one was read.
    Straggler,
}

impl Twins {
    /// Takes a mail in. If the client of a twin has left, that one is decided first; `patience` bounds the wait.
    pub async fn enter(
        self: &Arc<Self>,
        fingerprint: Fingerprint,
        connection: &Arc<Connection>,
        patience: Duration,
    ) -> Standing {
        let deadline = tokio::time::Instant::now() + patience;
        loop {
            let mut decided = pin!(self.decided.notified());
            decided.as_mut().enable();
            if let Some(standing) = self.judge(fingerprint, connection) {
                return standing;
            }
            if timeout_at(deadline, decided).await.is_err() {
                let mails = &mut self.mails.lock();
                return self.place(mails, fingerprint, connection, Repeat::Possible);
            }
        }
    }

    /// What a mail is; none as long as that hangs on a twin whose client has left.
    fn judge(
        self: &Arc<Self>,
        fingerprint: Fingerprint,
        connection: &Arc<Connection>,
    ) -> Option<Standing> {
        // One lock for looking and entering: two that come at the same moment must see each other.
        let mails = &mut self.mails.lock();
        if mails.have_later(&fingerprint, connection.session()) && !connection.is_open() {
            return Some(Standing::Straggler);
        }
        let repeat = mails.repeat(&fingerprint, connection.session())?;
        Some(self.place(mails, fingerprint, connection, repeat))
    }

    fn place(
        self: &Arc<Self>,
        mails: &mut Mails,
        fingerprint: Fingerprint,
        connection: &Arc<Connection>,
        repeat: Repeat,
    ) -> Standing {
        let number = mails
            .undecided
            .range(all(&fingerprint))
            .next_back()
            .map_or(0, |((_, last), _)| last + 1);
        let key = (fingerprint, number);
        let session = connection.session();
        let undecided = Undecided {
            connection: Arc::downgrade(connection),
            session,
            since: Instant::now(),
        };
        mails.undecided.insert(key, undecided);
        let place = Place {
            twins: self.clone(),
            key,
            session,
        };
        Standing::Mail(place, repeat)
    }
}

impl Mails {
    /// Whether an equal mail came by a later connection.
    fn have_later(&self, fingerprint: &Fingerprint, session: Session) -> bool {
        let undecided = self.undecided.range(all(fingerprint));
        undecided.map(|(_, twin)| twin.session).max() > Some(session)
            || self.known.last(fingerprint) > Some(session)
    }

    /// Whether a mail may be a repeat; none as long as that hangs on a twin whose client has left.
    fn repeat(&self, fingerprint: &Fingerprint, session: Session) -> Option<Repeat> {
        let mut repeat = Repeat::Possible;
        let undecided = self.undecided.range(all(fingerprint));
        for (_, twin) in undecided.filter(|(_, twin)| twin.session != session) {
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
}

fn all(fingerprint: &Fingerprint) -> std::ops::RangeInclusive<(Fingerprint, u64)> {
    (*fingerprint, 0)..=(*fingerprint, u64::MAX)
}

impl Place {
    /// Remembers that the client knows. The mail is still undecided: the ledger does not know yet that the client knows.
    pub fn known(&self) {
        let (fingerprint, _) = self.key;
        let mut mails = self.twins.mails.lock();
        mails.known.note(fingerprint, self.session, Instant::now());
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
    /// The last connection that brought one, and when that was noted.
    last: HashMap<Fingerprint, (Session, Instant)>,
    by_age: VecDeque<(Instant, Fingerprint)>,
}

impl Known {
    fn note(&mut self, fingerprint: Fingerprint, session: Session, now: Instant) {
        let last = self.last.entry(fingerprint).or_insert((session, now));
        *last = (session.max(last.0), now);
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

    /// The last connection that brought such a mail.
    fn last(&self, fingerprint: &Fingerprint) -> Option<Session> {
        self.last.get(fingerprint).map(|(session, _)| *session)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use std::os::unix::net::UnixStream;
    use std::sync::Barrier;

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
    fn enter(twins: &Arc<Twins>, connection: &Arc<Connection>) -> Standing {
        twins
            .enter(fingerprint(1), connection, UNNOTICED)
            .now_or_never()
            .expect("no waiting")
    }

    fn place(entry: Standing, expected: Repeat) -> Place {
        match entry {
            Standing::Mail(place, repeat) if repeat == expected => place,
            other => panic!("{other:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn a_mail_read_after_its_repeat_is_a_straggler() {
        let (twins, first, second) = (Arc::default(), connect(), connect());
        drop(first.theirs);
        let repeat = place(enter(&twins, &second.ours), Repeat::Possible);
        assert!(matches!(enter(&twins, &first.ours), Standing::Straggler));
        repeat.known();
        drop((repeat, second));
        assert!(matches!(enter(&twins, &first.ours), Standing::Straggler));
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
    fn within_a_connection_equal_mails_are_different_mails() {
        let (twins, first, other): (Arc<Twins>, _, _) = (Arc::default(), connect(), connect());
        let one = place(enter(&twins, &first.ours), Repeat::Possible);
        // Its client ended its side after it had sent both.
        drop(first.theirs);
        let two = place(enter(&twins, &first.ours), Repeat::Possible);
        drop((one, two));
        let _third = place(enter(&twins, &other.ours), Repeat::Possible);
    }

    #[test]
    fn of_equal_mails_at_the_same_moment_one_may_be_a_repeat() {
        const CLIENTS: usize = 8;
        for _ in 0..500 {
            let twins = Arc::default();
            let clients: Vec<Client> = (0..CLIENTS).map(|_| connect()).collect();
            let start = Barrier::new(CLIENTS);
            let standings: Vec<Standing> = std::thread::scope(|scope| {
                let (twins, start) = (&twins, &start);
                let entering: Vec<_> = clients
                    .iter()
                    .map(|client| {
                        scope.spawn(move || {
                            start.wait();
                            enter(twins, &client.ours)
                        })
                    })
                    .collect();
                entering.into_iter().map(|e| e.join().unwrap()).collect()
            });
            let possible = standings
                .iter()
                .filter(|standing| matches!(standing, Standing::Mail(_, Repeat::Possible)));
            assert_eq!(possible.count(), 1);
        }
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut known = Known::default();
        let (now, later) = (Instant::now(), Instant::now() + Duration::from_millis(1));
        known.note(fingerprint(1), Session(2), now);
        known.note(fingerprint(1), Session(1), later);
        assert_eq!(known.last(&fingerprint(1)), Some(Session(2)));
        for _ in 0..2 * MAX_KNOWN {
            known.note(fingerprint(2), Session(3), later);
        }
        assert_eq!(known.by_age.len(), MAX_KNOWN);
        assert_eq!(known.last(&fingerprint(1)), None);
        known.note(fingerprint(3), Session(4), later + STRAGGLING + STRAGGLING);
        assert_eq!(known.last(&fingerprint(2)), None);
        assert_eq!((known.last.len(), known.by_age.len()), (1, 1));
    }
}
