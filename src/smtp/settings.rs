//! How a server behaves.

use super::Tls;
use crate::memory::MemoryBudget;
use ipnet::IpNet;
use std::fmt;
use std::time::Duration;

/// How a server behaves.
#[derive(Debug)]
pub struct Settings {
    /// The name of this machine, for greetings.
    pub hostname: String,
    /// The name of the program, for greetings.
    pub software: &'static str,
    /// SMTP or LMTP.
    pub protocol: Protocol,
    /// The networks of clients that may come.
    pub allow: Vec<IpNet>,
    /// How many clients at a time; half of them from one address.
    pub max_connections: usize,
    /// In bytes.
    pub max_message_size: usize,
    /// For mails while they are read and recorded.
    pub memory: MemoryBudget,
    /// How many recipients a mail may have.
    pub max_recipients: usize,
    /// How many negative replies a client gets before it is sent off; counted from its last mail.
    pub max_errors: u32,
    /// How many commands that bring no mail closer a client may give before it is sent off; counted from its last mail.
    pub max_idle_commands: u32,
    /// For STARTTLS.
    pub tls: Option<Tls>,
    /// Whether mail is taken by TLS only.
    pub require_tls: bool,
    /// How long to wait for what.
    pub timeouts: Timeouts,
}

/// What is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// RFC 5321.
    Smtp,
    /// RFC 2033, which mail servers speak to local services.
    Lmtp,
}

impl fmt::Display for Protocol {
    /// As a greeting names it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Protocol::Smtp => "ESMTP",
            Protocol::Lmtp => "LMTP",
        })
    }
}

/// How long to wait for what (RFC 5321, 4.5.3.2, and bounds on what a client could draw out).
#[derive(Debug, Clone)]
pub struct Timeouts {
    /// For a whole command line: 5 minutes (4.5.3.2.7).
    pub command: Duration,
    /// For the next piece of a mail: 3 minutes (4.5.3.2.5).
    pub block: Duration,
    /// For all from MAIL to the end of the content, however steadily it trickles: 30 minutes.
    pub transaction: Duration,
    /// For a client to hang up after our last words: 2 seconds.
    pub farewell: Duration,
    /// For mails that are under way when the server stops: 5 seconds.
    pub drain: Duration,
}

impl Default for Timeouts {
    fn default() -> Timeouts {
        const MINUTE: Duration = Duration::from_secs(60);
        Timeouts {
            command: 5 * MINUTE,
            block: 3 * MINUTE,
            transaction: 30 * MINUTE,
            farewell: Duration::from_secs(2),
            drain: Duration::from_secs(5),
        }
    }
}
