//! Pending suspensions → HTTP: tells each platform which addresses to stop mailing, until it answers.
//!
//! It works off what the ledger holds and never decides whom to suspend. Each platform has a `worker` of its own, so one that
//! is down, slow or hanging delays nothing but its own suspensions.
//!
//! - `worker`: claims what is due for one platform, posts it, settles it
//! - `claim`: one suspension on its way from the one to the other; `clock`: what time it is meanwhile
//! - `resolver`: where a platform's suspend URLs come from; `notice`: what is sent beside the URL
//! - `client`: HTTP, bounded in time and memory
//! - `answer`: what came of a request, and what it means (pure)
//! - `breaker`: whether a platform may be asked now (pure)
//! - `announce`, `outage`: what the operator is told
//! - `recorder`: what came of the claims → ledger, in batches; claims are renewed

mod announce;
mod answer;
mod breaker;
mod claim;
mod client;
mod clock;
mod notice;
mod outage;
mod recorder;
mod resolver;
mod worker;

pub use answer::Outcome;
pub use client::{ClientError, Timeouts};
pub use clock::Clock;

use crate::backoff::Backoff;
use crate::config::{Handler, Platform};
use crate::ledger::{Claimant, LONGEST_WAIT, Ledger, Settlement, Suspension};
use answer::{Attempt, outcome, words};
use client::Client;
use recorder::Recorder;
use resolver::Resolver;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::warn;
use worker::Worker;

/// How patiently and how often platforms are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    /// For one request.
    pub timeouts: Timeouts,
    /// The most requests that one platform has to answer at a time.
    pub at_once: usize,
    /// When a suspension that failed is tried again, while its platform takes others.
    pub retry: Backoff,
    /// When a platform that fails is probed again.
    pub probe: Backoff,
    /// How often the ledger is looked at without being rung for: for what other processes wrote into it.
    pub poll: Duration,
    /// For how long a suspension that this process has claimed is nobody else's to post; renewed while the process lives. So long
    /// after its death they wait.
    pub lease: Duration,
    /// How long requests may take to end when told to stop.
    pub grace: Duration,
}

impl Default for Schedule {
    fn default() -> Schedule {
        let second = Duration::from_secs(1);
        Schedule {
            timeouts: Timeouts::default(),
            at_once: 16,
            retry: Backoff {
                first: 10 * second,
                longest: LONGEST_WAIT,
            },
            probe: Backoff {
                first: second,
                longest: 60 * second,
            },
            poll: second,
            lease: 15 * second,
            grace: 5 * second,
        }
    }
}

/// When to stop.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    /// Cancelled: requests that are on their way get a moment to end; what they leave open stays pending.
    pub soon: CancellationToken,
    /// Cancelled: when everything that is due was tried, and each platform answered or failed to.
    pub tried: CancellationToken,
}

/// Tells every configured platform.
pub struct Suspender {
    workers: Vec<Worker>,
    domains: Vec<String>,
    settled: mpsc::UnboundedReceiver<claim::Settled>,
    /// Without the sender: the recorder ends when the last worker and the last claim are gone.
    recorder: Recorder,
}

