//! The AMQP intake against a real RabbitMQ.

use crate::support::*;
use bouncedemails::config::{self, Amqp};
use bouncedemails::intake::{self, Acknowledged, amqp};
use bouncedemails::mail::{Delivery, Forget, Repeat, Ticket};
use lapin::options::QueueDeclareOptions;
use parking_lot::Mutex;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// The intake, with the test in the place of the engine.
struct Intake {
    inbox: mpsc::Receiver<Delivery>,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
    forgetting: JoinHandle<()>,
    forgotten: Arc<Mutex<Vec<Ticket>>>,
}

impl Intake {
    fn start(queue: &Queue) -> Intake {
        let amqp = settings(queue);
        let forgotten = Arc::new(Mutex::new(Vec::new()));
        let forgetting = forgotten.clone();
        let forget: Forget = Arc::new(move |tickets: &[Ticket]| {
            forgetting.lock().extend_from_slice(tickets);
        });
        let _in_runtime = runtime().enter();
        let (acknowledged, forgetting) = Acknowledged::start(forget);
        let (sender, inbox) = mpsc::channel(8);
        let shutdown = CancellationToken::new();
        let intake = intake::Intake {
            inbox: sender,
            acknowledged,
            recording: watch::channel(true).1,
            memory: intake::memory(0),
            shutdown: shutdown.clone(),
        };
        let task = runtime().spawn(async move { amqp::run(&amqp, intake).await });
        Intake {
            inbox,
            shutdown,
            task,
            forgetting,
            forgotten,
        }
    }

    fn next(&mut self) -> Delivery {
        runtime()
            .block_on(async { timeout(PATIENCE, self.inbox.recv()).await })
            .expect("a mail comes in time")
            .expect("the intake runs")
    }

    /// Stops it; returns the tickets that the ledger was told to forget, in their order.
    fn stop(mut self) -> Vec<i64> {
        self.shutdown.cancel();
        // As the engine does: what is still in the inbox is dropped, which gives it back.
        while runtime()
            .block_on(async { timeout(PATIENCE, self.inbox.recv()).await })
            .expect("the intake ends in time")
            .is_some()
        {}
        runtime().block_on(self.task).expect("it never panics");
        runtime()
            .block_on(self.forgetting)
            .expect("it never panics");
        let forgotten = self.forgotten.lock();
        let mut numbers: Vec<i64> = forgotten.iter().map(|Ticket(number)| *number).collect();
        numbers.sort_unstable();
        numbers
    }
}

/// The settings as a configuration file gives them.
fn settings(queue: &Queue) -> Amqp {
    let folder = temp_dir();
    let file = Configuration::in_folder(folder.path())
        .domain("mydomain.de", &[("base_url", "http://localhost/{address}")])
        .amqp(queue)
        .write();
    let loaded = config::load(Some(&file), "production").expect("the configuration is right");
    loaded.config.amqp.expect("it has a broker")
}

#[test]
fn a_mail_leaves_the_queue_when_it_is_recorded_and_not_before() {
    let queue = Broker::shared().vhost("recorded").durable_queue("mails");
    queue.amqp_publish(b"one\r\n\r\n\x00\xff");
    let mut intake = Intake::start(&queue);
    let delivery = intake.next();
    assert_eq!(delivery.mail.raw(), b"one\r\n\r\n\x00\xff");
    assert_eq!(queue.messages(), 1);
    delivery.receipt.confirm(Ticket(7));
    queue.wait_until_empty();
    assert_eq!(intake.stop(), [7]);
}

#[test]
fn what_was_not_recorded_is_back_in_the_queue_after_the_stop() {
    let queue = Broker::shared().vhost("returned").durable_queue("mails");
    // More than the inbox holds, so that some are only prefetched.
    queue.publish((0..30).map(|number| number.to_string()));
    let mut intake = Intake::start(&queue);
    let deliveries: Vec<_> = (0..4).map(|_| intake.next()).collect();
    for (number, delivery) in deliveries.into_iter().enumerate() {
        // The second is given back, between others that are recorded.
        if number != 1 {
            delivery.receipt.confirm(Ticket(number as i64));
        }
    }
    assert_eq!(intake.stop(), [0, 2, 3]);
    assert_eq!(queue.ready(), 27);
}

