//! A thread of the ledger's own, which does one thing after the other for callers that must not wait themselves.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::{io, thread};
use tokio::sync::oneshot;

/// Ends once this is dropped and what it was given is done.
pub(super) struct Thread(mpsc::Sender<Job>);

type Job = Box<dyn FnOnce() + Send>;

impl Thread {
    pub fn start(name: &str) -> io::Result<Thread> {
        let (sender, jobs) = mpsc::channel::<Job>();
        thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                for job in jobs {
                    // Its caller learns of a panic by the answer that does not come.
                    let _ = catch_unwind(AssertUnwindSafe(job));
                }
            })?;
        Ok(Thread(sender))
    }

    /// What `job` returns; none if it panicked. It runs to its end even if nobody waits for it any more.
    pub async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        let job = Box::new(move || {
            let _ = answer.send(job());
        });
        self.0.send(job).ok()?;
        answered.await.ok()
    }
}
