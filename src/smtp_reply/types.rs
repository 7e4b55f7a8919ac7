//! What an SMTP reply is made of, beside its text: the enhanced status code, and the command that it answers.

use serde::Serialize;
use std::fmt;
use std::str::FromStr;

/// The SMTP command (RFC 5321 section 4.1.1) that the remote system refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Command {
    /// The connection itself, or the greeting.
    Conn,
    /// HELO, EHLO or LHLO.
    Ehlo,
    /// STARTTLS.
    Starttls,
    /// AUTH.
    Auth,
    /// MAIL FROM.
    Mail,
    /// RCPT TO.
    Rcpt,
    /// DATA, or the end of it.
    Data,
}

/// An enhanced mail system status code (RFC 3463): class, subject, detail.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Status {
    /// 2 success, 4 temporary, 5 permanent.
    pub class: u8,
    /// 0 other, 1 address, 2 mailbox, 3 system, 4 network, 5 protocol, 6 content, 7 policy.
    pub subject: u16,
    /// The detail within the subject.
    pub detail: u16,
}

impl Status {
    /// Whether it says more than its class does: `5.0.0` does not.
    pub fn is_telling(&self) -> bool {
        (self.subject, self.detail) != (0, 0)
    }

    /// Whether both can be true of one failure: `5.1.1` and `5.1.0` can, `5.1.1` and `5.7.1` or `4.1.1` can't. What says no
    /// more than its class contradicts only another class.
    pub fn agrees_with(&self, other: &Status) -> bool {
        let vague = !self.is_telling() || !other.is_telling();
        self.class == other.class && (vague || self.subject == other.subject)
    }
}

impl FromStr for Status {
    type Err = ();

    /// Reads `5.1.1`; nothing before or after it.
    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.split('.');
        let (Some(class), Some(subject), Some(detail), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(());
        };
        let number = |part: &str| {
            let digits = (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
            digits.then(|| part.parse::<u16>().ok()).flatten().ok_or(())
        };
        let class = match class {
            "2" => 2,
            "4" => 4,
            "5" => 5,
            _ => return Err(()),
        };
        Ok(Status {
            class,
            subject: number(subject)?,
            detail: number(detail)?,
        })
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