#[test]
fn a_redelivered_mail_is_marked_and_a_new_one_is_not() {
    let queue = Broker::shared().vhost("marked").durable_queue("mails");
    queue.publish(["waiting"]);
    let mut intake = Intake::start(&queue);
    // It waited when we came: it may have been acknowledged to a broker that was killed.
    assert_eq!(intake.next().mail.repeat, Repeat::Possible);
    let again = intake.next();
    assert_eq!(again.mail.repeat, Repeat::Possible);
    again.receipt.confirm(Ticket(1));
    queue.publish(["new"]);
    let new = intake.next();
    assert_eq!(new.mail.repeat, Repeat::No);
    new.receipt.confirm(Ticket(2));
    assert_eq!(intake.stop(), [1, 2]);
}

#[test]
fn what_a_broker_delivers_after_it_closed_the_connection_is_new_unless_it_is_marked() {
    let broker = Broker::shared();
    let queue = broker.vhost("orderly").durable_queue("mails");
    let mut intake = Intake::start(&queue);
    queue.publish(["one"]);
    let one = intake.next();
    queue.publish(["two"]);
    let two = intake.next();
    broker.rabbitmqctl(&["close_all_connections", "--vhost", "orderly", "maintenance"]);
    eventually("both to be back in the queue", || {
        (queue.ready() == 2).then_some(())
    });
    queue.publish_named(["two"]);
    one.receipt.confirm(Ticket(1));
    two.receipt.confirm(Ticket(2));
    let (one, two, new) = (intake.next(), intake.next(), intake.next());
    for (delivery, expected) in [
        (&one, Repeat::Possible),
        (&two, Repeat::Possible),
        (&new, Repeat::No),
    ] {
        assert_eq!(delivery.mail.repeat, expected, "{delivery:?}");
    }
    // Equal to the byte, and told apart by the name that its publisher gave it.
    assert_eq!(new.mail.raw(), two.mail.raw());
    assert_eq!(two.mail.id(), None);
    assert!(new.mail.id().is_some());
    assert_ne!(new.mail.fingerprint(), two.mail.fingerprint());
    for (delivery, ticket) in [one, two, new].into_iter().zip(3..) {
        delivery.receipt.confirm(Ticket(ticket));
    }
    // The ledger keeps the rows of what a lost connection may bring again.
    assert_eq!(intake.stop(), [3, 4, 5]);
}

#[test]
fn a_missing_queue_is_declared_durable() {
    let broker = Broker::shared();
    let vhost = broker.vhost("missing");
    let queue = vhost.queue("bounced mails");
    let mut intake = Intake::start(&queue);
    let durable = eventually("the queue to be declared", || {
        let list = ["list_queues", "--quiet", "-p", "missing", "name", "durable"];
        let list = broker.rabbitmqctl(&list);
        list.contains("bounced mails").then_some(list)
    });
    assert!(durable.contains("bounced mails\ttrue"), "{durable}");
    queue.publish(["one"]);
    intake.next().receipt.confirm(Ticket(1));
    assert_eq!(intake.stop(), [1]);
}

#[test]
fn an_existing_queue_is_used_as_it_is() {
    let vhost = Broker::shared().vhost("existing");
    let volatile = vhost.queue("volatile");
    volatile.declare(QueueDeclareOptions::default(), &[]);
    let quorum = vhost.queue("quorum");
    let durable = QueueDeclareOptions {
        durable: true,
        ..QueueDeclareOptions::default()
    };
    quorum.declare(durable, &[("x-queue-type", "quorum")]);
    for queue in [volatile, quorum] {
        let mut intake = Intake::start(&queue);
        queue.publish(["one"]);
        intake.next().receipt.confirm(Ticket(1));
        assert_eq!(intake.stop(), [1], "{}", queue.name());
        assert_eq!(queue.ready(), 0);
    }
}

#[test]
fn a_mail_of_50_megabytes_comes_in_whole() {
    let queue = Broker::shared().vhost("large").durable_queue("mails");
    let mail: Vec<u8> = (0..50 << 20).map(|at: u32| (at / 977) as u8).collect();
    queue.publish([&mail]);
    let mut intake = Intake::start(&queue);
    let delivery = intake.next();
    assert!(delivery.mail.raw() == mail);
    delivery.receipt.confirm(Ticket(1));
    assert_eq!(intake.stop(), [1]);
}

#[test]
fn connections_that_an_operator_closes_are_made_again() {
    let broker = Broker::shared();
    let queue = broker.vhost("closed").durable_queue("mails");
    let mut intake = Intake::start(&queue);
    for round in 1..=3 {
        queue.publish(["one"]);
        let delivery = intake.next();
        broker.rabbitmqctl(&["close_all_connections", "--vhost", "closed", "maintenance"]);
        // It was recorded, but its broker does not hear of that any more.
        delivery.receipt.confirm(Ticket(10 * round));
        let again = intake.next();
        assert_eq!(again.mail.repeat, Repeat::Possible, "round {round}");
        assert_ne!(again.mail.session, delivery.mail.session, "round {round}");
        again.receipt.confirm(Ticket(10 * round + 1));
        queue.wait_until_empty();
    }
    // The ledger keeps the rows of what a lost connection may bring again.
    assert_eq!(intake.stop(), [31]);
}

