//! Any bytes as an SMTP client's side of a conversation. Used by the fuzz target `smtp` and by tests/smtp.

use bouncedemails::address::Address;
use bouncedemails::memory::MemoryBudget;
use bouncedemails::smtp::{
    Backend, Client, Message, Protocol, Reply, Settings, Timeouts, Transactions, converse,
};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

#[derive(Default, Clone)]
struct Mailbox(Arc<Mutex<Vec<Vec<u8>>>>);

impl Backend for Mailbox {
    type Transactions = Mailbox;

    fn connected(&self, _: Client) -> Mailbox {
        self.clone()
    }
}

impl Transactions for Mailbox {
    fn rcpt(&mut self, recipient: Option<&Address>) -> Result<(), Reply> {
        match recipient {
            Some(address) if address.domain() == "a.de" => Ok(()),
            _ => Err(Reply::new(550, (5, 7, 1), "Not here")),
        }
    }

    async fn data(&mut self, message: Message) -> Result<Reply, Reply> {
        assert!(!message.recipients.is_empty());
        self.0.lock().unwrap().push(message.content);
        Ok(Reply::new(250, (2, 0, 0), "Taken"))
    }

    fn saw_replies(&mut self) {}
}

/// The server ends the conversation, its replies are well formed, it delivers nothing but what it says is taken, and it makes no difference in
/// which pieces the bytes come.
pub fn check(bytes: &[u8]) {
    let lmtp = bytes.starts_with(b"LHLO");
    // Whatever, but always the same for the same bytes.
    let step = bytes.last().copied().unwrap_or(1) % 16 + 1;
    let protocol = match lmtp {
        true => Protocol::Lmtp,
        false => Protocol::Smtp,
    };
    let whole = conversation(protocol, bytes, bytes.len().max(1));
    let pieces = conversation(protocol, bytes, usize::from(step));
    assert_eq!(whole, pieces);
    let (replies, mails) = whole;
    let replies = String::from_utf8(replies).unwrap();
    let mut taken = 0;
    for line in replies.split_inclusive("\r\n") {
        assert!(line.ends_with("\r\n") && line.len() < 512, "{line:?}");
        assert!(
            line[..3].parse::<u16>().is_ok() && line.is_ascii(),
            "{line:?}"
        );
        taken += usize::from(line.contains("Taken"));
    }
    assert!(mails.len() <= taken && (lmtp || mails.len() == taken));
    assert!(mails.iter().all(|mail| mail.len() <= 1000));
}

/// All replies, and all mails, of a client that sends `bytes` in pieces of `step` and then ends its side.
fn conversation(protocol: Protocol, bytes: &[u8], step: usize) -> (Vec<u8>, Vec<Vec<u8>>) {
    let settings = Settings {
        hostname: "mx.test".to_owned(),
        software: "test",
        protocol,
        allow: Vec::new(),
        max_connections: 1,
        max_message_size: 1000,
        memory: MemoryBudget::new(10_000),
        max_recipients: 100,
        max_errors: 20,
        max_idle_commands: 20,
        tls: None,
        require_tls: false,
        timeouts: Timeouts::default(),
    };
    let mailbox = Mailbox::default();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let replies = runtime.block_on(async {
        let (server, mut client) = UnixStream::pair().unwrap();
        let (mut hears, mut says) = client.split();
        let talking = async {
            for piece in bytes.chunks(step) {
                // The server may have hung up.
                if says.write_all(piece).await.is_err() {
                    break;
                }
                if step < bytes.len() {
                    tokio::task::yield_now().await;
                }
            }
            let _ = says.shutdown().await;
        };
        // At the same time: who only talks fills the server's side, and both wait until the server has had enough.
        let hearing = async {
            let mut replies = Vec::new();
            let _ = hears.read_to_end(&mut replies).await;
            replies
        };
        let ((), (), replies) =
            tokio::join!(converse(&settings, &mailbox, server), talking, hearing);
        replies
    });
    let mails = std::mem::take(&mut *mailbox.0.lock().unwrap());
    (replies, mails)
}
