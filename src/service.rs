//! The parts put together: ledger, engine, suspender and intakes, for every command through which mail flows.
//!
//! Stopping follows the flow: the intakes end first and with them the inbox, then the engine has its last mail, then the
//! suspender its last answer.

use crate::archive::Archive;
use crate::config::{Amqp, Handler};
use crate::engine::{Engine, InFlight, KeyRing};
use crate::intake::feed::{self, Tally};
use crate::intake::{self, Acknowledged, Intake, amqp};
use crate::ledger::Ledger;
use crate::mail::{Delivery, Forget, Mail, Ticket};
use crate::memory::MemoryBudget;
use crate::smtp::{self, Listener};
use crate::suspend::{Clock, Schedule, Stop, Suspender};
use crate::verdict::Knowledge;
use anyhow::Context;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

/// How many mails may wait between the intakes and the engine: two of the engine's batches.
const INBOX: usize = 1024;

/// Under load, the ledger forgets tickets along with the next mails. After this it does so without any.
const QUIET: Duration = Duration::from_secs(1);

/// How long mails that came before a stop may still be read. What is not read by then is given back.
const READ_WITHIN: Duration = Duration::from_secs(4);

/// A running engine and a running suspender.
pub struct Service {
    /// For whoever has something to look up or to forget.
    pub ledger: Ledger,
    handler: Arc<Handler>,
    inbox: mpsc::Sender<Delivery>,
    recording: watch::Receiver<bool>,
    engine: JoinHandle<std::io::Result<()>>,
    acknowledged: Acknowledged,
    forgetting: JoinHandle<()>,
    suspender: JoinHandle<()>,
    time_is_up: CancellationToken,
    stop: Stop,
}

/// The intakes that a configuration names.
pub struct Intakes {
    /// A queue of a message broker.
    pub amqp: Option<Amqp>,
    /// An SMTP server. It listens already: a port that is taken is said before anything runs.
    pub smtp: Option<(Listener, smtp::Settings)>,
}

/// How the suspender ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Soon: what is on its way may end, the rest stays pending for the next start.
    Soon,
    /// When everything that is due was tried once.
    Tried,
}

impl Service {
    /// Opens the ledger and starts engine and suspender. Once `give_up` is cancelled, a storage fault is not waited out: mails are
    /// given back to whoever handed them in.
    ///
    /// # Errors
    /// When the database or a platform's certificates can't be used, in words that say what to do.
    pub fn start(
        handler: Arc<Handler>,
        knowledge: Knowledge,
        give_up: CancellationToken,
    ) -> anyhow::Result<Service> {
        let ledger = Ledger::open(&handler.dbfile)?;
        let (in_a_hurry, ending) = (ledger.clone(), give_up.clone());
        tokio::spawn(async move {
            ending.cancelled().await;
            in_a_hurry.hurry();
        });
        let wake_up = Arc::new(Notify::new());
        let archive = handler.permanent_bounced_emails_path.clone();
        let archive = archive.map(Archive::new);
        if let Some(Err(error)) = archive.as_ref().map(Archive::check) {
            // Better said now than with the first mail that is lost to it.
            warn!(
                "handler.permanent_bounced_emails_path: {error:#}; the mails behind suspensions will not be kept. Give the folder to this user; under systemd ReadWritePaths= allows one outside of /var/lib/bouncedemails."
            );
        }
        let (recording, is_recording) = watch::channel(true);
        let time_is_up = CancellationToken::new();
        let engine = Engine {
            handler: handler.clone(),
            knowledge: Arc::new(knowledge),
            keys: Arc::new(KeyRing::new(
                handler.keys(),
                &ledger.dkim_keys()?,
                handler.dns.resolver(),
                Some(ledger.clone()),
            )),
            ledger: ledger.clone(),
            in_flight: Arc::new(InFlight::open(&ledger, &handler.dbfile, SystemTime::now())?),
            archive,
            wake_up: wake_up.clone(),
            recording,
            shutdown: give_up,
            time_is_up: time_is_up.clone(),
        };
        let (schedule, clock) = (Schedule::default(), Clock::default());
        let suspender = Suspender::new(&handler, ledger.clone(), wake_up, schedule, clock)?;
        let stop = Stop::default();
        let suspender = tokio::spawn(suspender.run(stop.clone()));
        let (inbox, deliveries) = mpsc::channel(INBOX);
        let runtime = Handle::current();
        let engine = tokio::task::spawn_blocking(move || engine.run(deliveries, &runtime));
        let (acknowledged, forgetting) = Acknowledged::start(forget(&ledger));
        Ok(Service {
            ledger,
            handler,
            inbox,
            recording: is_recording,
            engine,
            acknowledged,
            forgetting,
            suspender,
            time_is_up,
            stop,
        })
    }

