//! The whole way with a real Postfix: our own mail is refused, Postfix' bounce comes back through the alias, the script and RabbitMQ, and
//! ends at the platform.

use crate::support::*;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

const NO_REPLY: &str = "no-reply@mydomain.de";

/// The right side of the alias. Its script and its password lie in `folder`, which every user may look into.
fn alias(setup: &Setup, broker: &Broker, vhost: &str, folder: &Path) -> String {
    let script = copy(&repository("resources/send_message_to_rabbitmq.sh"), folder);
    let authfile = copy(&setup.folder.join("publish.auth"), folder);
    // As whom Postfix runs the pipe of an alias.
    give(&authfile, "nobody");
    format!(
        "|env AMQP_SERVER=127.0.0.1 AMQP_PORT={} AMQP_VHOST={vhost} AMQP_AUTHFILE={} {}",
        broker.port(),
        authfile.display(),
        script.display(),
    )
}

#[test]
fn what_another_server_refuses_ends_at_the_platform() {
    let broker = Broker::shared();
    let setup = Setup::run(broker, "refused");
    let unknown = RefusingServer::start("550 5.1.1 <evil-address>: User unknown");
    let full = RefusingServer::start("452 4.2.2 <full>: Mailbox full");
    let shared = open_dir();
    let postfix = Postfix::start(&[
        (
            "alias_maps",
            &map("no-reply", &alias(&setup, broker, "refused", shared.path())),
        ),
        (
            "transport_maps",
            &format!(
                "inline:{{ some-provider.com={}, full.example={} }}",
                unknown.next_hop(),
                full.next_hop()
            ),
        ),
        // One try, then a bounce: a soft failure need not wait for five days.
        ("maximal_queue_lifetime", "0"),
    ]);
    let platform = Platform::start();
    let folder = temp_dir();
    let configuration = Configuration::in_folder(folder.path())
        .platform("mydomain.de", &platform)
        .handler("temporary_threshold: 3")
        .section("amqp", &[&setup.url(), "queue: bouncedemails"]);
    let daemon = Daemon::run_in_debug(&configuration.write());

    postfix.send(NO_REPLY, "evil-address@some-provider.com");
    let hard = "/emails/evil-address%40some-provider.com/suspend";
    assert_eq!(platform.wait_for_posts(1), [hard]);

    for count in 1..=3 {
        postfix.send(NO_REPLY, "person@full.example");
        daemon.wait_for(&format!(
            "person@full.example has {count} of 3 soft bounces"
        ));
    }
    assert_eq!(platform.posts(), [hard]);
    postfix.send(NO_REPLY, "person@full.example");
    let soft = "/emails/person%40full.example/suspend";
    assert_eq!(platform.wait_for_posts(2), [hard, soft]);

    setup.queue.wait_until_empty();
    daemon.stop();
    assert_eq!(platform.posts(), [hard, soft]);
    assert_eq!(configuration.counters(), [].into());
}

#[test]
fn postfix_keeps_a_bounce_while_the_broker_is_away() {
    let broker = Broker::start();
    let setup = Setup::run(&broker, "away");
    let unknown = RefusingServer::start("550 5.1.1 <evil-address>: User unknown");
    let shared = open_dir();
    let postfix = Postfix::start(&[
        (
            "alias_maps",
            &map("no-reply", &alias(&setup, &broker, "away", shared.path())),
        ),
        (
            "transport_maps",
            &format!("inline:{{ some-provider.com={} }}", unknown.next_hop()),
        ),
    ]);
    broker.stop();
    postfix.send(NO_REPLY, "evil-address@some-provider.com");
    let line = postfix.wait_for_log("to=<no-reply@mydomain.de>");
    assert!(line.contains("status=deferred"), "{line}");
    assert!(line.contains("temporary failure"), "{line}");
    broker.start_again();
    postfix.flush();
    eventually("the bounce in the queue", || {
        (setup.queue.ready() == 1).then_some(())
    });
}

#[test]
fn the_setup_changes_nothing_when_it_is_run_again_and_hides_its_passwords() {
    let broker = Broker::shared();
    let setup = || {
        let setup = Setup::run(broker, "again");
        ["rabbitmq_password", "publish.auth"].map(|name| {
            let file = setup.folder.join(name);
            let metadata = std::fs::metadata(&file).expect("it was written");
            let text = std::fs::read_to_string(&file).expect("it is text");
            (text, metadata.permissions().mode() & 0o777, metadata.uid())
        })
    };
    let [consumer, publisher] = setup();
    assert_eq!((consumer.1, consumer.2), (0o640, 0));
    assert_eq!(publisher.1, 0o400);
    assert_ne!(publisher.2, 0, "the mail server does not run as root");
    authenticate(broker, &publisher.0);
    assert_eq!(setup(), [consumer, publisher.clone()]);
    authenticate(broker, &publisher.0);
    let queues = ["list_queues", "--quiet", "-p", "again", "name", "type"];
    let queues = broker.rabbitmqctl(&queues);
    assert!(queues.contains("quorum"), "{queues}");
}

#[test]
fn the_script_makes_the_queue_rather_than_lose_a_mail() {
    let broker = Broker::shared();
    let setup = Setup::run(broker, "lost");
    broker.rabbitmqctl(&["delete_queue", "--vhost", "lost", "bouncedemails"]);
    let mut script = broker.command(repository("resources/send_message_to_rabbitmq.sh"));
    script
        .env("AMQP_PORT", broker.port().to_string())
        .env("AMQP_VHOST", "lost")
        .env("AMQP_AUTHFILE", setup.folder.join("publish.auth"));
    output_of(&mut script, b"a mail");
    assert_eq!(setup.queue.ready(), 1);
}

#[test]
fn the_script_asks_for_another_try_whatever_goes_wrong() {
    let broker = Broker::shared();
    broker.vhost("refusing");
    let wrong = temp_dir();
    let wrong = wrong.path().join("wrong.auth");
    std::fs::write(&wrong, "username:guest\npassword:wrong\n").expect("the folder is ours");
    for (port, authfile) in [
        (free_port(), wrong.as_path()),
        (broker.port(), wrong.as_path()),
        (broker.port(), Path::new("/nowhere")),
    ] {
        let mut script = broker.command(repository("resources/send_message_to_rabbitmq.sh"));
        let output = script
            .env("AMQP_PORT", port.to_string())
            .env("AMQP_VHOST", "refusing")
            .env("AMQP_AUTHFILE", authfile)
            .output()
            .expect("it starts");
        assert_eq!(output.status.code(), Some(75), "{output:?}");
    }
}

/// Fails unless the broker takes the name and the password of an authfile.
fn authenticate(broker: &Broker, authfile: &str) {
    let mut words = authfile.lines().filter_map(|line| line.split_once(':'));
    let (user, password) = (
        words.next().expect("a name"),
        words.next().expect("a password"),
    );
    broker.rabbitmqctl(&["authenticate_user", user.1, password.1]);
}

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A Postfix table of one entry. A `|` or a space in the value is kept; a list would be split.
fn map(key: &str, value: &str) -> String {
    format!("inline:{{ {{ {key} = \"{value}\" }} }}")
}

fn copy(file: &Path, folder: &Path) -> PathBuf {
    let copy = folder.join(file.file_name().expect("a file has a name"));
    std::fs::copy(file, &copy).expect("a file can be copied");
    copy
}
