//! A platform's outage, told to the operator: when it starts, rarely while it lasts, and when it is over.

use crate::telemetry::{Event, emit};
use std::time::{Duration, Instant, SystemTime};

/// How often an outage that lasts is mentioned.
const REMINDER: Duration = Duration::from_secs(60 * 60);

/// Whether a platform has an outage, and what was said about it.
#[derive(Debug, Default)]
pub struct Outage(Option<Current>);

#[derive(Debug)]
struct Current {
    since: Instant,
    /// When it was mentioned last.
    said: Instant,
    /// When the platform answered again, while what waited is being worked off. None again if it fails meanwhile, so that
    /// a platform that comes and goes is one outage.
    answered: Option<(Instant, SystemTime)>,
    /// Suspensions that had to wait, and were delivered.
    late: u64,
}

impl Outage {
    /// The platform can't be asked.
    pub fn goes_on(&mut self, platform: &str, why: &str, now: Instant) {
        match &mut self.0 {
            None => {
                emit(&Event::OutageBegins {
                    domain: platform,
                    why,
                });
                self.0 = Some(Current {
                    since: now,
                    said: now,
                    answered: None,
                    late: 0,
                });
            }
            Some(current) => {
                current.answered = None;
                if now - current.said >= REMINDER {
                    current.said = now;
                    emit(&Event::OutageLasts {
                        domain: platform,
                        why,
                        lasted: now - current.since,
                    });
                }
            }
        }
    }

    /// The platform works.
    pub fn answered(&mut self, now: Instant, wall: SystemTime) {
        if let Some(current) = &mut self.0 {
            current.answered.get_or_insert((now, wall));
        }
    }

    /// A suspension that was decided at `created` was delivered.
    pub fn delivered(&mut self, created: SystemTime) {
        if let Some(current) = &mut self.0
            && current.answered.is_none_or(|(_, wall)| created < wall)
        {
            current.late += 1;
        }
    }

    /// All that had to wait was worked off; nothing new if there was no outage, or it goes on.
    pub fn over(&mut self, platform: &str) {
        let Some(&Current {
            since,
            answered: Some((answered, _)),
            late,
            ..
        }) = self.0.as_ref()
        else {
            return;
        };
        self.0 = None;
        emit(&Event::OutageOver {
            domain: platform,
            lasted: answered - since,
            late,
        });
    }
}
