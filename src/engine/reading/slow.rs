//! Mails that take long to read: other threads in the place of those that read them, so that they delay no other; what takes more time
//! than any should is given up.

use super::Shared;
use super::state::{LOOK, Lane, Reading, State};
use crate::engine::load::Load;
use crate::engine::processor;
use crate::mail::Delivery;
use std::sync::Arc;
use std::time::Duration;

/// How much time of a processor reading one mail may take. A debug build is slower by ten times and more, but does not
/// need to read the largest.
const BUDGET: Duration = Duration::from_secs(if cfg!(debug_assertions) { 3 } else { 1 });

/// So many threads of each lane may be reading slow mails beside those that read the others. Large mails take much memory to read.
const MOST_SLOW: [usize; 2] = [16, 2];

impl Shared {
    /// Puts other threads in the place of those that read slow mails, and gives up mails that take too long.
    pub(super) fn watch(self: &Arc<Self>) {
        loop {
            let mut state = self.state.lock();
            while state.reading.is_empty() {
                if state.is_finished() {
                    return;
                }
                self.begun.wait(&mut state);
            }
            drop(state);
            std::thread::sleep(LOOK);
            let mut state = self.state.lock();
            let state = &mut *state;
            if self.give_back.is_cancelled() {
                self.give_back(state);
            }
            let mut too_slow = Vec::new();
            for (number, reading) in &mut state.reading {
                if reading.since.elapsed() < LOOK {
                    continue;
                }
                let slow = &mut state.slow[reading.lane as usize];
                if !reading.replaced
                    && *slow < MOST_SLOW[reading.lane as usize]
                    && reading.is_to_be_replaced()
                    && self.start_thread(reading.lane).is_ok()
                {
                    *slow += 1;
                    reading.replaced = true;
                }
                if reading.replaced && reading.is_too_slow() {
                    too_slow.push(*number);
                }
            }
            for number in too_slow {
                if let Some(Reading {
                    delivery: Delivery { mail, receipt },
                    lane,
                    ..
                }) = state.reading.remove(&number)
                {
                    self.ended(state, (number, lane), self.reader.too_slow(mail), receipt);
                }
            }
        }
    }

    /// Gives back what waits and what is being read. The threads that read it find that out when they are done.
    fn give_back(&self, state: &mut State) {
        state.gave_back = true;
        let waiting = state.queues.iter_mut().flat_map(std::mem::take);
        let mut unread: Vec<Delivery> = waiting.collect();
        for (_, reading) in state.reading.drain() {
            state.slow[reading.lane as usize] += usize::from(!reading.replaced);
            unread.push(reading.delivery);
        }
        for delivery in &unread {
            state.load -= Load::unread(&delivery.mail);
        }
        self.room.notify_one();
        self.ready.notify_all();
    }
}

impl Reading {
    /// Whether the mails behind it should not wait for its end: small ones that it delays, large ones that it would block.
    fn is_to_be_replaced(&mut self) -> bool {
        self.lane == Lane::Small || self.is_too_slow()
    }

    /// Whether reading has taken more than its share of a processor. What it had to wait for one, as on a busy machine, is not its
    /// fault, nor that the machine was asleep.
    fn is_too_slow(&mut self) -> bool {
        let Some(has) = processor::time_of(self.thread) else {
            return self.since.elapsed() > 10 * BUDGET;
        };
        has.saturating_sub(*self.had.get_or_insert(has)) > BUDGET
    }
}
