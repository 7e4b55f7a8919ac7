//! Nothing stops the line and nothing gets in (DESIGN 9): a full disk, mails that end the process, forged addresses. The real binary
//! and a real RabbitMQ.

use crate::support::*;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::time::{Duration, Instant};

fn bounces(name: &str, count: u32) -> Vec<Vec<u8>> {
    let bounce = |number| hard_bounce(&format!("gone.{name}.{number}@example.org"), number);
    (0..count).map(bounce).collect()
}

fn suspensions(name: &str, count: u32) -> BTreeSet<String> {
    let path = |number| format!("/emails/gone.{name}.{number}%40example.org/suspend");
    (0..count).map(path).collect()
}

#[test]
fn a_disk_that_runs_full_in_mid_run_and_is_freed_loses_nothing() {
    let Some(disk) = SmallDisk::mount("size=8m") else {
        eprintln!("skipped: no right to mount a small file system");
        return;
    };
    let queue = Broker::shared().vhost("full").durable_queue("mails");
    let platform = Platform::start();
    let configuration = Configuration::in_folder(disk.path())
        .platform("mydomain.de", &platform)
        .amqp(&queue);
    let daemon = Daemon::start(&configuration.write(), &["run"]);
    queue.publish(bounces("before", 50));
    platform.wait_for_all(&suspensions("before", 50));
    let filler = disk.fill();
    queue.publish(bounces("while", 500));
    daemon.wait_for("the disk is full");
    assert_eq!(daemon.count("the disk is full"), 1, "it is said once");
    std::fs::remove_file(filler).expect("the disk is freed");
    daemon.wait_for("The database works again");
    platform.wait_for_all(&suspensions("while", 500));
    queue.wait_until_empty();
    daemon.stop();
    let history = configuration.history();
    assert_eq!(history.len(), 550);
    assert!(history.values().all(|count| *count == 1), "{history:?}");
    assert_eq!(platform.posts().len(), 550);
}

#[test]
fn a_full_archive_delays_no_suspension() {
    let Some(disk) = SmallDisk::mount("size=1m") else {
        eprintln!("skipped: no right to mount a small file system");
        return;
    };
    let platform = Platform::start();
    let folder = temp_dir();
    std::os::unix::fs::symlink(disk.path(), folder.path().join("bounced_emails"))
        .expect("the archive is on the small disk");
    disk.fill();
    let configuration = Configuration::in_folder(folder.path()).platform("mydomain.de", &platform);
    let log = through_stdin(&configuration.write(), &hard_bounce("gone@example.org", 1));
    assert_eq!(platform.posts(), ["/emails/gone%40example.org/suspend"]);
    assert!(log.contains("could not be kept"), "{log}");
}

#[test]
fn a_mail_that_ends_the_process_twice_is_quarantined_and_the_next_mail_goes_through() {
    let queue = Broker::shared().vhost("poison").durable_queue("mails");
    let platform = Platform::start();
    let folder = temp_dir();
    let file = Configuration::in_folder(folder.path())
        .platform("mydomain.de", &platform)
        .amqp(&queue)
        .write();
    let start = || {
        let mut command = bouncedemails();
        command.env("BOUNCEDEMAILS_ABORT_ON", "deadly");
        Daemon::spawn(command.arg("--config").arg(&file).arg("run"))
    };
    queue.publish([
        &b"Subject: deadly\r\n\r\n"[..],
        b"",
        b"\0\0\0\0",
        &(0..=255).cycle().take(5_000).collect::<Vec<u8>>(),
    ]);
    for _ in 0..2 {
        let (status, lines) = start().wait();
        assert!(!status.success(), "{lines:?}");
    }
    let daemon = start();
    daemon.wait_for("it ended the process twice");
    let published = Instant::now();
    queue.publish(bounces("after", 1));
    platform.wait_for_all(&suspensions("after", 1));
    assert!(
        published.elapsed() < Duration::from_secs(1),
        "{:?}",
        published.elapsed()
    );
    queue.wait_until_empty();
    daemon.stop();
    let list = output_of(
        bouncedemails()
            .arg("--config")
            .arg(&file)
            .args(["quarantine", "list"]),
        b"",
    );
    assert_eq!(
        list.matches("it ended the process twice").count(),
        1,
        "{list}"
    );
    assert_eq!(list.matches("unreadable").count(), 3, "{list}");
}

