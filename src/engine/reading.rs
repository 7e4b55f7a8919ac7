//! Reading mails: in parallel, each for a bounded time, the large ones apart from the small ones.
//!
//! Time to read grows with size, so a mail that takes long is nearly always a large one: those have threads of their own, which leave the
//! processors to all others, and a small mail never waits for one. Where a small mail takes long all the same, another thread takes the
//! place of the one that reads it. A mail that takes more time than any should is given up, and goes to quarantine. What is read is taken
//! out in batches, of each lane in the order in which reading began.
//!
//! - `state`: what is to be read, is being read, was read; what of it may be recorded
//! - `slow`: other threads in the place of slow ones; what takes too long is given up

mod slow;
mod state;

use super::load::Load;
use crate::ledger::Entry;
use crate::mail::{Delivery, Mail, Receipt};
use parking_lot::{Condvar, Mutex};
use state::{LOOK, Lane, Read, Reading, State};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// How much less of the processors the threads get that read large mails, as nice(1) counts: a tenth of what others get.
const NICE: i32 = 10;

/// What may be read and not yet recorded.
const MOST_WAITING: Load = Load {
    mails: 1_024,
    bytes: 64 * 1024 * 1024,
    rows: 20_000,
};

/// So long a batch waits to become larger while more small mails are about to be read.
const GATHER: Duration = Duration::from_millis(5);

/// How a mail is read, and what becomes of one that takes too long.
pub trait Reader: Send + Sync + 'static {
    /// Reads a mail.
    fn read(&self, mail: Mail) -> Entry;
    /// What is recorded of a mail that took too long.
    fn too_slow(&self, mail: Mail) -> Entry;
}

/// Reads what comes out of an inbox.
pub struct Readers(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    /// There is something to read, or there never will be again.
    work: [Condvar; 2],
    /// There is room for more.
    room: Condvar,
    /// Something was read, or nothing is left to be.
    ready: Condvar,
    /// Something is being read.
    begun: Condvar,
    reader: Box<dyn Reader>,
    /// Once cancelled, what is not read is given back.
    give_back: CancellationToken,
}

impl Readers {
    /// Starts to read what comes out of an inbox, until every sender of it is gone. Once `give_back` is cancelled, whatever is not
    /// read by then is given back to whoever handed it in.
    ///
    /// # Errors
    /// When the system gives no threads.
    pub fn start(
        mut inbox: mpsc::Receiver<Delivery>,
        reader: Box<dyn Reader>,
        give_back: CancellationToken,
    ) -> std::io::Result<Readers> {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            work: Default::default(),
            room: Condvar::new(),
            ready: Condvar::new(),
            begun: Condvar::new(),
            reader,
            give_back,
        });
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        for lane in [Lane::Small, Lane::Large] {
            for _ in 0..threads {
                shared.start_thread(lane)?;
            }
        }
        let watching = shared.clone();
        thread("watch reading", move || watching.watch())?;
        let taking = shared.clone();
        thread("take mails", move || {
            loop {
                taking.wait_for_room();
                match inbox.blocking_recv() {
                    Some(delivery) => taking.add(delivery),
                    None => return taking.close(),
                }
            }
        })?;
        Ok(Readers(shared))
    }

    /// Waits for mails that were read; none when there will be no more. The batch is at most `most`, or one mail.
    pub fn next_batch(&self, most: Load) -> Option<Vec<Read>> {
        let shared = &self.0;
        let mut state = shared.state.lock();
        while !state.is_ready() {
            if state.read.is_empty() && state.is_finished() {
                return None;
            }
            if state.read.is_empty() {
                shared.ready.wait(&mut state);
            } else {
                shared.ready.wait_for(&mut state, LOOK);
            }
        }
        let deadline = Instant::now() + GATHER;
        while state.read.len() < most.mails
            && !state.queues[Lane::Small as usize].is_empty()
            && !shared.ready.wait_until(&mut state, deadline).timed_out()
        {}
        Some(state.take(most))
    }

    /// These mails are recorded, or given back: there is room for others.
    pub fn forget(&self, load: Load) {
        let mut state = self.0.state.lock();
        state.load -= load;
        self.0.room.notify_one();
    }
}

