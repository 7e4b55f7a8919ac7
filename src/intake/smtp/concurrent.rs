//! Mails that are equal to the byte, by several connections at once: one after the other.
//!
//! Such a mail may be a repeat of the other (RFC 1047), or one that is sent on purpose. Which of the two is known only
//! when the other's connection has shown that it got its 250, or has ended without: until then the mail waits. Real
//! bounces bear a queue id and a time, and are never equal.

use crate::mail::Fingerprint;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::OwnedMutexGuard;

/// The mails in progress: read, and not yet known to be known to their clients.
#[derive(Debug, Default)]
pub(super) struct InProgress(Mutex<HashMap<Fingerprint, Equal>>);

/// Mails that are equal.
#[derive(Debug, Default)]
struct Equal {
    /// How many of them there are: the one in progress and those that wait.
    mails: usize,
    /// Whose turn it is: in the order in which they came, so that none waits for ever.
    turn: Arc<tokio::sync::Mutex<()>>,
}

/// A mail in progress. Dropped, it is finished.
#[derive(Debug)]
pub(super) struct Admitted {
    progress: Arc<InProgress>,
    fingerprint: Fingerprint,
    _turn: Option<OwnedMutexGuard<()>>,
}

impl InProgress {
    /// Waits until no equal mail is in progress.
    pub async fn admit(self: &Arc<Self>, fingerprint: Fingerprint) -> Admitted {
        let turn = {
            let mut mails = self.0.lock();
            let equal = mails.entry(fingerprint).or_default();
            equal.mails += 1;
            equal.turn.clone()
        };
        // Made before the waiting, so that a mail whose client is sent off meanwhile is counted no longer.
        let mut admitted = Admitted {
            progress: self.clone(),
            fingerprint,
            _turn: None,
        };
        admitted._turn = Some(turn.lock_owned().await);
        admitted
    }
}

impl Admitted {
    /// The mail that is in progress.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let mut mails = self.progress.0.lock();
        if let Some(equal) = mails.get_mut(&self.fingerprint) {
            equal.mails -= 1;
            if equal.mails == 0 {
                mails.remove(&self.fingerprint);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use std::pin::pin;

    const MAIL: Fingerprint = Fingerprint([1; 32]);

    #[test]
    fn equal_mails_are_admitted_in_the_order_in_which_they_came() {
        let progress = Arc::new(InProgress::default());
        let first = progress.admit(MAIL).now_or_never().expect("no waiting");
        let mut second = pin!(progress.admit(MAIL));
        let mut third = pin!(progress.admit(MAIL));
        assert!(second.as_mut().now_or_never().is_none());
        assert!(third.as_mut().now_or_never().is_none());
        drop(first);
        let newcomer = progress.admit(MAIL).now_or_never();
        assert!(newcomer.is_none(), "it comes after those that wait");
        assert!(third.as_mut().now_or_never().is_none());
        let second = second.now_or_never().expect("it is its turn");
        assert!(third.as_mut().now_or_never().is_none());
        drop(second);
        drop(third.now_or_never().expect("it is its turn"));
        assert!(progress.0.lock().is_empty());
    }

    #[test]
    fn who_gives_up_waiting_leaves_nothing_behind() {
        let progress = Arc::new(InProgress::default());
        let first = progress.admit(MAIL).now_or_never().expect("no waiting");
        assert!(progress.admit(MAIL).now_or_never().is_none());
        {
            let mut admitted_unheard = pin!(progress.admit(MAIL));
            assert!(admitted_unheard.as_mut().now_or_never().is_none());
            drop(first);
        }
        assert!(progress.0.lock().is_empty());
    }

    #[test]
    fn different_mails_wait_for_nobody() {
        let progress = Arc::new(InProgress::default());
        let _first = progress.admit(MAIL).now_or_never().expect("no waiting");
        let other = progress.admit(Fingerprint([2; 32])).now_or_never();
        assert!(other.is_some());
    }
}
