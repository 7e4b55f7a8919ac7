//! One line of a client → [`Command`], or the reply that refuses it.
//!
//! smtp-proto reads the grammar. It is lenient where a server must not be (it skips CR, ignores arguments of DATA,
//! wraps sizes around), so the line is checked before it gets to see it.

use super::reply::{self, Reply};
use crate::address::Address;
use smtp_proto::{
    Error, MAIL_BODY_7BIT, MAIL_BODY_8BITMIME, MAIL_RET_FULL, MAIL_RET_HDRS, MAIL_SMTPUTF8,
    MailFrom, RCPT_NOTIFY_DELAY, RCPT_NOTIFY_FAILURE, RCPT_NOTIFY_NEVER, RCPT_NOTIFY_SUCCESS,
    RcptTo, Request,
};
use std::borrow::Cow;

/// The longest command line, in bytes with its CR LF: RFC 5321's 512, and what SIZE, DSN (RCPT: 500 more) and SMTPUTF8
/// add to it.
pub(super) const MAX_LINE: usize = 2048;

/// What a client asks for, as far as this server knows it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command {
    Ehlo,
    Helo,
    Lhlo,
    Mail {
        /// The announced size in bytes, 0 if there is none (RFC 1870).
        size: usize,
        /// Whether addresses may be UTF-8 (RFC 6531).
        utf8: bool,
    },
    Rcpt(Recipient),
    Data,
    Bdat {
        size: u64,
        last: bool,
    },
    Rset,
    Noop,
    Vrfy,
    Help,
    StartTls,
    Quit,
}

/// Whom RCPT names.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Recipient {
    Address(Address),
    /// `<postmaster>` without a domain, or `<>`.
    NoDomain,
}

/// Reads one line with its line break.
///
/// # Errors
/// The reply to a line that is no command, or that says too much or too little.
pub(super) fn parse(line: &[u8]) -> Result<Command, Reply> {
    read(line).map_err(|refusal| match means_a_chunk(line) {
        true => reply::BAD_CHUNK,
        false => refusal,
    })
}

/// Whether content follows that must not be taken for commands, should the line be refused.
fn means_a_chunk(line: &[u8]) -> bool {
    let line = line.trim_ascii_start();
    let verb = line.iter().take_while(|byte| byte.is_ascii_alphabetic());
    line[..verb.count()].eq_ignore_ascii_case(b"BDAT")
}

fn read(line: &[u8]) -> Result<Command, Reply> {
    if line.len() > MAX_LINE {
        return Err(reply::LINE_TOO_LONG);
    }
    let Some(content) = line.strip_suffix(b"\r\n") else {
        return Err(reply::BARE_LINE_BREAK);
    };
    if content.contains(&b'\r') {
        return Err(reply::BARE_LINE_BREAK);
    }
    let content = std::str::from_utf8(content).map_err(|_| reply::NO_TEXT)?;
    if content.contains(|c: char| c.is_control() && c != '\t') {
        return Err(reply::NO_TEXT);
    }
    let (verb, argument) = content.split_once([' ', '\t']).unwrap_or((content, ""));
    if verb.eq_ignore_ascii_case("BDAT") {
        return chunk(argument);
    }
    match Request::parse(&mut line.iter()) {
        // Its result is ignored, so what it says of unknown forms of ORCPT (RFC 6533 `utf-8;`) is, too.
        Err(Error::InvalidParameter { param: "ORCPT" }) => {
            let without = without_orcpt(content);
            command(Request::parse(&mut without.as_bytes().iter()), content)
        }
        request => command(request, content),
    }
    .and_then(|command| match command {
        Command::Data | Command::Rset | Command::StartTls | Command::Quit
            if !argument.trim().is_empty() =>
        {
            Err(reply::NO_ARGUMENT)
        }
        command => Ok(command),
    })
}

