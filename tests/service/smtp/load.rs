//! Many clients at once, and a kill in the middle.

use super::service::{Service, soft_bounce};
use crate::support::{TempDir, eventually, output_of, temp_dir};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

const FULL: &str = "full@somewhere.test";
const SESSIONS: usize = 50;

/// Postfix' load generator: `count` times the same mail, over 50 connections at a time. It writes the conversations to standard error.
fn smtp_source(service: &Service, count: usize, folder: &TempDir) -> Command {
    let mail = folder.path().join("mail");
    let text = soft_bounce(FULL).replace('\r', "");
    std::fs::write(&mail, text).expect("the folder is ours");
    let mut command = Command::new("smtp-source");
    command
        .args(["-s", &SESSIONS.to_string(), "-m", &count.to_string()])
        .args(["-f", "", "-t", "no-reply@mydomain.de", "-v", "-F"])
        .arg(&mail)
        .arg(format!("inet:127.0.0.1:{}", service.port));
    command
}

/// Resident memory in MB.
fn resident(service: &Service) -> u64 {
    let status =
        std::fs::read_to_string(format!("/proc/{}/status", service.daemon.id())).expect("it runs");
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    kilobytes.expect("Linux says so") / 1024
}

#[test]
fn ten_thousand_mails_over_fifty_connections_all_count() {
    let service = Service::start();
    let folder = temp_dir();
    output_of(&mut smtp_source(&service, 2_000, &folder), b"");
    let before = resident(&service);
    output_of(&mut smtp_source(&service, 8_000, &folder), b"");
    let after = resident(&service);
    println!("resident: {before} MB after 2,000 mails, {after} MB after 10,000");
    assert!(after < before + 15, "{before} MB grew to {after} MB");
    // Equal to the byte, and on their way at the same time: each counts nevertheless.
    assert_eq!(service.counter(FULL), 10_000);
    service.daemon.stop();
}

#[test]
fn whatever_smtp_source_saw_a_250_for_survives_a_kill() {
    let service = Service::start();
    let folder = temp_dir();
    let conversation = folder.path().join("conversation");
    let log = File::create(&conversation).expect("the folder is ours");
    let mut source = smtp_source(&service, 10_000, &folder)
        .stderr(log)
        .spawn()
        .expect("smtp-source comes with Postfix");
    eventually("a good part of the mails to be taken", || {
        (service.counter(FULL) > 2_000).then_some(())
    });
    let service = service.kill_and_start();
    // It gives up when it is cut off.
    assert!(!source.wait().expect("it ends").success());
    let conversation = std::fs::read_to_string(conversation).expect("it is text");
    let taken = conversation.matches("<<< 250 2.0.0 Recorded").count();
    let counted = service.counter(FULL) as usize;
    println!("smtp-source saw {taken} taken, {counted} are counted");
    assert!(taken > 1_000, "{taken}");
    assert!(counted >= taken, "{taken} were taken, {counted} counted");
    // What was recorded while its 250 was on the way: one mail in each session.
    assert!(counted <= taken + SESSIONS, "{counted} for {taken}");
}

const CLIENTS: usize = 20;
const MAILS_OF_EACH: usize = 100;

#[test]
fn whatever_got_its_250_survives_a_kill_and_the_rest_comes_again() {
    let service = Service::start();
    let got_250 = AtomicUsize::new(0);
    let port = service.port;
    let (service, taken) = std::thread::scope(|scope| {
        let got_250 = &got_250;
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| scope.spawn(move || hand_over_until_cut_off(port, client, got_250)))
            .collect();
        eventually("a good part of the mails to be taken", || {
            (got_250.load(Ordering::Relaxed) > CLIENTS * MAILS_OF_EACH / 4).then_some(())
        });
        let service = service.kill_and_start();
        let taken: BTreeSet<String> = clients
            .into_iter()
            .flat_map(|client| client.join().expect("the client ends"))
            .collect();
        (service, taken)
    });
    assert!(taken.len() < CLIENTS * MAILS_OF_EACH, "killed too late");

    let counters = service.counters();
    for address in &taken {
        assert_eq!(counters.get(address), Some(&1), "{address} got its 250");
    }
    // The clients bring again whatever has no 250. Some of that was recorded: it must not count again.
    for client in 0..CLIENTS {
        for number in 0..MAILS_OF_EACH {
            let address = address(client, number);
            if !taken.contains(&address) {
                service.client().mail(&soft_bounce(&address));
            }
        }
    }
    let counters = service.counters();
    assert_eq!(counters.len(), CLIENTS * MAILS_OF_EACH);
    let doubled: Vec<_> = counters.iter().filter(|(_, count)| **count != 1).collect();
    assert!(doubled.is_empty(), "{doubled:?}");
}

fn address(client: usize, number: usize) -> String {
    format!("full-{client}-{number}@somewhere.test")
}

/// Hands mails over, one connection each, until one is cut off; returns the addresses of those that got their 250.
fn hand_over_until_cut_off(port: u16, client: usize, got_250: &AtomicUsize) -> Vec<String> {
    let addresses = (0..MAILS_OF_EACH).map(|number| address(client, number));
    addresses
        .take_while(|address| {
            let taken = hand_over(port, &soft_bounce(address)).unwrap_or(false);
            got_250.fetch_add(usize::from(taken), Ordering::Relaxed);
            taken
        })
        .collect()
}

/// Whether a mail got its 250.
fn hand_over(port: u16, mail: &str) -> io::Result<bool> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_nodelay(true)?;
    let mut replies = BufReader::new(&stream).lines();
    let mut said = |wanted: &str| match replies.next() {
        Some(Ok(line)) => Ok(line.starts_with(wanted)),
        Some(Err(error)) => Err(error),
        None => Err(io::ErrorKind::UnexpectedEof.into()),
    };
    let mut stream = &stream;
    said("220 ")?;
    for line in ["HELO x", "MAIL FROM:<>", "RCPT TO:<no-reply@mydomain.de>"] {
        stream.write_all(format!("{line}\r\n").as_bytes())?;
        said("250 ")?;
    }
    stream.write_all(b"DATA\r\n")?;
    said("354 ")?;
    stream.write_all(format!("{mail}\r\n.\r\n").as_bytes())?;
    let taken = said("250 2.0.0 ")?;
    // Whether the goodbye gets through makes no difference to the client.
    let _ = stream.write_all(b"QUIT\r\n");
    Ok(taken)
}
