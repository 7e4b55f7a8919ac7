//! Which peers may not know yet that their mail is recorded.
//!
//! The ledger keeps a row for every mail that it recorded, so as to know it again should it be handed in a second time
//! (DESIGN 9, "nothing twice"). The [`Ticket`] names that row. It goes once the peer is known to know, so that the same
//! bytes handed in on purpose count again. Each kind of peer shows that in its own way:
//!
//! | intake | the row goes |
//! | --- | --- |
//! | AMQP | an hour after our acknowledgement, or when the connection is closed in good order ([`Deliveries`]) |
//! | SMTP | with the client's next command, or with its orderly end |
//! | files, standard input | at once: whoever started the command sees how it ends |
//!
//! What is left of peers that never showed it, or of a process that was killed, the ledger drops when nobody would come
//! back any more.

use crate::mail::{Forget, Ticket};
use std::any::Any;
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// How many rows are deleted at once.
const AT_ONCE: usize = 512;

/// How long after our acknowledgement a broker might deliver a mail again: RabbitMQ writes acknowledgements to its disk
/// some seconds later, and delivers again what it had not written when it was killed.
const BROKER_FORGETS_WITHIN: Duration = Duration::from_secs(60 * 60);

/// How many acknowledged deliveries are remembered for that, at most: 2.4 MB.
const MOST_DELIVERIES: usize = 100_000;

/// Takes note of peers that know. Clones share the work.
#[derive(Debug, Clone)]
pub struct Acknowledged(mpsc::UnboundedSender<Note>);

#[derive(Debug)]
struct Note {
    ticket: Ticket,
    /// Dropped when the row is gone.
    _then: Option<Box<dyn Any + Send>>,
}

impl Acknowledged {
    /// Starts the task that has rows deleted; it ends with the last clone.
    pub fn start(forget: Forget) -> (Acknowledged, JoinHandle<()>) {
        let (sender, mut notes) = mpsc::unbounded_channel();
        let forgetting = tokio::spawn(async move {
            let mut waiting: Vec<Note> = Vec::new();
            while notes.recv_many(&mut waiting, AT_ONCE).await > 0 {
                let tickets: Vec<Ticket> = waiting.iter().map(|note| note.ticket).collect();
                forget(&tickets);
                waiting.clear();
            }
        });
        (Acknowledged(sender), forgetting)
    }

    /// The peer knows that its mail is recorded.
    pub fn peer_knows(&self, ticket: Ticket) {
        self.note(ticket, None);
    }

    /// The same; `then` is dropped when the row is gone.
    pub fn peer_knows_then(&self, ticket: Ticket, then: impl Any + Send) {
        self.note(ticket, Some(Box::new(then)));
    }

    fn note(&self, ticket: Ticket, then: Option<Box<dyn Any + Send>>) {
        // Should the task have died, the ledger drops the row in time.
        let _ = self.0.send(Note {
            ticket,
            _then: then,
        });
    }
}

/// The deliveries of a broker that were acknowledged of late.
#[derive(Debug)]
pub struct Deliveries {
    acknowledged: Acknowledged,
    recent: VecDeque<(Instant, Ticket)>,
}

impl Deliveries {
    /// None yet.
    pub fn new(acknowledged: Acknowledged) -> Deliveries {
        Deliveries {
            acknowledged,
            recent: VecDeque::new(),
        }
    }

    /// These were acknowledged now.
    pub fn acknowledged(&mut self, tickets: impl IntoIterator<Item = Ticket>, now: Instant) {
        self.recent
            .extend(tickets.into_iter().map(|ticket| (now, ticket)));
        self.settle(now);
    }

    /// Lets go of those that no broker delivers again.
    pub fn settle(&mut self, now: Instant) {
        while let Some((since, ticket)) = self.recent.front()
            && (self.recent.len() > MOST_DELIVERIES
                || now.saturating_duration_since(*since) >= BROKER_FORGETS_WITHIN)
        {
            self.acknowledged.peer_knows(*ticket);
            self.recent.pop_front();
        }
    }

    /// The connection was lost: the broker may deliver each of them again, so their rows stay.
    pub fn connection_lost(&mut self) {
        self.recent.clear();
    }

    /// The connection was closed in good order: the broker has all acknowledgements.
    pub fn closed_in_order(&mut self) {
        for (_, ticket) in self.recent.drain(..) {
            self.acknowledged.peer_knows(ticket);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parking_lot::Mutex;
    use std::sync::Arc;

    /// What the ledger is told to forget when `act` is done.
    async fn forgotten(act: impl FnOnce(Acknowledged)) -> Vec<i64> {
        let tickets = Arc::new(Mutex::new(Vec::new()));
        let told = tickets.clone();
        let forget: Forget = Arc::new(move |tickets: &[Ticket]| {
            told.lock().extend(tickets.iter().map(|ticket| ticket.0));
        });
        let (acknowledged, forgetting) = Acknowledged::start(forget);
        act(acknowledged);
        forgetting.await.expect("it never panics");
        std::mem::take(&mut *tickets.lock())
    }

    #[tokio::test]
    async fn a_delivery_is_let_go_after_an_hour_and_not_before() {
        let told = forgotten(|acknowledged| {
            let mut deliveries = Deliveries::new(acknowledged);
            let start = Instant::now();
            deliveries.acknowledged([Ticket(1), Ticket(2)], start);
            deliveries.acknowledged([Ticket(3)], start + Duration::from_secs(1));
            deliveries.settle(start + BROKER_FORGETS_WITHIN);
        });
        assert_eq!(told.await, [1, 2]);
    }

    #[tokio::test]
    async fn what_a_lost_connection_left_stays_known() {
        let told = forgotten(|acknowledged| {
            let mut deliveries = Deliveries::new(acknowledged);
            deliveries.acknowledged([Ticket(1)], Instant::now());
            deliveries.connection_lost();
            deliveries.acknowledged([Ticket(2)], Instant::now());
            deliveries.closed_in_order();
        });
        assert_eq!(told.await, [2]);
    }

    #[tokio::test]
    async fn what_is_remembered_is_bounded() {
        let told = forgotten(|acknowledged| {
            let mut deliveries = Deliveries::new(acknowledged);
            let tickets = (0..MOST_DELIVERIES as i64 + 2).map(Ticket);
            deliveries.acknowledged(tickets, Instant::now());
            assert_eq!(deliveries.recent.len(), MOST_DELIVERIES);
        });
        assert_eq!(told.await, [0, 1]);
    }

    #[tokio::test]
    async fn what_waits_for_a_row_to_go_is_dropped_after_it_went() {
        let held = Arc::new(());
        let dropped = Arc::downgrade(&held);
        let seen = dropped.clone();
        let forget: Forget = Arc::new(move |_: &[Ticket]| {
            assert_eq!(seen.strong_count(), 1, "it is dropped too early");
        });
        let (acknowledged, forgetting) = Acknowledged::start(forget);
        acknowledged.peer_knows_then(Ticket(1), held);
        drop(acknowledged);
        forgetting.await.expect("it was there");
        assert_eq!(dropped.strong_count(), 0);
    }
}
