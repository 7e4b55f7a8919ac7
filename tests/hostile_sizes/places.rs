//! Where parsers read, for mails that repeat something there.

pub const HEAD: &str = "From: MAILER-DAEMON@mail.example.org\nTo: no-reply@mydomain.de\n\
    Subject: Undelivered Mail Returned to Sender\nMIME-Version: 1.0\n";

/// Where parsers read: what stands in front of the tokens, and behind them.
pub const PLACES: [(&str, &str, &str); 14] = [
    (
        "a text",
        "\nThis is the mail system at host a.example.\n\n",
        "\n",
    ),
    ("a line of text", "\n<a@b.example>: ", "\n"),
    ("HTML", "Content-Type: text/html\n\n", ">\n"),
    (
        "quoted-printable",
        "Content-Transfer-Encoding: quoted-printable\n\n",
        "\n",
    ),
    ("base64", "Content-Transfer-Encoding: base64\n\n", "\n"),
    (
        "a Japanese text",
        "Content-Type: text/plain; charset=iso-2022-jp\n\n",
        "\n",
    ),
    ("UTF-7", "Content-Type: text/plain; charset=utf-7\n\n", "\n"),
    (
        "parts",
        "Content-Type: multipart/mixed; boundary=b\n\n",
        "\n",
    ),
    (
        "a delivery status",
        "Content-Type: multipart/report; boundary=b\n\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; a\n\n",
        "\n--b--\n",
    ),
    (
        "a recipient",
        "Content-Type: multipart/report; boundary=b\n\n--b\nContent-Type: message/delivery-status\n\nFinal-Recipient: rfc822; ",
        "\n--b--\n",
    ),
    (
        "a diagnostic",
        "Content-Type: multipart/report; boundary=b\n\n--b\nContent-Type: message/delivery-status\n\n\
         Final-Recipient: rfc822; a@b.example\nDiagnostic-Code: smtp; ",
        "\n--b--\n",
    ),
    (
        "a returned mail",
        "Content-Type: multipart/report; boundary=b\n\n--b\nContent-Type: message/rfc822\n\n\
         From: MAILER-DAEMON@b.example\nSubject: Undelivered Mail\n\n",
        "\n--b--\n",
    ),
    (
        "a complaint",
        "Content-Type: multipart/report; boundary=b\n\n--b\nContent-Type: message/feedback-report\n\nOriginal-Rcpt-To: ",
        "\n--b--\n",
    ),
    (
        "a notification",
        "\n{\"notificationType\":\"Bounce\",\"bounce\":{\"bouncedRecipients\":[",
        "]}}\n",
    ),
];

/// A mail of about so many bytes that repeats `token` in such a place.
pub fn filled(front: &str, token: &str, back: &str, size: usize) -> Vec<u8> {
    format!("{front}{}{back}", token.repeat(size / token.len())).into_bytes()
}