fn command(request: Result<Request<Cow<'_, str>>, Error>, line: &str) -> Result<Command, Reply> {
    match request {
        Ok(Request::Ehlo { .. }) => Ok(Command::Ehlo),
        Ok(Request::Helo { .. }) => Ok(Command::Helo),
        Ok(Request::Lhlo { .. }) => Ok(Command::Lhlo),
        Ok(Request::Mail { from }) => mail(from),
        Ok(Request::Rcpt { to }) => recipient(to),
        Ok(Request::Data) => Ok(Command::Data),
        Ok(Request::Rset) => Ok(Command::Rset),
        Ok(Request::Noop { .. }) => Ok(Command::Noop),
        Ok(Request::Vrfy { .. }) => Ok(Command::Vrfy),
        Ok(Request::Help { .. }) => Ok(Command::Help),
        Ok(Request::StartTls) => Ok(Command::StartTls),
        Ok(Request::Quit) => Ok(Command::Quit),
        Ok(
            Request::Bdat { .. }
            | Request::Auth { .. }
            | Request::Expn { .. }
            | Request::Etrn { .. }
            | Request::Atrn { .. }
            | Request::Burl { .. },
        ) => Err(reply::NOT_IMPLEMENTED),
        // A web page can make a browser post to a port of the private network; no command of its body may be obeyed.
        Err(Error::UnknownCommand) if line.contains(" HTTP/") => Err(reply::NO_HTTP),
        Err(Error::UnknownCommand) => Err(reply::UNKNOWN_COMMAND),
        Err(Error::InvalidSenderAddress) => Err(reply::BAD_SENDER),
        Err(Error::InvalidRecipientAddress) => Err(reply::BAD_RECIPIENT),
        Err(Error::InvalidParameter { .. }) => Err(reply::BAD_PARAMETER),
        Err(Error::UnsupportedParameter { .. }) => Err(reply::UNKNOWN_PARAMETER),
        // `NeedsMoreData`, too: the line is complete.
        Err(_) => Err(reply::BAD_SYNTAX),
    }
}

/// The sender is checked and forgotten: who bounced a mail says nothing about who failed.
fn mail(from: MailFrom<Cow<'_, str>>) -> Result<Command, Reply> {
    let supported = MailFrom {
        address: from.address.clone(),
        size: from.size,
        flags: from.flags
            & (MAIL_BODY_7BIT | MAIL_BODY_8BITMIME | MAIL_SMTPUTF8 | MAIL_RET_FULL | MAIL_RET_HDRS),
        env_id: from.env_id.clone(),
        ..MailFrom::default()
    };
    if from != supported {
        return Err(reply::UNKNOWN_PARAMETER);
    }
    let utf8 = from.flags & MAIL_SMTPUTF8 != 0;
    if !utf8 && !from.address.is_ascii() {
        return Err(reply::NEEDS_SMTPUTF8);
    }
    Ok(Command::Mail {
        size: from.size,
        utf8,
    })
}

fn recipient(to: RcptTo<Cow<'_, str>>) -> Result<Command, Reply> {
    let notify = RCPT_NOTIFY_SUCCESS | RCPT_NOTIFY_FAILURE | RCPT_NOTIFY_DELAY | RCPT_NOTIFY_NEVER;
    if to.flags & !notify != 0 || to.rrvs != 0 {
        return Err(reply::UNKNOWN_PARAMETER);
    }
    if to.address.is_empty() {
        return Ok(Command::Rcpt(Recipient::NoDomain));
    }
    to.address
        .parse()
        .map(|address| Command::Rcpt(Recipient::Address(address)))
        .map_err(|_| reply::BAD_RECIPIENT)
}

/// `chunk-size [LAST]` (RFC 3030). Whoever misreads this takes content for commands.
fn chunk(argument: &str) -> Result<Command, Reply> {
    let mut words = argument.split_ascii_whitespace();
    let size = words
        .next()
        .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_digit()))
        .and_then(|digits| digits.parse().ok());
    let last = match words.next() {
        None => false,
        Some(word) if word.eq_ignore_ascii_case("LAST") => true,
        Some(_) => return Err(reply::BAD_CHUNK),
    };
    match (size, words.next()) {
        (Some(size), None) => Ok(Command::Bdat { size, last }),
        _ => Err(reply::BAD_CHUNK),
    }
}

