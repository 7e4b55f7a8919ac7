//! The keys that our domains sign with: those of the configuration, those that DNS was seen to have, and what DNS has now.
//!
//! DNS is asked while a mail is read, for the names that the mail's own signatures give. So it is asked little: of each name once a day, for
//! a second at most, by one thread at a time, and not at all for a while after it did not answer.

use crate::dns::Resolver;
use crate::ledger::{DkimKey, Ledger};
use crate::policy::{Decision, Known, Policy};
use crate::trust::{self, Day, KeyName, Keys, PublicKey};
use crate::verdict::{Knowledge, Verdict};
use parking_lot::{Mutex, RwLock};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use tracing::warn;

/// No mail waits longer for keys.
const PATIENCE: Duration = Duration::from_secs(1);

/// For how long what DNS says of a name holds: that there are keys, and that there are none.
const HOLDS: Duration = Duration::from_secs(24 * 60 * 60);
const HOLDS_WITHOUT: Duration = Duration::from_secs(10 * 60);

/// For how long it is not asked after it did not answer.
const PAUSE: Duration = Duration::from_secs(30);

/// So many names are remembered to have been asked for; beyond, none is asked for until one of them is due again. Whoever sends mails with
/// signatures under ever new names has us ask no more often than this.
const MAX_ASKED: usize = 200;

/// All keys, and where to ask for more.
pub struct KeyRing {
    keys: RwLock<Arc<Keys>>,
    /// Those of the configuration, of which nobody is asked.
    configured: HashSet<KeyName>,
    resolver: Option<Resolver>,
    /// Where what was seen is kept; none, it is not.
    ledger: Option<Ledger>,
    asked: Mutex<Asked>,
}

#[derive(Default)]
struct Asked {
    /// Until when a name is not asked for.
    until: HashMap<KeyName, Instant>,
    /// Until when nobody is asked.
    paused: Option<Instant>,
}

impl KeyRing {
    /// With the keys of the configuration, and those that were ever seen in DNS.
    pub fn new(
        configured: Keys,
        seen: &[DkimKey],
        resolver: Option<Resolver>,
        ledger: Option<Ledger>,
    ) -> KeyRing {
        let names = configured.names().cloned().collect();
        let mut keys = Keys::none();
        for seen in seen {
            if let Ok(key) = PublicKey::parse(&seen.record) {
                keys.add(&seen.name.domain, &seen.name.selector, key);
            }
        }
        keys.add_all(configured);
        KeyRing {
            keys: RwLock::new(Arc::new(keys)),
            configured: names,
            resolver,
            ledger,
            asked: Mutex::default(),
        }
    }

    /// Reads a mail and decides about it, with the keys that DNS has for its signatures.
    pub fn judged(
        &self,
        raw: &[u8],
        known: Known<'_>,
        knowledge: &Knowledge,
        policy: &Policy,
    ) -> Verdict {
        let judged_by = |keys: &Keys| {
            let today = Day::of(SystemTime::now());
            let known = Known {
                keys,
                today,
                ..known
            };
            Verdict::of(raw, known, knowledge, policy)
        };
        let keys = self.known();
        let verdict = judged_by(&keys);
        if let (Some(resolver), Decision::Act { platform, .. }) =
            (&self.resolver, &verdict.decision)
        {
            self.look_up(resolver, &trust::needed_keys(&verdict.report, platform));
        }
        let now = self.known();
        match Arc::ptr_eq(&keys, &now) {
            true => verdict,
            // Rarely: a key was found.
            false => judged_by(&now),
        }
    }

    fn known(&self) -> Arc<Keys> {
        self.keys.read().clone()
    }

    /// Asks DNS for the keys at these names, as far as it is due. Waits a second at most.
    fn look_up(&self, resolver: &Resolver, names: &[KeyName]) {
        let deadline = Instant::now() + PATIENCE;
        let unconfigured = names.iter().filter(|name| !self.configured.contains(name));
        for name in unconfigured {
            // Somebody else may be asking for the same.
            let Some(mut asked) = self.asked.try_lock_until(deadline) else {
                return;
            };
            if asked.is_due(name, Instant::now()) {
                self.ask(resolver, name, &mut asked, deadline);
            }
        }
    }

    fn ask(&self, resolver: &Resolver, name: &KeyName, asked: &mut Asked, deadline: Instant) {
        let texts = match resolver.texts(&name.to_string(), deadline) {
            Ok(texts) => texts,
            Err(error) => {
                warn!(
                    "The key {name} is not known: {error}. What it signed is unproven; DNS is not asked for {} s.",
                    PAUSE.as_secs()
                );
                let now = Instant::now();
                asked.paused = Some(now + PAUSE);
                asked.until.remove(name);
                return;
            }
        };
        let keys: Vec<_> = texts
            .into_iter()
            .filter_map(|record| Some((PublicKey::parse(&record).ok()?, record)))
            .collect();
        let holds = if keys.is_empty() {
            HOLDS_WITHOUT
        } else {
            HOLDS
        };
        asked.until.insert(name.clone(), Instant::now() + holds);
        if keys.is_empty() {
            return;
        }
        let mut known = Keys::clone(&self.known());
        for (key, record) in keys {
            known.add(&name.domain, &name.selector, key);
            if let Some(ledger) = &self.ledger
                && let Err(error) = ledger.keep_dkim_key(name, &record, SystemTime::now())
            {
                warn!("The key {name} is used, but not kept: {error}.");
            }
        }
        *self.keys.write() = Arc::new(known);
    }
}

impl Asked {
    /// Whether a name is to be asked for now.
    fn is_due(&mut self, name: &KeyName, now: Instant) -> bool {
        let is_over = |until: &Instant| *until <= now;
        if self.paused.is_some_and(|until| !is_over(&until)) {
            return false;
        }
        if self.until.len() >= MAX_ASKED {
            self.until.retain(|_, until| !is_over(until));
        }
        match self.until.get(name) {
            Some(until) => is_over(until),
            None => self.until.len() < MAX_ASKED,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(number: usize) -> KeyName {
        KeyName::new("openhpi.de", &format!("s{number}"))
    }

    #[test]
    fn ever_new_names_are_asked_for_no_more_than_so_often() {
        let begin = Instant::now();
        let mut asked = Asked::default();
        for number in 0..MAX_ASKED {
            assert!(asked.is_due(&name(number), begin));
            asked.until.insert(name(number), begin + HOLDS_WITHOUT);
        }
        assert!(!asked.is_due(&name(0), begin), "asked already");
        assert!(!asked.is_due(&name(MAX_ASKED), begin));
        assert!(asked.is_due(&name(MAX_ASKED), begin + HOLDS_WITHOUT));
        assert_eq!(asked.until.len(), 0, "what is due again is forgotten");
    }

    #[test]
    fn nobody_is_asked_for_a_while_after_there_was_no_answer() {
        let begin = Instant::now();
        let mut asked = Asked {
            paused: Some(begin + PAUSE),
            ..Asked::default()
        };
        assert!(!asked.is_due(&name(1), begin));
        assert!(asked.is_due(&name(1), begin + PAUSE));
    }
}
