//! DATA: where a mail ends, and who tries to make it end elsewhere.

use crate::server::{Client, Mood, Server};
use bouncedemails::memory::MemoryBudget;

#[test]
fn nothing_can_be_smuggled_behind_a_false_end() {
    let server = Server::start();
    let falses = [
        "\n.\n",
        "\r.\r",
        "\n.\r\n",
        "\r.\r\n",
        "\r\n.\n",
        "\r\n.\r",
        "\r\n.\r\r\n",
        "\r\n\x00.\r\n",
    ];
    for end in falses {
        let mut client = server.envelope();
        client.asks("DATA", "354 ");
        client.send(format!(
            "outer{end}MAIL FROM:<>\r\nRCPT TO:<victim@openhpi.de>\r\nDATA\r\nsmuggled\r\n.\r\n"
        ));
        client.expect("250 2.0.0 Taken");
        client.asks("NOOP", "250 2.0.0 Ok");
    }
    let contents = server.mailbox.contents();
    assert_eq!(contents.len(), falses.len());
    for (content, end) in contents.iter().zip(falses) {
        assert!(content.starts_with("outer"), "{end:?}");
        assert!(content.ends_with("DATA\r\nsmuggled\r\n"), "{end:?}");
    }
}

#[test]
fn commands_without_cr_lf_are_refused_one_by_one() {
    let server = Server::start();
    let mut client = server.connect();
    client.send("EHLO mx\nNO\rOP\r\nNOOP \0\r\nNOOP \u{7f}\r\n");
    client.expect("500 5.5.2 A line ends with CR LF");
    client.expect("500 5.5.2 A line ends with CR LF");
    client.expect("500 5.5.2 A command is UTF-8");
    client.expect("500 5.5.2 A command is UTF-8");
    client.send(b"\xff\xfe\x80\r\n");
    client.expect("500 5.5.2 A command is UTF-8");
    client.asks("EHLO mx", "250 ");
}

#[test]
fn eight_bits_nuls_and_endless_lines_are_content() {
    let server = Server::start();
    let mut client = server.envelope();
    client.asks("DATA", "354 ");
    let long = "x".repeat(50_000);
    client.send(long.as_bytes());
    client.send(b"\r\n\x00\x01\x7f\r\n.\r\n");
    client.expect("250 2.0.0 Taken");
    assert_eq!(
        server.mailbox.contents(),
        [format!("{long}\r\n\0\u{1}\u{7f}\r\n")]
    );
}

#[test]
fn an_empty_mail_is_a_mail() {
    let server = Server::start();
    let mut client = server.envelope();
    client.asks("DATA", "354 ");
    client.asks(".", "250 2.0.0 Taken");
    assert_eq!(server.mailbox.contents(), [""]);
}

#[test]
fn a_mail_that_is_too_large_is_refused_at_its_end_and_the_next_one_taken() {
    let server = Server::start();
    let mut client = server.envelope();
    client.asks("DATA", "354 ");
    let line = format!("{}\r\n", "x".repeat(998));
    client.send(line.repeat(101));
    client.asks(".", "552 5.3.4 ");
    client.envelope();
    client.asks("DATA", "354 ");
    client.send(line.repeat(100));
    client.asks(".", "250 2.0.0 Taken");
    assert_eq!(server.mailbox.contents(), [line.repeat(100)]);
}

#[test]
fn what_clients_fill_together_is_bounded() {
    let server = Server::with(|settings| settings.memory = MemoryBudget::new(200_000));
    let line = format!("{}\r\n", "x".repeat(998));
    server.mailbox.set(Mood::Hold);
    let mut first = server.envelope();
    first.asks("DATA", "354 ");
    first.send(format!("{}.\r\n", line.repeat(90)));
    server.mailbox.wait_for_messages(1);
    let mut second = server.envelope();
    second.asks("DATA", "354 ");
    second.send(line.repeat(90));
    second.asks(".", "452 4.3.1 ");
    server.mailbox.set(Mood::Take);
    first.expect("250 2.0.0 Taken");
    // The mailbox gives the memory back with its mails.
    server.mailbox.clear();
    second.envelope();
    second.asks("DATA", "354 ");
    second.send(line.repeat(90));
    second.asks(".", "250 2.0.0 Taken");
}

#[test]
fn what_cannot_be_recorded_stays_with_the_client() {
    let server = Server::start();
    server.mailbox.set(Mood::Refuse);
    let mut client = server.envelope();
    client.asks("DATA", "354 ");
    client.asks("a\r\n.", "451 4.3.0 ");
    server.mailbox.set(Mood::Take);
    client.mail("a");
}

#[test]
fn half_a_mail_is_no_mail() {
    let server = Server::start();
    let mut client = server.envelope();
    client.asks("DATA", "354 ");
    client.send("half\r\n.");
    client.half_close();
    assert_eq!(client.rest(), "");
    assert!(server.mailbox.contents().is_empty());
}

#[test]
fn one_address_can_not_fill_the_memory_of_all() {
    let server = Server::with(|settings| {
        settings.max_connections = 80;
        settings.memory = MemoryBudget::new(1_000_000);
    });
    let line = format!("{}\r\n", "x".repeat(998));
    // 33 mails of 60 kB, none of which ends, are twice the memory that there is.
    let mut greedy: Vec<Client> = (0..33).map(|_| server.envelope()).collect();
    let refused = greedy.iter_mut().filter_map(|client| {
        client.send(format!("BDAT 60000\r\n{}", line.repeat(60)));
        let reply = client.reply();
        reply.starts_with("452 4.3.1 ").then_some(())
    });
    assert!(refused.count() > 16);
    let mut other = server.connect_from("127.0.0.2");
    other.asks("EHLO mx.example.com", "250 ");
    other.mail(&line.repeat(60));
}