impl Shared {
    fn wait_for_room(&self) {
        let mut state = self.state.lock();
        while !state.load.leaves_room(MOST_WAITING) {
            self.room.wait(&mut state);
        }
    }

    fn add(&self, delivery: Delivery) {
        let lane = Lane::of(&delivery.mail);
        let mut state = self.state.lock();
        if state.gave_back {
            return;
        }
        state.load += Load::unread(&delivery.mail);
        state.queues[lane as usize].push_back(delivery);
        self.work[lane as usize].notify_one();
    }

    fn close(&self) {
        self.state.lock().closed = true;
        self.work.iter().for_each(|work| _ = work.notify_all());
        self.ready.notify_all();
        self.begun.notify_all();
    }

    fn start_thread(self: &Arc<Self>, lane: Lane) -> std::io::Result<()> {
        let shared = self.clone();
        thread("read mails", move || shared.read_all(lane))
    }

    /// The work of a thread: reads the mails of its lane until there are no more, or another thread has taken its place.
    fn read_all(&self, lane: Lane) {
        let thread = rustix::thread::gettid().as_raw_nonzero().get();
        if lane == Lane::Large {
            // What a system refuses here is no more than a courtesy to the others.
            let _ = rustix::process::nice(NICE);
        }
        while let Some((number, mail)) = self.begin(lane, thread) {
            let entry = self.reader.read(mail);
            let mut state = self.state.lock();
            let reading = state.reading.remove(&number);
            // What was given up is there no more.
            let replaced = reading.as_ref().is_none_or(|reading| reading.replaced);
            if let Some(reading) = reading {
                self.ended(&mut state, (number, lane), entry, reading.delivery.receipt);
            }
            if replaced {
                return state.slow[lane as usize] -= 1;
            }
        }
    }

    /// Waits for a mail to read; none when there will be no more.
    fn begin(&self, lane: Lane, thread: i32) -> Option<(u64, Mail)> {
        let mut state = self.state.lock();
        loop {
            if let Some(delivery) = state.queues[lane as usize].pop_front() {
                let number = state.next;
                state.next += 1;
                let mail = delivery.mail.clone();
                let since = Instant::now();
                let reading = Reading {
                    delivery,
                    lane,
                    since,
                    thread,
                    had: None,
                    replaced: false,
                };
                state.reading.insert(number, reading);
                self.begun.notify_one();
                return Some((number, mail));
            }
            if state.closed {
                return None;
            }
            self.work[lane as usize].wait(&mut state);
        }
    }

    fn ended(&self, state: &mut State, place: (u64, Lane), entry: Entry, receipt: Receipt) {
        // So much memory it takes from now on.
        state.load += Load {
            mails: 0,
            bytes: 0,
            rows: Load::of(&entry).rows,
        };
        let (number, lane) = place;
        state.read.insert(number, (lane, Read { entry, receipt }));
        self.ready.notify_one();
    }
}

fn thread(name: &str, work: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(work)
        .map(drop)
}

#[cfg(test)]
mod tests {
    use super::state::LARGE;
    use super::*;
    use crate::mail::Source;
    use crate::policy::Decision;

    /// Reads small mails at once, and large ones once it is opened.
    #[derive(Clone, Default)]
    struct Gate(Arc<(Mutex<bool>, Condvar)>);

    impl Gate {
        fn open(&self) {
            *self.0.0.lock() = true;
            self.0.1.notify_all();
        }
    }

    impl Reader for Gate {
        fn read(&self, mail: Mail) -> Entry {
            let (is_open, opened) = &*self.0;
            if mail.raw().len() >= LARGE {
                opened.wait_while(&mut is_open.lock(), |open| !*open);
            }
            let decision = Decision::Ignore {
                platform: None,
                why: String::new(),
            };
            Entry {
                mail,
                report: None,
                decision,
            }
        }

        fn too_slow(&self, mail: Mail) -> Entry {
            self.read(mail)
        }
    }

    /// Readers that get mails of these sizes, and no more.
    fn readers(sizes: impl IntoIterator<Item = usize>, gate: &Gate) -> Readers {
        let (inbox, mails) = mpsc::channel(100);
        for size in sizes {
            let mail = Mail::new(Source::Stdin, vec![b'x'; size]);
            let receipt = Receipt::new(|_| {});
            inbox
                .try_send(Delivery { mail, receipt })
                .expect("there is room");
        }
        start(mails, gate)
    }

