//! From the consumer to the inbox, and from the receipts back to the broker: one connection's whole life.

use super::answered::Answered;
use super::fault::{BrokerEnd, Fault};
use super::frames::{DELIVERY_COUNT, MESSAGE_ID};
use super::queue::Redelivered;
use super::session::Session;
use crate::config::Amqp;
use crate::intake::Intake;
use crate::intake::acknowledged::Deliveries;
use crate::mail::{self, Delivery, Mail, Receipt, Repeat, Settled, Source};
use crate::memory::Memory;
use futures_util::StreamExt;
use lapin::options::{BasicAckOptions, BasicCancelOptions, BasicNackOptions};
use lapin::types::{AMQPValue, DeliveryTag};
use lapin::{BasicProperties, message};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, timeout};
use tracing::warn;

/// The most receipts that one acknowledgement answers.
const MOST_AT_ONCE: usize = 4096;

/// How long the engine has for the mails in its hands when we stop.
const SETTLED_WITHIN: Duration = Duration::from_secs(6);

/// How often it is looked for deliveries that were acknowledged so long ago that they won't come again.
const SETTLE_EVERY: Duration = Duration::from_secs(10);

/// Why consuming ended.
pub(super) enum End {
    /// We were told to stop.
    Stopped,
    /// The broker is gone, and the engine still has mails of it in hand.
    Lost(Fault, Outstanding),
}

/// What became of the delivery with this tag.
type Answer = (DeliveryTag, Settled);

/// Consumes until told to stop or the connection is lost.
pub(super) async fn consume(
    mut session: Session,
    amqp: &Amqp,
    intake: &Intake,
    acknowledged: &mut Deliveries,
    last: BrokerEnd,
) -> End {
    let deliveries = Consumed {
        consumer: session.consumer.clone(),
        arrivals: session.arrivals.take(),
        redelivered: Redelivered::default(),
    };
    let (sender, mut answers) = mpsc::unbounded_channel();
    let result = {
        let feeding = feed(&session, deliveries, amqp, intake, sender, last);
        let settling = settle(&session, &mut answers, acknowledged);
        tokio::pin!(feeding, settling);
        tokio::select! {
            fed = &mut feeding => match fed {
                // The receipts that are still out hold the senders of the answers: settling ends with the last of them.
                Ok(()) => timeout(SETTLED_WITHIN, settling).await.unwrap_or_else(|_| {
                    warn!("Some mails were not recorded in time and go back to the queue {}.", amqp.queue);
                    Ok(())
                }),
                Err(fault) => Err(fault),
            },
            // It only ends first if the broker is gone: feeding holds a sender.
            settled = &mut settling => settled,
        }
    };
    match result {
        Ok(()) => {
            // What was prefetched and not handed over goes back to the queue with the connection.
            if session.close().await {
                acknowledged.closed_in_order();
            }
            End::Stopped
        }
        Err(fault) => {
            session.close().await;
            acknowledged.connection_lost();
            End::Lost(fault, Outstanding(answers))
        }
    }
}

/// The receipts that were out when a connection was lost.
pub(super) struct Outstanding(mpsc::UnboundedReceiver<Answer>);

impl Outstanding {
    /// Waits for the last of them. Before that no mail may be taken from another connection: the ledger knows a mail
    /// that comes again only after it has recorded it.
    pub(super) async fn settled(mut self) {
        while self.0.recv().await.is_some() {}
    }
}

/// What the broker delivers.
struct Consumed {
    consumer: lapin::Consumer,
    arrivals: Option<mpsc::UnboundedReceiver<Memory>>,
    redelivered: Redelivered,
}

impl Consumed {
    /// The next one, with the memory that it takes.
    async fn next(&mut self) -> (Option<lapin::Result<message::Delivery>>, Option<Memory>) {
        let delivery = self.consumer.next().await;
        // It was put there before the delivery could be read.
        let arrivals = self
            .arrivals
            .as_mut()
            .filter(|_| matches!(delivery, Some(Ok(_))));
        let memory = arrivals.and_then(|arrivals| arrivals.try_recv().ok());
        (delivery, memory)
    }
}

