//! What is wrong with the broker, in plain words, with what to do about it.

use crate::config::Amqp;
use crate::printable::Printable;
use lapin::{Error, ErrorKind};
use std::error::Error as _;
use std::io;
use std::time::Duration;

/// Reply codes of AMQP 0-9-1 (specification 1.8, "Constants").
const CONNECTION_FORCED: u16 = 320;
const ACCESS_REFUSED: u16 = 403;
pub(super) const NOT_FOUND: u16 = 404;
const RESOURCE_LOCKED: u16 = 405;
const NOT_ALLOWED: u16 = 530;

/// Why no mails are taken.
#[derive(Debug)]
pub(super) enum Fault {
    /// No connection came about.
    Connecting(Error),
    /// Connecting took longer than this.
    NoAnswer(Duration),
    /// The broker does not let us use the queue.
    Queue(Error),
    /// The connection or the channel ended with an error.
    Lost(Error),
    /// The connection ended without one.
    Closed,
    /// The broker ended our consumer, and nothing else.
    Cancelled,
}

/// How the broker ended the last connection, as far as we know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BrokerEnd {
    /// By itself. What it delivers a second time it marks as redelivered.
    Orderly,
    /// It may have been killed.
    MayHaveDied,
}

impl Fault {
    /// Whether the broker is there and refuses us, which a person has to mend.
    pub(super) fn is_refusal(&self) -> bool {
        match self {
            Fault::Connecting(error) => code(error).is_some_and(|code| code != CONNECTION_FORCED),
            Fault::Queue(_) => true,
            Fault::NoAnswer(_) | Fault::Lost(_) | Fault::Closed | Fault::Cancelled => false,
        }
    }

    /// What this fault says about how the broker ended the connection.
    pub(super) fn end(&self) -> BrokerEnd {
        match self {
            Fault::Lost(error) if code(error).is_some() => BrokerEnd::Orderly,
            Fault::Cancelled => BrokerEnd::Orderly,
            // While it can't be reached it may be killed as well.
            _ => BrokerEnd::MayHaveDied,
        }
    }

    /// What happened, and what to do: one sentence or more, without the last full stop.
    pub(super) fn explain(&self, amqp: &Amqp) -> String {
        let uri = amqp.url.uri();
        let user = &uri.authority.userinfo.username;
        let (vhost, queue) = (&uri.vhost, &amqp.queue);
        let broker = format!("{}:{}", uri.authority.host, uri.authority.port);
        match self {
            Fault::Connecting(error) => match code(error) {
                Some(ACCESS_REFUSED) => format!(
                    "The broker at {broker} refuses the user {user} or its password. Correct amqp.url, or set the \
                     password: rabbitmqctl change_password {user} PASSWORD"
                ),
                Some(NOT_ALLOWED) if text(error).contains("not found") => format!(
                    "The broker at {broker} has no vhost {vhost}. Correct amqp.url, or add it: rabbitmqctl \
                     add_vhost {vhost}, and {}",
                    permit(user, vhost)
                ),
                Some(NOT_ALLOWED) => format!(
                    "The broker at {broker} does not let the user {user} into the vhost {vhost} ({}). Permit it: {}",
                    text(error),
                    permit(user, vhost)
                ),
                _ => format!("The broker at {broker} cannot be reached: {}", text(error)),
            },
            Fault::NoAnswer(waited) => format!(
                "The broker at {broker} cannot be reached: it did not answer within {} s",
                waited.as_secs()
            ),
            Fault::Queue(error) => match code(error) {
                Some(ACCESS_REFUSED) => format!(
                    "The broker at {broker} does not let the user {user} read or declare the queue {queue} ({}). \
                     Permit it: {}",
                    text(error),
                    permit(user, vhost)
                ),
                Some(RESOURCE_LOCKED) => format!(
                    "The queue {queue} at {broker} belongs to another connection alone (exclusive). Find out which: \
                     rabbitmqctl list_queues -p {vhost} name owner_pid"
                ),
                _ => format!(
                    "The broker at {broker} does not let us take mails from the queue {queue}: {}",
                    text(error)
                ),
            },
            Fault::Lost(error) => match (code(error), error.kind()) {
                (Some(CONNECTION_FORCED), _) => {
                    format!(
                        "The broker at {broker} closed the connection: {}",
                        text(error)
                    )
                }
                (Some(NOT_FOUND), _) => gone(queue, &broker),
                (_, ErrorKind::MissingHeartbeatError) => {
                    format!("The broker at {broker} fell silent")
                }
                _ => format!(
                    "The connection to the broker at {broker} was lost: {}",
                    text(error)
                ),
            },
            Fault::Closed => format!("The broker at {broker} closed the connection"),
            Fault::Cancelled => gone(queue, &broker),
        }
    }
}

fn gone(queue: &str, broker: &str) -> String {
    format!("The queue {queue} at {broker} was deleted, or its node went down")
}

/// The command that gives a user what we need: to declare the queue, and to read it.
fn permit(user: &str, vhost: &str) -> String {
    format!("rabbitmqctl set_permissions -p {vhost} {user} '.*' '.*' '.*'")
}

/// The reply code with which the broker refused something.
pub(super) fn code(error: &Error) -> Option<u16> {
    match error.kind() {
        ErrorKind::ProtocolError(error) => Some(error.get_id()),
        _ => None,
    }
}

/// The broker's own words, or the system's.
fn text(error: &Error) -> String {
    let text = match error.kind() {
        ErrorKind::ProtocolError(error) => error.get_message().to_string(),
        ErrorKind::IOError(error) => match error.kind() {
            io::ErrorKind::ConnectionRefused => "nothing listens there".to_owned(),
            io::ErrorKind::ConnectionAborted | io::ErrorKind::UnexpectedEof => {
                "it closed the connection without a word".to_owned()
            }
            _ => with_sources(error),
        },
        _ => error.to_string(),
    };
    Printable(&text).to_string()
}

/// An error with what caused it, as far as that adds something.
fn with_sources(error: &io::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let words = cause.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        source = cause.source();
    }
    text
}