#[test]
fn a_queue_that_is_deleted_is_declared_again() {
    let broker = Broker::shared();
    let queue = broker.vhost("deleted").durable_queue("mails");
    let mut intake = Intake::start(&queue);
    queue.publish(["one"]);
    intake.next().receipt.confirm(Ticket(1));
    broker.rabbitmqctl(&["delete_queue", "--vhost", "deleted", "mails"]);
    eventually("the queue to be there again", || {
        let list = ["list_queues", "--quiet", "-p", "deleted", "name"];
        broker.rabbitmqctl(&list).contains("mails").then_some(())
    });
    queue.publish(["two"]);
    let two = intake.next();
    assert_eq!(two.mail.raw(), b"two");
    two.receipt.confirm(Ticket(2));
    assert_eq!(intake.stop(), [2]);
}

#[test]
fn a_broker_that_is_killed_gives_its_mails_again_when_it_is_back() {
    let broker = Broker::start();
    let queue = broker.vhost("killed").durable_queue("mails");
    queue.publish(["one", "two"]);
    let mut intake = Intake::start(&queue);
    let (one, two) = (intake.next(), intake.next());
    broker.kill();
    broker.start_again();
    // Mails come again only when all of the lost connection are settled: else the ledger could meet a repeat before the first.
    one.receipt.confirm(Ticket(1));
    drop(two);
    for (ticket, raw) in [(2, "one"), (3, "two")] {
        let again = intake.next();
        assert_eq!(again.mail.raw(), raw.as_bytes());
        assert_eq!(again.mail.repeat, Repeat::Possible);
        again.receipt.confirm(Ticket(ticket));
    }
    queue.wait_until_empty();
    assert_eq!(intake.stop(), [2, 3]);
}

/// The service with its log, and a platform that is never asked.
fn service(folder: &TempDir, section: &[&str]) -> Daemon {
    let keys = [("base_url", "http://localhost:9/{address}")];
    let configuration = Configuration::in_folder(folder.path())
        .domain("mydomain.de", &keys)
        .section("amqp", section);
    Daemon::start(&configuration.write(), &["run"])
}

#[test]
fn a_refusal_says_which_and_what_to_do() {
    let broker = Broker::shared();
    let vhost = broker.vhost("refusal");
    broker.rabbitmqctl(&["add_user", "reader", "secret"]);
    let address = format!("127.0.0.1:{}", broker.port());
    let mut cases = vec![
        (
            vhost.url_of("guest", "wrong"),
            format!(
                "The broker at {address} refuses the user guest or its password. Correct amqp.url, or set the password: rabbitmqctl \
                 change_password guest PASSWORD. Trying again until it works."
            ),
        ),
        (
            vhost.url().replace("/refusal", "/nowhere"),
            format!(
                "The broker at {address} has no vhost nowhere. Correct amqp.url, or add it: rabbitmqctl add_vhost nowhere, and \
                 rabbitmqctl set_permissions -p nowhere guest '.*' '.*' '.*'. Trying again until it works."
            ),
        ),
        (
            vhost.url_of("reader", "secret"),
            format!(
                "The broker at {address} does not let the user reader into the vhost refusal (NOT_ALLOWED - access to vhost 'refusal' \
                 refused for user 'reader'). Permit it: rabbitmqctl set_permissions -p refusal reader '.*' '.*' '.*'. Trying again until \
                 it works."
            ),
        ),
    ];
    for (url, expected) in cases.drain(..) {
        let folder = temp_dir();
        let daemon = service(&folder, &[&format!("url: {url}"), "queue: mails"]);
        let line = daemon.wait_for("Trying again");
        assert_eq!(line, format!("bouncedemails - warning: {expected}"));
        assert!(
            !daemon.stop().join("\n").contains("wrong"),
            "a password was logged"
        );
    }
    // It may come in, but not read the queue; once it may, it goes on by itself.
    vhost.durable_queue("mails");
    broker.rabbitmqctl(&[
        "set_permissions",
        "-p",
        "refusal",
        "reader",
        "^$",
        "^$",
        "^$",
    ]);
    let folder = temp_dir();
    let url = format!("url: {}", vhost.url_of("reader", "secret"));
    let daemon = service(&folder, &[&url, "queue: mails"]);
    daemon.wait_for("does not let the user reader read or declare the queue mails");
    broker.rabbitmqctl(&[
        "set_permissions",
        "-p",
        "refusal",
        "reader",
        ".*",
        ".*",
        ".*",
    ]);
    daemon.wait_for("The broker is back after");
    let lines = daemon.stop();
    let warnings = lines.iter().filter(|line| line.contains("warning")).count();
    assert_eq!(warnings, 1, "{lines:#?}");
}