    fn start(mails: mpsc::Receiver<Delivery>, gate: &Gate) -> Readers {
        let never = CancellationToken::new();
        Readers::start(mails, Box::new(gate.clone()), never).expect("threads")
    }

    fn sizes(batch: Option<Vec<Read>>) -> Vec<usize> {
        let batch = batch.expect("there are mails");
        batch
            .iter()
            .map(|read| read.entry.mail.raw().len())
            .collect()
    }

    const FEW: Load = Load {
        mails: 4,
        bytes: 1_000,
        rows: 10,
    };

    #[test]
    fn a_small_mail_is_read_beside_any_number_of_large_ones() {
        let gate = Gate::default();
        let readers = readers([LARGE; 50].into_iter().chain([1]), &gate);
        assert_eq!(sizes(readers.next_batch(FEW)), [1]);
        gate.open();
        for _ in 0..50 {
            assert_eq!(
                sizes(readers.next_batch(FEW)),
                [LARGE],
                "one alone is a batch, whatever its size"
            );
        }
        assert!(readers.next_batch(FEW).is_none());
    }

    #[test]
    fn a_batch_is_bounded_by_mails_and_bytes() {
        let readers = readers([10; 20], &Gate::default());
        let mut count = 0;
        while let Some(batch) = readers.next_batch(FEW) {
            assert!(batch.len() < 5, "{}", batch.len());
            count += batch.len();
        }
        assert_eq!(count, 20);
        let readers = self::readers([400; 20], &Gate::default());
        while let Some(batch) = readers.next_batch(FEW) {
            assert!(batch.len() < 3, "{}", batch.len());
        }
    }

    #[test]
    fn what_is_not_recorded_is_bounded() {
        let gate = Gate::default();
        let most = MOST_WAITING.bytes / LARGE;
        let (inbox, mails) = mpsc::channel(1);
        let readers = start(mails, &gate);
        let send = std::thread::spawn(move || {
            for _ in 0..2 * most {
                let mail = Mail::new(Source::Stdin, vec![b'x'; LARGE]);
                let receipt = Receipt::new(|_| {});
                inbox
                    .blocking_send(Delivery { mail, receipt })
                    .expect("it is taken");
            }
        });
        gate.open();
        let mut read = 0;
        while let Some(batch) = readers.next_batch(MOST_WAITING) {
            let load: Load = batch.iter().map(|read| Load::of(&read.entry)).sum();
            let taken = readers.0.state.lock().load;
            assert!(taken.bytes <= MOST_WAITING.bytes, "{taken:?}");
            readers.forget(load);
            read += batch.len();
        }
        assert_eq!(read, 2 * most);
        assert_eq!(readers.0.state.lock().load, Load::default());
        send.join().expect("all was sent");
    }

    #[test]
    fn what_is_not_read_when_time_is_up_is_given_back() {
        let gate = Gate::default();
        let (returned, given_back) = std::sync::mpsc::channel();
        let (inbox, mails) = mpsc::channel(100);
        let delivery = |size| {
            let mail = Mail::new(Source::Stdin, vec![b'x'; size]);
            let returned = returned.clone();
            let receipt = Receipt::new(move |_| returned.send(size).expect("it is awaited"));
            Delivery { mail, receipt }
        };
        for size in [1, LARGE, LARGE, LARGE, LARGE] {
            inbox.try_send(delivery(size)).expect("there is room");
        }
        let time_is_up = CancellationToken::new();
        let readers = Readers::start(mails, Box::new(gate.clone()), time_is_up.clone());
        let readers = readers.expect("threads");
        let batch = readers.next_batch(FEW);
        assert_eq!(batch.as_ref().map(Vec::len), Some(1), "the small one");
        time_is_up.cancel();
        let next_back = || given_back.recv_timeout(Duration::from_secs(60));
        for _ in 0..4 {
            assert_eq!(next_back(), Ok(LARGE));
        }
        // What comes later finds that the threads which read at that time have ended.
        gate.open();
        inbox.try_send(delivery(LARGE)).expect("there is room");
        assert_eq!(next_back(), Ok(LARGE));
        drop(inbox);
        assert!(readers.next_batch(FEW).is_none(), "nothing else is read");
    }
}
