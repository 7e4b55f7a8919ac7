//! Bounces for whatever address a test needs, as Postfix writes them.

/// A bounce to no-reply@mydomain.de that says that the mailbox does not exist. Equal arguments give equal bytes.
pub fn hard_bounce(address: &str, number: u32) -> Vec<u8> {
    bounce(
        address,
        number,
        "550 5.1.1",
        "Recipient address rejected: User unknown",
    )
}

/// A bounce to no-reply@mydomain.de that says that the mailbox is full. Equal arguments give equal bytes.
pub fn soft_bounce(address: &str, number: u32) -> Vec<u8> {
    bounce(
        address,
        number,
        "452 4.2.2",
        "Mailbox full, please try again later",
    )
}

/// A mail of a person: no bounce.
pub fn ordinary_mail(number: u32) -> Vec<u8> {
    format!(
        "From: person{number}@example.com\r\nTo: no-reply@mydomain.de\r\nSubject: Hello\r\n\
         Message-ID: <{number}@example.com>\r\n\r\nHow do I change my password?\r\n"
    )
    .into_bytes()
}

fn bounce(address: &str, number: u32, code: &str, words: &str) -> Vec<u8> {
    let status = &code[4..];
    let text = format!(
        "Received: by mx.example.net (Postfix) id Q{number:08X}; Mon, 16 Nov 2026 08:12:46 +0100 (CET)
From: MAILER-DAEMON@mx.example.net (Mail Delivery System)
Subject: Undelivered Mail Returned to Sender
To: no-reply@mydomain.de
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary=\"{number:x}/mx\"
Message-Id: <Q{number:08X}@mx.example.net>

--{number:x}/mx
Content-Type: text/plain; charset=us-ascii

<{address}>: host mail.example.org[192.0.2.1] said: {code}
    <{address}>: {words} (in reply to RCPT TO command)

--{number:x}/mx
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.net
X-Postfix-Sender: rfc822; no-reply@mydomain.de

Final-Recipient: rfc822; {address}
Action: failed
Status: {status}
Remote-MTA: dns; mail.example.org
Diagnostic-Code: smtp; {code} <{address}>: {words}

--{number:x}/mx
Content-Type: text/rfc822-headers

From: My Platform <no-reply@mydomain.de>
To: {address}
Subject: News {number}
Message-ID: <news.{number}@mydomain.de>

--{number:x}/mx--
"
    );
    text.replace('\n', "\r\n").into_bytes()
}
