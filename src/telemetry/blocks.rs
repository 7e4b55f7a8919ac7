//! The block of lines that one mail is worth to an operator (DESIGN 10), held until the platform has answered, so that no other
//! mail's lines tear it apart.
//!
//! A thread of its own puts blocks and answers together and prints them. Whoever has something to say hands it over and goes on:
//! neither a slow terminal nor a full pipe holds up the flow of mails.

use super::output::together;
use crate::ledger::SuspensionId;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender, TrySendError};
use std::time::{Duration, Instant};

/// More blocks than this do not wait for answers: the oldest is printed without its own. As many answers wait for blocks.
const MOST_WAITING: usize = 1_000;

/// More blocks and answers than this do not wait for the thread: while the log does not take them, they are left out.
const MOST_QUEUED: usize = 4_000;

/// A block waits no longer than this for its answers: its platform is slow or down, and that is said by itself.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long the last blocks may take to be printed when the program ends.
const LAST_BLOCKS: Duration = Duration::from_secs(2);

/// One line of a block.
#[derive(Debug)]
pub(super) struct Line {
    pub text: String,
    /// The suspension whose answer is to follow this line.
    pub awaits: Option<SuspensionId>,
}

/// Where blocks and answers are handed over; never blocks. The default one leaves everything out.
#[derive(Debug, Clone, Default)]
pub struct Blocks(Option<Queue>);

#[derive(Debug, Clone)]
struct Queue {
    said: SyncSender<Said>,
    /// How many blocks found the queue full.
    left_out: Arc<AtomicU64>,
}

/// What the thread is told.
#[derive(Debug)]
enum Said {
    Block(Vec<Line>),
    Answer(SuspensionId, String),
}

/// The thread that prints.
#[derive(Debug)]
pub struct Printing(Receiver<()>);

impl Blocks {
    /// Starts the thread that prints.
    pub fn start() -> (Blocks, Printing) {
        let (said, queue) = mpsc::sync_channel(MOST_QUEUED);
        let (at_its_end, end) = mpsc::channel();
        let left_out = Arc::<AtomicU64>::default();
        let counter = left_out.clone();
        let thread = std::thread::Builder::new().name("log blocks".to_owned());
        let started = thread.spawn(move || {
            // Dropped when the thread ends, in whatever way.
            let _at_its_end = at_its_end;
            print_all(&queue, &counter);
        });
        let queue = Queue { said, left_out };
        (Blocks(started.is_ok().then_some(queue)), Printing(end))
    }

    /// Whether blocks are printed at all.
    pub(super) fn are_wanted(&self) -> bool {
        self.0.is_some() && tracing::enabled!(tracing::Level::DEBUG)
    }

    /// Prints a block as soon as its answers are there.
    pub(super) fn block(&self, lines: Vec<Line>) {
        self.say(Said::Block(lines));
    }

    /// Takes the platform's answer about a suspension, such as `200 / {"processd_email": "a@b"}`, into the block that waits for it,
    /// or will: the platform may answer before the block of the mail is there.
    pub fn answered(&self, id: SuspensionId, response: &str) {
        if self.are_wanted() {
            self.say(Said::Answer(id, response.to_owned()));
        }
    }