fn without_orcpt(line: &str) -> String {
    let is_orcpt = |word: &&str| {
        word.get(..6)
            .is_some_and(|start| start.eq_ignore_ascii_case("ORCPT="))
    };
    let words: Vec<&str> = line.split(' ').filter(|word| !is_orcpt(word)).collect();
    words.join(" ") + "\r\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Result<Command, Reply> {
        parse(format!("{text}\r\n").as_bytes())
    }

    fn rcpt(address: &str) -> Result<Command, Reply> {
        Ok(Command::Rcpt(Recipient::Address(address.parse().unwrap())))
    }

    #[test]
    fn reads_what_clients_say() {
        let plain = Command::Mail {
            size: 0,
            utf8: false,
        };
        assert_eq!(line("EHLO mx.example.com"), Ok(Command::Ehlo));
        assert_eq!(line("lhlo [127.0.0.1]"), Ok(Command::Lhlo));
        assert_eq!(line("MAIL FROM:<>"), Ok(plain));
        assert_eq!(
            line("mail from:<a@example.com> SIZE=1200 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=Q+2B1"),
            Ok(Command::Mail {
                size: 1200,
                utf8: true
            })
        );
        assert_eq!(
            line("RCPT TO:<no-reply@OpenHPI.de> NOTIFY=FAILURE,DELAY ORCPT=rfc822;a@b.de"),
            rcpt("no-reply@openhpi.de")
        );
        assert_eq!(
            line("RCPT TO:<@relay.example:no-reply@openhpi.de>"),
            rcpt("no-reply@openhpi.de")
        );
        assert_eq!(line("DATA"), Ok(Command::Data));
        assert_eq!(
            line("BDAT 12 last"),
            Ok(Command::Bdat {
                size: 12,
                last: true
            })
        );
        assert_eq!(line("NOOP hello"), Ok(Command::Noop));
        assert_eq!(line("QUIT "), Ok(Command::Quit));
    }

    #[test]
    fn orcpt_is_ignored_in_every_form() {
        for form in ["utf-8;J\\x{F6}rg@b.de", "x400;C=de", "nonsense"] {
            let command = format!("RCPT TO:<no-reply@openhpi.de> ORCPT={form} NOTIFY=NEVER");
            assert_eq!(line(&command), rcpt("no-reply@openhpi.de"), "{form}");
        }
    }

    #[test]
    fn refuses_what_smtp_proto_lets_through() {
        assert_eq!(parse(b"NOOP\n"), Err(reply::BARE_LINE_BREAK));
        assert_eq!(parse(b"NO\rOP\r\n"), Err(reply::BARE_LINE_BREAK));
        assert_eq!(parse(b"NOOP \0\r\n"), Err(reply::NO_TEXT));
        assert_eq!(parse(b"NOOP \xff\r\n"), Err(reply::NO_TEXT));
        assert_eq!(line("DATA now"), Err(reply::NO_ARGUMENT));
        assert_eq!(line("STARTTLS x"), Err(reply::NO_ARGUMENT));
        for size in [
            "184467440737095516159",
            "-1",
            "0x10",
            "+1",
            "",
            "1 LAST 2",
            "1 2",
        ] {
            assert_eq!(
                line(&format!("BDAT {size}")),
                Err(reply::BAD_CHUNK),
                "{size}"
            );
        }
        for parameter in [
            "AUTH=<>",
            "BODY=BINARYMIME",
            "HOLDFOR=9",
            "REQUIRETLS",
            "X=1",
        ] {
            let command = format!("MAIL FROM:<> {parameter}");
            assert_eq!(line(&command), Err(reply::UNKNOWN_PARAMETER), "{parameter}");
        }
        // Content may follow these.
        let long = format!("BDAT {}\r\n", "9".repeat(MAX_LINE));
        for chunk in [" BDAT 6\r\n", "BDAT 6 LAST\n", "bdat 6\x01\r\n", &long] {
            assert_eq!(parse(chunk.as_bytes()), Err(reply::BAD_CHUNK), "{chunk:?}");
        }
        assert_eq!(line("BDATA 6"), Err(reply::UNKNOWN_COMMAND));
        assert_eq!(line("RCPT TO:<\"a b\"@c.de>"), Err(reply::BAD_RECIPIENT));
        assert_eq!(line("RCPT TO:<a.de>"), Err(reply::BAD_RECIPIENT));
        assert_eq!(line("RCPT TO:a@b.de"), Err(reply::BAD_SYNTAX));
        assert_eq!(line("MAIL FROM:<ü@b.de>"), Err(reply::NEEDS_SMTPUTF8));
        assert_eq!(line(""), Err(reply::UNKNOWN_COMMAND));
        assert_eq!(line("AUTH PLAIN AAAA"), Err(reply::NOT_IMPLEMENTED));
        assert_eq!(line("POST / HTTP/1.1"), Err(reply::NO_HTTP));
    }
}
