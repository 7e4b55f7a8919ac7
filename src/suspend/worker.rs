//! One platform's worker: claims what is due in the ledger, posts it, and settles each claim by what came of it.
//!
//! The ledger knows who posts what, so nothing is posted twice by those who share it. The worker registers for the wake-up before it
//! looks, so that it misses no suspension, and looks now and then without one: for what other processes wrote.

use super::announce::announce;
use super::answer::{Attempt, Outcome, Scope, Unreachable, outcome, words};
use super::breaker::{Breaker, State};
use super::claim::{Claim, Settled};
use super::client::{Client, ClientError};
use super::clock::Clock;
use super::outage::Outage;
use super::resolver::Resolver;
use super::{Schedule, Stop, notice, settlement};
use crate::config::{Body, Platform, Template};
use crate::ledger::{Claimant, Ledger, LedgerError, Suspension};
use crate::telemetry;
use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio::time::{sleep_until, timeout};
use tracing::{error, info, warn};

/// The most suspensions that are claimed at a time. A worker asks for more when fewer than it posts at a time are left, and a ledger in
/// which no claim can be settled gives none: so this also bounds what is in memory.
const BATCH: usize = 256;

/// What all workers share.
#[derive(Clone)]
pub(super) struct Common {
    pub ledger: Ledger,
    pub claimant: Claimant,
    pub wake_up: Arc<Notify>,
    pub settle: mpsc::UnboundedSender<Settled>,
    pub max_age: Duration,
    pub schedule: Schedule,
    pub clock: Clock,
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
    /// Claimed and not yet posted, with the template that holds for them.
    ready: VecDeque<(Claim, Arc<Template>)>,
    /// How many are being posted.
    posting: usize,
    /// There may be suspensions that are due.
    may_be_due: bool,
    /// The ledger is being asked for them.
    claiming: bool,
    /// When it was asked last.
    looked: Instant,
    /// The ledger fails, and that was said.
    ledger_fails: bool,
}

/// What a task of the worker found out.
enum Event {
    /// The ledger was asked for suspensions.
    Claimed(Result<Claimed, LedgerError>),
    /// One was posted, or could not be.
    Posted(Claim, Attempt),
}

/// What the ledger gave.
struct Claimed {
    claims: Vec<Claim>,
    /// It may have more.
    more: bool,
    /// Where these are posted; none if there are none.
    template: Option<Result<Template, Unreachable>>,
}

impl Worker {
    /// Sets up the connections to a platform; nothing is asked yet.
    ///
    /// # Errors
    /// When the system's or the platform's certificate authorities can't be used.
    pub fn new(domain: &str, platform: &Platform, common: Common) -> Result<Worker, ClientError> {
        let resolver = Resolver::new(&platform.target, common.clock.clone());
        Ok(Worker {
            domain: domain.to_owned(),
            body: platform.body,
            client: Client::new(platform, common.schedule.timeouts)?,
            resolver: Arc::new(resolver),
            breaker: Breaker::new(common.schedule.probe),
            outage: Outage::default(),
            common,
            tasks: JoinSet::new(),
            ready: VecDeque::new(),
            posting: 0,
            may_be_due: true,
            claiming: false,
            looked: Instant::now(),
            ledger_fails: false,
        })
    }

