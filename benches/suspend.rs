//! How many suspensions are posted a second, ledger included, beside what reqwest alone posts to the same server.
//!
//! `cargo bench --bench suspend`; the server runs in this process and shares its processors.

use bouncedemails::config::{self, Handler};
use bouncedemails::intake::{Mail, Repeat, Session, Source};
use bouncedemails::ledger::{Entry, Fingerprint, Ledger};
use bouncedemails::platform_server::{self, Observer};
use bouncedemails::policy::{Action, Decision, Ruling};
use bouncedemails::suspend::{Pace, Stop, Suspender};
use bouncedemails::telemetry::Blocks;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

const PLATFORMS: usize = 3;
const SUSPENSIONS: usize = 30_000;

/// A server, how many POSTs it got, and who is told when it has all of them.
struct Server {
    address: SocketAddr,
    posts: Arc<AtomicUsize>,
    all: Arc<Notify>,
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
        all: Arc::default(),
    };
    let (posts, all) = (server.posts.clone(), server.all.clone());
    let observer: Observer = Arc::new(move |exchange| {
        if exchange.address.is_some() && posts.fetch_add(1, Ordering::Relaxed) + 1 == SUSPENSIONS {
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
    server.posts.store(0, Ordering::Relaxed);
    let url = format!("http://{}/emails/a%40x.example/suspend", server.address);
    let client = reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("HTTP can be set up");
    let workers = PLATFORMS * Pace::default().at_once;
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

/// Everything: what is pending in the ledger is posted and settled there.
async fn suspender(server: &Server) -> Duration {
    server.posts.store(0, Ordering::Relaxed);
    let folder = tempfile::tempdir().expect("a folder for temporary files");
    let handler = handler(folder.path(), server.address);
    let ledger = Ledger::open(&handler.dbfile).expect("a new database");
    for chunk in 0..SUSPENSIONS / 500 {
        let entries: Vec<Entry> = (0..500).map(|n| entry(chunk * 500 + n)).collect();
        ledger
            .record(&entries, &handler, SystemTime::now())
            .expect("it is recorded");
    }
    let suspender = Suspender::new(
        &handler,
        ledger,
        Arc::default(),
        Arc::new(Blocks::default()),
        Pace::default(),
    )
    .expect("HTTP can be set up");
    let stop = Stop::default();
    let start = Instant::now();
    let running = tokio::spawn(suspender.run(stop.clone()));
    server.all.notified().await;
    stop.tried.cancel();
    running.await.expect("it does not panic");
    start.elapsed()
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
    let mail = Mail {
        raw: address.clone().into_bytes(),
        source: Source::Stdin,
        envelope_recipients: Vec::new(),
        repeat: Repeat::No,
        session: Session::begin(),
    };
    Entry {
        fingerprint: Fingerprint::of(&mail),
        mail,
        report: None,
        diagnoses: Vec::new(),
        decision: Decision::Act {
            platform: format!("p{}.example", number % PLATFORMS),
            rulings: vec![Ruling {
                address: address.parse().expect("it is one"),
                diagnosis: None,
                action: Action::Suspend,
                why: "bench".to_owned(),
            }],
        },
    }
}
