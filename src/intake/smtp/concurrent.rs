//! Mails that are equal to the byte, by several connections at once: one after the other.
//!
//! Such a mail may be a repeat of the other (RFC 1047), or one that is sent on purpose. Which of the two is known only
//! when the other's connection has shown that it got its 250, or has ended without: until then the mail waits. Real
//! bounces bear a queue id and a time, and are never equal.

use crate::mail::Fingerprint;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;
use tokio::sync::Notify;

/// The mails in progress: read, and not yet known to be known to their clients.
#[derive(Debug, Default)]
pub(super) struct InProgress {
    mails: Mutex<HashMap<Fingerprint, Holder>>,
    finished: Notify,
}

/// The connection that brings a mail, and how often it does at this moment.
#[derive(Debug)]
struct Holder {
    connection: u64,
    mails: usize,
}

/// A mail in progress. Dropped, it is finished.
#[derive(Debug)]
pub(super) struct Admitted {
    progress: Arc<InProgress>,
    fingerprint: Fingerprint,
}

impl InProgress {
    /// Waits until no other connection has an equal mail in progress. Within a connection equal mails are different
    /// mails: nobody repeats himself without having lost a connection.
    pub async fn admit(self: &Arc<Self>, fingerprint: Fingerprint, connection: u64) -> Admitted {
        loop {
            let mut finished = pin!(self.finished.notified());
            finished.as_mut().enable();
            if let Some(admitted) = self.try_admit(fingerprint, connection) {
                return admitted;
            }
            finished.await;
        }
    }

    fn try_admit(self: &Arc<Self>, fingerprint: Fingerprint, connection: u64) -> Option<Admitted> {
        let mut mails = self.mails.lock();
        let holder = mails.entry(fingerprint).or_insert(Holder {
            connection,
            mails: 0,
        });
        if holder.connection != connection {
            return None;
        }
        holder.mails += 1;
        Some(Admitted {
            progress: self.clone(),
            fingerprint,
        })
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let mut mails = self.progress.mails.lock();
        if let Some(holder) = mails.get_mut(&self.fingerprint) {
            holder.mails -= 1;
            if holder.mails == 0 {
                mails.remove(&self.fingerprint);
                self.progress.finished.notify_waiters();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    const MAIL: Fingerprint = Fingerprint([1; 32]);

    #[test]
    fn an_equal_mail_of_another_connection_waits_for_all_of_the_first() {
        let progress = Arc::new(InProgress::default());
        let admit = |connection| progress.admit(MAIL, connection).now_or_never();
        let (first, second) = (admit(1), admit(1));
        assert!(first.is_some() && second.is_some());
        let mut waiting = pin!(progress.admit(MAIL, 2));
        assert!(waiting.as_mut().now_or_never().is_none());
        drop(first);
        assert!(waiting.as_mut().now_or_never().is_none());
        drop(second);
        let third = waiting.as_mut().now_or_never();
        assert!(third.is_some());
        assert!(admit(1).is_none());
        drop(third);
        assert!(progress.mails.lock().is_empty());
    }

    #[test]
    fn different_mails_wait_for_nobody() {
        let progress = Arc::new(InProgress::default());
        let _first = progress.admit(MAIL, 1).now_or_never().expect("no waiting");
        let other = progress.admit(Fingerprint([2; 32]), 2).now_or_never();
        assert!(other.is_some());
    }
}