    fn say(&self, said: Said) {
        let Some(queue) = &self.0 else { return };
        if let Err(TrySendError::Full(Said::Block(_))) = queue.said.try_send(said) {
            queue.left_out.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Printing {
    /// Waits a moment for the last blocks to be printed. Every [`Blocks`] is to be dropped before.
    pub fn finish(self) {
        // Whoever does not read the log by now does without its end.
        let _ = self.0.recv_timeout(LAST_BLOCKS);
    }
}

/// The work of the thread.
fn print_all(queue: &Receiver<Said>, left_out: &AtomicU64) {
    let mut waiting = Waiting::default();
    loop {
        let said = match waiting.next_deadline() {
            Some(deadline) => {
                queue.recv_timeout(deadline.saturating_duration_since(Instant::now()))
            }
            None => queue.recv().map_err(RecvTimeoutError::from),
        };
        let due = match said {
            Ok(Said::Block(lines)) => waiting.block(lines, Instant::now()),
            Ok(Said::Answer(id, response)) => waiting.answered(id, response, Instant::now()),
            Err(RecvTimeoutError::Timeout) => waiting.too_old(Instant::now()),
            Err(RecvTimeoutError::Disconnected) => break,
        };
        due.into_iter().for_each(print);
        let left_out = left_out.swap(0, Ordering::Relaxed);
        if left_out > 0 {
            tracing::debug!(
                "The blocks of {left_out} mails were left out: they came faster than the log takes them."
            );
        }
    }
    waiting.blocks.into_values().for_each(print);
}

fn print(block: Block) {
    together(|| {
        for line in block.lines {
            tracing::debug!("{}", line.text);
            if line.awaits.is_some() {
                tracing::debug!(
                    "Response:  none yet; it will be posted until the platform answers"
                );
            }
        }
    });
}

#[derive(Debug)]
struct Block {
    lines: Vec<Line>,
    since: Instant,
}

/// The blocks that wait for answers, and the answers that wait for blocks.
#[derive(Debug, Default)]
struct Waiting {
    /// By the order in which they came.
    blocks: BTreeMap<u64, Block>,
    /// Which block waits for which answer.
    awaited: HashMap<SuspensionId, u64>,
    /// Answers that came before their blocks, or that no block will ask for.
    early: HashMap<SuspensionId, String>,
    early_by_age: VecDeque<(Instant, SuspensionId)>,
    next: u64,
}

impl Waiting {
    /// Takes a block; returns what is to be printed now.
    fn block(&mut self, lines: Vec<Line>, now: Instant) -> Vec<Block> {
        let number = self.next;
        self.next += 1;
        let awaited: Vec<SuspensionId> = lines.iter().filter_map(|line| line.awaits).collect();
        self.awaited.extend(awaited.iter().map(|id| (*id, number)));
        self.blocks.insert(number, Block { lines, since: now });
        for id in &awaited {
            if let Some(response) = self.early.remove(id) {
                self.insert(*id, &response);
            }
        }
        let mut due: Vec<Block> = self.take_if_complete(number).into_iter().collect();
        if self.blocks.len() > MOST_WAITING {
            due.extend(self.take_oldest());
        }
        due
    }

    /// Takes an answer; returns what is to be printed now.
    fn answered(&mut self, id: SuspensionId, response: String, now: Instant) -> Vec<Block> {
        if let Some(number) = self.insert(id, &response) {
            return self.take_if_complete(number).into_iter().collect();
        }
        self.early.insert(id, response);
        self.early_by_age.push_back((now, id));
        if self.early_by_age.len() > MOST_WAITING {
            self.drop_oldest_answer();
        }
        Vec::new()
    }

    /// Takes what has waited for too long; returns what is to be printed now.
    fn too_old(&mut self, now: Instant) -> Vec<Block> {
        let is_old = |since: Instant| now.saturating_duration_since(since) >= PATIENCE;
        while self
            .early_by_age
            .front()
            .is_some_and(|(since, _)| is_old(*since))
        {
            self.drop_oldest_answer();
        }
        let mut due = Vec::new();
        while self
            .blocks
            .first_key_value()
            .is_some_and(|(_, oldest)| is_old(oldest.since))
        {
            due.extend(self.take_oldest());
        }
        due
    }

    /// When something will have waited for too long.
    fn next_deadline(&self) -> Option<Instant> {
        let block = self.blocks.first_key_value().map(|(_, block)| block.since);
        let answer = self.early_by_age.front().map(|(since, _)| *since);
        block
            .into_iter()
            .chain(answer)
            .min()
            .map(|oldest| oldest + PATIENCE)
    }

    /// Puts an answer into the block that waits for it; returns the number of that block.
    fn insert(&mut self, id: SuspensionId, response: &str) -> Option<u64> {
        let number = self.awaited.remove(&id)?;
        let lines = &mut self.blocks.get_mut(&number)?.lines;
        let at = lines.iter().position(|line| line.awaits == Some(id))?;
        lines[at].awaits = None;
        let text = format!("Response:  {response}");
        lines.insert(at + 1, Line { text, awaits: None });
        Some(number)
    }

    fn take_if_complete(&mut self, number: u64) -> Option<Block> {
        let block = self.blocks.get(&number)?;
        let complete = block.lines.iter().all(|line| line.awaits.is_none());
        complete.then(|| self.blocks.remove(&number))?
    }

    fn take_oldest(&mut self) -> Option<Block> {
        let (_, block) = self.blocks.pop_first()?;
        for id in block.lines.iter().filter_map(|line| line.awaits) {
            self.awaited.remove(&id);
        }
        Some(block)
    }

    fn drop_oldest_answer(&mut self) {
        if let Some((_, id)) = self.early_by_age.pop_front() {
            self.early.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str, awaits: Option<i64>) -> Line {
        let awaits = awaits.map(SuspensionId);
        Line {
            text: text.to_owned(),
            awaits,
        }
    }

    fn texts(blocks: Vec<Block>) -> Vec<Vec<String>> {
        let texts = |block: Block| block.lines.into_iter().map(|line| line.text).collect();
        blocks.into_iter().map(texts).collect()
    }

    #[test]
    fn an_answer_that_is_there_first_waits_for_its_block() {
        let (mut waiting, now) = (Waiting::default(), Instant::now());
        assert!(
            waiting
                .answered(SuspensionId(7), "200 / ok".to_owned(), now)
                .is_empty()
        );
        let block = vec![line("Permanent: a@b", Some(7))];
        let printed = texts(waiting.block(block, now));
        assert_eq!(printed, [["Permanent: a@b", "Response:  200 / ok"]]);
    }

    #[test]
    fn a_block_waits_for_all_of_its_answers_but_not_for_ever() {
        let (mut waiting, now) = (Waiting::default(), Instant::now());
        let lines = || vec![line("a", Some(1)), line("b", Some(2))];
        assert!(waiting.block(lines(), now).is_empty());
        assert!(
            waiting
                .answered(SuspensionId(2), "2".to_owned(), now)
                .is_empty()
        );
        let printed = texts(waiting.answered(SuspensionId(1), "1".to_owned(), now));
        assert_eq!(printed, [["a", "Response:  1", "b", "Response:  2"]]);
        assert!(waiting.block(vec![line("c", Some(3))], now).is_empty());
        assert_eq!(waiting.next_deadline(), Some(now + PATIENCE));
        assert_eq!(texts(waiting.too_old(now + PATIENCE)), [["c"]]);
        assert_eq!(waiting.next_deadline(), None);
    }

    #[test]
    fn what_waits_is_bounded() {
        let (mut waiting, now) = (Waiting::default(), Instant::now());
        for id in 0..3 * MOST_WAITING as i64 {
            waiting.answered(SuspensionId(id), "early".to_owned(), now);
        }
        assert_eq!(
            (waiting.early.len(), waiting.early_by_age.len()),
            (MOST_WAITING, MOST_WAITING)
        );
        assert!(waiting.too_old(now + PATIENCE).is_empty());
        assert!(waiting.early.is_empty());
        let mut printed = 0;
        for id in 0..3 * MOST_WAITING as i64 {
            printed += waiting.block(vec![line("late", Some(id))], now).len();
        }
        assert_eq!(printed, 2 * MOST_WAITING);
        assert_eq!(
            (waiting.blocks.len(), waiting.awaited.len()),
            (MOST_WAITING, MOST_WAITING)
        );
    }
}
