//! The seam between the protocol and what is done with the mail.

use super::reply::Reply;
use crate::address::Address;
use crate::memory::Memory;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// What is done with mail.
pub trait Backend: Send + Sync + 'static {
    /// What is done for one client. It is dropped when the connection has ended.
    type Transactions: Transactions;

    /// A client has connected.
    fn connected(&self, client: Client) -> Self::Transactions;
}

/// What is done with the mails of one client, by the verbs of the protocol.
pub trait Transactions: Send {
    /// RCPT: whether mail for this address is taken. None stands for `<postmaster>` without a domain, and for `<>`.
    ///
    /// # Errors
    /// The reply that refuses it.
    fn rcpt(&mut self, recipient: Option<&Address>) -> Result<(), Reply>;

    /// DATA or BDAT with all content: takes a mail over. Once this says yes, the client may forget it. It answers in
    /// bounded time.
    ///
    /// # Errors
    /// The reply by which the client keeps its mail.
    fn data(&mut self, message: Message) -> impl Future<Output = Result<Reply, Reply>> + Send;

    /// The client has seen all replies so far (RFC 1047): it has sent a command after them, or ended the connection in
    /// good order.
    fn saw_replies(&mut self);
}

/// A mail with its envelope, as far as anybody needs it.
#[derive(Debug)]
pub struct Message {
    /// Those that [`Transactions::rcpt`] agreed to, in the client's order.
    pub recipients: Vec<Address>,
    /// The mail as it came, but for the dots that DATA adds.
    pub content: Vec<u8>,
    /// The memory that the content takes, to be kept as long as the content is.
    pub memory: Memory,
}

/// Who is at the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Client(Option<SocketAddr>);

impl Client {
    /// The one at this address; none for a unix socket.
    pub fn new(address: Option<SocketAddr>) -> Client {
        // An IPv6 socket sees IPv4 clients as ::ffff:a.b.c.d.
        let canonical = |a: SocketAddr| SocketAddr::new(a.ip().to_canonical(), a.port());
        Client(address.map(canonical))
    }

    /// Its address; none if it came by a unix socket.
    pub fn ip(&self) -> Option<IpAddr> {
        self.0.map(|address| address.ip())
    }
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(address) => address.fmt(f),
            None => f.write_str("at the unix socket"),
        }
    }
}
