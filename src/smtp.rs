//! An SMTP server (RFC 5321) and LMTP server (RFC 2033) that takes mail in, and knows nothing of what it is for.
//!
//! It never relays, never stores and never changes a mail, so it adds no `Received` line: what the client sent is what
//! the backend gets.
//!
//! From the outside in: [`Listener`] (sockets) → `server` (who may come, how many, and the stop) → `session` (which
//! command is in order) → [`Backend`], behind which the mail has a meaning. Below the session: `wire` (bytes in and
//! out), `command` (a line → what is asked), `content` (where a mail ends), [`Reply`] (what is said), [`Tls`].

mod admission;
mod backend;
mod command;
mod content;
mod descriptors;
mod listen;
mod listener;
mod reply;
mod server;
mod session;
mod settings;
mod tls;
mod wire;

pub use backend::{Backend, Client, Message, Transactions};
pub use descriptors::provide as provide_descriptors;
pub use listen::Listen;
pub use listener::{ListenError, Listener};
pub use reply::Reply;
pub use server::{converse, serve};
pub use settings::{Protocol, Settings, Timeouts};
pub use tls::{Tls, TlsError, TlsFiles};
