//! The one thread that writes the log: lines in the order in which they were handed over, and each block as soon as its answers are there.

use super::blocks::{Block, Waiting};
use super::queue::{Item, Queued};
use super::sink::{Said, Sink};
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};
use tracing::Level;

/// While the log does not take all lines for longer than this, it is said again how many were lost.
const LOSING: Duration = Duration::from_secs(10);

/// Writes what is handed over.
#[derive(Debug)]
pub(super) struct Writer {
    queued: Queued,
    sink: Sink,
    waiting: Waiting,
    /// How many lines and blocks were lost, and when the first of them was missed.
    lost: Option<(u64, u64, Instant)>,
}

impl Writer {
    pub(super) fn new(queued: Queued, sink: Sink) -> Writer {
        Writer {
            queued,
            sink,
            waiting: Waiting::default(),
            lost: None,
        }
    }

    /// The work of the thread: ends when nobody can hand over anything any more.
    pub(super) fn run(mut self) {
        loop {
            let item = match self.queued.try_next() {
                Ok(item) => Ok(item),
                Err(_) => {
                    self.say_what_was_lost();
                    self.queued.next(self.waiting.next_deadline())
                }
            };
            let due = match item {
                Ok(Item::Line(line)) => {
                    self.write(&line);
                    Vec::new()
                }
                Ok(Item::Block(lines)) => self.waiting.block(lines, Instant::now()),
                Ok(Item::Answer(id, response)) => {
                    self.waiting.answered(id, response, Instant::now())
                }
                Ok(Item::Flush(written)) => {
                    self.take_leave();
                    drop(written);
                    Vec::new()
                }
                Err(RecvTimeoutError::Timeout) => self.waiting.too_old(Instant::now()),
                Err(RecvTimeoutError::Disconnected) => return self.take_leave(),
            };
            due.into_iter().for_each(|block| self.print(block));
            let (lines, blocks) = self.queued.lost();
            if lines + blocks > 0 {
                let (more, too, since) = self.lost.unwrap_or((0, 0, Instant::now()));
                self.lost = Some((lines + more, blocks + too, since));
            }
            if self
                .lost
                .is_some_and(|(_, _, since)| since.elapsed() > LOSING)
            {
                self.say_what_was_lost();
            }
        }
    }

    /// Prints what still waits for answers: the program may end now.
    fn take_leave(&mut self) {
        let blocks = self.waiting.take_all();
        blocks.into_iter().for_each(|block| self.print(block));
        self.say_what_was_lost();
    }

    fn say_what_was_lost(&mut self) {
        let Some((lines, blocks, _)) = self.lost.take() else {
            return;
        };
        if lines > 0 {
            self.say(
                Level::WARN,
                format!("{lines} log lines were lost: they came faster than the log takes them."),
            );
        }
        if blocks > 0 {
            self.say(
                Level::DEBUG,
                format!("The blocks of {blocks} mails were left out: they came faster than the log takes them."),
            );
        }
    }

    fn print(&self, block: Block) {
        block.texts().for_each(|text| self.say(Level::DEBUG, text));
    }

    fn say(&self, level: Level, text: String) {
        self.write(&Said::plain(level, text).line(self.sink.form()));
    }

    /// A closed stream is no reason to stop handling mail.
    fn write(&self, line: &[u8]) {
        if self.sink.write(line).is_err() {
            self.queued.lose(1);
        }
    }
}
