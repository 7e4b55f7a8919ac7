//! Stopping: idle clients are sent off, mails under way may end.

use crate::server::{Client, Mood, Server};
use std::net::TcpStream;
use std::time::Duration;

#[test]
fn idle_clients_are_sent_off_at_once() {
    let server = Server::start();
    let mut greeted = server.connect();
    let mut idle = server.hello();
    idle.mail("x");
    server.shutdown.cancel();
    greeted.is_sent_off("421 4.3.2 ");
    idle.is_sent_off("421 4.3.2 ");
    server.ended();
}

#[test]
fn a_mail_under_way_ends_and_new_clients_are_sent_off() {
    let server = Server::with(|settings| settings.timeouts.drain = Duration::from_secs(60));
    let mut idle = server.hello();
    let mut client = server.envelope();
    client.asks("DATA", "354 ");
    server.shutdown.cancel();
    idle.is_sent_off("421 4.3.2 ");
    let mut late = Client::new(TcpStream::connect(server.address).unwrap());
    late.is_sent_off("421 4.3.2 ");
    client.asks("x\r\n.", "250 2.0.0 Taken");
    client.is_sent_off("421 4.3.2 ");
    assert_eq!(server.mailbox.contents(), ["x\r\n"]);
    server.ended();
}

#[test]
fn a_mail_that_takes_too_long_is_cut_off() {
    let server = Server::with(|settings| settings.timeouts.drain = Duration::from_millis(200));
    let mut slow = server.envelope();
    slow.asks("DATA", "354 ");
    slow.send("half");
    server.mailbox.set(Mood::Hold);
    let mut unsettled = server.envelope();
    unsettled.asks("DATA", "354 ");
    unsettled.send("x\r\n.\r\n");
    server.mailbox.wait_for_messages(1);
    server.shutdown.cancel();
    slow.is_sent_off("421 4.3.2 ");
    unsettled.expect("451 4.3.0 ");
    unsettled.is_sent_off("421 4.3.2 ");
    server.ended();
}
