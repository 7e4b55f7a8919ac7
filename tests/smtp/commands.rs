//! Every command, in and out of order.

use crate::server::Server;

#[test]
fn a_mail_from_hello_to_quit() {
    let server = Server::start();
    let mut client = server.connect();
    let hello = client.asks("EHLO mx.example.com", "250 LIMITS RCPTMAX=100");
    assert_eq!(
        hello.lines().collect::<Vec<_>>(),
        [
            "250-mx.test",
            "250-PIPELINING",
            "250-SIZE 100000",
            "250-8BITMIME",
            "250-SMTPUTF8",
            "250-ENHANCEDSTATUSCODES",
            "250-CHUNKING",
            "250-DSN",
            "250 LIMITS RCPTMAX=100",
        ]
    );
    client.asks(
        "MAIL FROM:<> SIZE=99 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=abc",
        "250 2.1.0 ",
    );
    client.asks(
        "RCPT TO:<no-reply@openhpi.de> NOTIFY=NEVER ORCPT=rfc822;a@b.de",
        "250 2.1.5 ",
    );
    client.asks("RCPT TO:<Zwei+x@OPENHPI.de>", "250 2.1.5 ");
    client.asks("DATA", "354 ");
    client.asks("Subject: grün\r\n\r\n..dot\r\n.", "250 2.0.0 Taken");
    client.asks("QUIT", "221 2.0.0 ");
    client.half_close();
    assert_eq!(client.rest(), "");
    assert_eq!(server.mailbox.contents(), ["Subject: grün\r\n\r\n.dot\r\n"]);
    assert_eq!(
        server.mailbox.recipients(),
        [["no-reply@openhpi.de", "Zwei+x@openhpi.de"]]
    );
}

#[test]
fn helo_tells_no_extensions() {
    let server = Server::start();
    let mut client = server.connect();
    assert_eq!(client.asks("HELO mx", "250 "), "250 mx.test");
    client.mail("Subject: x\r\n\r\nold school");
}

#[test]
fn commands_out_of_order() {
    let server = Server::start();
    let mut client = server.connect();
    client.asks("MAIL FROM:<>", "503 5.5.1 Say hello first");
    client.asks("EHLO mx.example.com", "250 ");
    client.asks("RCPT TO:<no-reply@openhpi.de>", "503 5.5.1 MAIL first");
    client.asks("DATA", "503 5.5.1 MAIL first");
    client.asks("MAIL FROM:<a@b.de>", "250 ");
    client.asks("MAIL FROM:<a@b.de>", "503 5.5.1 A mail is under way");
    client.asks("DATA", "503 5.5.1 No recipient");
    client.asks("RCPT TO:<somebody@elsewhere.de>", "550 5.7.1 ");
    client.asks("RCPT TO:<postmaster>", "550 5.7.1 ");
    client.asks("DATA", "503 5.5.1 No recipient");
    client.asks("RSET", "250 ");
    client.asks("DATA", "503 5.5.1 MAIL first");
    // EHLO is a RSET, too (RFC 5321, 4.1.4).
    client.envelope();
    client.asks("EHLO mx.example.com", "250 ");
    client.asks("DATA", "503 5.5.1 MAIL first");
    client.mail("Subject: x\r\n\r\nafter all");
    // A transaction ends with its content.
    client.asks("DATA", "503 5.5.1 MAIL first");
    assert_eq!(server.mailbox.contents().len(), 1);
}

#[test]
fn commands_that_bring_no_mail() {
    let server = Server::start();
    let mut client = server.hello();
    client.asks("NOOP", "250 ");
    client.asks("NOOP with words", "250 ");
    client.asks("HELP", "214 ");
    client.asks("HELP MAIL", "214 ");
    client.asks("VRFY no-reply", "252 ");
    client.asks("VRFY", "501 ");
    client.asks("EXPN list", "502 ");
    client.asks("AUTH PLAIN AAAA", "502 ");
    client.asks("ETRN x", "502 ");
    client.asks("STARTTLS", "502 5.5.1 TLS is not configured");
    client.asks("LHLO x", "500 5.5.1 This is SMTP");
    client.asks("TURN", "500 5.5.1 ");
    client.asks("", "500 5.5.1 ");
    client.asks("EHLO", "501 ");
    client.asks("DATA x", "501 ");
    client.asks("QUIT", "221 ");
}

