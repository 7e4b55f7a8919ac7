//! What is to be logged, on its way to the one thread that writes it.
//!
//! Whoever has something to say hands it over and goes on: a slow terminal, a full pipe or a journald that hangs holds up nothing. What waits
//! takes a bounded share of memory; beyond that it is lost, and counted.

use super::blocks::Line;
use crate::ledger::SuspensionId;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, TryRecvError};
use std::time::{Duration, Instant};

/// So many bytes wait to be written at most: ten thousand lines or more.
const MOST: usize = 8 * 1024 * 1024;

/// Blocks and all that is for debugging take no more than this of it: they are not to drown the lines that matter.
const MOST_FOR_DEBUGGING: usize = MOST / 2;

/// So much memory each item takes beside its text.
const OVERHEAD: usize = 256;

/// Where to hand over what is to be logged. Never blocks.
#[derive(Debug, Clone)]
pub(super) struct Queue {
    items: Sender<Item>,
    counts: Arc<Counts>,
}

/// Where the thread that writes takes it from.
#[derive(Debug)]
pub(super) struct Queued {
    items: Receiver<Item>,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    /// How many bytes wait.
    waiting: AtomicUsize,
    /// How many lines found no room.
    lost: AtomicU64,
    /// How many blocks found no room.
    left_out: AtomicU64,
}

/// What the thread that writes is told.
#[derive(Debug)]
pub(super) enum Item {
    /// To be written as it is.
    Line(Vec<u8>),
    /// The block of a mail.
    Block(Vec<Line>),
    /// What a platform answered about a suspension.
    Answer(SuspensionId, String),
    /// All that came before is to be written; then the sender is dropped.
    Flush(Sender<()>),
}

/// A queue for the log.
pub(super) fn queue() -> (Queue, Queued) {
    let (sender, items) = mpsc::channel();
    let counts = Arc::<Counts>::default();
    let queue = Queue {
        items: sender,
        counts: counts.clone(),
    };
    (queue, Queued { items, counts })
}

impl Queue {
    /// Hands over a line that is ready to be written.
    pub(super) fn line(&self, bytes: Vec<u8>, for_debugging: bool) {
        let most = match for_debugging {
            true => MOST_FOR_DEBUGGING,
            false => MOST,
        };
        if !self.push(Item::Line(bytes), most) {
            self.counts.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Hands over the block of a mail.
    pub(super) fn block(&self, lines: Vec<Line>) {
        if !self.push(Item::Block(lines), MOST_FOR_DEBUGGING) {
            self.counts.left_out.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Hands over a platform's answer; without it, the block says in the end that there was none yet.
    pub(super) fn answer(&self, id: SuspensionId, response: String) {
        self.push(Item::Answer(id, response), MOST_FOR_DEBUGGING);
    }

    /// Waits until all that was handed over before is written, but no longer than `patience`. Whether it is.
    pub(super) fn flush(&self, patience: Duration) -> bool {
        let (written, is_written) = mpsc::channel();
        let told = self.items.send(Item::Flush(written)).is_ok();
        told && is_written.recv_timeout(patience) == Err(RecvTimeoutError::Disconnected)
    }

    /// Hands over an item if no more than `most` bytes wait with it.
    fn push(&self, item: Item, most: usize) -> bool {
        let size = item.size();
        let with_it = |waiting: usize| waiting.checked_add(size).filter(|sum| *sum <= most);
        let (set, fetch) = (Ordering::Relaxed, Ordering::Relaxed);
        let fits = self.counts.waiting.fetch_update(set, fetch, with_it);
        fits.is_ok() && self.items.send(item).is_ok()
    }
}

impl Queued {
    /// Waits for the next item, until `deadline` if there is one.
    pub(super) fn next(&self, deadline: Option<Instant>) -> Result<Item, RecvTimeoutError> {
        let item = match deadline {
            None => self.items.recv().map_err(RecvTimeoutError::from),
            Some(deadline) => {
                let wait = deadline.saturating_duration_since(Instant::now());
                self.items.recv_timeout(wait)
            }
        };
        self.taken(item)
    }

    /// The next item, if one waits.
    pub(super) fn try_next(&self) -> Result<Item, TryRecvError> {
        self.taken(self.items.try_recv())
    }

    fn taken<E>(&self, item: Result<Item, E>) -> Result<Item, E> {
        if let Ok(item) = &item {
            self.counts
                .waiting
                .fetch_sub(item.size(), Ordering::Relaxed);
        }
        item
    }

    /// A line could not be written.
    pub(super) fn lose(&self, lines: u64) {
        self.counts.lost.fetch_add(lines, Ordering::Relaxed);
    }

    /// How many lines and blocks were lost since this was asked last.
    pub(super) fn lost(&self) -> (u64, u64) {
        let taken = |count: &AtomicU64| count.swap(0, Ordering::Relaxed);
        (taken(&self.counts.lost), taken(&self.counts.left_out))
    }
}

impl Item {
    fn size(&self) -> usize {
        match self {
            Item::Line(bytes) => OVERHEAD + bytes.len(),
            Item::Block(lines) => lines.iter().map(|line| OVERHEAD + line.text.len()).sum(),
            Item::Answer(_, response) => OVERHEAD + response.len(),
            // Waits for nothing but those before it.
            Item::Flush(_) => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str, awaits: Option<i64>) -> Line {
        let awaits = awaits.map(SuspensionId);
        let text = text.to_owned();
        Line { text, awaits }
    }

    #[test]
    fn what_waits_is_bounded_and_what_is_lost_is_counted() {
        let (queue, queued) = queue();
        let hand_over = |count: usize, for_debugging| {
            (0..count).for_each(|_| queue.line(vec![b'x'; 1_000], for_debugging));
        };
        let lines = |most: usize| most / (1_000 + OVERHEAD);
        // Blocks and debugging leave room for the lines that matter.
        hand_over(lines(MOST), true);
        queue.block(vec![line(&"x".repeat(1_000), None)]);
        queue.answer(SuspensionId(1), "x".repeat(1_000));
        let debugging = lines(MOST_FOR_DEBUGGING);
        assert_eq!(queued.lost(), ((lines(MOST) - debugging) as u64, 1));
        hand_over(lines(MOST), false);
        assert_eq!(queued.lost(), (debugging as u64, 0));
        assert!(queued.counts.waiting.load(Ordering::Relaxed) <= MOST);
        let taken = std::iter::from_fn(|| queued.try_next().ok()).count();
        assert_eq!(taken, lines(MOST));
        assert_eq!(queued.counts.waiting.load(Ordering::Relaxed), 0);
        hand_over(1, true);
        assert_eq!(queued.lost(), (0, 0));
    }

    #[test]
    fn many_small_lines_take_no_more_than_a_few_large_ones() {
        let (queue, queued) = queue();
        for _ in 0..2 * MOST / OVERHEAD {
            queue.line(Vec::new(), false);
        }
        let taken = std::iter::from_fn(|| queued.try_next().ok()).count();
        assert_eq!(taken, MOST / OVERHEAD);
    }
}
