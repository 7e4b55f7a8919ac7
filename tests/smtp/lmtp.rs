//! LMTP (RFC 2033).

use crate::server::{Client, Server};
use bouncedemails::smtp::Protocol;

fn lmtp() -> (Server, Client) {
    let server = Server::with(|settings| settings.protocol = Protocol::Lmtp);
    let client = server.connect();
    (server, client)
}

#[test]
fn every_recipient_gets_a_reply() {
    let (server, mut client) = lmtp();
    client.asks("EHLO x", "500 5.5.1 This is LMTP");
    client.asks("HELO x", "500 5.5.1 This is LMTP");
    client.asks("LHLO x", "250 LIMITS");
    client.asks("MAIL FROM:<>", "250 ");
    client.asks("RCPT TO:<a@openhpi.de>", "250 ");
    client.asks("RCPT TO:<b@elsewhere.de>", "550 5.7.1 ");
    client.asks("RCPT TO:<c@openhpi.de>", "250 ");
    client.asks("DATA", "354 ");
    client.asks("x\r\n.", "250 2.0.0 Taken");
    client.expect("250 2.0.0 Taken");
    client.asks("NOOP", "250 2.0.0 Ok");
    assert_eq!(
        server.mailbox.recipients(),
        [["a@openhpi.de", "c@openhpi.de"]]
    );
}

#[test]
fn every_recipient_is_told_of_a_refusal() {
    let (server, mut client) = lmtp();
    client.asks("LHLO x", "250 ");
    client.asks("MAIL FROM:<>", "250 ");
    client.asks("RCPT TO:<a@openhpi.de>", "250 ");
    client.asks("RCPT TO:<b@openhpi.de>", "250 ");
    client.send(format!("BDAT 100001 LAST\r\n{}", "x".repeat(100_001)));
    client.expect("552 5.3.4 ");
    client.expect("552 5.3.4 ");
    client.asks("NOOP", "250 2.0.0 Ok");
    assert!(server.mailbox.contents().is_empty());
}

#[test]
fn without_recipients_there_is_one_reply() {
    let (_server, mut client) = lmtp();
    client.asks("LHLO x", "250 ");
    client.asks("MAIL FROM:<>", "250 ");
    client.asks("RCPT TO:<b@elsewhere.de>", "550 5.7.1 ");
    client.asks("DATA", "503 5.5.1 No recipient");
    client.asks("NOOP", "250 2.0.0 Ok");
}
