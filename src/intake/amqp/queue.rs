//! Whether a queue loses mails by itself, said once in plain words.
//!
//! AMQP has no question for what a queue is like. But a broker refuses to declare an existing queue otherwise than it
//! is, and says what differs, one thing at a time: so the queue is declared again and again, each time as far as it is
//! known by then. Policies can't be seen that way; what they lead to shows in how often a mail was delivered.

use super::fault::{NOT_FOUND, code};
use lapin::options::QueueDeclareOptions;
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Connection, Error};
use std::collections::BTreeMap;
use tracing::{error, warn};

/// A queue has fewer properties and arguments than this.
const MOST_QUESTIONS: usize = 20;

/// RabbitMQ's limit of deliveries for quorum queues, from version 4 on, unless an argument or a policy says otherwise.
const DEFAULT_LIMIT: &str = "20";

/// A mail that was delivered as often as this and came back shows that the deliveries of this queue are worth counting.
const OFTEN: i64 = 3;

/// What a queue is like, as far as its broker says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Queue {
    is_volatile: bool,
    is_auto_delete: bool,
    /// By name: `x-queue-type` and the like.
    arguments: BTreeMap<String, String>,
}

impl Queue {
    /// Asks the broker. What it does not say is left out.
    pub(super) async fn look(connection: &Connection, name: &str) -> Queue {
        let mut queue = Queue::default();
        // Asked first, as it may be the vhost's default and is then no difference.
        let mut asked = FieldTable::default();
        asked.insert(
            "x-queue-type".into(),
            AMQPValue::LongString("classic".into()),
        );
        for _ in 0..MOST_QUESTIONS {
            // A refusal closes the channel.
            let Ok(channel) = connection.create_channel().await else {
                break;
            };
            let options = QueueDeclareOptions {
                durable: !queue.is_volatile,
                auto_delete: queue.is_auto_delete,
                ..QueueDeclareOptions::default()
            };
            let Err(error) = channel
                .queue_declare(name.into(), options, asked.clone())
                .await
            else {
                let _ = channel.close(200, "done".into()).await;
                break;
            };
            if !queue.learn(&error, &mut asked) {
                break;
            }
        }
        queue
    }

    /// Takes from a refusal what differs; whether that was anything new.
    fn learn(&mut self, error: &Error, asked: &mut FieldTable) -> bool {
        if code(error) == Some(NOT_FOUND) {
            return false;
        }
        let text = error.to_string();
        let Some((name, current)) = difference(&text) else {
            return false;
        };
        match (name, current) {
            ("durable", _) => !std::mem::replace(&mut self.is_volatile, true),
            ("auto_delete", _) => !std::mem::replace(&mut self.is_auto_delete, true),
            ("x-queue-type", None) => {
                *asked = FieldTable::default();
                true
            }
            (_, None) => false,
            (name, Some((value, kind))) => {
                let typed = match (kind, value.parse()) {
                    ("longstr", _) | (_, Err(_)) => AMQPValue::LongString(value.into()),
                    (_, Ok(number)) => AMQPValue::LongLongInt(number),
                };
                asked.insert(name.into(), typed);
                let known = self.arguments.insert(name.to_owned(), value.to_owned());
                known.is_none()
            }
        }
    }

    fn argument(&self, name: &str) -> Option<&str> {
        self.arguments.get(name).map(String::as_str)
    }

    /// After how many deliveries it drops a mail.
    fn delivery_limit(&self, version: Option<&str>) -> Option<&str> {
        if self.argument("x-queue-type") != Some("quorum") {
            return None;
        }
        let major = version.and_then(|version| version.split('.').next()?.parse::<u32>().ok());
        match self.argument("x-delivery-limit") {
            Some(limit) => Some(limit).filter(|limit| !limit.starts_with('-')),
            None => major.filter(|major| *major >= 4).map(|_| DEFAULT_LIMIT),
        }
    }

    /// Says how it loses mails, if it does. `version` is the broker's.
    pub(super) fn announce(&self, name: &str, vhost: &str, version: Option<&str>) {
        let anew = format!(
            "To mend it, stop this service when the queue is empty, delete the queue (rabbitmqctl delete_queue -p \
             {vhost} {name})"
        );
        if self.is_volatile {
            warn!(
                "The queue {name} is not durable: a restart of the broker deletes it with all mails in it. {anew}, and \
                 start the service again, which declares it durable."
            );
        }
        if self.is_auto_delete {
            warn!(
                "The queue {name} is auto-delete: the broker deletes it with all mails in it when this service stops. \
                 To mend it, stop this service when the queue is empty, and start it again, which declares it durable."
            );
        }
        // Where it drops mails to, they can be looked at.
        if self.argument("x-dead-letter-exchange").is_some() {
            return;
        }
        if let Some(limit) = self.delivery_limit(version) {
            let lift = lift_limit(name, vhost);
            match self.argument("x-delivery-limit") {
                Some(_) => error!(
                    "The queue {name} drops, without a word, a mail that was delivered more than {limit} times and not \
                     acknowledged (x-delivery-limit), as happens when this service is killed with mails in hand. \
                     {anew}, run resources/setup_rabbitmq.sh, and start the service again."
                ),
                None => error!(
                    "The queue {name} is a quorum queue: RabbitMQ 4 drops, without a word, a mail that was delivered \
                     more than {limit} times and not acknowledged, as happens when this service is killed with mails \
                     in hand, unless a policy says otherwise. {lift}"
                ),
            }
        }
        for (argument, what) in [
            ("x-message-ttl", "mails that waited for too long (in ms)"),
            (
                "x-expires",
                "itself with all mails when nobody uses it (for so many ms)",
            ),
            ("x-max-length", "mails beyond this number"),
            ("x-max-length-bytes", "mails beyond this number of bytes"),
        ] {
            if let Some(value) = self.argument(argument) {
                error!(
                    "The queue {name} drops, without a word, {what}: {argument} is {value}. {anew}, and start the \
                     service again, which declares it without."
                );
            }
        }
    }
}

