//! The backend of this service: a mail goes to the engine, and 250 is said when its receipt is confirmed.
//!
//! # A mail that comes twice (RFC 1047)
//!
//! A client that loses its connection between the end of its mail and our 250 must bring it again, and it is the same
//! to the byte. So an SMTP mail is [`Repeat::Possible`], and the ledger takes it for an equal one before it as long as
//! it has the row of that one ([`Acknowledged`]): until the client shows that it got the 250, by its next command or by
//! ending the connection in good order.

use super::concurrent::{Admitted, InProgress};
use crate::address::{Address, Domains};
use crate::intake::Intake;
use crate::mail::{Delivery, Fingerprint, Mail, Receipt, Repeat, Session, Settled, Source, Ticket};
use crate::smtp::{Backend, Client, Message, Reply, Transactions};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::timeout;

const RECORDED: Reply = Reply::new(250, (2, 0, 0), "Recorded");
const NOT_RECORDED: Reply = Reply::new(451, (4, 3, 0), "Not recorded; keep it and try again");
const NO_SUCH_PLATFORM: Reply =
    Reply::new(550, (5, 7, 1), "Not an address of a configured platform");

/// Hands mails to the engine.
pub(super) struct EngineBackend(Arc<Shared>);

struct Shared {
    domains: Domains,
    intake: Intake,
    patience: Duration,
    in_progress: Arc<InProgress>,
}

impl EngineBackend {
    /// Takes mail for these domains. A client is asked to come again if nothing can be recorded anyway, or if its mail
    /// is not settled within `patience`.
    pub fn new(domains: Domains, intake: Intake, patience: Duration) -> EngineBackend {
        EngineBackend(Arc::new(Shared {
            domains,
            intake,
            patience,
            in_progress: Arc::default(),
        }))
    }
}

impl Backend for EngineBackend {
    type Transactions = Connection;

    fn connected(&self, client: Client) -> Connection {
        Connection {
            shared: self.0.clone(),
            client,
            session: Session::begin(),
            unacknowledged: Vec::new(),
        }
    }
}

/// One client.
pub(super) struct Connection {
    shared: Arc<Shared>,
    client: Client,
    /// Tells apart, for the ledger, what this client sent before and after it may have to send again.
    session: Session,
    /// Mails whose 250 the client may not have seen yet. What is left of them at the end stays in the ledger, to be
    /// recognised.
    unacknowledged: Vec<(Ticket, Arc<Admitted>)>,
}

impl Connection {
    /// Waits until no other connection has an equal mail in progress. Within a connection equal mails are different
    /// mails: nobody repeats himself without having lost a connection.
    async fn admit(&self, fingerprint: Fingerprint) -> Arc<Admitted> {
        let mut own = self.unacknowledged.iter().map(|(_, admitted)| admitted);
        match own.find(|admitted| admitted.fingerprint() == fingerprint) {
            Some(admitted) => admitted.clone(),
            None => Arc::new(self.shared.in_progress.admit(fingerprint).await),
        }
    }

    async fn hand_over(&mut self, message: Message) -> Result<(Ticket, Arc<Admitted>), Reply> {
        let intake = &self.shared.intake;
        let source = Source::Smtp(self.client.to_string());
        let mut mail = Mail::new(source, message.content).to(message.recipients);
        mail.repeat = Repeat::Possible;
        mail.session = self.session;
        let admitted = self.admit(mail.fingerprint()).await;
        let (answer, settled) = oneshot::channel();
        let memory = message.memory;
        let delivery = Delivery {
            mail,
            receipt: Receipt::new(move |settled| {
                // Also when nobody waits for the answer any more, a mail takes memory as long as the engine has it.
                drop(memory);
                // The client may have given up waiting.
                let _ = answer.send(settled);
            }),
        };
        let handed_over = async {
            intake.inbox.send(delivery).await.ok()?;
            settled.await.ok()
        };
        match handed_over.await {
            Some(Settled::Confirmed(ticket)) => Ok((ticket, admitted)),
            Some(Settled::Returned) | None => {
                let client = self.client;
                tracing::warn!(
                    "A mail of SMTP client {client} could not be recorded; it keeps it."
                );
                Err(NOT_RECORDED)
            }
        }
    }
}

impl Transactions for Connection {
    fn rcpt(&mut self, recipient: Option<&Address>) -> Result<(), Reply> {
        let domains = &self.shared.domains;
        let platform = recipient.and_then(|to| domains.closest(to.domain()));
        platform.map(|_| ()).ok_or(NO_SUCH_PLATFORM)
    }

    async fn data(&mut self, message: Message) -> Result<Reply, Reply> {
        let patience = self.shared.patience;
        if !*self.shared.intake.recording.borrow() {
            // The engine has said why. Without waiting, a place on the server and the memory for a mail are free for
            // others.
            return Err(NOT_RECORDED);
        }
        let Ok(handed_over) = timeout(patience, self.hand_over(message)).await else {
            // It may be recorded yet: then what the client brings again is the same mail, also if it does so by this
            // connection.
            self.session = Session::begin();
            tracing::warn!(
                "A mail of SMTP client {} is not recorded after {} s; the client keeps it.",
                self.client,
                patience.as_secs()
            );
            return Err(NOT_RECORDED);
        };
        self.unacknowledged.push(handed_over?);
        Ok(RECORDED)
    }

    fn saw_replies(&mut self) {
        for (ticket, admitted) in self.unacknowledged.drain(..) {
            // An equal mail of another connection goes on when the ledger can tell that it is another one.
            let acknowledged = &self.shared.intake.acknowledged;
            acknowledged.peer_knows_then(ticket, admitted);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::{self, Acknowledged};
    use crate::memory::Owner;
    use tokio::sync::{mpsc, watch};
    use tokio_util::sync::CancellationToken;

    #[tokio::test]
    async fn what_comes_again_after_we_lost_patience_may_be_a_repeat() {
        let (inbox, mut engine) = mpsc::channel(2);
        let (_engine, recording) = watch::channel(true);
        let (acknowledged, _forgetting) = Acknowledged::start(Arc::new(|_: &[Ticket]| {}));
        let intake = Intake {
            inbox,
            acknowledged,
            recording,
            memory: intake::memory(0),
            shutdown: CancellationToken::new(),
        };
        let memory = intake.memory.clone();
        let backend = EngineBackend::new(Domains::default(), intake, Duration::ZERO);
        let mut connection = backend.connected(Client::new(None));
        let mut sessions = Vec::new();
        for _ in 0..2 {
            let message = Message {
                recipients: Vec::new(),
                content: b"a mail".to_vec(),
                memory: memory.nothing(Owner::Part("test")),
            };
            assert_eq!(connection.data(message).await.unwrap_err(), NOT_RECORDED);
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
