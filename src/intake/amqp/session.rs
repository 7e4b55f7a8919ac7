//! One connection with its channel and its consumer: how it is opened and what the queue is like.

use super::fault::{Fault, NOT_FOUND, code};
use super::stream;
use crate::config::Amqp;
use lapin::options::{BasicConsumeOptions, BasicQosOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Connection, ConnectionProperties, Consumer};
use std::time::Duration;
use tracing::{info, warn};

/// How long connecting may take, with name resolution, TLS and login.
const OPENED_WITHIN: Duration = Duration::from_secs(30);

/// How long closing in good order may take.
const CLOSED_WITHIN: Duration = Duration::from_secs(2);

/// Seconds between two signs of life, unless the URL says otherwise (`?heartbeat=60`); a connection is given up after two of them.
/// The broker's own wish counts if it is shorter.
const HEARTBEAT: u16 = 20;

/// An open connection that consumes the configured queue.
pub(super) struct Session {
    // The channel lives as long as the connection: lapin closes a channel that is dropped, and the two closings would collide.
    pub(super) connection: Connection,
    pub(super) channel: Channel,
    pub(super) consumer: Consumer,
    /// How many mails were waiting in the queue.
    pub(super) waiting: u32,
}

impl Session {
    /// Connects and begins to consume.
    pub(super) async fn open(amqp: &Amqp) -> Result<Session, Fault> {
        tokio::time::timeout(OPENED_WITHIN, Session::try_open(amqp))
            .await
            .unwrap_or(Err(Fault::NoAnswer(OPENED_WITHIN)))
    }

    async fn try_open(amqp: &Amqp) -> Result<Session, Fault> {
        let name = format!("bouncedemails@{}", host());
        let mut uri = amqp.url.uri().clone();
        uri.query.heartbeat.get_or_insert(HEARTBEAT);
        let properties = ConnectionProperties::default().with_connection_name(name.as_str().into());
        let connection = stream::connect(uri, properties)
            .await
            .map_err(Fault::Connecting)?;
        match Session::consume(&connection, amqp, &name).await {
            Ok((channel, consumer, waiting)) => Ok(Session {
                connection,
                channel,
                consumer,
                waiting,
            }),
            Err(fault) => {
                close(&connection).await;
                Err(fault)
            }
        }
    }

    async fn consume(
        connection: &Connection,
        amqp: &Amqp,
        name: &str,
    ) -> Result<(Channel, Consumer, u32), Fault> {
        let mut channel = connection.create_channel().await.map_err(Fault::Lost)?;
        let waiting = match waiting(&channel, amqp).await {
            Ok(waiting) => waiting,
            Err(error) if code(&error) == Some(NOT_FOUND) => {
                // The refusal closed the channel.
                channel = connection.create_channel().await.map_err(Fault::Lost)?;
                declare_durable(&channel, amqp)
                    .await
                    .map_err(Fault::Queue)?;
                let queue = &amqp.queue;
                info!("The broker had no queue {queue}; it was declared, durable.");
                0
            }
            Err(error) => return Err(Fault::Queue(error)),
        };
        channel
            .basic_qos(amqp.prefetch, BasicQosOptions::default())
            .await
            .map_err(Fault::Lost)?;
        let consumer = channel
            .basic_consume(
                amqp.queue.as_str().into(),
                name.into(),
                BasicConsumeOptions::default(),
                FieldTable::default(),
            )
            .await
            .map_err(Fault::Queue)?;
        Ok((channel, consumer, waiting))
    }

    /// Warns of a queue that would not survive: one that is not durable, or that goes with its last consumer.
    ///
    /// AMQP has no question for that. But a broker refuses to declare an existing queue otherwise than it is, and says what differs.
    pub(super) async fn warn_if_volatile(&self, amqp: &Amqp) {
        let Ok(channel) = self.connection.create_channel().await else {
            return;
        };
        let Err(error) = declare_durable(&channel, amqp).await else {
            return;
        };
        let (queue, text) = (&amqp.queue, error.to_string());
        if text.contains("inequivalent arg 'durable'") {
            warn!(
                "The queue {queue} is not durable: a restart of the broker deletes it with all mails in it. To mend it, stop this \
                 service when the queue is empty, delete the queue (rabbitmqctl delete_queue {queue}), and start the service again, \
                 which declares it durable."
            );
        } else if text.contains("inequivalent arg 'auto_delete'") {
            warn!(
                "The queue {queue} is auto-delete: the broker deletes it with all mails in it when this service stops. To mend it, \
                 stop this service when the queue is empty, and start it again, which declares it durable."
            );
        }
    }

    /// Asks the broker something on our channel: its answer proves that it has read all acknowledgements before. Returns how many
    /// mails are waiting.
    pub(super) async fn waiting_now(&self, amqp: &Amqp) -> Result<u32, lapin::Error> {
        waiting(&self.channel, amqp).await
    }

    /// Closes the connection in good order; whether the broker agreed.
    pub(super) async fn close(&self) -> bool {
        close(&self.connection).await
    }
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
