//! The thread that keeps mails in the archive, and confirms them afterwards.
//!
//! A mail that is to be kept is confirmed when it is: should the process end before, it comes again, is known, and is kept then. All other
//! mails are confirmed without waiting for it. What is handed over is bounded; while the archive is too slow for what comes, mails are
//! confirmed without being kept, and that is said.

use crate::address::Address;
use crate::archive::{Archive, MOST_FILES};
use crate::mail::{Mail, Receipt, Ticket};
use crate::telemetry::{Event, emit};
use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// So many mails may wait to be kept, and so many bytes of them.
const MOST_WAITING: usize = 1_024;
const MOST_BYTES: usize = 32 * 1024 * 1024;

/// So many mails are kept at a time.
const AT_ONCE: usize = 128;

/// So long whoever hands mails over waits for room, for all of them together.
const PATIENCE: Duration = Duration::from_secs(1);

/// When the process is to end, what is not kept by then is given back.
const AT_THE_END: Duration = Duration::from_secs(3);

/// A mail to be kept.
pub struct Kept {
    /// The mail.
    pub mail: Mail,
    /// The addresses that it led to the suspension of.
    pub addresses: Vec<Address>,
    /// Is confirmed with the ticket when the mail is kept.
    pub receipt: Receipt,
    /// What the receipt is confirmed with.
    pub ticket: Ticket,
}

impl Kept {
    fn confirm(self) {
        self.receipt.confirm(self.ticket);
    }
}

/// Keeps mails, on a thread of its own.
pub struct Keeper {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Kept>,
    /// Of what waits and of what is being kept.
    bytes: usize,
    /// Set when nothing more comes.
    give_up: Option<Instant>,
    /// How many were not kept since that was last said.
    left_out: usize,
}

impl Keeper {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(archive: Archive) -> std::io::Result<Keeper> {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let of_thread = shared.clone();
        let thread = std::thread::Builder::new().name("archive".to_owned());
        let thread = thread.spawn(move || of_thread.keep_all(&archive))?;
        Ok(Keeper {
            shared,
            thread: Some(thread),
        })
    }

    /// Hands mails over. Waits a bounded time for room; what finds none is confirmed without being kept.
    pub fn keep(&self, mails: impl IntoIterator<Item = Kept>) {
        let deadline = Instant::now() + PATIENCE;
        for mail in mails {
            let mut state = self.shared.state.lock();
            while !state.has_room() {
                if self
                    .shared
                    .changed
                    .wait_until(&mut state, deadline)
                    .timed_out()
                {
                    break;
                }
            }
            if state.has_room() {
                state.bytes += mail.mail.raw().len();
                state.waiting.push_back(mail);
                self.shared.changed.notify_all();
            } else {
                state.left_out += 1;
                drop(state);
                mail.confirm();
            }
        }
        let left_out = std::mem::take(&mut self.shared.state.lock().left_out);
        if left_out > 0 {
            emit(&Event::ArchiveTooSlow { mails: left_out });
        }
    }
}

impl Drop for Keeper {
    /// Waits for what was handed over to be kept, a bounded time.
    fn drop(&mut self) {
        self.shared.state.lock().give_up = Some(Instant::now() + AT_THE_END);
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // It panics at nothing.
            let _ = thread.join();
        }
    }
}

impl State {
    /// One mail always finds room, however large it is.
    fn has_room(&self) -> bool {
        self.bytes == 0 || (self.waiting.len() < MOST_WAITING && self.bytes < MOST_BYTES)
    }
}

impl Shared {
    fn keep_all(&self, archive: &Archive) {
        while let Some(batch) = self.next() {
            let mails: Vec<(&[u8], &[Address])> = batch
                .iter()
                .map(|mail| (mail.mail.raw(), &mail.addresses[..]))
                .collect();
            for (address, error) in archive.keep(&mails) {
                emit(&Event::NotKept {
                    address,
                    fault: &error,
                });
            }
            let bytes: usize = batch.iter().map(|mail| mail.mail.raw().len()).sum();
            for mail in batch {
                if mail.addresses.len() > MOST_FILES {
                    emit(&Event::KeptForSome {
                        addresses: mail.addresses.len(),
                        most: MOST_FILES,
                    });
                }
                mail.confirm();
            }
            self.state.lock().bytes -= bytes;
            self.changed.notify_all();
        }
    }

    /// Waits for mails to keep; none when there will be no more.
    fn next(&self) -> Option<Vec<Kept>> {
        let mut state = self.state.lock();
        loop {
            if state.give_up.is_some_and(|at| Instant::now() >= at) {
                // Their receipts are dropped: whoever handed them in brings them again.
                state.waiting.clear();
                return None;
            }
            if !state.waiting.is_empty() {
                let count = state.waiting.len().min(AT_ONCE);
                return Some(state.waiting.drain(..count).collect());
            }
            if state.give_up.is_some() {
                return None;
            }
            self.changed.wait(&mut state);
        }
    }
}
