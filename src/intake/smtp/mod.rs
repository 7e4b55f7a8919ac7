//! Takes mail in over SMTP (RFC 5321) and LMTP (RFC 2033).
//!
//! It never relays, never stores and never changes a mail, so it adds no `Received` line: what the client sent is what is recorded and archived.
//!
//! From the outside in: [`Listener`] (sockets) → `server` (who may come, how many, and the stop) → `conversation` (which command is in order) →
//! [`Backend`], behind which the mail has a meaning: [`Handover`], with `twins` (is it one that came before?). Below the conversation: `wire` (bytes in and out),
//! `command` (a line → what is asked), `content` (where a mail ends), `reply` (what is said), [`Tls`].

mod admission;
mod backend;
mod command;
mod connection;
mod content;
mod conversation;
mod descriptors;
mod handover;
mod listener;
mod reply;
mod server;
mod tls;
mod transfer;
mod twins;
mod wire;

pub use crate::config::Protocol;
pub use backend::{Backend, Message};
pub use connection::Connection;
pub use handover::{Handover, Note};
pub use listener::{ListenError, Listener};
pub use reply::Reply;
pub use server::{converse, serve};
pub use tls::{Tls, TlsError};
pub use wire::{Io, Unread};

use crate::config::{self, Handler};
use crate::mail::{Delivery, Forget, Ticket};
use crate::memory::MemoryBudget;
use ipnet::IpNet;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// For how long a client waits for its 250, should the engine be slow or find just now that it can't record, before it is asked to come again. Clients wait for
/// 10 minutes (RFC 5321, 4.5.3.2.6); a place on the server should not be taken for so long.
const SETTLED_WITHIN: Duration = Duration::from_secs(60);

/// How many tickets are forgotten at once.
const FORGOTTEN_AT_ONCE: usize = 512;

/// Hands mails of SMTP clients to `inbox` until `shutdown` is cancelled; then it ends in good order, as [`serve`] does. While
/// `recording` is false, clients are asked to come again.
pub async fn run(
    listener: Listener,
    settings: Settings,
    handler: &Handler,
    forget: Forget,
    inbox: mpsc::Sender<Delivery>,
    recording: watch::Receiver<bool>,
    shutdown: CancellationToken,
) {
    let (known, mut notes) = mpsc::unbounded_channel();
    let domains = handler.policy().platforms;
    let backend = Handover::new(domains, inbox, recording, SETTLED_WITHIN, known);
    let forgetting = tokio::task::spawn_blocking(move || {
        let mut waiting = Vec::new();
        while notes.blocking_recv_many(&mut waiting, FORGOTTEN_AT_ONCE) > 0 {
            let tickets: Vec<Ticket> = waiting.iter().map(|note: &Note| note.ticket).collect();
            forget(&tickets);
            // Only now are they decided, for mails that are equal to them.
            waiting.clear();
        }
    });
    descriptors::provide(settings.max_connections);
    tracing::info!("Mail is taken at {listener}.");
    serve(listener, settings, backend, shutdown).await;
    if forgetting.await.is_err() {
        tracing::error!(
            "Forgetting tickets failed: mails that come again after this may be taken for repeats."
        );
    }
}

/// How a server behaves.
#[derive(Debug)]
pub struct Settings {
    /// What it calls itself.
    pub hostname: String,
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

impl Settings {
    /// What the configuration says, and RFC 5321 for the rest.
    pub fn new(config: &config::Smtp, memory: MemoryBudget) -> Result<Settings, TlsError> {
        let hostname = rustix::system::uname();
        Ok(Settings {
            hostname: hostname.nodename().to_string_lossy().into_owned(),
            protocol: config.protocol,
            allow: config.allow.clone(),
            max_connections: config.max_connections,
            max_message_size: config.max_message_size,
            memory,
            max_recipients: 100,
            max_errors: 20,
            max_idle_commands: 20,
            tls: config.tls.as_ref().map(Tls::load).transpose()?,
            require_tls: config.require_tls,
            timeouts: Timeouts::default(),
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
