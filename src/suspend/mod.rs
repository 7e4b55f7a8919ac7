//! Pending suspensions → HTTP: tells each platform which addresses to stop mailing, until it answers.
//!
//! It works off what the ledger holds and never decides whom to suspend. Each platform has a `worker` of its own, so one that
//! is down, slow or hanging delays nothing but its own suspensions.
//!
//! - `worker`: takes what is due for one platform, posts it, judges the answers
//! - `resolver`: where a platform's suspend URLs come from; `notice`: what is sent beside the URL
//! - `client`: HTTP, bounded in time and memory
//! - `answer`: what came of a request, and what it means (pure)
//! - `breaker`: whether a platform may be asked now (pure)
//! - `announce`, `outage`: what the operator is told
//! - `recorder`: what came of the attempts → ledger, in batches

mod announce;
mod answer;
mod breaker;
mod client;
mod notice;
mod outage;
mod recorder;
mod resolver;
mod worker;

pub use answer::Meaning;
pub use client::{ClientError, Timeouts};

use crate::backoff::Backoff;
use crate::config::{Handler, Platform};
use crate::ledger::{Ledger, Settlement, Suspension};
use crate::telemetry::Blocks;
use answer::{Asked, meaning, words};
use client::Client;
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
pub struct Pace {
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
    /// How long requests may take to end when told to stop.
    pub grace: Duration,
}

impl Default for Pace {
    fn default() -> Pace {
        let second = Duration::from_secs(1);
        Pace {
            timeouts: Timeouts::default(),
            at_once: 16,
            retry: Backoff {
                first: 10 * second,
                longest: 3600 * second,
            },
            probe: Backoff {
                first: second,
                longest: 60 * second,
            },
            poll: second,
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
    attempts: mpsc::UnboundedReceiver<recorder::Attempt>,
    ledger: Ledger,
}

impl Suspender {
    /// Sets up the connections; nothing is asked yet. `bell` is rung when there are new suspensions.
    ///
    /// # Errors
    /// When the system's or a platform's certificate authorities can't be used.
    pub fn new(
        handler: &Handler,
        ledger: Ledger,
        bell: Arc<Notify>,
        blocks: Blocks,
        pace: Pace,
    ) -> Result<Suspender, ClientError> {
        let (recorder, attempts) = mpsc::unbounded_channel();
        let common = worker::Common {
            ledger: ledger.clone(),
            bell,
            blocks,
            recorder,
            max_age: handler.suspension_max_age.0,
            pace,
        };
        let workers = handler
            .domains
            .iter()
            .map(|(domain, platform)| Worker::new(domain, platform, common.clone()))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Suspender {
            workers,
            domains: handler.domains.keys().cloned().collect(),
            attempts,
            ledger,
        })
    }

    /// Posts what is pending and what becomes so, until told to stop.
    pub async fn run(self, stop: Stop) {
        let (ledger, domains) = (self.ledger.clone(), self.domains);
        tokio::task::spawn_blocking(move || mention_orphans(&ledger, &domains));
        let recorder = tokio::spawn(recorder::run(self.ledger, self.attempts, stop.soon.clone()));
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
        if let Err(error) = recorder.await
            && error.is_panic()
        {
            std::panic::resume_unwind(error.into_panic());
        }
    }
}

/// Says which pending suspensions nobody will post.
fn mention_orphans(ledger: &Ledger, domains: &[String]) {
    // A ledger that can't be read is spoken of by the workers.
    let pending = ledger.pending().unwrap_or_default();
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
    pub meaning: Meaning,
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
    pace: Pace,
) -> Result<Told, ClientError> {
    let client = Client::new(platform, pace.timeouts)?;
    let asked = match Resolver::new(&platform.target).template(&client).await {
        Ok(template) => {
            let body = notice::body(platform.body, suspension);
            client
                .post(&template.expand(&suspension.address), body)
                .await
        }
        Err(fault) => Err(fault),
    };
    let meaning = meaning(&asked);
    let wait = pace.retry.wait(suspension.attempts + 1, fastrand::f64());
    let again = Some(SystemTime::now() + wait);
    Ok(Told {
        response: words(&asked),
        meaning,
        settlement: settlement(&asked, meaning, again),
    })
}

/// What the ledger is told of an attempt. A fault that passes is tried again at `again`, or given up if that is none.
fn settlement(asked: &Asked, meaning: Meaning, again: Option<SystemTime>) -> Settlement {
    let status = asked.as_ref().ok().map(|answer| answer.status.as_u16());
    let said = words(asked);
    match (meaning, status, again) {
        (Meaning::Delivered | Meaning::NothingToStop, Some(status), _) => Settlement::Delivered {
            status,
            answer: said,
        },
        (Meaning::Passing(_), _, Some(at)) => Settlement::Retry { at, error: said },
        _ => Settlement::Failed {
            status,
            answer: said,
        },
    }
}
