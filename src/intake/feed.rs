//! Mails that are at hand, from files or standard input, as one intake among others.

use super::Intake;
use crate::mail::{Delivery, Mail, Receipt, Settled};
use crate::memory::Owner;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tracing::error;

/// What became of the mails; complete when the service has finished.
#[derive(Debug, Default)]
pub struct Tally {
    recorded: AtomicUsize,
    returned: AtomicUsize,
}

impl Tally {
    /// How many are committed to disk.
    pub fn recorded(&self) -> usize {
        self.recorded.load(Ordering::Acquire)
    }

    /// How many are not: the log says why.
    pub fn returned(&self) -> usize {
        self.returned.load(Ordering::Acquire)
    }
}

/// What takes the memory for mails.
const FILES: Owner = Owner::Part("files");

/// Hands mails in, as fast as they are taken and as far as there is memory for them; one that can't be read is logged
/// and counts as returned. It may block while it reads the next one.
///
/// # Errors
/// When the engine has died.
pub async fn run(
    intake: Intake,
    tally: &Arc<Tally>,
    mails: impl Iterator<Item = anyhow::Result<Mail>>,
) -> anyhow::Result<()> {
    for mail in mails {
        let mail = match mail {
            Ok(mail) => mail,
            Err(error) => {
                error!("{error:#}");
                tally.returned.fetch_add(1, Ordering::Release);
                continue;
            }
        };
        let memory = intake.memory.acquire(FILES, mail.raw().len()).await;
        let (tally, acknowledged) = (tally.clone(), intake.acknowledged.clone());
        let receipt = Receipt::new(move |settled| {
            drop(memory);
            match settled {
                Settled::Confirmed(ticket) => {
                    // Whoever started this process sees that it ended well: nothing is handed in again by mistake.
                    acknowledged.peer_knows(ticket);
                    tally.recorded.fetch_add(1, Ordering::Release);
                }
                Settled::Returned => {
                    tally.returned.fetch_add(1, Ordering::Release);
                }
            }
        });
        let delivery = Delivery { mail, receipt };
        if intake.inbox.send(delivery).await.is_err() {
            anyhow::bail!("the engine has died");
        }
    }
    Ok(())
}
