//! Nothing lost, nothing twice (DESIGN 8), while things break: the real binary and a real RabbitMQ.
//!
//! The sizes are those of a quick run. By hand: CHAOS_MAILS=20000 CHAOS_TIMES=50 cargo test --test chaos -- --nocapture
//! CHAOS_SEED repeats a failed run as far as chance allows.

mod support;

use fastrand::Rng;
use std::path::Path;
use std::time::Duration;
use support::*;

/// A number from the environment, or `default`.
fn number(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{name} is no number: {text}")),
        Err(_) => default,
    }
}

/// What breaks in one test: how often, in how many mails, by which chance.
struct Chaos {
    load: Load,
    times: usize,
    random: Rng,
}

impl Chaos {
    fn new(name: &str, mails: u64, times: u64) -> Chaos {
        let seed = number("CHAOS_SEED", fastrand::u64(..));
        Chaos {
            load: Load::new(name, number("CHAOS_MAILS", mails) as usize, seed),
            times: number("CHAOS_TIMES", times) as usize,
            random: Rng::with_seed(seed),
        }
    }

    /// Lets some time go by, for something to break at an instant that nobody chose: the one sleep of these tests.
    fn random_instant(&mut self) {
        std::thread::sleep(Duration::from_micros(self.random.u64(..1_000_000)));
    }
}

fn configuration(folder: &TempDir, platform: &Platform, queue: &Queue) -> Configuration {
    Configuration::in_folder(folder.path())
        .platform("mydomain.de", platform)
        .handler("temporary_threshold: 3")
        .amqp_with(queue, &["prefetch: 100"])
}

fn run(file: &Path) -> Daemon {
    Daemon::start(file, &["run"])
}

#[test]
fn the_service_is_killed_at_any_instant() {
    let queue = Broker::shared().vhost("killed").durable_queue("mails");
    kill_at_any_instant(&queue, Chaos::new("killed", 2000, 10));
}

/// As resources/setup_rabbitmq.sh makes it: more kills than RabbitMQ 4 delivers a mail of a quorum queue, unless it is told otherwise.
#[test]
fn the_service_is_killed_with_mails_of_a_quorum_queue_in_hand() {
    let broker = Broker::shared();
    let setup = format!("{}/resources/setup_rabbitmq.sh", env!("CARGO_MANIFEST_DIR"));
    output_of(
        broker
            .command(setup)
            .env("AMQP_VHOST", "quorum")
            .env("AMQP_MTA_USER", "nobody")
            .env("BOUNCEDEMAILS_ETC", broker.folder().join("etc")),
        b"",
    );
    let queue = broker.vhost("quorum").queue("bouncedemails");
    kill_at_any_instant(&queue, Chaos::new("quorum", 1000, 25));
}

fn kill_at_any_instant(queue: &Queue, mut chaos: Chaos) {
    let platform = Platform::start();
    let folder = temp_dir();
    let configuration = configuration(&folder, &platform, queue);
    let file = configuration.write();
    queue.publish_named(chaos.load.mails());
    for _ in 0..chaos.times {
        let daemon = run(&file);
        chaos.random_instant();
        daemon.kill();
    }
    println!("{} mails are left for the last run", queue.ready());
    let daemon = run(&file);
    platform.wait_for_all(&chaos.load.suspensions());
    queue.wait_until_empty();
    daemon.stop();
    assert_eq!(queue.ready(), 0);
    chaos
        .load
        .assert_all_counted_once(&configuration, &platform);
}

#[test]
fn the_service_is_stopped_with_work_in_hand() {
    let mut chaos = Chaos::new("stopped", 1000, 5);
    let queue = Broker::shared().vhost("stopped").durable_queue("mails");
    let platform = Platform::start();
    let folder = temp_dir();
    let configuration = configuration(&folder, &platform, &queue);
    let file = configuration.write();
    queue.publish_named(chaos.load.mails());
    for _ in 0..chaos.times {
        let daemon = run(&file);
        daemon.wait_for("Taking mails");
        chaos.random_instant();
        daemon.stop();
    }
    let daemon = run(&file);
    platform.wait_for_all(&chaos.load.suspensions());
    queue.wait_until_empty();
    daemon.stop();
    chaos
        .load
        .assert_all_counted_once(&configuration, &platform);
}

#[test]
fn the_broker_is_killed_in_mid_run() {
    let mut chaos = Chaos::new("broker", 1500, 3);
    let broker = Broker::start();
    let queue = broker.vhost("broker").durable_queue("mails");
    let platform = Platform::start();
    let folder = temp_dir();
    let configuration = configuration(&folder, &platform, &queue);
    let daemon = run(&configuration.write());
    for part in chaos.load.parts(chaos.times) {
        let lines = daemon.lines().len();
        queue.publish_named(part);
        daemon.wait_for_lines(lines + chaos.random.usize(..part.len()));
        broker.kill();
        broker.start_again();
    }
    platform.wait_for_all(&chaos.load.suspensions());
    queue.wait_until_empty();
    daemon.stop();
    chaos
        .load
        .assert_all_counted_once(&configuration, &platform);
}

#[test]
fn the_broker_closes_connections_and_loses_its_queue() {
    let mut chaos = Chaos::new("closing", 1000, 4);
    let broker = Broker::shared();
    let queue = broker.vhost("closing").durable_queue("mails");
    let platform = Platform::start();
    let folder = temp_dir();
    let configuration = configuration(&folder, &platform, &queue);
    let daemon = run(&configuration.write());
    for part in chaos.load.parts(chaos.times) {
        let lines = daemon.lines().len();
        queue.publish_named(part);
        daemon.wait_for_lines(lines + chaos.random.usize(..part.len()));
        broker.rabbitmqctl(&["close_all_connections", "--vhost", "closing", "chaos"]);
        // What lies in a queue that is deleted is lost, so it is empty before; the service makes it anew.
        queue.wait_until_empty();
        let declared = daemon.count("it was declared, durable");
        broker.rabbitmqctl(&["delete_queue", "--vhost", "closing", "mails"]);
        daemon.wait_for_times("it was declared, durable", declared + 1);
    }
    platform.wait_for_all(&chaos.load.suspensions());
    daemon.stop();
    chaos
        .load
        .assert_all_counted_once(&configuration, &platform);
}