#[test]
fn a_mail_that_takes_for_ever_delays_no_other_and_ends_in_quarantine() {
    let queue = Broker::shared().vhost("endless").durable_queue("mails");
    let platform = Platform::start();
    let folder = temp_dir();
    let configuration = Configuration::in_folder(folder.path())
        .platform("mydomain.de", &platform)
        .amqp(&queue);
    let file = configuration.write();
    let mut command = bouncedemails();
    command.env("BOUNCEDEMAILS_SPIN_ON", "endless");
    let daemon = Daemon::spawn(command.arg("--config").arg(&file).arg("run"));
    daemon.wait_for("Taking mails");
    let endless = |number| format!("Subject: endless {number}\r\n\r\n").into_bytes();
    // As many as there are processors to read them would hold up every other mail.
    queue.publish((0..3).map(endless));
    let published = Instant::now();
    queue.publish(bounces("beside", 1));
    platform.wait_for_all(&suspensions("beside", 1));
    println!("a mail beside endless ones took {:?}", published.elapsed());
    daemon.wait_for_times("reading it takes too long", 3);
    queue.publish(bounces("after", 1));
    platform.wait_for_all(&suspensions("after", 1));
    queue.wait_until_empty();
    // Their threads still try to read them.
    let told = Instant::now();
    daemon.stop();
    assert!(
        told.elapsed() < Duration::from_secs(10),
        "{:?}",
        told.elapsed()
    );
    let quarantined: u32 = configuration.quarantine().values().sum();
    assert_eq!(quarantined, 3);
}

/// systemd kills what has not ended in time, and an administrator does not wait.
#[test]
fn it_stops_within_ten_seconds_whatever_is_in_hand() {
    let queue = Broker::shared().vhost("stop").durable_queue("mails");
    let platform = Platform::start();
    let folder = temp_dir();
    let configuration = Configuration::in_folder(folder.path())
        .platform("mydomain.de", &platform)
        .section("smtp", &["listen: 127.0.0.1:0"])
        .amqp(&queue);
    let file = configuration.write();
    let mut command = bouncedemails();
    command.env("BOUNCEDEMAILS_SPIN_ON", "endless");
    let daemon = Daemon::spawn(command.arg("--config").arg(&file).arg("run"));
    let port = daemon.smtp_port();
    queue.publish(bounces("before", 1));
    platform.wait_for_all(&suspensions("before", 1));

    // Another process holds the database; mails are in hand, more wait, some take for ever, and a client waits for its 250.
    let other = rusqlite::Connection::open(configuration.database()).expect("a database");
    other
        .execute_batch("BEGIN IMMEDIATE")
        .expect("nobody writes");
    let client = hand_in(port, &hard_bounce("gone.client@example.org", 1));
    let endless = |number| format!("Subject: endless {number}\r\n\r\n").into_bytes();
    queue.publish((0..4).map(endless));
    queue.publish(bounces("in.hand", 2_000));
    daemon.wait_for("is locked by another process");
    let told = Instant::now();
    daemon.stop();
    let took = told.elapsed();
    println!("stopped after {took:?}");
    assert!(took < Duration::from_secs(10), "{took:?}");
    let reply = client.join().expect("a client");
    assert!(
        reply.starts_with("451") || reply.starts_with("421"),
        "{reply}"
    );

    // Nothing is lost, and nothing counts twice.
    other.execute_batch("COMMIT").expect("it is ours");
    let daemon = Daemon::start(&file, &["run"]);
    platform.wait_for_all(&suspensions("in.hand", 2_000));
    queue.wait_until_empty();
    daemon.stop();
    let history = configuration.history();
    assert_eq!(history.len(), 2_001);
    assert!(history.values().all(|count| *count == 1), "{history:?}");
}

/// A client that hands a mail in; the last reply it gets.
fn hand_in(port: u16, mail: &[u8]) -> std::thread::JoinHandle<String> {
    let content = String::from_utf8(mail.to_vec()).expect("ASCII");
    std::thread::spawn(move || {
        let stream = std::net::TcpStream::connect(("127.0.0.1", port)).expect("it listens");
        let mut replies = BufReader::new(&stream).lines().map_while(Result::ok);
        let mut last = replies.next().expect("a greeting");
        for command in [
            "HELO client.example",
            "MAIL FROM:<>",
            "RCPT TO:<no-reply@mydomain.de>",
            "DATA",
        ] {
            (&stream)
                .write_all(format!("{command}\r\n").as_bytes())
                .expect("it listens");
            last = replies.next().expect("a reply");
        }
        (&stream)
            .write_all(format!("{content}.\r\n").as_bytes())
            .expect("it listens");
        replies.next().unwrap_or(last)
    })
}

