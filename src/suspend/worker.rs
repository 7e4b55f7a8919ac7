//! One platform's worker: takes what is due from the ledger, posts it, judges what came of it.
//!
//! It registers for the bell before it looks, so that no suspension is missed, and looks now and then without being rung
//! for. What it has taken stays in its hand until the ledger holds what came of it, so that nothing is posted twice.

use super::announce::announce;
use super::answer::{Asked, Meaning, Strain, Unreachable, meaning, words};
use super::breaker::{Breaker, Leave};
use super::client::{Client, ClientError};
use super::outage::Outage;
use super::recorder::Attempt;
use super::resolver::Resolver;
use super::{Pace, Stop, notice, settlement};
use crate::config::{Body, Platform, Template};
use crate::ledger::{Ledger, LedgerError, Suspension, SuspensionId};
use crate::telemetry::Blocks;
use std::collections::{HashSet, VecDeque};
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::{Notify, mpsc};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{sleep_until, timeout};
use tracing::{error, info, warn};

/// How many suspensions are taken from the ledger at a time.
const BATCH: usize = 256;

/// The most that a worker has in its hand: bounds what waits for a slow disk.
const MOST_IN_HAND: usize = 4 * BATCH;

/// What all workers share.
#[derive(Clone)]
pub(super) struct Common {
    pub ledger: Ledger,
    pub bell: Arc<Notify>,
    pub blocks: Blocks,
    pub recorder: mpsc::UnboundedSender<Attempt>,
    pub max_age: Duration,
    pub pace: Pace,
}

/// What works for one platform.
pub(super) struct Worker {
    domain: String,
    body: Body,
    client: Client,
    resolver: Arc<Resolver>,
    breaker: Breaker,
    outage: Outage,
    common: Common,
    tasks: JoinSet<Event>,
    /// Taken and not yet posted, with the template that was found for them.
    ready: VecDeque<(Suspension, Arc<Template>)>,
    /// How many are being posted.
    posting: usize,
    /// Taken, and not yet settled in the ledger.
    hand: HashSet<SuspensionId>,
    looking: Looking,
    /// When the last look began.
    looked: Instant,
    /// Settled while a look was under way, which may still find them pending.
    settled_meanwhile: Vec<SuspensionId>,
    /// The ledger fails, and that was said.
    ledger_fails: bool,
}

/// Where the next suspensions come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Looking {
    /// There may be some.
    Wanted,
    /// A look is under way; if rung for meanwhile, another is wanted.
    UnderWay { again: bool },
    /// There were none when it looked last.
    Idle,
}

/// What a task of the worker found out.
enum Event {
    /// The ledger was looked at, for at most so many.
    Looked(Result<Vec<Suspension>, LedgerError>, usize),
    /// The template for these was asked for.
    Resolved(Vec<Suspension>, Result<Template, Unreachable>),
    /// One was posted.
    Posted(Suspension, Asked),
}

impl Worker {
    pub fn new(domain: &str, platform: &Platform, common: Common) -> Result<Worker, ClientError> {
        Ok(Worker {
            domain: domain.to_owned(),
            body: platform.body,
            client: Client::new(platform, common.pace.timeouts)?,
            resolver: Arc::new(Resolver::new(&platform.target)),
            breaker: Breaker::new(common.pace.probe),
            outage: Outage::default(),
            common,
            tasks: JoinSet::new(),
            ready: VecDeque::new(),
            posting: 0,
            hand: HashSet::new(),
            looking: Looking::Wanted,
            looked: Instant::now(),
            settled_meanwhile: Vec::new(),
            ledger_fails: false,
        })
    }

