//! What a client may not do for long: errors, idling, trickling, crowding.

use crate::server::{Client, PATIENCE, Server};
use std::net::TcpStream;
use std::time::{Duration, Instant};

#[test]
fn only_networks_that_are_allowed() {
    let server = Server::with(|settings| settings.allow = vec!["127.0.0.2/32".parse().unwrap()]);
    let mut client = Client::new(TcpStream::connect(server.address).unwrap());
    client.is_sent_off("554 5.7.1 Your address is in no network of smtp.allow");
}

#[test]
fn one_address_gets_half_of_the_connections() {
    let server = Server::with(|settings| settings.max_connections = 5);
    let mut crowd: Vec<Client> = (0..3).map(|_| server.hello()).collect();
    let mut fourth = Client::new(TcpStream::connect(server.address).unwrap());
    fourth.is_sent_off("421 4.7.0 Too many connections");
    // Its place is free when a client has gone.
    crowd[0].asks("QUIT", "221 ");
    crowd[0].half_close();
    assert_eq!(crowd[0].rest(), "");
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut again = Client::new(TcpStream::connect(server.address).unwrap());
        if again.reply().starts_with("220 ") {
            break;
        }
        assert!(Instant::now() < deadline, "the place is not given back");
    }
}

#[test]
fn a_hundred_recipients_and_no_more() {
    let server = Server::start();
    let mut client = server.hello();
    client.asks("MAIL FROM:<>", "250 ");
    for number in 0..100 {
        client.asks(&format!("RCPT TO:<r{number}@openhpi.de>"), "250 2.1.5 ");
    }
    // The client is to bring the others with the next mail (RFC 5321, 4.5.3.1.10); one that does not listen is sent off in the end.
    for number in 100..119 {
        client.asks(&format!("RCPT TO:<r{number}@openhpi.de>"), "452 4.5.3 ");
    }
    client.asks("DATA", "354 ");
    client.asks("x\r\n.", "250 2.0.0 Taken");
    assert_eq!(server.mailbox.recipients()[0].len(), 100);
    client.asks("MAIL FROM:<>", "250 ");
    for _ in 0..100 {
        client.asks("RCPT TO:<r@openhpi.de>", "250 2.1.5 ");
    }
    for _ in 0..20 {
        client.asks("RCPT TO:<r@openhpi.de>", "452 4.5.3 ");
    }
    client.is_sent_off("421 4.7.0 Too many errors");
}

#[test]
fn too_many_errors() {
    let server = Server::start();
    let mut client = server.hello();
    for _ in 0..19 {
        client.asks("NONSENSE", "500 ");
    }
    // A mail that is taken wipes the slate clean.
    client.mail("x");
    for _ in 0..20 {
        client.asks("NONSENSE", "500 ");
    }
    client.is_sent_off("421 4.7.0 Too many errors");
}

#[test]
fn too_many_commands_without_a_mail() {
    let server = Server::start();
    let mut client = server.connect();
    for _ in 0..20 {
        client.asks("NOOP", "250 ");
    }
    client.is_sent_off("421 4.7.0 Too many commands");
}

#[test]
fn chunks_of_nothing_bring_no_mail_closer() {
    let server = Server::start();
    let mut client = server.envelope();
    // EHLO was the first such command.
    for _ in 0..19 {
        client.asks("BDAT 0", "250 ");
    }
    client.is_sent_off("421 4.7.0 Too many commands");
}

#[test]
fn lines_that_are_too_long() {
    let server = Server::start();
    let mut client = server.hello();
    let longest = format!("NOOP {}", "x".repeat(2048 - 7));
    client.asks(&longest, "250 ");
    client.asks(&format!("{longest}x"), "500 5.5.2 Line too long");
    client.asks(&"x".repeat(1_000_000), "500 5.5.2 Line too long");
    client.asks("NOOP", "250 ");
}

#[test]
fn a_client_that_says_nothing_or_trickles_is_sent_off() {
    let server = Server::with(|settings| settings.timeouts.command = Duration::from_millis(300));
    let mut silent = server.hello();
    silent.is_sent_off("421 4.4.2 ");

    let mut trickling = server.hello();
    let begin = Instant::now();
    // The whole line counts, not the pause between two bytes.
    let mut feeder = trickling.feeder();
    let feeding = std::thread::spawn(move || while feeder.feed(b"N") {});
    trickling.expect("421 4.4.2 ");
    assert!(begin.elapsed() < Duration::from_secs(10));
    trickling.half_close();
    drop(trickling);
    feeding.join().unwrap();
}

#[test]
fn a_mail_that_trickles_is_cut_off() {
    let server = Server::with(|settings| {
        settings.timeouts.block = Duration::from_secs(60);
        settings.timeouts.transaction = Duration::from_millis(500);
    });
    let mut client = server.envelope();
    client.asks("DATA", "354 ");
    let mut feeder = client.feeder();
    let feeding = std::thread::spawn(move || while feeder.feed(b"N") {});
    client.expect("421 4.4.2 ");
    drop(client);
    feeding.join().unwrap();
    assert!(server.mailbox.contents().is_empty());
}

#[test]
fn a_mail_that_stops_in_the_middle_is_cut_off() {
    let server = Server::with(|settings| settings.timeouts.block = Duration::from_millis(300));
    let mut client = server.envelope();
    client.asks("DATA", "354 ");
    client.send("half a line");
    client.is_sent_off("421 4.4.2 ");
    assert!(server.mailbox.contents().is_empty());
}
