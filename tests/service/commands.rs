//! The commands on the ledger, as an operator types them.

use crate::support::*;
use bouncedemails::suspend::Schedule;
use std::path::Path;
use std::process::Output;
use std::time::{Duration, Instant};

const DEAD: &str = "/emails/dead%40example.org/suspend";

fn command(file: &Path, arguments: &[&str]) -> Output {
    let mut command = bouncedemails();
    command.arg("--config").arg(file).args(arguments);
    command.output().expect("it runs")
}

/// What a command that succeeds prints.
fn printed(file: &Path, arguments: &[&str]) -> String {
    output_of(
        bouncedemails().arg("--config").arg(file).args(arguments),
        b"",
    )
}

fn hand_in(file: &Path, mail: &[u8]) {
    output_of(bouncedemails().arg("--config").arg(file).arg("stdin"), mail);
}

fn set_permanent(file: &Path) -> Output {
    let arguments = [
        "set_permanent_bounced_address",
        "--bounced_address",
        "dead@example.org",
        "--domain",
        "mydomain.de",
    ];
    command(file, &arguments)
}

#[test]
fn an_address_is_suspended_by_hand_and_the_platforms_answer_is_shown() {
    let platform = Platform::start();
    let folder = temp_dir();
    let file = Configuration::in_folder(folder.path())
        .platform("mydomain.de", &platform)
        .write();
    let output = set_permanent(&file);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    assert!(
        text.contains(r#"Response:  200 / {"processd_email": "dead@example.org"}"#),
        "{text}"
    );
    assert_eq!(platform.posts(), [DEAD]);
    let found = printed(&file, &["find_address", "--address", "DEAD@"]);
    for part in [
        "Permanent bounces",
        "manual",
        "delivered",
        "asked for by a person",
    ] {
        assert!(found.contains(part), "{part} in {found}");
    }
}

#[test]
fn by_hand_beside_a_running_service_is_posted_once() {
    let platform = Platform::answering(|request| match request.path == DEAD {
        true => Answer::Late(Duration::from_secs(2), Box::new(accept(request))),
        false => accept(request),
    });
    let queue = Broker::shared().vhost("by-hand").durable_queue("mails");
    let folder = temp_dir();
    let file = Configuration::in_folder(folder.path())
        .platform("mydomain.de", &platform)
        .amqp(&queue)
        .write();
    let daemon = Daemon::start(&file, &["run"]);
    daemon.wait_for("Taking mails");
    std::thread::scope(|scope| {
        let by_hand = scope.spawn(|| set_permanent(&file));
        platform.wait_for_posts(1);
        // While the command waits for its answer, the service looks for what is due.
        queue.publish([hard_bounce("later@example.org", 1)]);
        platform.wait_for_posts(2);
        assert!(by_hand.join().expect("it ends").status.success());
    });
    daemon.stop();
    let posts = [DEAD, "/emails/later%40example.org/suspend"];
    assert_eq!(platform.posts(), posts);
}

#[test]
fn a_platform_that_is_not_configured_is_refused_with_those_that_are() {
    let platform = Platform::start();
    let folder = temp_dir();
    let file = Configuration::in_folder(folder.path())
        .platform("mydomain.de", &platform)
        .write();
    let output = command(
        &file,
        &[
            "set-permanent-bounced-address",
            "--bounced-address",
            "dead@example.org",
            "--domain",
            "elsewhere.example",
        ],
    );
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(
        error.contains("elsewhere.example is no configured platform; take one of: mydomain.de"),
        "{error}"
    );
    assert_eq!(platform.posts().len(), 0);
}

#[test]
fn failed_suspensions_are_retried_by_the_command_or_by_the_running_service() {
    let platform = Platform::answering(|_| Answer::status(403));
    let queue = Broker::shared().vhost("retry").durable_queue("mails");
    let folder = temp_dir();
    let file = Configuration::in_folder(folder.path())
        .platform("mydomain.de", &platform)
        .amqp(&queue)
        .write();
    let refused = set_permanent(&file);
    assert_eq!(refused.status.code(), Some(1));
    let text = String::from_utf8_lossy(&refused.stdout);
    assert!(
        text.contains("bouncedemails retry --address dead@example.org"),
        "{text}"
    );

    let still = printed(&file, &["retry"]);
    assert!(still.contains("failed"), "{still}");
    platform.answer(accept);
    let other = printed(&file, &["retry", "--address", "other@example.org"]);
    assert!(other.contains("no failed suspension"), "{other}");
    let delivered = printed(&file, &["retry", "--address", "Dead@example.org"]);
    assert!(delivered.contains("1 of them delivered"), "{delivered}");
    assert_eq!(platform.posts(), [DEAD; 3]);

    platform.answer(|_| Answer::status(403));
    assert_eq!(set_permanent(&file).status.code(), Some(1));
    platform.answer(accept);
    let daemon = Daemon::start(&file, &["run"]);
    daemon.wait_for("Taking mails");
    let left = printed(&file, &["retry"]);
    assert!(left.contains("1 tried again"), "{left}");
    platform.wait_for_posts(5);
    daemon.stop();
    assert_eq!(platform.posts(), [DEAD; 5]);
}

#[test]
fn two_services_on_one_database_post_each_suspension_once() {
    const COUNT: u32 = 500;
    let platform = Platform::start();
    let queue = Broker::shared()
        .vhost("two-services")
        .durable_queue("mails");
    let folder = temp_dir();
    let file = Configuration::in_folder(folder.path())
        .platform("mydomain.de", &platform)
        .amqp_with(&queue, &["prefetch: 50"])
        .write();
    let daemons = [(); 2].map(|()| Daemon::start(&file, &["run"]));
    for daemon in &daemons {
        daemon.wait_for("Taking mails");
    }
    queue.publish((0..COUNT).map(|n| hard_bounce(&format!("n{n}@example.org"), n)));
    platform.wait_for_posts(COUNT as usize);
    queue.wait_until_empty();
    for daemon in daemons {
        daemon.stop();
    }
    let mut posts = platform.posts();
    assert_eq!(posts.len(), COUNT as usize);
    posts.sort();
    posts.dedup();
    assert_eq!(posts.len(), COUNT as usize);
}

#[test]
fn what_a_killed_service_had_claimed_is_posted_by_another_within_the_lease() {
    const COUNT: u32 = 50;
    let platform = Platform::answering(|_| Answer::Hang);
    let queue = Broker::shared()
        .vhost("killed-claims")
        .durable_queue("mails");
    let folder = temp_dir();
    let file = Configuration::in_folder(folder.path())
        .platform("mydomain.de", &platform)
        .amqp(&queue)
        .write();
    let killed = Daemon::start(&file, &["run"]);
    queue.publish((0..COUNT).map(|n| hard_bounce(&format!("n{n}@example.org"), n)));
    queue.wait_until_empty();
    let claimed = platform.wait_for_posts(Schedule::default().at_once);
    // Those hang on; who asks from now on is answered. Otherwise the other's first requests could hang as well, for what the first
    // has not claimed yet is anybody's.
    platform.answer(accept);
    let other = Daemon::start(&file, &["run"]);
    other.wait_for("Taking mails");
    let all: Vec<String> = (0..COUNT)
        .map(|n| format!("/emails/n{n}%40example.org/suspend"))
        .collect();
    let posted_by_the_other = || platform.posts().split_off(claimed.len());
    // The first lives and waits for answers: nothing of that is posted by another.
    let waiting = |path: &String| claimed.contains(path);
    assert!(!posted_by_the_other().iter().any(waiting));
    killed.kill();
    let start = Instant::now();
    eventually("every suspension to be posted by the other", || {
        let posts = posted_by_the_other();
        all.iter().all(|path| posts.contains(path)).then_some(())
    });
    let taken = start.elapsed();
    // And some seconds for a busy machine.
    assert!(
        taken < Schedule::default().lease + PATIENCE / 4,
        "{taken:?}"
    );
    other.stop();
}

#[test]
fn a_counter_is_reset() {
    let platform = Platform::start();
    let folder = temp_dir();
    let configuration = Configuration::in_folder(folder.path()).platform("mydomain.de", &platform);
    let file = configuration.write();
    for number in 0..3 {
        hand_in(&file, &soft_bounce("full@example.org", number));
    }
    assert_eq!(
        configuration.counters(),
        [("full@example.org".to_owned(), 3)].into()
    );
    let found = printed(&file, &["find-address", "--address", "full@"]);
    assert!(found.contains("Temporary bounces"), "{found}");
    let text = printed(&file, &["reset", "--address", "FULL@example.org"]);
    assert!(
        text.contains("had 3 temporary bounces at mydomain.de"),
        "{text}"
    );
    assert_eq!(configuration.counters(), [].into());
    let nothing = printed(&file, &["find-address", "--address", "nobody@"]);
    assert!(nothing.contains("Nothing is known"), "{nothing}");
}

#[test]
fn a_quarantined_mail_is_listed_shown_requeued_and_deleted() {
    let platform = Platform::start();
    let folder = temp_dir();
    let without = Configuration::in_folder(folder.path()).platform("elsewhere.example", &platform);
    let file = without.write();
    let mail = hard_bounce("dead@example.org", 1);
    hand_in(&file, &mail);
    hand_in(&file, &hard_bounce("other@example.org", 2));
    let list = printed(&file, &["quarantine", "list"]);
    assert!(
        list.contains("no configured platform: it came back to no-reply@mydomain.de"),
        "{list}"
    );
    let shown = command(&file, &["quarantine", "show", "1"]);
    assert!(shown.stdout == mail, "other bytes came out");
    let missing = command(&file, &["quarantine", "show", "9"]);
    assert_eq!(missing.status.code(), Some(1));
    printed(&file, &["quarantine", "delete", "2"]);

    let file = Configuration::in_folder(folder.path())
        .platform("mydomain.de", &platform)
        .write();
    printed(&file, &["quarantine", "requeue", "--all"]);
    assert_eq!(platform.posts(), [DEAD]);
    let empty = printed(&file, &["quarantine", "list"]);
    assert_eq!(empty, "The quarantine is empty.\n");
}

#[test]
fn every_command_has_an_example_in_its_help() {
    for name in [
        "find-address",
        "set-permanent-bounced-address",
        "reset",
        "retry",
        "quarantine",
    ] {
        let help = output_of(bouncedemails().args([name, "--help"]), b"");
        assert!(help.contains(&format!("bouncedemails {name}")), "{help}");
    }
}