    /// Runs intakes until each has ended, as they do once `shutdown` is cancelled.
    ///
    /// # Errors
    /// When one of them died of a bug. Then the service is to end, for systemd to start it again.
    pub async fn run(
        &self,
        intakes: Intakes,
        memory: MemoryBudget,
        shutdown: CancellationToken,
    ) -> anyhow::Result<()> {
        self.read_on_for_a_while_after(shutdown.clone());
        let intake = self.intake(memory, shutdown);
        let mut running = JoinSet::new();
        if let Some(amqp) = intakes.amqp {
            let intake = intake.clone();
            running.spawn(async move { amqp::run(&amqp, intake).await });
        }
        if let Some((listener, settings)) = intakes.smtp {
            let handler = self.handler.clone();
            running.spawn(async move {
                intake::smtp::run(listener, settings, &handler, intake).await;
            });
        }
        while let Some(ended) = running.join_next().await {
            ended?;
        }
        Ok(())
    }

    /// Once `shutdown` is cancelled, what waits to be read has some seconds to be; then it is given back.
    fn read_on_for_a_while_after(&self, shutdown: CancellationToken) {
        let time_is_up = self.time_is_up.clone();
        tokio::spawn(async move {
            shutdown.cancelled().await;
            tokio::time::sleep(READ_WITHIN).await;
            time_is_up.cancel();
        });
    }

    /// Where mails go in.
    pub fn inbox(&self) -> mpsc::Sender<Delivery> {
        self.inbox.clone()
    }

    /// What an intake is given.
    fn intake(&self, memory: MemoryBudget, shutdown: CancellationToken) -> Intake {
        Intake {
            inbox: self.inbox.clone(),
            acknowledged: self.acknowledged.clone(),
            recording: self.recording.clone(),
            memory,
            shutdown,
        }
    }

    /// Ends when every other inbox is gone and the engine has recorded what came through them.
    ///
    /// # Errors
    /// When the engine or the suspender died.
    pub async fn finish(self, ending: Ending) -> anyhow::Result<()> {
        drop(self.inbox);
        let engine = self.engine.await.context("the engine died")?;
        engine.context("the system gives no threads to read mails on")?;
        drop(self.acknowledged);
        if self.forgetting.await.is_err() {
            error!(
                "Forgetting tickets failed: mails that come again after this may be taken for repeats."
            );
        }
        // What fails here is done at the next start.
        let _ = self.ledger.on_writer(Ledger::write_forgotten).await;
        match ending {
            Ending::Soon => self.stop.soon.cancel(),
            Ending::Tried => self.stop.tried.cancel(),
        }
        self.suspender.await.context("the suspender died")?;
        Ok(())
    }
}

/// Takes mails through the whole pipeline, and tries every suspension that is due once. A storage fault is not waited
/// out.
///
/// # Errors
/// When the database or a platform's certificates can't be used, in words that say what to do, or when the engine died.
pub async fn take_all(
    handler: Handler,
    knowledge: Knowledge,
    mails: impl Iterator<Item = anyhow::Result<Mail>>,
) -> anyhow::Result<Arc<Tally>> {
    let give_up = CancellationToken::new();
    give_up.cancel();
    let service = Service::start(Arc::new(handler), knowledge, give_up)?;
    let intake = service.intake(intake::memory(0), CancellationToken::new());
    let tally = Arc::new(Tally::default());
    let fed = feed::run(intake, &tally, mails).await;
    // What was handed in before a mail could not be read is worth as much as ever.
    service.finish(Ending::Tried).await?;
    fed.map(|()| tally)
}

/// Tries every suspension that is due once, without taking any mail.
///
/// # Errors
/// When the database or a platform's certificates can't be used, in words that say what to do.
pub async fn post_due(handler: &Handler) -> anyhow::Result<()> {
    let ledger = Ledger::open(&handler.dbfile)?;
    let (schedule, clock) = (Schedule::default(), Clock::default());
    let suspender = Suspender::new(handler, ledger, Arc::default(), schedule, clock)?;
    let stop = Stop::default();
    stop.tried.cancel();
    suspender.run(stop).await;
    Ok(())
}

/// Makes the ledger delete rows. That is on disk about a second later, lest a kill after a quiet day make a new mail look like one
/// of yesterday's.
fn forget(ledger: &Ledger) -> Forget {
    let (told, mut telling) = mpsc::channel(1);
    let writer = ledger.clone();
    tokio::spawn(async move {
        while telling.recv().await.is_some() {
            tokio::time::sleep(QUIET).await;
            // What fails here is done with the next mails, which say what is wrong.
            let _ = writer.on_writer(Ledger::write_forgotten).await;
        }
    });
    let ledger = ledger.clone();
    Arc::new(move |tickets: &[Ticket]| {
        ledger.forget(tickets);
        // If it is full, it is about to be written anyway.
        let _ = told.try_send(());
    })
}
