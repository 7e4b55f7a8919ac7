//! Mails from files or standard input → the service, as one intake among others.

use crate::intake;
use crate::mail::{Delivery, Mail, Receipt, Settled};
use crate::memory::Owner;
use crate::service::Service;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tracing::error;

/// What became of the mails; complete when the service has finished.
#[derive(Debug, Default)]
pub(super) struct Tally {
    recorded: AtomicUsize,
    returned: AtomicUsize,
}

impl Tally {
    /// How many are committed to disk.
    pub(super) fn recorded(&self) -> usize {
        self.recorded.load(Ordering::Acquire)
    }

    /// How many are not: the log says why.
    pub(super) fn returned(&self) -> usize {
        self.returned.load(Ordering::Acquire)
    }
}

/// What takes the memory for mails.
const FILES: Owner = Owner::Part("files");

/// Hands mails in, as fast as they are taken and as far as there is memory for them; one that can't be read is logged and counts as
/// returned. It may block while it reads the next one.
///
/// # Errors
/// When the service has died.
pub(super) async fn feed(
    service: &Service,
    tally: &Arc<Tally>,
    mails: impl Iterator<Item = anyhow::Result<Mail>>,
) -> anyhow::Result<()> {
    let inbox = service.inbox();
    let budget = intake::memory(0);
    for mail in mails {
        let mail = match mail {
            Ok(mail) => mail,
            Err(error) => {
                error!("{error:#}");
                tally.returned.fetch_add(1, Ordering::Release);
                continue;
            }
        };
        let memory = budget.acquire(FILES, mail.raw().len()).await;
        let (tally, ledger) = (tally.clone(), service.ledger.clone());
        let receipt = Receipt::new(move |settled| {
            drop(memory);
            match settled {
                Settled::Confirmed(ticket) => {
                    // Whoever started this process sees that it ended well: nothing is handed in again by mistake.
                    ledger.forget(&[ticket]);
                    tally.recorded.fetch_add(1, Ordering::Release);
                }
                Settled::Returned => {
                    tally.returned.fetch_add(1, Ordering::Release);
                }
            }
        });
        let delivery = Delivery { mail, receipt };
        if inbox.send(delivery).await.is_err() {
            anyhow::bail!("the engine has died");
        }
    }
    Ok(())
}
