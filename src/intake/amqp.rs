//! Takes mails from a queue of an AMQP 0-9-1 broker (RabbitMQ) and acknowledges them once they are recorded.
//!
//! It never ends because of the broker: an outage is said once in plain words, and it connects again until the broker
//! is back. It never acknowledges what is not committed.

mod answered;
mod consume;
mod fault;
mod frames;
mod queue;
mod session;
mod stream;

use super::Intake;
use super::acknowledged::Deliveries;
use crate::backoff::Backoff;
use crate::config::Amqp;
use consume::End;
use fault::{BrokerEnd, Fault};
use session::Session;
use std::time::{Duration, Instant};
use tracing::{debug, info, warn};

/// The pauses between two tries to connect.
const PAUSE: Backoff = Backoff {
    first: Duration::from_millis(500),
    longest: Duration::from_secs(20),
};

/// A connection that lasted this long ends the row of growing pauses: a broker that throws us out at once must not be
/// stormed.
const STABLE: Duration = Duration::from_secs(30);

/// Hands mails of the configured queue in, as far as there is memory for them, until it is told to stop or nobody
/// empties the inbox any more.
///
/// When it is told to stop it gives back to the broker what it did not hand over, waits (for some seconds) for the
/// receipts of what it did, acknowledges, and closes the connection.
pub async fn run(amqp: &Amqp, intake: Intake) {
    let shutdown = &intake.shutdown;
    let mut acknowledged = Deliveries::new(intake.acknowledged.clone());
    let mut outage = Outage::new();
    let mut first = true;
    // An earlier process may have ended together with the broker.
    let mut last = BrokerEnd::MayHaveDied;
    loop {
        let opened = tokio::select! {
            () = shutdown.cancelled() => return,
            opened = Session::open(amqp, &intake.memory, first) => opened,
        };
        let (fault, outstanding) = match opened {
            Ok(session) => {
                outage.over(amqp, session.waiting);
                first = false;
                let since = Instant::now();
                let end = consume::consume(session, amqp, &intake, &mut acknowledged, last).await;
                if since.elapsed() > STABLE {
                    outage.tries = 0;
                }
                match end {
                    End::Stopped => return,
                    End::Lost(fault, outstanding) => (fault, Some(outstanding)),
                }
            }
            Err(fault) => (fault, None),
        };
        last = fault.end();
        outage.goes_on(amqp, &fault);
        outage.tries = outage.tries.saturating_add(1);
        let pause = PAUSE.wait(outage.tries, fastrand::f64());
        let ready = async {
            tokio::time::sleep(pause).await;
            if let Some(outstanding) = outstanding {
                outstanding.settled().await;
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = ready => {}
        }
    }
}

/// What was said about the broker's absence, and how long to wait for the next try.
struct Outage {
    since: Option<Instant>,
    said: String,
    /// How often in a row the broker was lost, or could not be had.
    tries: u32,
}

impl Outage {
    fn new() -> Outage {
        Outage {
            since: None,
            said: String::new(),
            tries: 0,
        }
    }

    /// Says what is wrong: once when the broker is away, however that shows, and once for each way in which it refuses
    /// us.
    fn goes_on(&mut self, amqp: &Amqp, fault: &Fault) {
        let text = fault.explain(amqp);
        let began = self.since.is_none();
        self.since.get_or_insert_with(Instant::now);
        if began || (fault.is_refusal() && text != self.said) {
            warn!("{text}. Trying again until it works.");
            self.said = text;
        } else {
            debug!("{text}. Still trying.");
        }
    }

    /// Says that mails are taken.
    fn over(&mut self, amqp: &Amqp, waiting: u32) {
        let url = &amqp.url;
        let queue = &amqp.queue;
        match self.since.take() {
            None => info!("Taking mails from the queue {queue} at {url}; {waiting} are waiting."),
            Some(since) => {
                let seconds = since.elapsed().as_secs();
                info!(
                    "The broker is back after {seconds} s: taking mails from the queue {queue} at {url} again; \
                     {waiting} are waiting."
                );
            }
        }
    }
}
