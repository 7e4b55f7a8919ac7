//! From the queue to the platform, with the real binary, a real RabbitMQ and a real web server.

use crate::support::*;
use flate2::read::GzDecoder;
use std::io::Read;

const SUSPENSION: &str = "/emails/evil-address%40some-provider.com/suspend";

#[test]
fn a_bounce_that_is_published_ends_as_one_post() {
    let queue = Broker::shared().vhost("testmail").durable_queue("bounces");
    let platform = Platform::start();
    let folder = temp_dir();
    let configuration = Configuration::in_folder(folder.path())
        .platform("mydomain.de", &platform)
        .amqp(&queue);
    let mail = file_of_repository("tests/testmail");

    let daemon = Daemon::run_in_debug(&configuration.write());
    queue.amqp_publish(&mail);
    daemon.wait_for("Response:");
    queue.wait_until_empty();
    let lines = daemon.stop();

    let block = [
        "bouncedemails - ------------- INCOMING MESSAGE -------------",
        "bouncedemails - From:      MAILER-DAEMON@mail2de.some-provider.com (Mail Delivery System)",
        "bouncedemails - Subject:   Undelivered Mail Returned to Sender",
        "bouncedemails - To:        no-reply@mydomain.de",
        "bouncedemails - Domain:    mydomain.de",
        "bouncedemails - Permanent: evil-address@some-provider.com",
        r#"bouncedemails - Response:  200 / {"processd_email": "evil-address@some-provider.com"}"#,
    ];
    let start = lines
        .iter()
        .position(|line| line == block[0])
        .expect("a block");
    assert_eq!(lines[start..start + block.len()], block, "{lines:#?}");
    assert_eq!(platform.posts(), [SUSPENSION]);
    assert_eq!(queue.ready(), 0);
    let archived = configuration
        .archive()
        .join("ev/evil-address@some-provider.com.gz");
    let mut kept = Vec::new();
    GzDecoder::new(std::fs::File::open(archived).expect("it was archived"))
        .read_to_end(&mut kept)
        .expect("it is gzip");
    assert!(kept == mail, "the archive holds other bytes");
}

#[test]
fn the_same_bounce_handed_in_again_on_purpose_counts_again() {
    let queue = Broker::shared().vhost("purpose").durable_queue("bounces");
    let platform = Platform::start();
    let folder = temp_dir();
    let configuration = Configuration::in_folder(folder.path())
        .platform("mydomain.de", &platform)
        .handler("temporary_threshold: 100")
        // One mail in each of the engine's batches.
        .amqp_with(&queue, &["prefetch: 1"]);
    let file = configuration.write();
    // Equal to the byte: while the service is off, while it runs, and when it is started again.
    let mail = soft_bounce("full@example.org", 1);
    queue.publish([&mail; 40]);
    let daemon = Daemon::run_in_debug(&file);
    daemon.wait_for("has 40 of 100");
    queue.publish([&mail; 5]);
    daemon.wait_for("has 45 of 100");
    daemon.stop();
    queue.publish([&mail; 5]);
    let daemon = Daemon::run_in_debug(&file);
    daemon.wait_for("has 50 of 100");
    daemon.stop();
    let expected = [("full@example.org".to_owned(), 50)];
    assert_eq!(configuration.counters(), expected.into());
}

#[test]
fn a_platform_that_fails_is_told_again() {
    let queue = Broker::shared().vhost("failing").durable_queue("bounces");
    let mut asked = 0;
    let platform = Platform::answering(move |request| {
        asked += 1;
        match asked {
            1 => Answer::status(500),
            _ => accept(request),
        }
    });
    let folder = temp_dir();
    let configuration = Configuration::in_folder(folder.path())
        .platform("mydomain.de", &platform)
        .amqp(&queue);
    let daemon = Daemon::run_in_debug(&configuration.write());
    queue.amqp_publish(&file_of_repository("tests/testmail"));
    daemon.wait_for("Response:  500");
    daemon.wait_for("evil-address@some-provider.com is suspended at mydomain.de: 200");
    assert_eq!(platform.posts(), [SUSPENSION, SUSPENSION]);
    // The mail did not wait for the platform.
    queue.wait_until_empty();
    daemon.stop();
    assert_eq!(platform.posts(), [SUSPENSION, SUSPENSION]);
}

#[test]
fn a_suspension_outlives_the_service() {
    let queue = Broker::shared().vhost("outliving").durable_queue("bounces");
    let platform = Platform::answering(|_| Answer::status(500));
    let folder = temp_dir();
    let configuration = Configuration::in_folder(folder.path())
        .platform("mydomain.de", &platform)
        .amqp(&queue);
    let file = configuration.write();
    let daemon = Daemon::run_in_debug(&file);
    queue.amqp_publish(&file_of_repository("tests/testmail"));
    platform.wait_for_posts(1);
    queue.wait_until_empty();
    daemon.stop();
    platform.answer(accept);
    let failed = platform.posts().len();
    let daemon = Daemon::run_in_debug(&file);
    assert_eq!(
        platform.wait_for_posts(failed + 1).last().unwrap(),
        SUSPENSION
    );
    daemon.stop();
    assert_eq!(platform.posts().len(), failed + 1);
}

/// No connection is closed: only the missing signs of life tell that the broker is gone.
#[test]
fn a_broker_that_falls_silent_is_left_and_found_again() {
    let broker = Broker::start();
    let vhost = broker.vhost("silent");
    let queue = vhost.durable_queue("bounces");
    let platform = Platform::start();
    let folder = temp_dir();
    let configuration = Configuration::in_folder(folder.path())
        .platform("mydomain.de", &platform)
        .section(
            "amqp",
            &[
                &format!("url: {}?heartbeat=1", queue.url()),
                &format!("queue: {}", queue.name()),
            ],
        );
    let daemon = Daemon::start(&configuration.write(), &["run"]);
    queue.publish([hard_bounce("first@example.org", 1)]);
    platform.wait_for_posts(1);
    broker.freeze();
    daemon.wait_for("Trying again until it works");
    broker.thaw();
    daemon.wait_for("The broker is back");
    queue.publish([hard_bounce("second@example.org", 2)]);
    assert_eq!(platform.wait_for_posts(2).len(), 2);
    queue.wait_until_empty();
    daemon.stop();
}
