//! The backend of this service: a mail goes to the engine, and 250 is said when its receipt is confirmed.
//!
//! # A mail that comes twice (RFC 1047)
//!
//! A client that loses its connection between the end of its mail and our 250 must bring it again, and it is the same to the byte.
//! So an SMTP mail is [`Repeat::Possible`](crate::mail::Repeat::Possible), and the ledger takes it for an equal one before it as long as that one's ticket
//! was not forgotten. It is forgotten as soon as the client shows that it got the 250: by a next command, or by ending
//! the connection in good order. Then the same bytes are a new mail, sent on purpose. What is left of clients that never
//! showed it, or of a process that was killed, the ledger drops when no client would come back any more.

use super::backend::{Backend, Message};
use super::reply::{self, Reply};
use super::twins::{Place, Standing, Twins};
use crate::address::{Address, Domains};
use crate::mail::{Delivery, Mail, Receipt, Settled, Source, Ticket};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

/// Hands mails to the engine.
pub struct Handover {
    domains: Domains,
    inbox: mpsc::Sender<Delivery>,
    recording: watch::Receiver<bool>,
    patience: Duration,
    twins: Arc<Twins>,
    known: mpsc::UnboundedSender<Note>,
}

/// A mail that was taken: its ticket, and its place among those whose clients may not know yet. Dropped, it stays in the ledger, to be recognised.
#[derive(Debug)]
pub struct Note {
    /// To be forgotten when the client knows.
    pub ticket: Ticket,
    place: Place,
}

impl Handover {
    /// Takes mail for these domains. A client is asked to come again if nothing can be recorded anyway (`recording` is false), or if its mail
    /// is not settled within `patience`. Notes of mails whose clients are known to know go to `known`; they are to be dropped
    /// after their tickets were forgotten.
    pub fn new(
        domains: Domains,
        inbox: mpsc::Sender<Delivery>,
        recording: watch::Receiver<bool>,
        patience: Duration,
        known: mpsc::UnboundedSender<Note>,
    ) -> Handover {
        Handover {
            domains,
            inbox,
            recording,
            patience,
            twins: Arc::default(),
            known,
        }
    }
}

impl Backend for Handover {
    type Note = Note;

    fn takes(&self, recipient: &Address) -> bool {
        self.domains.closest(recipient.domain()).is_some()
    }

    async fn deliver(&self, message: Message) -> Result<(Reply, Note), Reply> {
        if !*self.recording.borrow() {
            // The engine has said why. Without waiting, a place on the server and the memory for a mail are free for others.
            return Err(reply::NOT_RECORDED);
        }
        let client = message.connection.to_string();
        let mut mail =
            Mail::new(Source::Smtp(client.clone()), message.content).to(message.recipients);
        mail.session = message.connection.session();
        let entered = self
            .twins
            .enter(mail.fingerprint(), &message.connection, self.patience)
            .await;
        let place = match entered {
            Standing::Mail(place, repeat) => {
                mail.repeat = repeat;
                place
            }
            Standing::Straggler => {
                tracing::info!(
                    "A mail of SMTP client {client}, who hung up, was not taken: it came again by a later connection, and that one was read first."
                );
                return Err(reply::NOT_RECORDED);
            }
        };
        let (answer, settled) = oneshot::channel();
        let delivery = Delivery {
            mail,
            receipt: Receipt::new(move |settled| {
                // Also when nobody waits for the answer any more, a mail takes memory as long as the engine has it.
                drop(message.memory);
                // The client may have given up waiting.
                let _ = answer.send(settled);
            }),
        };
        let handed_over = async {
            self.inbox.send(delivery).await.ok()?;
            settled.await.ok()
        };
        match timeout(self.patience, handed_over).await {
            Ok(Some(Settled::Confirmed(ticket))) => Ok((reply::RECORDED, Note { ticket, place })),
            Ok(Some(Settled::Returned) | None) => {
                tracing::warn!(
                    "A mail of SMTP client {client} could not be recorded; it keeps it."
                );
                Err(reply::NOT_RECORDED)
            }
            Err(_) => {
                // It may be recorded yet: then what the client brings again is the same mail, also if it does so by this connection.
                message.connection.begin_anew();
                tracing::warn!(
                    "A mail of SMTP client {client} is not recorded after {} s; the client keeps it.",
                    self.patience.as_secs()
                );
                Err(reply::NOT_RECORDED)
            }
        }
    }

    fn known(&self, note: Note) {
        note.place.known();
        // Whoever forgets tickets ends after us; if it ended before, the ledger forgets them in time.
        let _ = self.known.send(note);
    }
}

#[cfg(test)]
mod tests {
    use super::super::connection::Connection;
    use super::*;
    use crate::mail::Repeat;
    use crate::memory::{MemoryBudget, Owner};
    use std::os::unix::net::UnixStream;

    #[tokio::test(start_paused = true)]
    async fn what_comes_again_after_we_lost_patience_may_be_a_repeat() {
        let (inbox, mut engine) = mpsc::channel(2);
        let (known, _notes) = mpsc::unbounded_channel();
        let (_engine, recording) = watch::channel(true);
        let patience = Duration::from_secs(60);
        let handover = Handover::new(Domains::default(), inbox, recording, patience, known);
        let (ours, _client) = UnixStream::pair().unwrap();
        let connection = Arc::new(Connection::new(ours, None).unwrap());
        let mut sessions = Vec::new();
        for _ in 0..2 {
            let message = Message {
                connection: connection.clone(),
                recipients: Vec::new(),
                content: b"a mail".to_vec(),
                memory: MemoryBudget::new(0).nothing(Owner::Part("test")),
            };
            assert_eq!(
                handover.deliver(message).await.unwrap_err(),
                reply::NOT_RECORDED
            );
            let delivery = engine.recv().await.unwrap();
            assert_eq!(delivery.mail.repeat, Repeat::Possible);
            sessions.push(delivery.mail.session);
        }
        assert!(
            sessions[0] < sessions[1],
            "within a session none is a repeat"
        );
    }
}
