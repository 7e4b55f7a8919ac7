//! Nothing lost, nothing twice (DESIGN 9), while things break: the real binary and a real RabbitMQ.
//!
//! The sizes are those of a quick run. By hand: CHAOS_MAILS=20000 CHAOS_TIMES=50 cargo test --test service chaos:: -- --nocapture
//! CHAOS_SEED repeats a failed run as far as chance allows.

use crate::support::*;
use fastrand::Rng;
use std::path::PathBuf;
use std::time::Duration;

/// A number from the environment, or `default`.
fn number(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{name} is no number: {text}")),
        Err(_) => default,
    }
}

/// What breaks in one test: how often, while how many mails are taken, by which chance. At the end all of them have counted once.
struct Chaos<'a> {
    load: Load,
    times: usize,
    random: Rng,
    queue: Queue<'a>,
    platform: Platform,
    configuration: Configuration,
    file: PathBuf,
    _folder: TempDir,
}

impl<'a> Chaos<'a> {
    fn new(name: &str, queue: Queue<'a>, mails: u64, times: u64) -> Chaos<'a> {
        let seed = number("CHAOS_SEED", fastrand::u64(..));
        let platform = Platform::start();
        let folder = temp_dir();
        let configuration = Configuration::in_folder(folder.path())
            .platform("mydomain.de", &platform)
            .handler("temporary_threshold: 3")
            .amqp_with(&queue, &["prefetch: 100"]);
        Chaos {
            load: Load::new(name, number("CHAOS_MAILS", mails) as usize, seed),
            times: number("CHAOS_TIMES", times) as usize,
            random: Rng::with_seed(seed),
            file: configuration.write(),
            queue,
            platform,
            configuration,
            _folder: folder,
        }
    }

    fn start(&self) -> Daemon {
        Daemon::start(&self.file, &["run"])
    }

    /// Lets some time go by, for something to break at an instant that nobody chose: the one sleep of these tests.
    fn random_instant(&mut self) {
        std::thread::sleep(Duration::from_micros(self.random.u64(..1_000_000)));
    }

    /// Publishes the mails in as many parts as there are times to break, and breaks something in the middle of each.
    fn in_each_part(&mut self, daemon: &Daemon, mut break_something: impl FnMut(&Queue)) {
        for part in self.load.parts(self.times) {
            let lines = daemon.lines().len();
            self.queue.publish_named(part);
            daemon.wait_for_lines(lines + self.random.usize(..part.len()));
            break_something(&self.queue);
        }
    }

    /// Nothing breaks any more: the last run has all that is left.
    fn ends_well(self, last: Daemon) {
        self.platform.wait_for_all(&self.load.suspensions());
        self.queue.wait_until_empty();
        last.stop();
        assert_eq!(self.queue.ready(), 0);
        self.load
            .assert_all_counted_once(&self.configuration, &self.platform);
    }
}

#[test]
fn the_service_is_killed_at_any_instant() {
    let queue = Broker::shared().vhost("killed").durable_queue("mails");
    kill_at_any_instant(Chaos::new("killed", queue, 2000, 10));
}

/// As resources/setup_rabbitmq.sh makes it: more kills than RabbitMQ 4 delivers a mail of a quorum queue, unless it is told otherwise.
#[test]
fn the_service_is_killed_with_mails_of_a_quorum_queue_in_hand() {
    let setup = Setup::run(Broker::shared(), "quorum");
    kill_at_any_instant(Chaos::new("quorum", setup.queue, 1000, 25));
}

fn kill_at_any_instant(mut chaos: Chaos) {
    chaos.queue.publish_named(chaos.load.mails());
    for _ in 0..chaos.times {
        let daemon = chaos.start();
        chaos.random_instant();
        daemon.kill();
    }
    println!("{} mails are left for the last run", chaos.queue.ready());
    let last = chaos.start();
    chaos.ends_well(last);
}

#[test]
fn the_service_is_stopped_with_work_in_hand() {
    let queue = Broker::shared().vhost("stopped").durable_queue("mails");
    let mut chaos = Chaos::new("stopped", queue, 1000, 5);
    chaos.queue.publish_named(chaos.load.mails());
    for _ in 0..chaos.times {
        let daemon = chaos.start();
        daemon.wait_for("Taking mails");
        chaos.random_instant();
        daemon.stop();
    }
    let last = chaos.start();
    chaos.ends_well(last);
}

#[test]
fn the_broker_is_killed_in_mid_run() {
    let broker = Broker::start();
    let queue = broker.vhost("broker").durable_queue("mails");
    let mut chaos = Chaos::new("broker", queue, 1500, 3);
    let daemon = chaos.start();
    chaos.in_each_part(&daemon, |_| {
        broker.kill();
        broker.start_again();
    });
    chaos.ends_well(daemon);
}

#[test]
fn the_broker_closes_connections_and_loses_its_queue() {
    let broker = Broker::shared();
    let queue = broker.vhost("closing").durable_queue("mails");
    let mut chaos = Chaos::new("closing", queue, 1000, 4);
    let daemon = chaos.start();
    chaos.in_each_part(&daemon, |queue| {
        broker.rabbitmqctl(&["close_all_connections", "--vhost", "closing", "chaos"]);
        // What lies in a queue that is deleted is lost, so it is empty before; the service makes it anew.
        queue.wait_until_empty();
        let declared = daemon.count("it was declared, durable");
        broker.rabbitmqctl(&["delete_queue", "--vhost", "closing", "mails"]);
        daemon.wait_for_times("it was declared, durable", declared + 1);
    });
    chaos.ends_well(daemon);
}
