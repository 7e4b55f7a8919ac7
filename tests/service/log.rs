//! Nothing that people look at holds up the flow (DESIGN 2): whatever the database, the disk or a reader of the log does, nobody waits for the
//! log.
//! The real binary with two threads for all that is asynchronous.

mod unread;

use crate::support::*;
use rusqlite::Connection;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

/// Longer than this nobody waits for a greeting.
const GREETING: Duration = Duration::from_millis(100);

/// A daemon that takes mail by SMTP for mydomain.de, whose platform is down while a suspension is pending.
struct Service {
    daemon: Daemon,
    port: u16,
    configuration: Configuration,
    _folder: TempDir,
}

impl Service {
    fn start(disk: Option<&SlowDisk>) -> Service {
        let folder = temp_dir();
        // Nobody listens on it: every suspension stays pending.
        let down = format!("http://127.0.0.1:{}/{{address}}", free_port());
        let configuration = Configuration::in_folder(folder.path())
            .domain("mydomain.de", &[("base_url", &down)])
            .section("smtp", &["listen: 127.0.0.1:0"]);
        let mut command = bouncedemails();
        command.env("TOKIO_WORKER_THREADS", "2");
        if let Some(disk) = disk {
            disk.give_to(&mut command);
        }
        let file = configuration.write();
        let daemon = Daemon::spawn(command.arg("--debug").arg("--config").arg(file).arg("run"));
        let port = daemon.smtp_port();
        Service {
            daemon,
            port,
            configuration,
            _folder: folder,
        }
    }

    /// Looks again and again until `done`, and twenty times at least: whether a new client is greeted at once, and whether the threads that
    /// serve it wait for nothing but the network.
    #[track_caller]
    fn is_unhindered_until(&self, what: &str, mut done: impl FnMut() -> bool) {
        let machine = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let (mut slowest, mut of_machine, mut looks) = (Duration::ZERO, Duration::ZERO, 0);
        eventually(what, || {
            // How long the same takes without any service, on a machine that has other things to do.
            let begun = Instant::now();
            let client = TcpStream::connect(machine.local_addr().expect("bound")).expect("us");
            let (mut served, _) = machine.accept().expect("our own client");
            served
                .write_all(b"220 machine\r\n")
                .expect("it can be sent");
            reply(&mut BufReader::new(client), "220 machine");
            of_machine = of_machine.max(begun.elapsed());
            let begun = Instant::now();
            let client = TcpStream::connect(("127.0.0.1", self.port)).expect("somebody listens");
            reply(&mut BufReader::new(client), "220");
            slowest = slowest.max(begun.elapsed());
            let threads = runtime_threads(self.daemon.id());
            let one_serves = threads.iter().any(|thread| serves(thread));
            assert!(
                one_serves,
                "all threads of the runtime are blocked: {threads:?}"
            );
            looks += 1;
            (looks >= 20 && done()).then_some(())
        });
        println!("slowest of {looks} greetings: {slowest:?}; machine: {of_machine:?}");
        assert!(
            slowest < GREETING + of_machine,
            "{slowest:?}; machine: {of_machine:?}"
        );
    }
}

/// Sends a mail up to its end to a server on this port; the reply to it is still to come.
fn send(port: u16, mail: &[u8]) -> BufReader<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("somebody listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let mut stream = BufReader::new(stream);
    reply(&mut stream, "220");
    for (line, expected) in [
        ("HELO mx.test", "250"),
        ("MAIL FROM:<>", "250"),
        ("RCPT TO:<no-reply@mydomain.de>", "250"),
        ("DATA", "354"),
    ] {
        let line = format!("{line}\r\n");
        stream
            .get_mut()
            .write_all(line.as_bytes())
            .expect("it can be sent");
        reply(&mut stream, expected);
    }
    let mail = [mail, b"\r\n.\r\n"].concat();
    stream.get_mut().write_all(&mail).expect("it can be sent");
    stream
}

#[track_caller]
fn reply(stream: &mut BufReader<TcpStream>, expected: &str) {
    let mut line = String::new();
    stream.read_line(&mut line).expect("a reply");
    assert!(
        line.starts_with(expected),
        "{line:?} instead of {expected:?}"
    );
}

/// What each thread of tokio's runtime does, as `/proc/‹pid›/task/‹tid›/syscall` says: the number of the system call that it waits in
/// and its arguments, or `running`.
fn runtime_threads(process: u32) -> Vec<String> {
    let tasks = Path::new("/proc").join(process.to_string()).join("task");
    let text = |task: &Path, name| std::fs::read_to_string(task.join(name)).unwrap_or_default();
    let tasks = std::fs::read_dir(tasks).expect("it runs").flatten();
    tasks
        .map(|task| task.path())
        .filter(|task| text(task, "comm").starts_with("tokio-rt-worker"))
        .map(|task| text(&task, "syscall"))
        .collect()
}

/// Whether a thread waits for the network, or does not wait at all.
fn serves(syscall: &str) -> bool {
    // epoll_wait, epoll_pwait and epoll_pwait2 by their numbers (on aarch64 the last two).
    let epoll = if cfg!(target_arch = "x86_64") {
        ["232", "281", "441"]
    } else {
        ["22", "22", "441"]
    };
    let number = syscall.split_whitespace().next().unwrap_or_default();
    number == "running" || epoll.contains(&number)
}

#[test]
fn a_locked_database_delays_nobodys_greeting() {
    let service = Service::start(None);
    reply(
        &mut send(service.port, &hard_bounce("first@example.org", 1)),
        "250",
    );
    service
        .daemon
        .wait_for("first@example.org is to be suspended");
    let other = Connection::open(service.configuration.database()).expect("it is there");
    other
        .execute_batch("BEGIN IMMEDIATE")
        .expect("nobody else holds it");
    let mut waiting = send(service.port, &hard_bounce("second@example.org", 2));
    service.is_unhindered_until("the engine to say that it can't record", || {
        service.daemon.count("Mails wait where they are") > 0
    });
    other.execute_batch("COMMIT").expect("it was begun");
    reply(&mut waiting, "250");
    service.daemon.wait_for("Permanent: second@example.org");
    service.daemon.stop();
}

#[test]
fn a_slow_disk_delays_nobodys_greeting() {
    let disk = SlowDisk::new(Duration::from_secs(3));
    let service = Service::start(Some(&disk));
    reply(
        &mut send(service.port, &hard_bounce("first@example.org", 1)),
        "250",
    );
    service
        .daemon
        .wait_for("first@example.org is to be suspended");
    disk.slow_down();
    let mut waiting = send(service.port, &hard_bounce("second@example.org", 2));
    service.is_unhindered_until("the mail to be recorded", || {
        service
            .daemon
            .count("second@example.org is to be suspended")
            > 0
    });
    reply(&mut waiting, "250");
    disk.recover();
    service.daemon.stop();
}
