//! One connection with its channel and its consumer: how it is opened and what the queue is like.

use super::fault::{Fault, NOT_FOUND, code};
use super::queue::Queue;
use super::stream::{self, Filter};
use crate::config::Amqp;
use crate::memory::{Memory, MemoryBudget};
use lapin::options::{BasicConsumeOptions, BasicQosOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Connection, ConnectionProperties, Consumer};
use std::time::Duration;
use tokio::sync::mpsc;
use tracing::info;

/// How long connecting may take, with name resolution, TLS and login.
const OPENED_WITHIN: Duration = Duration::from_secs(30);

/// How long closing in good order may take.
const CLOSED_WITHIN: Duration = Duration::from_secs(2);

/// Seconds between two signs of life, unless the URL says otherwise (`?heartbeat=60`); a connection is given up after
/// two of them. The broker's own wish counts if it is shorter.
const HEARTBEAT: u16 = 20;

/// An open connection that consumes the configured queue.
pub(super) struct Session {
    // The channel lives as long as the connection: lapin closes a channel that is dropped, and the two closings would
    // collide.
    pub(super) connection: Connection,
    pub(super) channel: Channel,
    pub(super) consumer: Consumer,
    /// How many mails were waiting in the queue.
    pub(super) waiting: u32,
    /// The memory of each delivery, in their order; taken by whoever consumes.
    pub(super) arrivals: Option<mpsc::UnboundedReceiver<Memory>>,
}

impl Session {
    /// Connects and begins to consume. At the first time it says how the queue loses mails by itself, if it does.
    ///
    /// # Errors
    /// When the broker can't be reached within 30 seconds, or does not let us consume the queue.
    pub(super) async fn open(
        amqp: &Amqp,
        memory: &MemoryBudget,
        first: bool,
    ) -> Result<Session, Fault> {
        tokio::time::timeout(
            OPENED_WITHIN,
            Session::try_open(amqp, memory.clone(), first),
        )
        .await
        .unwrap_or(Err(Fault::NoAnswer(OPENED_WITHIN)))
    }

    async fn try_open(amqp: &Amqp, memory: MemoryBudget, first: bool) -> Result<Session, Fault> {
        let name = format!("bouncedemails@{}", host());
        let mut uri = amqp.url.uri().clone();
        uri.query.heartbeat.get_or_insert(HEARTBEAT);
        let properties = ConnectionProperties::default().with_connection_name(name.as_str().into());
        let Filter {
            connection,
            arrivals,
            version,
        } = stream::connect(uri, properties, memory)
            .await
            .map_err(Fault::Connecting)?;
        let vhost = &amqp.url.uri().vhost;
        let consumed = async {
            let (channel, waiting) = prepare(&connection, amqp).await?;
            if first {
                // Before mails come: answers wait behind them.
                let queue = Queue::look(&connection, &amqp.queue).await;
                queue.announce(&amqp.queue, vhost, version.as_deref());
            }
            let consumer = start(&channel, amqp, &name).await?;
            Ok((channel, consumer, waiting))
        };
        match consumed.await {
            Ok((channel, consumer, waiting)) => Ok(Session {
                connection,
                channel,
                consumer,
                waiting,
                arrivals: Some(arrivals),
            }),
            Err(fault) => {
                close(&connection).await;
                Err(fault)
            }
        }
    }

    /// Closes the connection in good order; whether the broker agreed.
    pub(super) async fn close(&self) -> bool {
        close(&self.connection).await
    }
}

/// A channel, and how many mails are waiting in the queue, which is declared if there is none.
async fn prepare(connection: &Connection, amqp: &Amqp) -> Result<(Channel, u32), Fault> {
    let channel = connection.create_channel().await.map_err(Fault::Lost)?;
    match waiting(&channel, amqp).await {
        Ok(waiting) => Ok((channel, waiting)),
        Err(error) if code(&error) == Some(NOT_FOUND) => {
            // The refusal closed the channel.
            let channel = connection.create_channel().await.map_err(Fault::Lost)?;
            declare_durable(&channel, amqp)
                .await
                .map_err(Fault::Queue)?;
            let queue = &amqp.queue;
            info!("The broker had no queue {queue}; it was declared, durable.");
            Ok((channel, 0))
        }
        Err(error) => Err(Fault::Queue(error)),
    }
}

/// Lets the broker deliver.
async fn start(channel: &Channel, amqp: &Amqp, name: &str) -> Result<Consumer, Fault> {
    channel
        .basic_qos(amqp.prefetch, BasicQosOptions::default())
        .await
        .map_err(Fault::Lost)?;
    let options = BasicConsumeOptions::default();
    channel
        .basic_consume(
            amqp.queue.as_str().into(),
            name.into(),
            options,
            FieldTable::default(),
        )
        .await
        .map_err(Fault::Queue)
}

/// How many mails are waiting in the queue; an error of the channel if there is no such queue.
async fn waiting(channel: &Channel, amqp: &Amqp) -> Result<u32, lapin::Error> {
    let passive = QueueDeclareOptions {
        passive: true,
        ..QueueDeclareOptions::default()
    };
    let queue = amqp.queue.as_str().into();
    let queue = channel
        .queue_declare(queue, passive, FieldTable::default())
        .await?;
    Ok(queue.message_count())
}

async fn declare_durable(channel: &Channel, amqp: &Amqp) -> Result<(), lapin::Error> {
    let durable = QueueDeclareOptions {
        durable: true,
        ..QueueDeclareOptions::default()
    };
    let queue = amqp.queue.as_str().into();
    channel
        .queue_declare(queue, durable, FieldTable::default())
        .await?;
    Ok(())
}

async fn close(connection: &Connection) -> bool {
    let closing = connection.close(200, "bye".into());
    matches!(
        tokio::time::timeout(CLOSED_WITHIN, closing).await,
        Ok(Ok(()))
    )
}

/// The name of this machine.
fn host() -> String {
    match std::fs::read_to_string("/proc/sys/kernel/hostname") {
        Ok(name) => name.trim().to_owned(),
        Err(_) => "unknown".to_owned(),
    }
}
