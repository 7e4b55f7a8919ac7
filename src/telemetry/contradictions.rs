//! Bounces that claim to answer a mail of ours and can't: one may be an accident, many are somebody who forges them.

use crate::address::Address;
use crate::ledger::Entry;
use crate::policy::Decision;
use crate::printable::Printable;
use crate::trust::{Proof, Standing};
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use tracing::error;

/// So many within [`SPAN`] are a burst.
const BURST: usize = 10;
const SPAN: Duration = Duration::from_secs(60 * 60);

/// The last of them.
#[derive(Debug, Default)]
pub struct Contradictions {
    /// When they came, at most [`BURST`].
    recent: VecDeque<Instant>,
    /// When the last one of a burst came that was told of.
    burst: Option<Instant>,
}

impl Contradictions {
    /// Looks at mails that were recorded, and says in one line if there is a burst that was not told of.
    pub fn look_at(&mut self, entries: &[Entry], now: Instant) {
        for entry in entries {
            let Decision::Act { platform, rulings } = &entry.decision else {
                continue;
            };
            for ruling in rulings {
                let is_contradicted = ruling.proof.standing == Standing::Contradicted;
                if is_contradicted && self.begins_a_burst(now) {
                    say(entry, platform, &ruling.address, &ruling.proof);
                }
            }
        }
    }

    fn begins_a_burst(&mut self, now: Instant) -> bool {
        let is_old = |since: Instant| now.saturating_duration_since(since) > SPAN;
        self.recent.push_back(now);
        while self.recent.len() > BURST || self.recent.front().is_some_and(|at| is_old(*at)) {
            self.recent.pop_front();
        }
        if self.recent.len() < BURST {
            return false;
        }
        let goes_on = self.burst.replace(now).is_some_and(|at| !is_old(at));
        !goes_on
    }
}

fn say(entry: &Entry, platform: &str, address: &Address, proof: &Proof) {
    let source = entry.mail.source().to_string();
    error!(
        "Somebody forges bounces for {platform}, or changes our mail on its way back: {BURST} within an hour can't be true. None of them is \
         acted on. The last one, from {}, calls {} dead, but {}. See: bouncedemails find-address --address {}",
        Printable(&source),
        Printable(address.as_str()),
        Printable(&proof.sentence),
        Printable(address.as_str()),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_told_once_until_it_is_over() {
        let mut seen = Contradictions::default();
        let begin = Instant::now();
        let minutes = |minutes: u64| begin + Duration::from_secs(60 * minutes);
        let mut told = |from: u64, count: u64, every: u64| {
            let times = (0..count).map(|n| minutes(from + n * every));
            times.filter(|at| seen.begins_a_burst(*at)).count()
        };
        assert_eq!(told(0, 9, 1), 0, "as many as may be an accident");
        assert_eq!(told(9, 500, 1), 1, "one line, however long it goes on");
        assert_eq!(told(1_000, 100, 10), 0, "never ten within an hour");
        assert_eq!(told(3_000, 10, 0), 1, "another one");
    }
}