/// Watches how often mails of a quorum queue were delivered in vain.
#[derive(Debug, Default)]
pub(super) struct Redelivered {
    said: i64,
}

impl Redelivered {
    /// A mail was delivered so many times before. Said when that is often, and again when it is twice as often.
    pub(super) fn count(&mut self, times: i64, name: &str, vhost: &str) {
        if times < OFTEN || times < 2 * self.said {
            return;
        }
        self.said = times;
        error!(
            "A mail in the queue {name} was delivered {times} times before and not acknowledged. Should the queue have \
             a limit (rabbitmqctl list_queues -p {vhost} name arguments effective_policy_definition), the broker drops \
             such mails without a word. Find out in the log before this line why the service ended or lost its \
             connection. {}",
            lift_limit(name, vhost)
        );
    }
}

fn lift_limit(name: &str, vhost: &str) -> String {
    format!(
        "To lift a limit: rabbitmqctl set_policy -p {vhost} bouncedemails '^{name}$' '{{\"delivery-limit\": -1}}' \
         --apply-to queues (before RabbitMQ 4: clear the policy that sets it)."
    )
}

/// What differs in "inequivalent arg 'NAME' for queue …: received … but current is VALUE": its name, and its value if
/// there is one, with its type. RabbitMQ 4 leaves out the type, and the words around the value, where the type does not
/// differ.
fn difference(text: &str) -> Option<(&str, Option<(&str, &str)>)> {
    let (_, rest) = text.split_once("inequivalent arg '")?;
    let (name, rest) = rest.split_once('\'')?;
    let (_, current) = rest.rsplit_once("but current is ")?;
    let quoted = current.strip_prefix("the value ").unwrap_or(current);
    let mut pieces = quoted
        .strip_prefix('\'')
        .into_iter()
        .flat_map(|rest| rest.split('\''));
    let value = pieces.next().map(|value| match pieces.next() {
        Some(" of type ") => (value, pieces.next().unwrap_or_default()),
        _ => (value, ""),
    });
    Some((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_differs() {
        for (text, expected) in [
            (
                "PRECONDITION_FAILED - inequivalent arg 'x-delivery-limit' for queue 'a' in vhost 'b': received none \
                 but current is the value '5' of type 'signedint'",
                Some(("x-delivery-limit", Some(("5", "signedint")))),
            ),
            (
                "inequivalent arg 'durable' for queue 'a' in vhost 'b': received 'true' but current is 'false'",
                Some(("durable", Some(("false", "")))),
            ),
            (
                "inequivalent arg 'x-queue-type' for queue 'a' in vhost 'b': received 'classic' but current is 'quorum'",
                Some(("x-queue-type", Some(("quorum", "")))),
            ),
            (
                "inequivalent arg 'x-queue-type' for queue 'a' in vhost 'b': received the value 'classic' \
                 of type 'longstr' but current is none",
                Some(("x-queue-type", None)),
            ),
            ("ACCESS_REFUSED - access to queue 'a' refused", None),
        ] {
            assert_eq!(difference(text), expected, "{text}");
        }
    }

    #[test]
    fn the_limit_is_the_queue_s_or_that_of_its_broker() {
        let queue = |arguments: &[(&str, &str)]| Queue {
            arguments: arguments
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            ..Queue::default()
        };
        let quorum = ("x-queue-type", "quorum");
        for (arguments, version, limit) in [
            (&[][..], Some("4.1.0"), None),
            (&[quorum][..], Some("3.10.8"), None),
            (&[quorum][..], None, None),
            (&[quorum][..], Some("4.0.1"), Some("20")),
            (
                &[quorum, ("x-delivery-limit", "-1")][..],
                Some("4.0.1"),
                None,
            ),
            (
                &[quorum, ("x-delivery-limit", "3")][..],
                Some("3.10.8"),
                Some("3"),
            ),
        ] {
            assert_eq!(queue(arguments).delivery_limit(version), limit);
        }
    }
}
