//! When a client is known to have seen its 250 (RFC 1047).

use crate::server::{Mailbox, Mood, PATIENCE, Server, converse_over_unix};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::time::Instant;

#[test]
fn by_its_next_command() {
    let server = Server::start();
    let mut client = server.hello();
    client.mail("x");
    assert!(server.mailbox.known().is_empty());
    client.asks("RSET", "250 ");
    server.mailbox.wait_for_known(0);
}

#[test]
fn by_an_orderly_end_after_a_pipelined_quit() {
    let server = Server::start();
    let mut client = server.envelope();
    client.asks("DATA", "354 ");
    client.send("x\r\n.\r\nQUIT\r\n");
    client.expect("250 2.0.0 Taken");
    client.expect("221 ");
    assert!(server.mailbox.known().is_empty());
    drop(client);
    server.mailbox.wait_for_known(0);
}

#[test]
fn by_hanging_up_after_it_has_read_the_250() {
    let server = Server::start();
    let mut client = server.hello();
    client.mail("x");
    drop(client);
    server.mailbox.wait_for_known(0);
}

/// What the client sends while our 250 is on its way comes after the 250 has left, and yet it does not know.
#[test]
fn not_by_a_command_that_crosses_the_250() {
    let mailbox = Mailbox::default();
    converse_over_unix(&mailbox, |client| {
        let envelope = "EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<a@openhpi.de>\r\nBDAT 1 LAST\r\nx";
        client.get_mut().write_all(envelope.as_bytes()).unwrap();
        read_up_to(client, "250 2.0.0 Taken");
        // It has read that, but not the reply to this, when it goes on.
        for command in ["MAIL FROM:<>", "RCPT TO:<a@openhpi.de>"] {
            write!(client.get_mut(), "{command}\r\n").unwrap();
            read_up_to(client, "250 ");
        }
        assert_eq!(mailbox.known(), [0]);
        client.get_mut().write_all(b"BDAT 1 LAST\r\ny").unwrap();
        wait_for_input(client, "250 2.0.0 Taken\r\n".len());
        client.get_mut().write_all(b"NOOP\r\n").unwrap();
        wait_for_input(client, "250 2.0.0 Taken\r\n250 2.0.0 Ok\r\n".len());
        assert_eq!(mailbox.known(), [0]);
        read_up_to(client, "250 2.0.0 Ok");
        client.get_mut().write_all(b"NOOP\r\n").unwrap();
        mailbox.wait_for_known(1);
    });
}

fn read_up_to(client: &mut BufReader<UnixStream>, start: &str) {
    let mut line = String::new();
    while !line.starts_with(start) {
        line.clear();
        assert!(client.read_line(&mut line).unwrap() > 0, "no {start:?}");
    }
}

/// Waits until so many bytes lie in our kernel, unread.
fn wait_for_input(client: &BufReader<UnixStream>, bytes: usize) {
    let deadline = Instant::now() + PATIENCE;
    while rustix::io::ioctl_fionread(client.get_ref()).unwrap() < bytes as u64 {
        assert!(Instant::now() < deadline, "waited in vain for a reply");
        std::thread::yield_now();
    }
}

#[test]
fn not_by_a_pipelined_command() {
    let server = Server::start();
    server.mailbox.set(Mood::Hold);
    let mut client = server.envelope();
    client.asks("DATA", "354 ");
    client.send("x\r\n.\r\n");
    server.mailbox.wait_for_messages(1);
    // It lies in our socket before the 250 leaves.
    client.send("NOOP\r\n");
    server.mailbox.set(Mood::Take);
    client.expect("250 2.0.0 Taken");
    client.expect("250 2.0.0 Ok");
    assert!(server.mailbox.known().is_empty());
    client.asks("NOOP", "250 2.0.0 Ok");
    server.mailbox.wait_for_known(0);
}

#[test]
fn not_if_it_left_before_the_250() {
    let server = Server::start();
    for last_words in ["", "QUIT\r\n"] {
        server.mailbox.set(Mood::Hold);
        let count = server.mailbox.contents().len();
        let mut client = server.envelope();
        client.asks("DATA", "354 ");
        client.send(format!("x\r\n.\r\n{last_words}"));
        server.mailbox.wait_for_messages(count + 1);
        client.half_close();
        server.mailbox.set(Mood::Take);
        // The server has seen all there is when it closes its side.
        client.rest();
    }
    server.shutdown.cancel();
    let mailbox = server.mailbox.clone();
    server.ended();
    assert!(mailbox.known().is_empty());
}

#[test]
fn not_if_it_was_killed_before_it_read_the_250() {
    let server = Server::start();
    let mut client = server.envelope();
    client.asks("DATA", "354 ");
    client.send("x\r\n.\r\nQUIT\r\n");
    server.mailbox.wait_for_messages(1);
    client.wait_for_unread_input();
    // With replies unread, the kernel resets the connection.
    drop(client);
    server.shutdown.cancel();
    let mailbox = server.mailbox.clone();
    server.ended();
    assert!(mailbox.known().is_empty());
}