impl Suspender {
    /// Sets up the connections; nothing is asked yet. `wake_up` is notified when there are new suspensions; `clock` says
    /// what is due and what is too old.
    ///
    /// # Errors
    /// When the system's or a platform's certificate authorities can't be used.
    pub fn new(
        handler: &Handler,
        ledger: Ledger,
        wake_up: Arc<Notify>,
        schedule: Schedule,
        clock: Clock,
    ) -> Result<Suspender, ClientError> {
        let (settle, settled) = mpsc::unbounded_channel();
        let recorder = Recorder {
            ledger: ledger.clone(),
            clock: clock.clone(),
            claimant: Claimant::new(),
            lease: schedule.lease,
        };
        let common = worker::Common {
            ledger,
            claimant: recorder.claimant,
            wake_up,
            settle,
            max_age: handler.suspension_max_age.0,
            schedule,
            clock,
        };
        let workers = handler
            .domains
            .iter()
            .map(|(domain, platform)| Worker::new(domain, platform, common.clone()))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Suspender {
            workers,
            domains: handler.domains.keys().cloned().collect(),
            settled,
            recorder,
        })
    }

    /// Posts what is pending and what becomes so, until told to stop.
    pub async fn run(self, stop: Stop) {
        let (ledger, domains) = (self.recorder.ledger.clone(), self.domains);
        let mentioning = tokio::spawn(async move { mention_orphans(&ledger, &domains).await });
        let ended = CancellationToken::new();
        let renewing = tokio::spawn(self.recorder.clone().renew(ended.clone()));
        let recording = self.recorder.record(self.settled, stop.soon.clone());
        let recording = tokio::spawn(recording);
        let mut workers: JoinSet<()> = self
            .workers
            .into_iter()
            .map(|worker| worker.run(stop.clone()))
            .collect();
        while let Some(ended) = workers.join_next().await {
            if let Err(error) = ended
                && error.is_panic()
            {
                std::panic::resume_unwind(error.into_panic());
            }
        }
        for task in [mentioning, recording, renewing] {
            if let Err(error) = task.await
                && error.is_panic()
            {
                std::panic::resume_unwind(error.into_panic());
            }
            ended.cancel();
        }
    }
}

/// Says which pending suspensions nobody will post.
async fn mention_orphans(ledger: &Ledger, domains: &[String]) {
    // A ledger that can't be read is spoken of by the workers.
    let pending = ledger.on_reader(Ledger::pending).await.unwrap_or_default();
    for (domain, count) in pending {
        if !domains.contains(&domain) {
            warn!(
                domain,
                "{domain} is not configured, and has pending suspensions: {count}. They are kept, and posted once it is configured again."
            );
        }
    }
}

/// What came of telling a platform about one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// What the platform answered, or why it did not, fit to be shown: `200 / {"processd_email": "a@b.example"}`.
    pub response: String,
    /// What that means.
    pub outcome: Outcome,
    /// For the ledger.
    pub settlement: Settlement,
}

/// Tells a platform about one address, once and now: for commands that a person gives.
///
/// # Errors
/// When the platform's certificate authority can't be used.
pub async fn tell(
    platform: &Platform,
    suspension: &Suspension,
    schedule: Schedule,
) -> Result<Told, ClientError> {
    let client = Client::new(platform, schedule.timeouts)?;
    let attempt = match Resolver::new(&platform.target, Clock::default())
        .template(&client)
        .await
    {
        Ok(template) => match template.expand(&suspension.address) {
            Ok(url) => {
                let body = notice::body(platform.body, suspension);
                client.post(&url, body).await
            }
            Err(misleading) => Err(misleading.into()),
        },
        Err(fault) => Err(fault),
    };
    let outcome = outcome(&attempt);
    let wait = schedule
        .retry
        .wait(suspension.attempts + 1, fastrand::f64());
    let again = Some(SystemTime::now() + wait);
    Ok(Told {
        response: words(&attempt),
        outcome,
        settlement: settlement(&attempt, outcome, again),
    })
}

/// What the ledger is told of an attempt. A fault that passes is tried again at `again`, or given up if that is none.
fn settlement(attempt: &Attempt, outcome: Outcome, again: Option<SystemTime>) -> Settlement {
    let status = attempt.as_ref().ok().map(|answer| answer.status.as_u16());
    let said = words(attempt);
    match (outcome, status, again) {
        (Outcome::Delivered | Outcome::NothingToStop, Some(status), _) => Settlement::Delivered {
            status,
            answer: said,
        },
        (Outcome::Passing(_), _, Some(at)) => Settlement::Retry { at, error: said },
        _ => Settlement::Failed {
            status,
            answer: said,
        },
    }
}
