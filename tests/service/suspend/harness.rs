//! A suspender with a ledger of its own, quick where the service is patient, and what it logs.

use crate::support::{Configuration, PATIENCE, TempDir, temp_dir};
use bouncedemails::backoff::Backoff;
use bouncedemails::config::{self, Handler};
use bouncedemails::ledger::{Entry, Ledger};
use bouncedemails::mail::{Mail, Source};
use bouncedemails::policy::{Action, Decision, Ruling};
use bouncedemails::suspend::{Clock, Schedule, Stop, Suspender, Timeouts};
use bouncedemails::trust::Proof;
use parking_lot::{Condvar, Mutex};
use std::fmt::Debug;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant, SystemTime};
use tokio::runtime::Runtime;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

const MILLISECOND: Duration = Duration::from_millis(1);

/// The schedule of the tests: a second is long.
pub fn quick() -> Schedule {
    Schedule {
        timeouts: Timeouts {
            connect: 2000 * MILLISECOND,
            whole: 500 * MILLISECOND,
        },
        retry: Backoff {
            first: 20 * MILLISECOND,
            longest: 100 * MILLISECOND,
        },
        probe: Backoff {
            first: 20 * MILLISECOND,
            longest: 100 * MILLISECOND,
        },
        poll: 20 * MILLISECOND,
        grace: 300 * MILLISECOND,
        ..Schedule::default()
    }
}

/// A ledger and a configuration, and the suspender that works on them once it is started.
pub struct Bench {
    pub handler: Handler,
    pub ledger: Ledger,
    pub wake_up: Arc<Notify>,
    pub runtime: Runtime,
    pub log: &'static Log,
    pub clock: Clock,
    _folder: TempDir,
    running: Option<(JoinHandle<()>, Stop)>,
}

/// A row of the ledger's table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub address: String,
    pub state: String,
    pub attempts: u32,
    pub status: Option<u16>,
    pub answer: Option<String>,
}

impl Bench {
    /// A bench for this configuration; nothing runs yet.
    pub fn new(configure: impl FnOnce(Configuration) -> Configuration) -> Bench {
        let log = Log::get();
        let folder = temp_dir();
        let configuration = configure(Configuration::in_folder(folder.path()));
        let loaded = config::load(Some(&configuration.write()), "production")
            .unwrap_or_else(|error| panic!("{error}"));
        let handler = loaded.config.handler;
        let ledger = Ledger::open(&handler.dbfile).unwrap_or_else(|error| panic!("{error}"));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("threads can be started");
        Bench {
            handler,
            ledger,
            wake_up: Arc::new(Notify::new()),
            runtime,
            log,
            clock: Clock::default(),
            _folder: folder,
            running: None,
        }
    }

    /// Starts the suspender.
    pub fn start(&mut self, schedule: Schedule) {
        let suspender = Suspender::new(
            &self.handler,
            self.ledger.clone(),
            self.wake_up.clone(),
            schedule,
            self.clock.clone(),
        )
        .unwrap_or_else(|error| panic!("{error}"));
        let stop = Stop::default();
        let task = self.runtime.spawn(suspender.run(stop.clone()));
        self.running = Some((task, stop));
    }

    /// Stops the suspender, and waits until it has.
    pub fn stop(&mut self) {
        if let Some((task, stop)) = self.running.take() {
            stop.soon.cancel();
            self.runtime.block_on(task).expect("it does not panic");
        }
    }

    /// Has hard bounces recorded, as the engine does, and wakes the suspender up.
    pub fn suspend(&self, domain: &str, addresses: &[&str]) {
        self.suspend_since(SystemTime::now(), domain, addresses);
    }

    /// The same, decided at another time.
    pub fn suspend_since(&self, at: SystemTime, domain: &str, addresses: &[&str]) {
        let entries: Vec<Entry> = addresses
            .iter()
            .map(|address| hard_bounce(domain, address))
            .collect();
        self.ledger
            .record(&entries, &self.handler, at)
            .unwrap_or_else(|error| panic!("{error}"));
        self.wake_up.notify_waiters();
    }