#[test]
fn bad_addresses_and_parameters() {
    let server = Server::start();
    let mut client = server.hello();
    client.asks("MAIL FROM:<a@b.de> SIZE=x", "501 ");
    client.asks("MAIL FROM:<a@b.de> SIZE=100001", "552 5.3.4 ");
    client.asks("MAIL FROM:<a@b.de> AUTH=<>", "555 5.5.4 ");
    client.asks("MAIL FROM:a@b.de", "501 ");
    client.asks("MAIL FROM:<grün@b.de>", "553 5.6.7 ");
    client.asks("MAIL FROM:<>", "250 ");
    client.asks("RCPT TO:<grün@openhpi.de>", "553 5.6.7 ");
    client.asks("RCPT TO:<a@openhpi.de> X=1", "555 5.5.4 ");
    client.asks("RCPT TO:<@openhpi.de>", "553 5.1.3 ");
    client.asks("RCPT TO:<a b@openhpi.de>", "553 5.1.3 ");
    client.asks("RSET", "250 ");
    client.asks("MAIL FROM:<grün@b.de> SMTPUTF8", "250 ");
    client.asks(
        "RCPT TO:<grün@openhpi.de> ORCPT=utf-8;gr\\x{FC}n@openhpi.de",
        "250 ",
    );
}

#[test]
fn pipelined_commands_are_answered_in_order() {
    let server = Server::start();
    let mut client = server.connect();
    client.send(concat!(
        "EHLO mx.example.com\r\nMAIL FROM:<>\r\nRCPT TO:<x@elsewhere.de>\r\nRCPT TO:<a@openhpi.de>\r\nDATA\r\n",
        "one\r\n.\r\nMAIL FROM:<>\r\nRCPT TO:<b@openhpi.de>\r\nDATA\r\ntwo\r\n.\r\nQUIT\r\n",
    ));
    for start in [
        "250 LIMITS",
        "250 2.1.0",
        "550 5.7.1",
        "250 2.1.5",
        "354 ",
        "250 2.0.0 Taken",
        "250 2.1.0",
        "250 2.1.5",
        "354 ",
        "250 2.0.0 Taken",
        "221 ",
    ] {
        client.expect(start);
    }
    assert_eq!(server.mailbox.contents(), ["one\r\n", "two\r\n"]);
}

#[test]
fn how_the_bytes_are_cut_makes_no_difference() {
    let server = Server::start();
    let conversation = concat!(
        "EHLO mx\r\nMAIL FROM:<>\r\nRCPT TO:<a@openhpi.de>\r\nDATA\r\n..one\r\n.\r\n",
        "MAIL FROM:<>\r\nRCPT TO:<b@openhpi.de>\r\nBDAT 4\r\na\r\n.BDAT 3 LAST\r\nb\r\nQUIT\r\n",
    );
    let mut all_at_once = server.connect();
    all_at_once.send(conversation);
    let expected = all_at_once.rest();
    assert!(expected.ends_with("221 2.0.0 Bye\r\n"), "{expected}");
    for step in [1, 2, 3, 7, 50] {
        let mut client = server.connect();
        for piece in conversation.as_bytes().chunks(step) {
            client.send(piece);
        }
        assert_eq!(client.rest(), expected, "in steps of {step}");
    }
    let contents = server.mailbox.contents();
    assert_eq!(contents.len(), 12);
    for pair in contents.chunks(2) {
        assert_eq!(pair, [".one\r\n", "a\r\n.b\r\n"]);
    }
}

#[test]
fn a_web_browser_is_sent_off_before_its_body_is_obeyed() {
    let server = Server::start();
    let mut client = server.connect();
    client.send("POST / HTTP/1.1\r\nHost: x\r\n\r\nEHLO x\r\nMAIL FROM:<>\r\n");
    client.is_sent_off("421 4.7.0 This is no web server");
}
