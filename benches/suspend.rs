//! How many suspensions are posted a second, ledger included, beside what reqwest alone posts to the same server.
//!
//! `cargo bench --bench suspend`; the server runs in this process and shares its processors.

use bouncedemails::config::{self, Handler};
use bouncedemails::ledger::{Entry, Ledger};
use bouncedemails::mail::{Mail, Source};
use bouncedemails::platform_server::{self, Observer};
use bouncedemails::policy::{Action, Decision, Ruling};
use bouncedemails::suspend::{Clock, Schedule, Stop, Suspender};
use bouncedemails::trust::Proof;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const PLATFORMS: usize = 3;
const SUSPENSIONS: usize = 30_000;

/// A server, how many POSTs it got, and who is told when it has as many as are awaited.
struct Server {
    address: SocketAddr,
    posts: Arc<AtomicUsize>,
    awaited: Arc<AtomicUsize>,
    all: Arc<Notify>,
}

impl Server {
    /// Counts anew, up to `awaited`.
    fn expect(&self, awaited: usize) {
        self.awaited.store(awaited, Ordering::Relaxed);
        self.posts.store(0, Ordering::Relaxed);
    }
}

fn main() {
    let server = serve();
    let runtime = tokio::runtime::Runtime::new().expect("threads can be started");
    // An error means that there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    for round in 1..=3 {
        let alone = runtime.block_on(reqwest_alone(&server));
        let whole = runtime.block_on(suspender(&server));
        let rate = |time: Duration| SUSPENSIONS as f64 / time.as_secs_f64();
        println!(
            "round {round}: reqwest alone {:.0}/s, suspender {:.0}/s, ratio {:.2}",
            rate(alone),
            rate(whole),
            rate(whole) / rate(alone)
        );
    }
    let mut latencies = runtime.block_on(one_at_a_time(&server));
    latencies.sort();
    println!(
        "one suspension alone, from before its commit to its POST: median {:.1?}, 99 % {:.1?}",
        latencies[latencies.len() / 2],
        latencies[latencies.len() * 99 / 100]
    );
}

/// Starts the built-in platform on threads of its own.
fn serve() -> Server {
    let runtime = tokio::runtime::Runtime::new().expect("threads can be started");
    let listener = runtime
        .block_on(TcpListener::bind(("127.0.0.1", 0)))
        .expect("a port is free");
    let server = Server {
        address: listener.local_addr().expect("it is bound"),
        posts: Arc::default(),
        awaited: Arc::default(),
        all: Arc::default(),
    };
    let Server {
        posts,
        awaited,
        all,
        ..
    } = &server;
    let (posts, awaited, all) = (posts.clone(), awaited.clone(), all.clone());
    let observer: Observer = Arc::new(move |_| {
        let posts = posts.fetch_add(1, Ordering::Relaxed) + 1;
        if posts == awaited.load(Ordering::Relaxed) {
            all.notify_one();
        }
    });
    std::thread::spawn(move || {
        let serving = platform_server::serve(listener, observer, CancellationToken::new());
        runtime.block_on(serving).expect("it serves");
    });
    server
}

/// The same POSTs with as many connections, and nothing else.
async fn reqwest_alone(server: &Server) -> Duration {
    server.expect(usize::MAX);
    let url = format!("http://{}/emails/a%40x.example/suspend", server.address);
    let client = reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("HTTP can be set up");
    let workers = PLATFORMS * Schedule::default().at_once;
    let start = Instant::now();
    let tasks: Vec<_> = (0..workers)
        .map(|_| {
            let (client, url, posts) = (client.clone(), url.clone(), server.posts.clone());
            tokio::spawn(async move {
                while posts.load(Ordering::Relaxed) + workers <= SUSPENSIONS {
                    let answer = client.post(&url).send().await.expect("it answers");
                    answer.bytes().await.expect("it has a body");
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("it does not panic");
    }
    start.elapsed()
}

/// A suspender that runs.
struct Running {
    ledger: Ledger,
    handler: Handler,
    wake_up: Arc<Notify>,
    stop: Stop,
    task: JoinHandle<()>,
}

impl Running {
    fn start(ledger: Ledger, handler: Handler) -> Running {
        let wake_up: Arc<Notify> = Arc::default();
        let schedule = Schedule::default();
        let suspender = Suspender::new(
            &handler,
            ledger.clone(),
            wake_up.clone(),
            schedule,
            Clock::default(),
        )
        .expect("HTTP can be set up");
        let stop = Stop::default();
        let task = tokio::spawn(suspender.run(stop.clone()));
        Running {
            ledger,
            handler,
            wake_up,
            stop,
            task,
        }
    }

    /// Waits until everything is settled.
    async fn finish(self) {
        self.stop.tried.cancel();
        self.task.await.expect("it does not panic");
    }
}

/// Everything: what is pending in the ledger is posted and settled there.
async fn suspender(server: &Server) -> Duration {
    server.expect(SUSPENSIONS);
    let folder = tempfile::tempdir().expect("a folder for temporary files");
    let handler = handler(folder.path(), server.address);
    let ledger = Ledger::open(&handler.dbfile).expect("a new database");
    for chunk in 0..SUSPENSIONS / 500 {
        let entries: Vec<Entry> = (0..500).map(|n| entry(chunk * 500 + n)).collect();
        ledger
            .record(&entries, &handler, SystemTime::now())
            .expect("it is recorded");
    }
    let start = Instant::now();
    let running = Running::start(ledger, handler);
    server.all.notified().await;
    running.finish().await;
    start.elapsed()
}

/// How long one suspension takes while nothing else is to be done.
async fn one_at_a_time(server: &Server) -> Vec<Duration> {
    let folder = tempfile::tempdir().expect("a folder for temporary files");
    let handler = handler(folder.path(), server.address);
    let ledger = Ledger::open(&handler.dbfile).expect("a new database");
    let running = Running::start(ledger, handler);
    let mut latencies = Vec::new();
    for number in 0..300 {
        server.expect(1);
        let start = Instant::now();
        let (ledger, handler) = (running.ledger.clone(), running.handler.clone());
        let recorded = tokio::task::spawn_blocking(move || {
            ledger.record(&[entry(number)], &handler, SystemTime::now())
        });
        let recorded = recorded.await.expect("it does not panic");
        recorded.expect("it is recorded");
        running.wake_up.notify_waiters();
        server.all.notified().await;
        latencies.push(start.elapsed());
    }
    running.finish().await;
    latencies
}

fn handler(folder: &std::path::Path, server: SocketAddr) -> Handler {
    let file = folder.join("config.yml");
    let mut yaml = format!(
        "production:\n  handler:\n    dbfile: {}\n    domains:\n",
        folder.join("bounced_emails.db").display()
    );
    for platform in 0..PLATFORMS {
        yaml += &format!(
            "      p{platform}.example:\n        base_url: http://{server}/emails/{{address}}/suspend\n"
        );
    }
    std::fs::write(&file, yaml).expect("the folder is ours");
    let loaded = config::load(Some(&file), "production");
    loaded.expect("it is a configuration").config.handler
}

fn entry(number: usize) -> Entry {
    let address = format!("n{number}@x.example");
    let mail = Mail::new(Source::Stdin, address.clone().into_bytes());
    Entry {
        mail,
        report: None,
        decision: Decision::Act {
            platform: format!("p{}.example", number % PLATFORMS),
            rulings: vec![Ruling {
                proof: Proof::UNPROVEN,
                address: address.parse().expect("it is one"),
                finding: None,
                action: Action::Suspend,
                why: "bench".to_owned(),
            }],
        },
    }
}
