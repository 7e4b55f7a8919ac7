//! What the server says, as values: reply code, enhanced status code (RFC 3463) and text.
//!
//! A text never repeats what a client sent, so nothing has to be escaped.

use bytes::BytesMut;
use std::borrow::Cow;
use std::fmt::{self, Write};

/// One reply. When it is given is for the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    code: u16,
    status: Option<(u8, u8, u8)>,
    text: Cow<'static, str>,
}

impl Reply {
    /// A reply of one line.
    pub const fn new(code: u16, status: (u8, u8, u8), text: &'static str) -> Reply {
        Reply {
            code,
            status: Some(status),
            text: Cow::Borrowed(text),
        }
    }

    /// A reply that bears no enhanced code (greeting, EHLO, 354: RFC 2034, section 3); each line of `text` becomes a
    /// line of it.
    pub fn plain(code: u16, text: impl Into<Cow<'static, str>>) -> Reply {
        Reply {
            code,
            status: None,
            text: text.into(),
        }
    }

    /// Whether it says yes (2xx, 3xx).
    pub fn is_positive(&self) -> bool {
        self.code < 400
    }

    /// Whether the connection ends with it.
    pub(super) fn is_last(&self) -> bool {
        self.code == 421 || *self == BAD_CHUNK
    }

    /// Appends it as it goes over the line.
    pub fn write(&self, out: &mut BytesMut) {
        let mut lines = self.text.lines().peekable();
        while let Some(line) = lines.next() {
            let separator = if lines.peek().is_some() { '-' } else { ' ' };
            let written = match self.status {
                Some((class, subject, detail)) => write!(
                    out,
                    "{}{separator}{class}.{subject}.{detail} {line}\r\n",
                    self.code
                ),
                None => write!(out, "{}{separator}{line}\r\n", self.code),
            };
            written.expect("a buffer takes everything");
        }
    }
}

impl fmt::Display for Reply {
    /// In one line, as people read it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if let Some((class, subject, detail)) = self.status {
            write!(f, " {class}.{subject}.{detail}")?;
        }
        write!(f, " {}", self.text)
    }
}

pub(super) const OK: Reply = Reply::new(250, (2, 0, 0), "Ok");
pub(super) const SENDER_OK: Reply = Reply::new(250, (2, 1, 0), "Sender ok");
pub(super) const RECIPIENT_OK: Reply = Reply::new(250, (2, 1, 5), "Recipient ok");
pub(super) const CHUNK_OK: Reply = Reply::new(250, (2, 0, 0), "Chunk ok");
pub(super) const BYE: Reply = Reply::new(221, (2, 0, 0), "Bye");
pub(super) const READY_FOR_TLS: Reply = Reply::new(220, (2, 0, 0), "Ready to start TLS");
pub(super) const HELP: Reply = Reply::new(
    214,
    (2, 0, 0),
    "EHLO MAIL RCPT DATA BDAT RSET NOOP QUIT VRFY STARTTLS",
);
pub(super) const CANNOT_VERIFY: Reply = Reply::new(
    252,
    (2, 1, 5),
    "Not verified; RCPT tells whether it is taken",
);

/// Said to those who come while the server stops, and to those who have nothing under way.
pub(super) const STOPPING: Reply = Reply::new(421, (4, 3, 2), "Stopping; try again later");
pub(super) const TOO_SLOW: Reply = Reply::new(421, (4, 4, 2), "Timed out waiting for the client");
pub(super) const TOO_MANY_ERRORS: Reply = Reply::new(421, (4, 7, 0), "Too many errors");
pub(super) const TOO_MANY_IDLE_COMMANDS: Reply =
    Reply::new(421, (4, 7, 0), "Too many commands without a mail");
pub(super) const TOO_MANY_CONNECTIONS: Reply =
    Reply::new(421, (4, 7, 0), "Too many connections; try again later");
pub(super) const NOT_ALLOWED: Reply = Reply::new(
    554,
    (5, 7, 1),
    "Your address is in no network of smtp.allow",
);

/// The client must keep its mail (RFC 3463 4.3.0, "other mail system status").
pub(super) const NOT_TAKEN: Reply = Reply::new(451, (4, 3, 0), "Not taken; keep it and try again");
/// RFC 3463 4.3.1, "mail system full".
pub(super) const NO_ROOM: Reply = Reply::new(
    452,
    (4, 3, 1),
    "Too many large mails at once; try again later",
);
pub(super) const TOO_MANY_RECIPIENTS: Reply = Reply::new(452, (4, 5, 3), "Too many recipients");
pub(super) const TOO_LARGE: Reply =
    Reply::new(552, (5, 3, 4), "Larger than smtp.max_message_size allows");

