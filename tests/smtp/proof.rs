//! When a client is known to have seen its 250 (RFC 1047).

use crate::server::{Mood, Server};

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

/// Nobody can tell whether it has read the 250.
#[test]
fn not_by_hanging_up_without_quit() {
    let server = Server::start();
    let mut client = server.hello();
    client.mail("x");
    client.half_close();
    client.rest();
    server.shutdown.cancel();
    let mailbox = server.mailbox.clone();
    server.ended();
    assert!(mailbox.known().is_empty());
}

#[test]
fn not_by_a_command_that_came_with_the_mail() {
    let server = Server::start();
    let mut client = server.envelope();
    client.asks("DATA", "354 ");
    client.send("x\r\n.\r\nNOOP\r\n");
    client.expect("250 2.0.0 Taken");
    client.expect("250 2.0.0 Ok");
    assert!(server.mailbox.known().is_empty());
    client.asks("NOOP", "250 2.0.0 Ok");
    server.mailbox.wait_for_known(0);
}

#[test]
fn not_if_it_left_before_the_250() {
    let server = Server::start();
    server.mailbox.set(Mood::Hold);
    let mut client = server.envelope();
    client.asks("DATA", "354 ");
    client.send("x\r\n.\r\n");
    server.mailbox.wait_for_messages(1);
    client.half_close();
    server.mailbox.set(Mood::Take);
    // The server has seen all there is when it closes its side.
    client.rest();
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
