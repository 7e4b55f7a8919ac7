//! A log that nobody reads holds up nothing; what it does not take is counted. What journald gets.

use super::{reply, send};
use crate::support::*;
use rustix::fs::OFlags;
use rustix::process::Signal;
use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, ErrorKind, PipeReader, PipeWriter, Write};
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

/// Mails are taken, recorded and posted, and it ends when told to, though nobody reads its log. `logging` says where that goes.
#[track_caller]
fn works_unread(logging: impl FnOnce(&mut Command) -> Guarded) {
    let platform = Platform::start();
    let folder = temp_dir();
    let port = free_port();
    let configuration = Configuration::in_folder(folder.path())
        .platform("mydomain.de", &platform)
        .section("smtp", &[&format!("listen: 127.0.0.1:{port}")]);
    let file = configuration.write();
    let mut command = bouncedemails();
    command.arg("--debug").arg("--config").arg(file).arg("run");
    let mut daemon = logging(&mut command);
    eventually("somebody to listen", || {
        TcpStream::connect(("127.0.0.1", port)).ok()
    });
    let mails = 30;
    for number in 0..mails {
        let mail = hard_bounce(&format!("gone.{number}@example.org"), number);
        reply(&mut send(port, &mail), "250");
    }
    platform.wait_for_posts(mails as usize);
    assert_eq!(configuration.history().len(), mails as usize);
    let told = Instant::now();
    daemon.signal(Signal::TERM);
    let status = eventually("its end", || daemon.child().try_wait().expect("a child"));
    assert!(status.success(), "{status}");
    let took = told.elapsed();
    assert!(took < Duration::from_secs(10), "it took {took:?} to end");
}

/// A pipe that holds as much as it can.
fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    // By a way of its own, since whoever shares ours would not wait either.
    let path = format!("/proc/self/fd/{}", writer.as_raw_fd());
    let nonblocking = OFlags::NONBLOCK.bits() as i32;
    let mut own = OpenOptions::new();
    let own = own.write(true).custom_flags(nonblocking);
    let mut own = own.open(path).expect("the pipe");
    let full = loop {
        if let Err(error) = own.write(b"nobody reads this\n") {
            break error;
        }
    };
    assert_eq!(full.kind(), ErrorKind::WouldBlock);
    (reader, writer)
}

#[test]
fn a_pipe_that_nobody_reads_holds_up_nothing() {
    let (_unread, pipe) = full_pipe();
    works_unread(|command| {
        Guarded::spawn(
            command
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(pipe),
        )
    });
}

#[test]
fn a_journald_that_does_not_read_holds_up_nothing() {
    let Some(journald) = Journald::start() else {
        return;
    };
    journald.fill();
    works_unread(|command| Guarded::spawn(journald.log_of(command).stdin(Stdio::null())));
}

#[test]
fn what_the_log_does_not_take_is_counted_and_said_once() {
    const MAILS: usize = 90;
    const RECIPIENTS: usize = 250;
    let folder = temp_dir();
    let port = free_port();
    let configuration = Configuration::in_folder(folder.path())
        .domain(
            "mydomain.de",
            &[("base_url", "http://127.0.0.1:1/{address}")],
        )
        .section("smtp", &[&format!("listen: 127.0.0.1:{port}")]);
    let file = configuration.write();
    let (unread, pipe) = full_pipe();
    let mut command = bouncedemails();
    command.arg("--config").arg(file).arg("run");
    let daemon = Guarded::spawn(
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(pipe),
    );
    // The command holds our end of the pipe.
    drop(command);
    eventually("somebody to listen", || {
        TcpStream::connect(("127.0.0.1", port)).ok()
    });
    for number in 0..MAILS {
        reply(&mut send(port, &full_mailboxes(number, RECIPIENTS)), "250");
    }
    let (mut kept, mut lost) = (0, Vec::new());
    let (read, lines) = mpsc::channel();
    std::thread::spawn(move || {
        let lines = BufReader::new(unread).lines().map_while(Result::ok);
        lines.for_each(|line| read.send(line).expect("it is waited for"));
    });
    loop {
        let line = match lines.recv_timeout(PATIENCE) {
            Ok(line) => line,
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => panic!("{kept} lines, {lost:?} lost, and no end"),
        };
        if line.contains(" soft bounces allowed at mydomain.de") {
            kept += 1;
        } else if let Some((count, _)) = line.split_once(" log lines were lost: ") {
            let (_, count) = count.rsplit_once(' ').expect("words before");
            lost.push(count.parse::<usize>().expect("a number"));
            // It can be read again: nothing more is lost.
            daemon.signal(Signal::TERM);
        }
    }
    println!("{kept} lines kept, {lost:?} lost");
    assert_eq!(lost.len(), 1, "{lost:?}");
    assert_eq!(kept + lost[0], MAILS * RECIPIENTS);
}

/// A report that so many mailboxes are full.
fn full_mailboxes(number: usize, recipients: usize) -> Vec<u8> {
    let recipient = |at| {
        let name = "a.long.name".repeat(5);
        format!(
            "\r\nFinal-Recipient: rfc822; {name}.{at}@mail-{number}.example.org\r\nAction: failed\r\nStatus: 4.2.2\r\n\
             Diagnostic-Code: smtp; 452 4.2.2 mailbox full\r\n"
        )
    };
    let recipients: String = (0..recipients).map(recipient).collect();
    let mail = format!(
        "From: MAILER-DAEMON@mx.test\r\nTo: no-reply@mydomain.de\r\nSubject: full\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n\
         --b\r\n\r\nMailboxes are full.\r\n\
         --b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.test\r\n{recipients}\r\n--b--\r\n"
    );
    mail.into_bytes()
}

#[test]
fn journald_gets_outcomes_with_fields_and_blocks_at_priority_debug() {
    let Some(journald) = Journald::start() else {
        return;
    };
    let platform = Platform::start();
    let folder = temp_dir();
    let configuration = Configuration::in_folder(folder.path()).platform("mydomain.de", &platform);
    let mut command = bouncedemails();
    command
        .arg("--config")
        .arg(configuration.write())
        .arg("stdin");
    let mut command = journald.log_of(&command);
    let lines = std::thread::scope(|scope| {
        let reading = scope.spawn(|| journald.read());
        output_of(&mut command, &hard_bounce("gone@example.org", 1));
        journald.end();
        reading.join().expect("it reads")
    });
    let with = |text: &str| {
        let mut found = lines.iter().filter(|line| line["MESSAGE"].contains(text));
        found
            .next()
            .unwrap_or_else(|| panic!("{text} in {lines:#?}"))
    };
    let outcome = with("gone@example.org is to be suspended");
    for (field, value) in [
        ("PRIORITY", "6"),
        ("SYSLOG_IDENTIFIER", "bouncedemails"),
        ("BOUNCE_ADDRESS", "gone@example.org"),
        ("BOUNCE_DOMAIN", "mydomain.de"),
        ("BOUNCE_REASON", "userunknown"),
    ] {
        assert_eq!(outcome[field], value, "{outcome:#?}");
    }
    assert_eq!(with("INCOMING MESSAGE")["PRIORITY"], "7");
    let at = lines
        .iter()
        .position(|line| line["MESSAGE"] == "Permanent: gone@example.org");
    let response = &lines[at.expect("the line of a block") + 1];
    assert!(
        response["MESSAGE"].starts_with("Response:  200 / "),
        "{response:#?}"
    );
    assert_eq!(response["PRIORITY"], "7");
}