/// Hands mails to the engine, as fast as that takes them.
async fn feed(
    session: &Session,
    mut deliveries: Consumed,
    amqp: &Amqp,
    intake: &Intake,
    answers: mpsc::UnboundedSender<Answer>,
    last: BrokerEnd,
) -> Result<(), Fault> {
    // What waited when we came may have been delivered before, even without a mark, by a broker that was killed before
    // it had written our acknowledgement down.
    let mut maybe_redelivered = match last {
        BrokerEnd::Orderly => 0,
        BrokerEnd::MayHaveDied => session.waiting,
    };
    let by = mail::Session::begin();
    loop {
        // Room first: what is still in the consumer can go back at once.
        let next = async {
            let room = intake.inbox.reserve().await.ok()?;
            Some((room, deliveries.next().await))
        };
        let next = tokio::select! {
            biased;
            () = intake.shutdown.cancelled() => None,
            next = next => next,
        };
        let Some((room, (delivery, memory))) = next else {
            // A refusal means that the connection is gone, and with it the consumer.
            let _ = session
                .channel
                .basic_cancel(deliveries.consumer.tag(), BasicCancelOptions::default())
                .await;
            return Ok(());
        };
        let delivery = match delivery {
            // The connection was lost meanwhile: this mail comes again.
            Some(Ok(delivery)) if delivery.poisoned() => continue,
            Some(Ok(delivery)) => delivery,
            Some(Err(error)) => return Err(Fault::Lost(error)),
            None if session.connection.status().connected() => return Err(Fault::Cancelled),
            None => return Err(Fault::Closed),
        };
        let repeat = match delivery.redelivered || maybe_redelivered > 0 {
            true => Repeat::Possible,
            false => Repeat::No,
        };
        maybe_redelivered = maybe_redelivered.saturating_sub(1);
        let tag = delivery.delivery_tag;
        let id = id(&delivery.properties);
        let vhost = &amqp.url.uri().vhost;
        let times = times_delivered(&delivery.properties);
        deliveries.redelivered.count(times, &amqp.queue, vhost);
        let answers = answers.clone();
        let mut mail = Mail::new(Source::Amqp(amqp.queue.clone()), delivery.data).named(id);
        mail.repeat = repeat;
        mail.session = by;
        room.send(Delivery {
            mail,
            receipt: Receipt::new(move |settled| {
                drop(memory);
                // Nobody listens any more when we were told to stop and did not wait: the broker delivers the mail
                // again.
                let _ = answers.send((tag, settled));
            }),
        });
    }
}

/// The publisher's name for a message: the property, or the header of that name, which is what `amqp-publish` can set.
fn id(properties: &BasicProperties) -> Option<String> {
    if let Some(id) = properties.message_id() {
        return Some(id.to_string());
    }
    match properties.headers().as_ref()?.inner().get(MESSAGE_ID)? {
        AMQPValue::LongString(id) => Some(id.to_string()),
        _ => None,
    }
}

/// How often a mail was delivered before, as a quorum queue says.
fn times_delivered(properties: &BasicProperties) -> i64 {
    let headers = properties.headers().as_ref();
    match headers.and_then(|headers| headers.inner().get(DELIVERY_COUNT)) {
        Some(AMQPValue::LongLongInt(times)) => *times,
        _ => 0,
    }
}

/// Answers the broker as the receipts come in. Ends when there will be no more of them.
async fn settle(
    session: &Session,
    answers: &mut mpsc::UnboundedReceiver<Answer>,
    acknowledged: &mut Deliveries,
) -> Result<(), Fault> {
    let mut batch = Vec::new();
    let mut answered = Answered::default();
    let mut tick = tokio::time::interval(SETTLE_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            count = answers.recv_many(&mut batch, MOST_AT_ONCE) => {
                if count == 0 {
                    return Ok(());
                }
                answer(session, batch.drain(..), &mut answered, acknowledged).await.map_err(Fault::Lost)?;
            }
            _ = tick.tick() => acknowledged.settle(Instant::now()),
        }
    }
}

/// Acknowledges the confirmed and gives back the others. Of those up to which every delivery is answered, one
/// acknowledgement stands for all before it.
async fn answer(
    session: &Session,
    answers: impl Iterator<Item = Answer>,
    answered: &mut Answered,
    acknowledged: &mut Deliveries,
) -> Result<(), lapin::Error> {
    let (mut confirmed, mut recorded) = (Vec::new(), Vec::new());
    for (tag, settled) in answers {
        answered.note(tag);
        match settled {
            Settled::Confirmed(ticket) => {
                confirmed.push(tag);
                recorded.push(ticket);
            }
            // Before any acknowledgement that would stand for it, too.
            Settled::Returned => give_back(session, tag).await?,
        }
    }
    if confirmed.is_empty() {
        return Ok(());
    }
    acknowledged.acknowledged(recorded, Instant::now());
    let all_up_to = answered.all_up_to();
    let in_one = confirmed
        .iter()
        .copied()
        .filter(|tag| *tag <= all_up_to)
        .max();
    if let Some(last) = in_one {
        let all_before = BasicAckOptions { multiple: true };
        session.channel.basic_ack(last, all_before).await?;
    }
    for tag in confirmed.into_iter().filter(|tag| *tag > all_up_to) {
        let alone = BasicAckOptions { multiple: false };
        session.channel.basic_ack(tag, alone).await?;
    }
    Ok(())
}

async fn give_back(session: &Session, tag: DeliveryTag) -> Result<(), lapin::Error> {
    let back_to_the_queue = BasicNackOptions {
        multiple: false,
        requeue: true,
    };
    session.channel.basic_nack(tag, back_to_the_queue).await
}