    /// Works until told to stop.
    pub async fn run(mut self, stop: Stop) {
        let mut finishing = false;
        let wake_up = self.common.wake_up.clone();
        let mut woken = pin!(wake_up.notified());
        loop {
            let state = self.breaker.state(Instant::now());
            self.post(state);
            self.claim(state);
            if self.has_nothing() {
                self.outage.over(&self.domain);
            }
            if finishing && self.has_tried(state) {
                return;
            }
            let next_look = match state {
                State::Open(until) => Some(until),
                _ if !self.may_be_due && !self.claiming => {
                    Some(self.looked + self.common.schedule.poll)
                }
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
                    self.may_be_due = true;
                }
                () = woken.as_mut() => {
                    woken.set(wake_up.notified());
                    self.may_be_due = true;
                }
                Some(event) = self.tasks.join_next() => match event {
                    Ok(Event::Claimed(claimed)) => self.claimed(claimed),
                    Ok(Event::Posted(claim, attempt)) => self.posted(claim, attempt),
                    Err(error) => match error.try_into_panic() {
                        Ok(panic) => std::panic::resume_unwind(panic),
                        // The runtime is going down, and takes its tasks with it.
                        Err(_) => return,
                    },
                },
                () = next_look => self.may_be_due = true,
            }
        }
        self.finish_requests().await;
    }

    /// Waits a moment for the answers to what was posted; the other claims are given back.
    async fn finish_requests(mut self) {
        self.ready.clear();
        let finished = timeout(self.common.schedule.grace, async {
            while self.posting > 0
                && let Some(Ok(event)) = self.tasks.join_next().await
            {
                if let Event::Posted(claim, attempt) = event {
                    self.posted(claim, attempt);
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

    /// Posts what may be posted now. What may not is given back: the ledger holds it.
    fn post(&mut self, state: State) {
        let most = match state {
            State::Closed => self.common.schedule.at_once,
            State::HalfOpen => 1,
            State::Open(_) => 0,
        };
        while self.posting < most
            && let Some((claim, template)) = self.ready.pop_front()
        {
            self.posting += 1;
            let client = self.client.clone();
            let body = notice::body(self.body, claim.suspension());
            self.tasks.spawn(async move {
                let attempt = match template.expand(&claim.suspension().address) {
                    Ok(url) => client.post(&url, body).await,
                    Err(misleading) => Err(misleading.into()),
                };
                Event::Posted(claim, attempt)
            });
        }
        if state != State::Closed {
            self.ready.clear();
        }
    }

    /// Asks the ledger for suspensions if there may be some, and room for them.
    fn claim(&mut self, state: State) {
        let room = match state {
            State::Closed if self.ready.len() < self.common.schedule.at_once => BATCH,
            // What was on its way when the breaker opened is waited for: it may be stuck.
            State::HalfOpen if self.posting == 0 => 1,
            _ => 0,
        };
        if !self.may_be_due || self.claiming || room == 0 {
            return;
        }
        self.may_be_due = false;
        self.claiming = true;
        self.looked = Instant::now();
        let (domain, common) = (self.domain.clone(), self.common.clone());
        let (resolver, client) = (self.resolver.clone(), self.client.clone());
        self.tasks.spawn(async move {
            let ledger = common.ledger.clone();
            let claims = ledger.on_writer(move |ledger| common.claim(ledger, &domain, room));
            let claims = match claims.await {
                Ok(claims) => claims,
                Err(fault) => return Event::Claimed(Err(fault)),
            };
            let more = claims.len() == room;
            let template = match claims.is_empty() {
                true => None,
                false => Some(resolver.template(&client).await),
            };
            Event::Claimed(Ok(Claimed {
                claims,
                more,
                template,
            }))
        });
    }

    /// Whether all that was due is settled, as far as is known.
    fn has_nothing(&self) -> bool {
        !self.may_be_due && !self.claiming && self.ready.is_empty() && self.posting == 0
    }

    /// Whether all that is due was tried, or the platform answers nothing now.
    fn has_tried(&self, state: State) -> bool {
        match state {
            State::Closed => self.has_nothing(),
            State::HalfOpen | State::Open(_) => self.posting == 0,
        }
    }

    fn claimed(&mut self, claimed: Result<Claimed, LedgerError>) {
        self.claiming = false;
        let Claimed {
            claims,
            more,
            template,
        } = match claimed {
            Ok(claimed) => claimed,
            Err(fault) => {
                if !std::mem::replace(&mut self.ledger_fails, true) {
                    error!(
                        "The suspensions of {} cannot be read: {fault}. It is tried again until it works.",
                        self.domain
                    );
                }
                return;
            }
        };
        if std::mem::take(&mut self.ledger_fails) {
            info!("The suspensions of {} can be read again.", self.domain);
        }
        self.may_be_due |= more;
        match template {
            Some(Ok(template)) => {
                let template = Arc::new(template);
                let claims = claims.into_iter().map(|claim| (claim, template.clone()));
                self.ready.extend(claims);
            }
            // Asking where to post was the attempt of the first; the others are given back.
            Some(Err(fault)) => {
                if let Some(first) = claims.into_iter().next() {
                    self.conclude(first, Err(fault));
                }
            }
            None => {}
        }
    }

    fn posted(&mut self, claim: Claim, attempt: Attempt) {
        self.posting -= 1;
        self.conclude(claim, attempt);
    }

    /// Draws the conclusions from an attempt, and settles the claim.
    fn conclude(&mut self, claim: Claim, attempt: Attempt) {
        let outcome = outcome(&attempt);
        let said = words(&attempt);
        let now = Instant::now();
        let suspension = claim.suspension();
        let wait = match outcome {
            Outcome::Passing(scope) => self.failed(suspension, scope, &said, now),
            Outcome::Unsendable => None,
            Outcome::Delivered | Outcome::NothingToStop | Outcome::Refused => {
                if self.breaker.worked(now) {
                    self.outage.answered(now, self.common.clock.latest());
                    self.may_be_due = true;
                }
                None
            }
        };
        if let Outcome::Delivered | Outcome::NothingToStop = outcome {
            self.outage.delivered(suspension.created);
        }
        let outage = self.breaker.state(now) != State::Closed;
        announce(&self.domain, suspension, outcome, &said, wait, outage);
        telemetry::answered(suspension.id, &said);
        let again = wait.map(|wait| self.common.clock.latest() + wait);
        claim.settle(settlement(&attempt, outcome, again));
    }

    /// A passing fault: how long to wait for the next attempt, or none if it has been tried for too long.
    fn failed(
        &mut self,
        suspension: &Suspension,
        scope: Scope,
        said: &str,
        now: Instant,
    ) -> Option<Duration> {
        let chance = fastrand::f64();
        let open = self.breaker.failed(scope, now, chance).is_some();
        if open {
            self.outage.goes_on(&self.domain, said, now);
        }
        let age = self.common.clock.earliest();
        let age = age.duration_since(suspension.created).unwrap_or_default();
        if age > self.common.max_age {
            return None;
        }
        let tries = suspension.attempts.saturating_add(1);
        Some(match scope {
            Scope::Pause(pause) => pause,
            // The breaker says when: once it closes, nothing should wait any longer.
            _ if open => Duration::ZERO,
            _ => self.common.schedule.retry.wait(tries, chance),
        })
    }
}

impl Common {
    /// Claims what is due for a platform. Blocks. Should nobody wait for the result any more, it is given back.
    fn claim(&self, ledger: &Ledger, domain: &str, most: usize) -> Result<Vec<Claim>, LedgerError> {
        let (lease, now) = (self.schedule.lease, self.clock.latest());
        let suspensions = ledger.claim(domain, self.claimant, most, lease, now)?;
        let claims = suspensions.into_iter();
        Ok(claims
            .map(|suspension| Claim::new(suspension, self.settle.clone()))
            .collect())
    }
}