/// Everything but RFC 3986's unreserved characters, encoded.
fn encoded(address: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            (byte as char).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    address.bytes().map(encode).collect()
}

#[test]
fn forged_addresses_stay_in_their_place_in_url_file_log_database_and_terminal() {
    let platform = Platform::start();
    let folder = temp_dir();
    let configuration = Configuration::in_folder(folder.path()).platform("mydomain.de", &platform);
    let file = configuration.write();
    let long = "x".repeat(600);
    let forged = [
        "../../../../etc/passwd@example.org",
        "/etc/passwd@example.org",
        "..@example.org",
        ".hidden@example.org",
        "%2e%2e%2f%00@example.org",
        "?admin=1#&a=b@example.org",
        "{address}{+x}@example.org",
        "'/**/OR/**/1=1--@example.org",
        "$HOME`id`|x&@example.org",
        "\"a\\\\..\\\\b\"@example.org",
        &format!("{long}@example.org"),
    ];
    let mut log = String::new();
    for (number, address) in forged.iter().enumerate() {
        log += &through_stdin(&file, &hard_bounce(address, number as u32));
    }
    // What a proxy that decodes paths would climb out by is put into no URL.
    let misleading = [forged[0], forged[4], forged[5], forged[9]];
    for address in misleading {
        let said =
            format!("{address} is not suspended at mydomain.de: the address is put into no URL");
        assert!(log.contains(&said), "{log}");
    }
    let expected: BTreeSet<String> = forged
        .iter()
        .filter(|address| !misleading.contains(address))
        .map(|address| format!("/emails/{}/suspend", encoded(address)))
        .collect();
    let posted: BTreeSet<String> = platform.posts().into_iter().collect();
    assert_eq!(posted, expected, "{log}");
    assert_eq!(configuration.history().len(), forged.len());

    // Headers that forge lines of the log, or speak to the terminal.
    let mail = String::from_utf8(hard_bounce("real@example.org", 99)).expect("UTF-8");
    let evil = "=?utf-8?Q?=1B[2J=0D=0Abouncedemails_-_Permanent:_victim@example.org?=";
    let mail = mail.replace(
        "Subject: Undelivered Mail Returned to Sender",
        &format!("Subject: {evil}"),
    );
    assert!(mail.contains(evil));
    log += &through_stdin(&file, mail.as_bytes());
    let shown = output_of(
        bouncedemails()
            .arg("--config")
            .arg(&file)
            .args(["find-address", "--address", "@"]),
        b"",
    );
    for text in [&log, &shown] {
        let raw = text.chars().find(|c| c.is_control() && *c != '\n');
        assert_eq!(raw, None, "{text}");
    }
    assert!(
        !log.lines()
            .any(|line| line.starts_with("bouncedemails - Permanent: victim")),
        "{log}"
    );
    assert!(log.contains(r"\u{1b}[2J"), "{log}");
    for address in forged {
        assert!(shown.contains(address), "{address} in {shown}");
    }

    let beside: BTreeSet<String> = std::fs::read_dir(folder.path())
        .expect("the folder")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    let known = ["bounced_emails", "bounced_emails.db", "config.yml"];
    assert_eq!(beside, known.map(str::to_owned).into());
    let mut kept = 0;
    for folder in std::fs::read_dir(configuration.archive()).expect("the archive") {
        let folder = folder.expect("an entry").path();
        kept += std::fs::read_dir(folder)
            .expect("only folders of files")
            .count();
    }
    assert_eq!(kept, forged.len() + 1);
}

/// Hands a mail in; returns all that was logged.
fn through_stdin(file: &Path, mail: &[u8]) -> String {
    let input = temp_dir();
    let path = input.path().join("mail");
    std::fs::write(&path, mail).expect("the folder is ours");
    let output = bouncedemails()
        .arg("--config")
        .arg(file)
        .args(["--debug", "stdin"])
        .stdin(std::fs::File::open(&path).expect("the mail"))
        .output()
        .expect("it runs");
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{log}");
    log + &String::from_utf8_lossy(&output.stdout)
}
