//! BDAT (RFC 3030).

use crate::server::Server;

#[test]
fn chunks_become_one_mail() {
    let server = Server::start();
    let mut client = server.envelope();
    client.send("BDAT 7\r\none\r\n.\r");
    client.expect("250 2.0.0 Chunk ok");
    client.asks("BDAT 0", "250 2.0.0 Chunk ok");
    client.asks("BDAT 8 LAST\r\n\nQUIT\r\n.", "250 2.0.0 Taken");
    assert_eq!(server.mailbox.contents(), ["one\r\n.\r\nQUIT\r\n."]);
}

#[test]
fn an_empty_last_chunk_ends_the_mail() {
    let server = Server::start();
    let mut client = server.envelope();
    client.send("BDAT 3\r\nabc");
    client.expect("250 ");
    client.asks("BDAT 0 LAST", "250 2.0.0 Taken");
    client.envelope();
    client.asks("BDAT 0 LAST", "250 2.0.0 Taken");
    assert_eq!(server.mailbox.contents(), ["abc", ""]);
}

#[test]
fn a_refused_chunk_is_not_taken_for_commands() {
    let server = Server::start();
    let mut client = server.hello();
    client.send("BDAT 6\r\nQUIT\r\n");
    client.expect("503 5.5.1 MAIL first");
    client.asks("MAIL FROM:<>", "250 ");
    client.send("BDAT 6 LAST\r\nQUIT\r\n");
    client.expect("503 5.5.1 No recipient");
    client.asks("RCPT TO:<a@openhpi.de>", "250 ");
    client.send("BDAT 2\r\nab");
    client.expect("250 ");
    client.asks("RCPT TO:<b@openhpi.de>", "503 5.5.1 BDAT has begun");
    client.asks("DATA", "503 5.5.1 BDAT has begun");
    client.asks("MAIL FROM:<>", "503 5.5.1 A mail is under way");
    client.asks("RSET", "250 ");
    client.send("BDAT 6 LAST\r\nQUIT\r\n");
    client.expect("503 5.5.1 MAIL first");
    assert!(server.mailbox.contents().is_empty());
    client.mail("after all");
}

#[test]
fn chunks_that_are_too_large_together() {
    let server = Server::start();
    let mut client = server.envelope();
    let chunk = "x".repeat(60_000);
    client.send(format!("BDAT 60000\r\n{chunk}"));
    client.expect("250 ");
    client.send(format!("BDAT 60000\r\n{chunk}"));
    client.expect("552 5.3.4 ");
    client.send("BDAT 6 LAST\r\nQUIT\r\n");
    client.expect("503 5.5.1 MAIL first");
    client.envelope();
    client.send(format!("BDAT 120000 LAST\r\n{chunk}{chunk}"));
    client.expect("552 5.3.4 ");
    client.asks("NOOP", "250 ");
    assert!(server.mailbox.contents().is_empty());
}

#[test]
fn a_size_that_cannot_be_read_ends_the_connection() {
    let server = Server::start();
    for size in [
        "x",
        "-1",
        "18446744073709551616",
        "184467440737095516159 LAST",
        "5 MORE",
        "",
    ] {
        let mut client = server.envelope();
        client.send(format!("BDAT {size}\r\nQUIT\r\nNOOP\r\n"));
        client.is_sent_off("501 5.5.4 ");
    }
    assert!(server.mailbox.contents().is_empty());
}

#[test]
fn what_follows_a_chunk_line_that_is_refused_is_no_command() {
    let server = Server::start();
    let long = format!("BDAT 6{}\r\n", " ".repeat(3_000));
    for line in [" BDAT 6 LAST\r\n", "BDAT 6 LAST\n", "BDAT 6\x01\r\n", &long] {
        let mut client = server.envelope();
        client.send(format!("{line}NOOP\r\n"));
        client.is_sent_off("501 5.5.4 ");
    }
    assert!(server.mailbox.contents().is_empty());
}

#[test]
fn pipelined_chunks() {
    let server = Server::start();
    let mut client = server.hello();
    client.send(concat!(
        "MAIL FROM:<>\r\nRCPT TO:<a@openhpi.de>\r\nBDAT 3\r\noneBDAT 4 LAST\r\n two",
        "MAIL FROM:<>\r\nRCPT TO:<a@openhpi.de>\r\nBDAT 5 LAST\r\nthreeQUIT\r\n",
    ));
    for start in [
        "250 2.1.0",
        "250 2.1.5",
        "250 2.0.0 Chunk",
        "250 2.0.0 Taken",
        "250 2.1.0",
        "250 2.1.5",
        "250 2.0.0 Taken",
        "221 ",
    ] {
        client.expect(start);
    }
    assert_eq!(server.mailbox.contents(), ["one two", "three"]);
}