#[test]
fn a_broker_that_is_away_is_said_once_and_when_it_is_back() {
    let broker = Broker::start();
    let queue = broker.vhost("away").durable_queue("mails");
    broker.stop();
    let folder = temp_dir();
    let url = format!("url: {}", queue.url());
    let daemon = service(&folder, &[&url, "queue: mails"]);
    daemon.wait_for("cannot be reached: nothing listens there. Trying again until it works.");
    broker.start_again();
    daemon.wait_for("The broker is back after");
    broker.kill();
    daemon.wait_for_times("Trying again", 2);
    broker.start_again();
    daemon.wait_for_times("The broker is back after", 2);
    let lines = daemon.stop();
    let warnings = lines.iter().filter(|line| line.contains("warning")).count();
    assert_eq!(warnings, 2, "{lines:#?}");
}

/// A queue's name, how it is declared, and what is said of it.
type Case<'a> = (
    &'a str,
    QueueDeclareOptions,
    &'a [(&'a str, &'a str)],
    Option<&'a str>,
);

#[test]
fn a_queue_that_loses_mails_by_itself_is_told_of() {
    let vhost = Broker::shared().vhost("losing");
    let durable = QueueDeclareOptions {
        durable: true,
        ..QueueDeclareOptions::default()
    };
    let auto_delete = QueueDeclareOptions {
        auto_delete: true,
        ..durable
    };
    let quorum = ("x-queue-type", "quorum");
    let classic = ("x-queue-type", "classic");
    let elsewhere = ("x-dead-letter-exchange", "amq.fanout");
    let limit = "error: The queue limited drops, without a word, a mail that was delivered more than 5 times";
    let cases: [Case; 8] = [
        (
            "transient",
            QueueDeclareOptions::default(),
            &[],
            Some("warning: The queue transient is not durable"),
        ),
        (
            "fleeting",
            auto_delete,
            &[],
            Some("warning: The queue fleeting is auto-delete"),
        ),
        ("lasting", durable, &[], None),
        ("lasting-too", durable, &[classic], None),
        ("agreeing", durable, &[quorum], None),
        (
            "limited",
            durable,
            &[quorum, ("x-delivery-limit", "5")],
            Some(limit),
        ),
        (
            "kept-elsewhere",
            durable,
            &[quorum, ("x-delivery-limit", "5"), elsewhere],
            None,
        ),
        (
            "forgetful",
            durable,
            &[
                classic,
                ("x-message-ttl", "600000"),
                ("x-max-priority", "3"),
            ],
            Some(
                "error: The queue forgetful drops, without a word, mails that waited for too long (in ms): x-message-ttl is 600000.",
            ),
        ),
    ];
    for (name, options, arguments, expected) in cases {
        let queue = vhost.queue(name);
        queue.declare(options, arguments);
        let folder = temp_dir();
        let url = format!("url: {}", queue.url());
        let daemon = service(&folder, &[&url, &format!("queue: {name}")]);
        daemon.wait_for("Taking mails from the queue");
        let mails = [soft_bounce("a@example.org", 1)];
        queue.publish(mails);
        // By then it has looked at the queue.
        daemon.wait_for("has 1 of 3");
        let said = daemon.stop().join("\n");
        match expected {
            Some(expected) => assert!(said.contains(expected), "{name}: {said}"),
            None => assert!(
                !said.contains("warning") && !said.contains("error"),
                "{name}: {said}"
            ),
        }
    }
}

#[test]
fn a_mail_that_comes_back_again_and_again_is_told_of() {
    let broker = Broker::shared();
    let queue = broker.vhost("often").queue("mails");
    let durable = QueueDeclareOptions {
        durable: true,
        ..QueueDeclareOptions::default()
    };
    queue.declare(durable, &[("x-queue-type", "quorum")]);
    queue.publish([soft_bounce("a@example.org", 1)]);
    queue.return_times(3);
    let folder = temp_dir();
    let url = format!("url: {}", queue.url());
    let daemon = service(&folder, &[&url, "queue: mails"]);
    daemon.wait_for(
        "error: A mail in the queue mails was delivered 3 times before and not acknowledged",
    );
    daemon.wait_for("a@example.org has 1 of 3");
    daemon.stop();
}

