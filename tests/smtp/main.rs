//! The SMTP server: conversations over raw sockets and with real clients, and the whole service behind it.

mod bdat;
mod commands;
mod content;
#[path = "../../fuzz/conversation.rs"]
mod conversation;
mod limits;
mod listen;
mod lmtp;
mod proof;
mod random;
mod server;
mod stop;
mod tls;
