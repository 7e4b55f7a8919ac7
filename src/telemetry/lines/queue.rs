//! A queue that loses mails by itself → what to do about it.

use crate::telemetry::event::Loss;
use tracing::{error, warn};

/// Logs in what way a queue loses mails.
pub(super) fn loses(queue: &str, vhost: &str, loss: Loss<'_>) {
    let anew = format!(
        "To mend it, stop this service when the queue is empty, delete the queue (rabbitmqctl delete_queue -p {vhost} {queue})"
    );
    match loss {
        Loss::NotDurable => warn!(
            "The queue {queue} is not durable: a restart of the broker deletes it with all mails in it. {anew}, and start the service \
             again, which declares it durable."
        ),
        Loss::AutoDelete => warn!(
            "The queue {queue} is auto-delete: the broker deletes it with all mails in it when this service stops. To mend it, stop this \
             service when the queue is empty, and start it again, which declares it durable."
        ),
        Loss::Deliveries {
            limit,
            is_set: true,
        } => error!(
            "The queue {queue} drops, without a word, a mail that was delivered more than {limit} times and not acknowledged \
             (x-delivery-limit), as happens when this service is killed with mails in hand. {anew}, run resources/setup_rabbitmq.sh, and \
             start the service again."
        ),
        Loss::Deliveries {
            limit,
            is_set: false,
        } => error!(
            "The queue {queue} is a quorum queue: RabbitMQ 4 drops, without a word, a mail that was delivered more than {limit} times and \
             not acknowledged, as happens when this service is killed with mails in hand, unless a policy says otherwise. {}",
            lift_limit(queue, vhost)
        ),
        Loss::Drops { argument, value } => error!(
            "The queue {queue} drops, without a word, {}: {argument} is {value}. {anew}, and start the service again, which declares it \
             without.",
            dropped(argument)
        ),
    }
}

/// Logs how often a mail was delivered in vain.
pub(super) fn redelivers(queue: &str, vhost: &str, times: i64) {
    error!(
        "A mail in the queue {queue} was delivered {times} times before and not acknowledged. Should the queue have a limit \
         (rabbitmqctl list_queues -p {vhost} name arguments effective_policy_definition), the broker drops such mails without a word. \
         Find out in the log before this line why the service ended or lost its connection. {}",
        lift_limit(queue, vhost)
    );
}

/// What a queue drops by this argument.
fn dropped(argument: &str) -> &'static str {
    match argument {
        "x-message-ttl" => "mails that waited for too long (in ms)",
        "x-expires" => "itself with all mails when nobody uses it (for so many ms)",
        "x-max-length" => "mails beyond this number",
        "x-max-length-bytes" => "mails beyond this number of bytes",
        _ => "mails",
    }
}

fn lift_limit(queue: &str, vhost: &str) -> String {
    format!(
        "To lift a limit: rabbitmqctl set_policy -p {vhost} bouncedemails '^{queue}$' '{{\"delivery-limit\": -1}}' --apply-to queues \
         (before RabbitMQ 4: clear the policy that sets it)."
    )
}
