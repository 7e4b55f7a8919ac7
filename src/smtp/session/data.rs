//! The content of a mail: reading it after DATA (RFC 5321) or BDAT (RFC 3030), and handing it over.

use super::{End, Session};
use crate::memory::Owner;
use crate::smtp::Protocol;
use crate::smtp::backend::{Message, Transactions};
use crate::smtp::content::{Content, DotReader};
use crate::smtp::reply::{self, Reply};
use tokio::time::Instant;

/// Whoever comes by the unix socket.
const UNIX_SOCKET: Owner = Owner::Part("the unix socket");

impl<T: Transactions> Session<'_, T> {
    /// DATA: everything up to the line with the dot.
    ///
    /// # Errors
    /// When the session ends in the middle of it.
    pub(super) async fn data(&mut self) -> Result<Reply, End> {
        match &self.transaction {
            None => return Ok(reply::MAIL_FIRST),
            Some(transaction) if transaction.chunks.is_some() => return Ok(reply::CONTENT_BEGUN),
            Some(transaction) if transaction.recipients.is_empty() => {
                return Ok(reply::NO_RECIPIENTS);
            }
            Some(_) => {}
        }
        self.wire.say(&reply::GO_ON);
        let mut content = self.content();
        let mut reader = DotReader::new();
        loop {
            let input = self.wire.input();
            let (taken, end) = reader.read(input, &mut content);
            let _ = input.split_to(taken);
            if end {
                return self.deliver(content).await;
            }
            self.read_content().await?;
        }
    }

    /// One chunk of a mail (RFC 3030). It is read also when it is refused: it must not be taken for commands.
    ///
    /// # Errors
    /// When the session ends in the middle of it.
    pub(super) async fn chunk(&mut self, size: u64, last: bool) -> Result<Reply, End> {
        match &self.transaction {
            None => return self.refuse_chunk(size, reply::MAIL_FIRST).await,
            Some(transaction) if transaction.recipients.is_empty() => {
                return self.refuse_chunk(size, reply::NO_RECIPIENTS).await;
            }
            Some(_) => {}
        }
        let begun = self.transaction.as_mut().and_then(|t| t.chunks.take());
        let mut content = begun.unwrap_or_else(|| self.content());
        self.read_chunk(size, |bytes| content.push(bytes)).await?;
        if last {
            return self.deliver(content).await;
        }
        if let Some(refusal) = content.refusal() {
            self.transaction = None;
            return Ok(refusal.clone());
        }
        if let Some(transaction) = &mut self.transaction {
            transaction.chunks = Some(content);
        }
        Ok(reply::CHUNK_OK)
    }

    fn content(&self) -> Content {
        let owner = self.client.ip().map_or(UNIX_SOCKET, Owner::client);
        let memory = self.settings.memory.nothing(owner);
        Content::new(self.settings.max_message_size, memory)
    }

    /// Reads a chunk that nobody wants.
    ///
    /// # Errors
    /// When the session ends in the middle of it.
    pub(super) async fn refuse_chunk(&mut self, size: u64, reply: Reply) -> Result<Reply, End> {
        self.read_chunk(size, |_| {}).await?;
        Ok(reply)
    }

    async fn read_chunk(&mut self, size: u64, mut take: impl FnMut(&[u8])) -> Result<(), End> {
        let deadline = Instant::now() + self.settings.timeouts.transaction;
        let mut left = size;
        loop {
            let input = self.wire.input();
            let length = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
            take(&input.split_to(length));
            left -= length as u64;
            if left == 0 {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(End::LastWords(reply::TOO_SLOW));
            }
            self.read_content().await?;
        }
    }

    async fn read_content(&mut self) -> Result<(), End> {
        let deadline = Instant::now() + self.settings.timeouts.block;
        self.read_more(deadline).await
    }

    /// Hands the mail over. It is done when the backend says so, and not before.
    async fn deliver(&mut self, content: Content) -> Result<Reply, End> {
        let Some(transaction) = self.transaction.take() else {
            return Ok(reply::MAIL_FIRST);
        };
        let recipients = transaction.recipients.len();
        let reply = match content.finish() {
            Err(refusal) => refusal,
            Ok((content, memory)) => {
                let message = Message {
                    recipients: transaction.recipients,
                    content,
                    memory,
                };
                let settled = tokio::select! {
                    biased;
                    settled = self.transactions.data(message) => settled,
                    () = self.stop.now.cancelled() => Err(reply::NOT_TAKEN),
                };
                match settled {
                    Ok(reply) => {
                        self.may_not_know = true;
                        // What lies in the buffer was sent before this reply.
                        self.after_replies = false;
                        self.errors = 0;
                        self.idle_commands = 0;
                        reply
                    }
                    Err(reply) => reply,
                }
            }
        };
        if self.settings.protocol == Protocol::Lmtp {
            // One reply for each recipient (RFC 2033, 4.2); the last one is our caller's.
            for _ in 1..recipients {
                self.wire.say(&reply);
            }
        }
        Ok(reply)
    }
}