pub(super) const BARE_LINE_BREAK: Reply = Reply::new(500, (5, 5, 2), "A line ends with CR LF");
pub(super) const LINE_TOO_LONG: Reply = Reply::new(500, (5, 5, 2), "Line too long");
pub(super) const NO_TEXT: Reply = Reply::new(
    500,
    (5, 5, 2),
    "A command is UTF-8 without control characters",
);
pub(super) const UNKNOWN_COMMAND: Reply = Reply::new(500, (5, 5, 1), "Command unknown");
pub(super) const NO_HTTP: Reply = Reply::new(421, (4, 7, 0), "This is no web server");
pub(super) const NO_ARGUMENT: Reply = Reply::new(501, (5, 5, 4), "This command takes no argument");
pub(super) const BAD_SYNTAX: Reply = Reply::new(501, (5, 5, 4), "Syntax error in the argument");
pub(super) const BAD_PARAMETER: Reply = Reply::new(501, (5, 5, 4), "Bad value of a parameter");
pub(super) const BAD_SENDER: Reply = Reply::new(553, (5, 1, 7), "That is no sender address");
pub(super) const BAD_RECIPIENT: Reply = Reply::new(553, (5, 1, 3), "That is no recipient address");
/// RFC 6531, section 3.5.
pub(super) const NEEDS_SMTPUTF8: Reply = Reply::new(
    553,
    (5, 6, 7),
    "An address that is not ASCII needs MAIL with SMTPUTF8",
);
pub(super) const UNKNOWN_PARAMETER: Reply = Reply::new(555, (5, 5, 4), "Parameter not supported");
pub(super) const NOT_IMPLEMENTED: Reply = Reply::new(502, (5, 5, 1), "Command not implemented");
/// After this the stream can't be trusted: its content would be taken for commands.
pub(super) const BAD_CHUNK: Reply = Reply::new(501, (5, 5, 4), "Write BDAT chunk-size [LAST]; bye");

pub(super) const HELLO_FIRST: Reply = Reply::new(503, (5, 5, 1), "Say hello first");
pub(super) const WRONG_HELLO_FOR_SMTP: Reply =
    Reply::new(500, (5, 5, 1), "This is SMTP: say EHLO or HELO");
pub(super) const WRONG_HELLO_FOR_LMTP: Reply = Reply::new(500, (5, 5, 1), "This is LMTP: say LHLO");
pub(super) const MAIL_FIRST: Reply = Reply::new(503, (5, 5, 1), "MAIL first");
pub(super) const NESTED_MAIL: Reply = Reply::new(503, (5, 5, 1), "A mail is under way; RSET first");
pub(super) const CONTENT_BEGUN: Reply =
    Reply::new(503, (5, 5, 1), "BDAT has begun; go on with BDAT, or RSET");
pub(super) const NO_RECIPIENTS: Reply = Reply::new(503, (5, 5, 1), "No recipient was taken");
/// It bears no enhanced code, as [`Reply::plain`].
pub(super) const GO_ON: Reply = Reply {
    code: 354,
    status: None,
    text: Cow::Borrowed("Go on; end with <CRLF>.<CRLF>"),
};

pub(super) const TLS_FIRST: Reply = Reply::new(530, (5, 7, 0), "STARTTLS first");
pub(super) const NO_TLS: Reply = Reply::new(502, (5, 5, 1), "TLS is not configured here");
pub(super) const TLS_ALREADY: Reply = Reply::new(503, (5, 5, 1), "TLS is on already");
/// RFC 3207, section 6: what was sent in plain text must not be taken as if it had come by TLS.
pub(super) const TLS_MUST_BE_LAST: Reply = Reply::new(
    501,
    (5, 5, 4),
    "Wait for the answer to STARTTLS before going on",
);

#[cfg(test)]
mod tests {
    use super::*;

    fn written(reply: &Reply) -> String {
        let mut out = BytesMut::new();
        reply.write(&mut out);
        String::from_utf8(out.to_vec()).unwrap()
    }

    #[test]
    fn every_line_bears_the_code() {
        assert_eq!(written(&OK), "250 2.0.0 Ok\r\n");
        assert_eq!(OK.to_string(), "250 2.0.0 Ok");
        let reply = Reply::plain(250, "host\nPIPELINING\nSIZE 5");
        assert_eq!(
            written(&reply),
            "250-host\r\n250-PIPELINING\r\n250 SIZE 5\r\n"
        );
    }
}
