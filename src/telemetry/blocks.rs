//! The block of lines that one mail is worth to an operator (DESIGN 10), held until the platform has answered, so that no other
//! mail's lines tear it apart.

use crate::ledger::SuspensionId;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::{Duration, Instant};

/// More blocks than this do not wait for answers: the oldest is printed without its own. As many answers wait for blocks.
const MOST_WAITING: usize = 1_000;

/// A block waits no longer than this for its answers: its platform is slow or down, and that is said by itself.
const PATIENCE: Duration = Duration::from_secs(10);

/// One line of a block.
#[derive(Debug)]
pub(super) struct Line {
    pub text: String,
    /// The suspension whose answer is to follow this line.
    pub awaits: Option<SuspensionId>,
}

/// A block that is to be printed.
#[derive(Debug)]
pub(super) struct Block {
    lines: Vec<Line>,
    since: Instant,
}

impl Block {
    /// Its lines as they are printed.
    pub(super) fn texts(self) -> impl Iterator<Item = String> {
        self.lines.into_iter().flat_map(|line| {
            let pending = "Response:  none yet; it will be posted until the platform answers";
            let pending = line.awaits.map(|_| pending.to_owned());
            [Some(line.text), pending].into_iter().flatten()
        })
    }
}

/// The blocks that wait for answers, and the answers that wait for blocks.
#[derive(Debug, Default)]
pub(super) struct Waiting {
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
    pub(super) fn block(&mut self, lines: Vec<Line>, now: Instant) -> Vec<Block> {
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
    pub(super) fn answered(
        &mut self,
        id: SuspensionId,
        response: String,
        now: Instant,
    ) -> Vec<Block> {
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
    pub(super) fn too_old(&mut self, now: Instant) -> Vec<Block> {
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
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let block = self.blocks.first_key_value().map(|(_, block)| block.since);
        let answer = self.early_by_age.front().map(|(since, _)| *since);
        block
            .into_iter()
            .chain(answer)
            .min()
            .map(|oldest| oldest + PATIENCE)
    }

    /// Takes all that wait, whether their answers are there or not.
    pub(super) fn take_all(&mut self) -> Vec<Block> {
        self.awaited.clear();
        std::mem::take(&mut self.blocks).into_values().collect()
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
