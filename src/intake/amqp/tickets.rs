//! Which mails the ledger may forget: those whose acknowledgement the broker is known to have, and not at once.
//!
//! The ledger remembers each mail that it recorded, so as to know it again should the broker deliver it a second time
//! (DESIGN 8, "nothing twice"). A broker delivers a mail again when our acknowledgement did not reach it, and also when it was killed
//! before the acknowledgement reached its disk: RabbitMQ writes those lazily.

use crate::mail::{Forget, Ticket};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How long after it answered a broker could still lose an acknowledgement in a crash. RabbitMQ writes them within seconds.
const SETTLES_WITHIN: Duration = Duration::from_secs(5 * 60);

/// The tickets of acknowledged mails, by what is known of the broker.
pub(super) struct Tickets {
    forget: Forget,
    /// Acknowledged; whether that reached the broker is not known.
    acknowledged: Vec<Ticket>,
    /// The broker answered something that was asked after the acknowledgement, at this time.
    proven: VecDeque<(Instant, Vec<Ticket>)>,
    /// Of connections that were lost: the broker may deliver these mails again.
    doubtful: Vec<Ticket>,
}

impl Tickets {
    pub(super) fn new(forget: Forget) -> Tickets {
        Tickets {
            forget,
            acknowledged: Vec::new(),
            proven: VecDeque::new(),
            doubtful: Vec::new(),
        }
    }

    /// These were acknowledged.
    pub(super) fn acknowledged(&mut self, tickets: Vec<Ticket>) {
        self.acknowledged.extend(tickets);
    }

    /// This one was recorded, but its connection was lost before it could be acknowledged.
    pub(super) fn unacknowledged(&mut self, ticket: Ticket) {
        self.doubtful.push(ticket);
    }

    /// Whether a proof would help.
    pub(super) fn lack_proof(&self) -> bool {
        !self.acknowledged.is_empty()
    }

    /// The broker answered something that was asked after all acknowledgements so far.
    pub(super) fn proven(&mut self, now: Instant) {
        if self.lack_proof() {
            let tickets = std::mem::take(&mut self.acknowledged);
            self.proven.push_back((now, tickets));
        }
    }

    /// The connection was lost: not even what was proven lately is certain any more.
    pub(super) fn lost(&mut self) {
        self.doubtful.append(&mut self.acknowledged);
        for (_, mut tickets) in self.proven.drain(..) {
            self.doubtful.append(&mut tickets);
        }
    }

    /// Everything that waited in the queue when the new connection began was acknowledged: nothing comes back any more.
    pub(super) fn caught_up(&mut self) {
        self.acknowledged.append(&mut self.doubtful);
    }

    /// Lets the ledger forget what is certain by `now`.
    pub(super) fn forget_certain(&mut self, now: Instant) {
        let mut certain = Vec::new();
        while let Some((since, tickets)) = self.proven.front_mut() {
            if now.saturating_duration_since(*since) < SETTLES_WITHIN {
                break;
            }
            certain.append(tickets);
            self.proven.pop_front();
        }
        if !certain.is_empty() {
            let forget = self.forget.clone();
            // Nobody waits for it: should it fail, the mails are remembered for longer.
            drop(tokio::task::spawn_blocking(move || forget(&certain)));
        }
    }

    /// Lets the ledger forget everything but what is doubtful: the connection was closed in good order.
    pub(super) async fn forget_all(&mut self) {
        let mut certain = std::mem::take(&mut self.acknowledged);
        for (_, mut tickets) in self.proven.drain(..) {
            certain.append(&mut tickets);
        }
        if !certain.is_empty() {
            let forget = self.forget.clone();
            // A panic in there is logged by the panic hook; we stop anyway.
            let _ = tokio::task::spawn_blocking(move || forget(&certain)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parking_lot::Mutex;
    use std::sync::Arc;
    use std::sync::mpsc;

    fn tickets() -> (Tickets, mpsc::Receiver<Vec<i64>>) {
        let (sender, receiver) = mpsc::channel();
        let sender = Mutex::new(sender);
        let forget: Forget = Arc::new(move |tickets: &[Ticket]| {
            let numbers = tickets.iter().map(|Ticket(number)| *number).collect();
            sender.lock().send(numbers).expect("the test listens");
        });
        (Tickets::new(forget), receiver)
    }

    #[tokio::test]
    async fn a_proven_mail_is_forgotten_after_a_while_and_not_before() {
        let (mut tickets, forgotten) = tickets();
        let start = Instant::now();
        tickets.acknowledged(vec![Ticket(1), Ticket(2)]);
        tickets.proven(start);
        tickets.acknowledged(vec![Ticket(3)]);
        tickets.forget_certain(start + SETTLES_WITHIN - Duration::from_secs(1));
        tickets.forget_certain(start + SETTLES_WITHIN);
        let first = tokio::task::spawn_blocking(move || forgotten.recv()).await;
        assert_eq!(first.unwrap(), Ok(vec![1, 2]));
    }

    #[tokio::test]
    async fn what_a_lost_connection_left_is_kept_until_the_queue_was_worked_off() {
        let (mut tickets, forgotten) = tickets();
        let start = Instant::now();
        tickets.acknowledged(vec![Ticket(1)]);
        tickets.proven(start);
        tickets.acknowledged(vec![Ticket(2)]);
        tickets.lost();
        tickets.acknowledged(vec![Ticket(3)]);
        tickets.proven(start);
        tickets.forget_certain(start + SETTLES_WITHIN);
        tickets.caught_up();
        tickets.forget_all().await;
        drop(tickets);
        let all = tokio::task::spawn_blocking(move || forgotten.iter().collect());
        let mut all: Vec<Vec<i64>> = all.await.unwrap();
        // Two threads told the ledger.
        all.sort();
        assert_eq!(all, [vec![2, 1], vec![3]]);
    }

    #[tokio::test]
    async fn a_doubtful_mail_is_not_forgotten_at_a_clean_stop() {
        let (mut tickets, forgotten) = tickets();
        tickets.acknowledged(vec![Ticket(1)]);
        tickets.lost();
        tickets.forget_all().await;
        drop(tickets);
        assert!(forgotten.recv().is_err());
    }
}
