//! The seam between the protocol and what is done with the mail.

use super::connection::Connection;
use super::reply::Reply;
use crate::address::Address;
use crate::memory::Memory;
use std::sync::Arc;

/// A mail with its envelope, as far as anybody needs it.
#[derive(Debug)]
pub struct Message {
    /// Who brought it, and whether it is still there.
    pub connection: Arc<Connection>,
    /// Those that [`Backend::takes`] agreed to, in the client's order.
    pub recipients: Vec<Address>,
    /// The mail as it came, but for the dots that DATA adds.
    pub content: Vec<u8>,
    /// The memory that the content takes, to be kept as long as the content is.
    pub memory: Memory,
}

/// What is done with mail.
pub trait Backend: Send + Sync + 'static {
    /// What the backend wants to be told by when the client is known to have seen that its mail was taken.
    type Note: Send;

    /// Whether mail for this address is taken at all.
    fn takes(&self, recipient: &Address) -> bool;

    /// Takes a mail over: once this says yes, the client may forget it. It answers in bounded time.
    fn deliver(
        &self,
        message: Message,
    ) -> impl Future<Output = Result<(Reply, Self::Note), Reply>> + Send;

    /// The client has seen our yes: it will not bring this mail again by mistake (RFC 1047).
    fn known(&self, note: Self::Note);
}