    /// The suspensions of a platform, in the order in which they were decided.
    pub fn rows(&self, domain: &str) -> Vec<Row> {
        let database = rusqlite::Connection::open(&self.handler.dbfile).expect("it is there");
        let mut query = database
            .prepare("SELECT bounced_address, state, attempts, status_code, answer FROM suspensions WHERE domain = ? ORDER BY id")
            .expect("the table is there");
        let rows = query
            .query_map([domain], |row| {
                Ok(Row {
                    address: row.get(0)?,
                    state: row.get(1)?,
                    attempts: row.get(2)?,
                    status: row.get(3)?,
                    answer: row.get(4)?,
                })
            })
            .expect("the columns are there");
        rows.map(|row| row.expect("the types are these")).collect()
    }

    /// Waits until a platform's suspensions are as wanted.
    pub fn wait_for_rows(&self, domain: &str, wanted: impl Fn(&[Row]) -> bool) -> Vec<Row> {
        crate::support::eventually(&format!("the suspensions of {domain}"), || {
            Some(self.rows(domain)).filter(|rows| wanted(rows))
        })
    }

    /// Waits until all suspensions of a platform have this state.
    pub fn wait_for_state(&self, domain: &str, state: &str) -> Vec<Row> {
        self.wait_for_rows(domain, |rows| rows.iter().all(|row| row.state == state))
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.stop();
        }
    }
}

fn hard_bounce(domain: &str, address: &str) -> Entry {
    let mail = Mail::new(Source::Stdin, address.as_bytes().to_vec());
    Entry {
        mail,
        report: None,
        decision: Decision::Act {
            platform: domain.to_owned(),
            rulings: vec![Ruling {
                proof: Proof::UNPROVEN,
                address: address.parse().expect("a test's address is one"),
                finding: None,
                action: Action::Suspend,
                why: "test".to_owned(),
            }],
        },
    }
}

/// What was logged by this process. Tests run side by side, so each has platforms of its own.
#[derive(Default)]
pub struct Log {
    lines: Mutex<Vec<String>>,
    grown: Condvar,
}

static LOG: LazyLock<Log> = LazyLock::new(|| {
    tracing_subscriber::registry()
        .with(Collect)
        .try_init()
        .expect("nobody else collects");
    Log::default()
});

impl Log {
    fn get() -> &'static Log {
        &LOG
    }

    /// All lines with this part.
    pub fn lines(&self, part: &str) -> Vec<String> {
        let lines = self.lines.lock();
        lines
            .iter()
            .filter(|line| line.contains(part))
            .cloned()
            .collect()
    }

    /// Waits for a line with all of these parts.
    pub fn wait_for(&self, parts: &[&str]) -> String {
        let deadline = Instant::now() + PATIENCE;
        let mut lines = self.lines.lock();
        loop {
            let found = lines
                .iter()
                .find(|line| parts.iter().all(|part| line.contains(part)));
            if let Some(line) = found {
                return line.clone();
            }
            let late = self.grown.wait_until(&mut lines, deadline).timed_out();
            if late {
                lines.retain(|line| !line.starts_with("DEBUG"));
                panic!("no line with {parts:?} in {lines:#?}");
            }
        }
    }
}

struct Collect;

impl<S: Subscriber> Layer<S> for Collect {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        struct Message(String);
        impl Visit for Message {
            fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
                if field.name() == "message" {
                    self.0 = format!("{value:?}");
                }
            }
        }
        if !event.metadata().target().starts_with("bouncedemails") {
            return;
        }
        let mut message = Message(String::new());
        event.record(&mut message);
        let line = format!("{} {}", event.metadata().level(), message.0);
        LOG.lines.lock().push(line);
        LOG.grown.notify_all();
    }
}
