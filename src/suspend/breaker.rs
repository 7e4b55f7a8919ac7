//! Whether a platform may be asked now: all it can take, one probe, or nothing yet. Pure: time and chance are handed in.
//!
//! While a platform does not work, asking it with everything that waits helps nobody: the breaker opens, everything stays in the
//! ledger, and one request at a time probes, ever more rarely, until one is answered.

use super::answer::Scope;
use crate::backoff::Backoff;
use std::time::Instant;

/// So many faults in a row, each of which may be about one suspension only, are about the platform.
const FAULTS_IN_A_ROW: u32 = 5;

/// The state of one platform.
#[derive(Debug)]
pub struct Breaker {
    backoff: Backoff,
    /// Faults since the last answer.
    faults: u32,
    /// Nothing before this instant, then one probe; none while the platform works.
    open_until: Option<Instant>,
    /// How many probes in a row failed.
    rounds: u32,
}

/// What the breaker lets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// As much as the platform takes at a time.
    Closed,
    /// One request, to see whether it works again.
    HalfOpen,
    /// Nothing until then.
    Open(Instant),
}

impl Breaker {
    /// A closed breaker, whose probes come at `backoff` once it is open.
    pub fn new(backoff: Backoff) -> Breaker {
        Breaker {
            backoff,
            faults: 0,
            open_until: None,
            rounds: 0,
        }
    }

    /// What may be asked now.
    pub fn state(&self, now: Instant) -> State {
        match self.open_until {
            None => State::Closed,
            Some(until) if until <= now => State::HalfOpen,
            Some(until) => State::Open(until),
        }
    }

    /// The platform answered. While the breaker holds requests back, that is an answer to one that was on its way, and says
    /// nothing: the probe will. Returns whether that closed it.
    pub fn worked(&mut self, now: Instant) -> bool {
        if self.open_until.is_some_and(|until| until > now) {
            return false;
        }
        self.faults = 0;
        self.rounds = 0;
        self.open_until.take().is_some()
    }

    /// A passing fault. Returns until when nothing may be asked, if so.
    pub fn failed(&mut self, scope: Scope, now: Instant, random: f64) -> Option<Instant> {
        self.faults = self.faults.saturating_add(1);
        match self.open_until {
            // One that was on its way when the breaker opened: only a longer pause is news.
            Some(until) if until > now => {
                if let Scope::Pause(pause) = scope {
                    self.open_until = Some(until.max(now + pause));
                }
            }
            None if scope == Scope::One && self.faults < FAULTS_IN_A_ROW => {}
            _ => {
                self.rounds = self.rounds.saturating_add(1);
                let wait = self.backoff.wait(self.rounds, random);
                let wait = match scope {
                    Scope::Pause(pause) => wait.max(pause),
                    _ => wait,
                };
                self.open_until = Some(now + wait);
            }
        }
        self.open_until
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const SECOND: Duration = Duration::from_secs(1);

    fn breaker() -> Breaker {
        Breaker::new(Backoff {
            first: SECOND,
            longest: 60 * SECOND,
        })
    }

    #[test]
    fn a_fault_of_the_platform_opens_it_at_once_and_a_probe_that_works_closes_it() {
        let (mut breaker, start) = (breaker(), Instant::now());
        let until = breaker.failed(Scope::All, start, 0.0);
        assert_eq!(until, Some(start + SECOND));
        assert_eq!(breaker.state(start), State::Open(start + SECOND));
        assert_eq!(breaker.state(start + SECOND), State::HalfOpen);
        assert!(breaker.worked(start + SECOND));
        assert_eq!(breaker.state(start + SECOND), State::Closed);
    }

    #[test]
    fn faults_of_single_suspensions_open_it_when_nothing_works_in_between() {
        let (mut breaker, now) = (breaker(), Instant::now());
        for _ in 1..FAULTS_IN_A_ROW {
            assert_eq!(breaker.failed(Scope::One, now, 0.0), None);
        }
        breaker.worked(now);
        for _ in 1..FAULTS_IN_A_ROW {
            assert_eq!(breaker.failed(Scope::One, now, 0.0), None);
        }
        assert!(breaker.failed(Scope::One, now, 0.0).is_some());
    }

    #[test]
    fn each_probe_that_fails_doubles_the_wait() {
        let (mut breaker, mut now) = (breaker(), Instant::now());
        for seconds in [1, 2, 4, 8, 16, 32, 60, 60] {
            let until = breaker.failed(Scope::All, now, 0.0).unwrap();
            assert_eq!(until - now, seconds * SECOND);
            now = until;
        }
    }

    #[test]
    fn what_was_on_its_way_neither_closes_it_nor_makes_the_wait_longer() {
        let (mut breaker, now) = (breaker(), Instant::now());
        let until = breaker.failed(Scope::All, now, 0.0);
        for _ in 0..30 {
            assert_eq!(breaker.failed(Scope::One, now, 0.0), until);
        }
        assert!(!breaker.worked(now));
        assert_eq!(breaker.state(now), State::Open(now + SECOND));
    }

    #[test]
    fn a_pause_that_the_platform_asks_for_is_kept() {
        let (mut breaker, now) = (breaker(), Instant::now());
        breaker.failed(Scope::Pause(90 * SECOND), now, 0.0);
        assert_eq!(breaker.state(now), State::Open(now + 90 * SECOND));
        let longer = breaker.failed(Scope::Pause(95 * SECOND), now + SECOND, 0.0);
        assert_eq!(longer, Some(now + 96 * SECOND));
    }
}
