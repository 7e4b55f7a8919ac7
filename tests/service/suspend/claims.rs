//! Several suspenders on one database, and clocks that are set while they run.

use super::harness::{Bench, quick};
use crate::support::{Answer, Platform, accept};
use bouncedemails::ledger::Ledger;
use bouncedemails::suspend::{Clock, Stop, Suspender};
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[test]
fn two_on_one_database_post_each_suspension_once() {
    const COUNT: usize = 2_000;
    let platform = Platform::start();
    let mut bench = Bench::new(|c| c.platform("shared.example", &platform));
    bench.start(quick());
    // As another process has it: a connection and a name of its own.
    let other = Ledger::open(&bench.handler.dbfile).unwrap();
    let (handler, wake_up, clock) = (&bench.handler, Arc::default(), bench.clock.clone());
    let other = Suspender::new(handler, other, wake_up, quick(), clock);
    let stop = Stop::default();
    let other = bench.runtime.spawn(other.unwrap().run(stop.clone()));
    let addresses: Vec<String> = (0..COUNT).map(|n| format!("n{n}@x.example")).collect();
    for batch in addresses.chunks(100) {
        let batch: Vec<&str> = batch.iter().map(String::as_str).collect();
        bench.suspend("shared.example", &batch);
    }
    bench.wait_for_state("shared.example", "delivered");
    bench.stop();
    stop.soon.cancel();
    bench.runtime.block_on(other).unwrap();
    let mut posts = platform.posts();
    assert_eq!(posts.len(), COUNT);
    posts.sort();
    posts.dedup();
    assert_eq!(posts.len(), COUNT);
}

#[test]
fn what_a_suspender_has_claimed_and_not_posted_is_another_ones_at_once_when_it_stops() {
    let platform = Platform::answering(|_| Answer::Hang);
    let mut bench = Bench::new(|c| c.platform("given-back.example", &platform));
    let addresses: Vec<String> = (0..100).map(|n| format!("n{n}@x.example")).collect();
    let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
    bench.suspend("given-back.example", &addresses);
    let mut patient = quick();
    patient.timeouts.whole = crate::support::PATIENCE;
    // Longer than the test waits.
    patient.lease = HOUR;
    bench.start(patient);
    platform.wait_for_posts(patient.at_once);
    bench.stop();
    platform.answer(accept);
    bench.start(patient);
    bench.wait_for_state("given-back.example", "delivered");
}

/// The system's clock, as it is set by how far it is wrong.
#[derive(Clone, Default)]
struct Set(Arc<Mutex<(Duration, Duration)>>);

impl Set {
    fn ahead(&self, by: Duration) {
        *self.0.lock() = (by, Duration::ZERO);
    }

    fn back(&self, by: Duration) {
        *self.0.lock() = (Duration::ZERO, by);
    }

    fn right(&self) {
        self.ahead(Duration::ZERO);
    }

    /// The clock of a process that starts now.
    fn clock(&self) -> Clock {
        let set = self.clone();
        Clock::new(move || {
            let (ahead, back) = *set.0.lock();
            SystemTime::now() + ahead - back
        })
    }
}

/// A platform that fails once and sets the clock by that, and a suspension for it; what is then waited for happens within seconds.
fn set_at_the_first_attempt(domain: &str, set: fn(&Set)) -> (Bench, Set, Platform) {
    let wall = Set::default();
    let (of_platform, mut first) = (wall.clone(), true);
    let platform = Platform::answering(move |request| {
        if std::mem::take(&mut first) {
            set(&of_platform);
            return Answer::status(500);
        }
        accept(request)
    });
    let mut bench = Bench::new(|c| c.platform(domain, &platform));
    bench.clock = wall.clock();
    bench.suspend(domain, &["a@x.example"]);
    bench.start(quick());
    (bench, wall, platform)
}

#[test]
fn a_clock_that_is_set_back_makes_no_suspension_wait() {
    let (bench, ..) = set_at_the_first_attempt("back.example", |wall| wall.back(2 * HOUR));
    bench.wait_for_state("back.example", "delivered");
}

#[test]
fn a_clock_that_is_set_ahead_gives_no_suspension_up() {
    let (bench, ..) = set_at_the_first_attempt("ahead.example", |wall| wall.ahead(8 * DAY));
    let rows = bench.wait_for_rows("ahead.example", |rows| rows[0].state != "pending");
    assert_eq!((rows[0].state.as_str(), rows[0].attempts), ("delivered", 2));
}

#[test]
fn ten_years_ahead_and_back_while_a_platform_is_down_change_nothing() {
    const DOMAIN: &str = "ten-years.example";
    let wall = Set::default();
    let platform = Platform::answering(|_| Answer::status(500));
    let mut bench = Bench::new(|c| c.platform(DOMAIN, &platform));
    bench.clock = wall.clock();
    bench.suspend(DOMAIN, &["a@x.example"]);
    bench.start(quick());
    bench.wait_for_rows(DOMAIN, |rows| rows[0].attempts > 0);
    wall.ahead(3652 * DAY);
    let tried = bench.rows(DOMAIN)[0].attempts;
    bench.wait_for_rows(DOMAIN, |rows| rows[0].attempts > tried + 1);
    // The process that comes after the clock was mended finds a suspension that is due in ten years.
    bench.stop();
    wall.right();
    bench.clock = wall.clock();
    platform.answer(accept);
    bench.start(quick());
    bench.wait_for_state(DOMAIN, "delivered");
}

#[test]
fn a_process_that_starts_after_the_clock_was_set_back_does_not_wait_either() {
    const DOMAIN: &str = "started-back.example";
    let wall = Set::default();
    let platform = Platform::answering(|_| Answer::status(500));
    let mut bench = Bench::new(|c| c.platform(DOMAIN, &platform));
    bench.suspend(DOMAIN, &["a@x.example"]);
    bench.start(quick());
    bench.wait_for_rows(DOMAIN, |rows| rows[0].attempts > 0);
    bench.stop();
    wall.back(2 * HOUR);
    bench.clock = wall.clock();
    platform.answer(accept);
    bench.start(quick());
    bench.wait_for_state(DOMAIN, "delivered");
}