#[test]
fn mails_take_no_more_memory_than_there_is_for_them() {
    const MAILS: u32 = 150;
    let broker = Broker::start();
    let queue = broker.vhost("heavy").durable_queue("mails");
    let filler = "x".repeat(70) + "\r\n";
    let mail = |number: u32| {
        let mut mail = soft_bounce(&format!("heavy{number}@example.org"), number);
        mail.extend(filler.repeat(9_000_000 / filler.len()).bytes());
        mail
    };
    queue.publish((0..MAILS).map(mail));
    let folder = temp_dir();
    let url = format!("url: {}", queue.url());
    let daemon = service(&folder, &[&url, "queue: mails"]);
    for count in 1..=MAILS as usize {
        daemon.wait_for_times("@example.org has 1 of 3", count);
    }
    queue.wait_until_empty();
    let peak = daemon.peak_memory();
    daemon.stop();
    println!("{} MB at most", peak >> 20);
    assert!(peak < 300 << 20, "{peak} bytes");
}

#[test]
fn a_broker_is_reached_over_tls_if_its_certificate_is_trusted() {
    let names = ["localhost".to_owned()];
    let own = rcgen::generate_simple_self_signed(names).expect("a certificate");
    let folder = temp_dir();
    let file = |name: &str, text: String| {
        let file = folder.path().join(name);
        std::fs::write(&file, text).expect("the folder is ours");
        file
    };
    let certificate = file("cert.pem", own.cert.pem());
    let key = file("key.pem", own.signing_key.serialize_pem());
    let port = free_port();
    let _broker = Broker::start_with(&format!(
        "listeners.ssl.1 = 127.0.0.1:{port}\nssl_options.certfile = {}\nssl_options.keyfile = {}\n",
        certificate.display(),
        key.display(),
    ));
    let url = format!("url: amqps://guest:guest@localhost:{port}/%2f");
    let keys = [("base_url", "http://localhost:9/{address}")];
    let configuration = Configuration::in_folder(folder.path())
        .domain("mydomain.de", &keys)
        .section("amqp", &[&url, "queue: mails"])
        .write();
    let command = || {
        let mut command = bouncedemails();
        command.arg("--config").arg(&configuration).arg("run");
        command
    };
    let stranger = Daemon::spawn(&mut command());
    stranger.wait_for("invalid peer certificate: UnknownIssuer. Trying again");
    stranger.stop();
    // One more root for the system's.
    let trusting = Daemon::spawn(command().env("SSL_CERT_FILE", &certificate));
    trusting.wait_for("Taking mails from the queue mails at amqps://guest:***@localhost");
    trusting.stop();
}

#[test]
fn headers_that_are_nested_or_can_not_be_read_stop_nothing() {
    let broker = Broker::shared();
    let vhost = broker.vhost("nested");
    let queue = vhost.durable_queue("mails");
    let not_text = b"\x20\x80\x00\x00\x00\x00\x02\xff\xfe".to_vec();
    let cases = [
        headers(&nested_tables(2_000)),
        headers(&nested_tables(DEEPEST)),
        headers(&nested_arrays(DEEPEST)),
        // A header's name, a content type and a message id that are no UTF-8.
        headers(b"\x02\xff\xfet\x01"),
        b"\x80\x00\x02\xff\xfe".to_vec(),
        not_text,
    ];
    let folder = temp_dir();
    let url = format!("url: {}", queue.url());
    let daemon = service(&folder, &[&url, "queue: mails"]);
    daemon.wait_for("Taking mails from the queue");
    for (number, properties) in (0..).zip(&cases) {
        let mut client = RawClient::connect(broker.port(), vhost.name());
        let mail = soft_bounce(&format!("hostile{number}@example.org"), number);
        client.publish("mails", properties, mail.as_ref());
        client.close();
        queue.publish([soft_bounce(&format!("next{number}@example.org"), number)]);
        daemon.wait_for(&format!("hostile{number}@example.org has 1 of 3"));
        daemon.wait_for(&format!("next{number}@example.org has 1 of 3"));
    }
    queue.wait_until_empty();
    let said = daemon.stop().join("\n");
    assert!(
        !said.contains("warning") && !said.contains("error"),
        "{said}"
    );
}

#[test]
fn a_broker_that_nests_what_it_says_of_itself_is_answered() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let folder = temp_dir();
    let url = format!("url: amqp://guest:guest@{address}/%2f");
    let daemon = service(&folder, &[&url, "queue: mails"]);
    for properties in [nested_tables(DEEPEST), nested_arrays(DEEPEST)] {
        RawBroker::greet(&listener, &properties).is_answered();
    }
    daemon.wait_for("cannot be reached");
    daemon.stop();
}