    /// Works until told to stop.
    pub async fn run(mut self, stop: Stop) {
        let mut finishing = false;
        let (done, mut settled) = mpsc::unbounded_channel();
        let bell = self.common.bell.clone();
        let mut rung = pin!(bell.notified());
        loop {
            let leave = self.breaker.leave(Instant::now());
            self.post(leave);
            self.look(leave);
            if finishing && self.has_tried(leave) {
                return;
            }
            let next_look = match leave {
                Leave::NothingUntil(until) => Some(until),
                _ if self.looking == Looking::Idle => Some(self.looked + self.common.pace.poll),
                _ => None,
            };
            let next_look = async {
                match next_look {
                    Some(at) => sleep_until(at.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = stop.soon.cancelled() => break,
                () = stop.tried.cancelled(), if !finishing => {
                    finishing = true;
                    self.want_look();
                }
                () = rung.as_mut() => {
                    rung.set(bell.notified());
                    self.want_look();
                }
                Some(id) = settled.recv() => self.settled(id),
                Some(event) = self.tasks.join_next() => match event {
                    Ok(event) => self.on(event, &done),
                    Err(error) => match error.try_into_panic() {
                        Ok(panic) => std::panic::resume_unwind(panic),
                        // The runtime is going down, and takes its tasks with it.
                        Err(_) => return,
                    },
                },
                () = next_look => self.want_look(),
            }
        }
        self.ready.clear();
        let grace = self.common.pace.grace;
        let finished = timeout(grace, async {
            while self.posting > 0
                && let Some(Ok(event)) = self.tasks.join_next().await
            {
                if let Event::Posted(..) = event {
                    self.on(event, &done);
                }
            }
        });
        if finished.await.is_err() {
            warn!(
                domain = self.domain,
                "{} has not answered {} requests yet; they are posted again at the next start.",
                self.domain,
                self.posting
            );
        }
    }

    /// Posts what may be posted now. What may not goes back: the ledger holds it.
    fn post(&mut self, leave: Leave) {
        let most = match leave {
            Leave::Everything => self.common.pace.at_once,
            Leave::Probe => 1,
            Leave::NothingUntil(_) => 0,
        };
        while self.posting < most
            && let Some((suspension, template)) = self.ready.pop_front()
        {
            self.posting += 1;
            let client = self.client.clone();
            let body = notice::body(self.body, &suspension);
            self.tasks.spawn(async move {
                let url = template.expand(&suspension.address);
                let asked = client.post(&url, body).await;
                Event::Posted(suspension, asked)
            });
        }
        if leave != Leave::Everything {
            for (suspension, _) in self.ready.drain(..) {
                self.hand.remove(&suspension.id);
            }
        }
    }

    /// Looks into the ledger if that is wanted and there is room for what it finds.
    fn look(&mut self, leave: Leave) {
        let room = match leave {
            Leave::Everything if self.ready.len() < self.common.pace.at_once => BATCH,
            // What was on its way when the breaker opened is waited for: it may be stuck.
            Leave::Probe if self.posting == 0 => 1,
            _ => 0,
        };
        if self.looking != Looking::Wanted || room == 0 || self.hand.len() + room > MOST_IN_HAND {
            return;
        }
        self.looking = Looking::UnderWay { again: false };
        self.looked = Instant::now();
        // What is in the hand is still pending there, and found again.
        let limit = self.hand.len() + room;
        let (ledger, domain) = (self.common.ledger.clone(), self.domain.clone());
        self.tasks.spawn(async move {
            let due = spawn_blocking(move || ledger.due(&domain, SystemTime::now(), limit));
            match due.await {
                Ok(due) => Event::Looked(due, limit),
                Err(panic) => std::panic::resume_unwind(panic.into_panic()),
            }
        });
    }

    /// Whether all that is due was tried, or its platform answers nothing now.
    fn has_tried(&self, leave: Leave) -> bool {
        match leave {
            Leave::Everything => self.looking == Looking::Idle && self.hand.is_empty(),
            Leave::Probe | Leave::NothingUntil(_) => self.posting == 0,
        }
    }

    fn want_look(&mut self) {
        self.looking = match self.looking {
            Looking::UnderWay { .. } => Looking::UnderWay { again: true },
            Looking::Wanted | Looking::Idle => Looking::Wanted,
        };
    }

    /// A look has ended; `more` says whether there is more to be found.
    fn look_ended(&mut self, more: bool) {
        self.looking = match self.looking {
            Looking::UnderWay { again } if again || more => Looking::Wanted,
            _ => Looking::Idle,
        };
        for id in self.settled_meanwhile.drain(..) {
            self.hand.remove(&id);
        }
    }

    fn settled(&mut self, id: SuspensionId) {
        if let Looking::UnderWay { .. } = self.looking {
            self.settled_meanwhile.push(id);
        } else {
            self.hand.remove(&id);
        }
    }

    fn on(&mut self, event: Event, done: &mpsc::UnboundedSender<SuspensionId>) {
        match event {
            Event::Looked(Ok(mut found), limit) => {
                if std::mem::take(&mut self.ledger_fails) {
                    info!("The suspensions of {} can be read again.", self.domain);
                }
                let all = found.len() < limit;
                let late = |backlog| found.iter().any(|found| found.created < backlog);
                if all
                    && self
                        .outage
                        .backlog_before()
                        .is_some_and(|backlog| !late(backlog))
                {
                    self.outage.over(&self.domain);
                }
                found.retain(|suspension| self.hand.insert(suspension.id));
                if found.is_empty() {
                    self.look_ended(!all);
                    return;
                }
                if !all {
                    self.want_look();
                }
                let (resolver, client) = (self.resolver.clone(), self.client.clone());
                self.tasks.spawn(async move {
                    let template = resolver.template(&client).await;
                    Event::Resolved(found, template)
                });
            }
            Event::Looked(Err(fault), _) => {
                if !std::mem::replace(&mut self.ledger_fails, true) {
                    error!(
                        "The suspensions of {} cannot be read: {fault}. It is tried again until it works.",
                        self.domain
                    );
                }
                self.look_ended(false);
            }
            Event::Resolved(found, Ok(template)) => {
                let template = Arc::new(template);
                let found = found.into_iter().map(|found| (found, template.clone()));
                self.ready.extend(found);
                self.look_ended(false);
            }
            Event::Resolved(found, Err(fault)) => {
                let mut found = found.into_iter();
                // The first is told about by asking where to post; the others stay as they are.
                let first = found.next();
                for other in found {
                    self.hand.remove(&other.id);
                }
                if let Some(first) = first {
                    self.judge(first, Err(fault), done);
                }
                self.look_ended(false);
            }
            Event::Posted(suspension, asked) => {
                self.posting -= 1;
                self.judge(suspension, asked, done);
            }
        }
    }

    /// Draws the conclusions from what came of a request, and hands them to the recorder.
    fn judge(
        &mut self,
        suspension: Suspension,
        asked: Asked,
        done: &mpsc::UnboundedSender<SuspensionId>,
    ) {
        let meaning = meaning(&asked);
        let said = words(&asked);
        let now = Instant::now();
        let again = match meaning {
            Meaning::Passing(strain) => self.failed(&suspension, strain, &said, now),
            Meaning::Delivered | Meaning::NothingToStop | Meaning::Refused => {
                if self.breaker.worked(now) {
                    self.outage.answered(now, SystemTime::now());
                    self.want_look();
                }
                None
            }
        };
        if let Meaning::Delivered | Meaning::NothingToStop = meaning {
            self.outage.delivered(suspension.created);
        }
        let outage = self.breaker.leave(now) != Leave::Everything;
        announce(&self.domain, &suspension, meaning, &said, again, outage);
        self.common.blocks.answered(suspension.id, &said);
        // The recorder outlives the workers.
        let _ = self.common.recorder.send(Attempt {
            id: suspension.id,
            settlement: settlement(&asked, meaning, again),
            done: done.clone(),
        });
    }

    /// A passing fault: when to try again, or never if it has been tried for too long.
    fn failed(
        &mut self,
        suspension: &Suspension,
        strain: Strain,
        said: &str,
        now: Instant,
    ) -> Option<SystemTime> {
        let chance = fastrand::f64();
        let open = self.breaker.failed(strain, now, chance).is_some();
        if open {
            self.outage.goes_on(&self.domain, said, now);
        }
        let wall = SystemTime::now();
        if wall.duration_since(suspension.created).unwrap_or_default() > self.common.max_age {
            return None;
        }
        let tries = suspension.attempts.saturating_add(1);
        let wait = match strain {
            Strain::Pause(pause) => pause,
            // The breaker says when: once it closes, nothing should wait any longer.
            _ if open => Duration::ZERO,
            _ => self.common.pace.retry.wait(tries, chance),
        };
        Some(wall + wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Cause;

    fn worker(folder: &std::path::Path) -> Worker {
        let (recorder, _) = mpsc::unbounded_channel();
        let platform = serde_yaml::from_str("base_url: 'http://localhost/{address}'").unwrap();
        let common = Common {
            ledger: Ledger::open(&folder.join("bounced_emails.db")).unwrap(),
            bell: Arc::default(),
            blocks: Blocks::default(),
            recorder,
            max_age: Duration::from_secs(1),
            pace: Pace::default(),
        };
        Worker::new("a.example", &platform, common).unwrap()
    }

    fn suspension(id: i64) -> Suspension {
        Suspension {
            id: SuspensionId(id),
            address: "a@x.example".parse().unwrap(),
            platform: "a.example".to_owned(),
            created: SystemTime::UNIX_EPOCH,
            attempts: 0,
            cause: Cause {
                bounce_type: "hard".to_owned(),
                reason: "userunknown".to_owned(),
                status: None,
                diagnostic: None,
                message_id: None,
            },
        }
    }

    /// The look read the ledger before the settlement was written, and its result came after.
    #[tokio::test]
    async fn what_was_settled_during_a_look_is_not_posted_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut worker = worker(folder.path());
        let (done, _) = mpsc::unbounded_channel();
        worker.hand.insert(SuspensionId(1));
        worker.looking = Looking::UnderWay { again: false };
        worker.settled(SuspensionId(1));
        worker.on(Event::Looked(Ok(vec![suspension(1)]), 10), &done);
        assert!(worker.tasks.is_empty() && worker.hand.is_empty());
        // From now on it is a new one.
        worker.looking = Looking::UnderWay { again: false };
        worker.on(Event::Looked(Ok(vec![suspension(1)]), 10), &done);
        assert!(!worker.tasks.is_empty() && !worker.hand.is_empty());
    }
}
