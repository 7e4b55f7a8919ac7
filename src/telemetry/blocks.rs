//! The block of lines that one mail is worth to an operator (DESIGN 9), held until the platform has answered, so that no other
//! mail's lines tear it apart.

use super::output::together;
use crate::ledger::SuspensionId;
use parking_lot::{Mutex, MutexGuard};
use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

/// More blocks than this do not wait: the oldest is printed without its answer.
const MOST_WAITING: usize = 1_000;

/// A block waits no longer than this: its platform is slow or down, and that is said by itself.
const PATIENCE: Duration = Duration::from_secs(10);

/// The blocks that wait for an answer.
#[derive(Debug, Default)]
pub struct Blocks(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    /// By the order in which they came.
    blocks: BTreeMap<u64, Block>,
    /// Which block waits for which answer.
    answers: HashMap<SuspensionId, u64>,
    next: u64,
}

#[derive(Debug)]
struct Block {
    lines: Vec<Line>,
    since: Instant,
}

/// One line of a block.
#[derive(Debug)]
pub(super) struct Line {
    pub text: String,
    /// The suspension whose answer is to follow this line.
    pub awaits: Option<SuspensionId>,
}

/// Keeps answers back while the blocks that wait for them are on their way: to be held over the commit that creates the
/// suspensions, since the suspender may be quicker than the engine.
pub struct Opening<'a>(MutexGuard<'a, Waiting>);

impl Blocks {
    /// Keeps answers back until the guard is dropped.
    pub fn open(&self) -> Opening<'_> {
        Opening(self.0.lock())
    }

    /// Takes the platform's answer about a suspension, such as `200 / {"processd_email": "a@b"}`, into the block that waits for it,
    /// if one does, and prints that block when it was the last.
    pub fn answered(&self, id: SuspensionId, response: &str) {
        let mut waiting = self.0.lock();
        let Some(number) = waiting.answers.remove(&id) else {
            return;
        };
        let Some(block) = waiting.blocks.get_mut(&number) else {
            return;
        };
        if let Some(at) = block.lines.iter().position(|line| line.awaits == Some(id)) {
            block.lines[at].awaits = None;
            let text = format!("Response:  {response}");
            block.lines.insert(at + 1, Line { text, awaits: None });
        }
        if block.lines.iter().all(|line| line.awaits.is_none()) {
            waiting.print(number);
        }
    }

    /// Prints the blocks that have waited for too long; to be called now and then.
    pub fn release(&self) {
        let mut waiting = self.0.lock();
        while let Some(oldest) = waiting.blocks.first_entry()
            && oldest.get().since.elapsed() > PATIENCE
        {
            let number = *oldest.key();
            waiting.print(number);
        }
    }
}

impl Opening<'_> {
    /// Prints a block, or holds it until its answers have come.
    pub(super) fn block(&mut self, lines: Vec<Line>) {
        let waiting = &mut *self.0;
        let number = waiting.next;
        waiting.next += 1;
        let awaited: Vec<SuspensionId> = lines.iter().filter_map(|line| line.awaits).collect();
        for id in &awaited {
            waiting.answers.insert(*id, number);
        }
        let since = Instant::now();
        waiting.blocks.insert(number, Block { lines, since });
        if awaited.is_empty() {
            waiting.print(number);
        } else if waiting.blocks.len() > MOST_WAITING
            && let Some(oldest) = waiting.blocks.first_entry()
        {
            let number = *oldest.key();
            waiting.print(number);
        }
    }
}

impl Waiting {
    fn print(&mut self, number: u64) {
        let Some(block) = self.blocks.remove(&number) else {
            return;
        };
        together(|| {
            for line in block.lines {
                tracing::debug!("{}", line.text);
                if let Some(id) = line.awaits {
                    self.answers.remove(&id);
                    tracing::debug!(
                        "Response:  none yet; it will be posted until the platform answers"
                    );
                }
            }
        });
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        while let Some(oldest) = self.blocks.first_entry() {
            let number = *oldest.key();
            self.print(number);
        }
    }
}
