//! The session with one client (RFC 5321, and RFC 2033 for LMTP): which command is in order now, and what it leads to.
//!
//! It knows nothing of what the mail is for: that is behind [`Transactions`].

mod data;

use super::backend::{Client, Transactions};
use super::command::{self, Command, Recipient};
use super::content::Content;
use super::reply::{self, Reply};
use super::settings::{Protocol, Settings};
use super::wire::{Fill, Io, Wire};
use crate::address::Address;
use crate::printable::Printable;
use bytes::BytesMut;
use memchr::memchr;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

/// So much of a refused line is shown in the log, in bytes.
const SHOWN: usize = 200;

/// So many refusals of one connection are logged, one line each: whoever sends mails between them may go on for ever.
const MOST_REFUSALS_LOGGED: u32 = 100;

/// How a server is stopped: in two steps, so that what is under way can end.
#[derive(Debug, Clone, Default)]
pub(super) struct Stop {
    /// Whoever has no mail under way is sent off.
    pub asked: CancellationToken,
    /// Everybody is.
    pub now: CancellationToken,
}

/// One client's session.
pub(super) struct Session<'a, T: Transactions> {
    settings: &'a Settings,
    transactions: T,
    stop: Stop,
    client: Client,
    wire: Wire,
    hello: bool,
    tls: bool,
    transaction: Option<Transaction>,
    /// Negative replies since the last mail that was taken.
    errors: u32,
    /// Commands that bring no mail closer since the last one that was taken.
    idle_commands: u32,
    /// How many refusals of this connection are in the log.
    refusals: u32,
    /// Whether a mail was taken and the client may not have seen that yet.
    may_not_know: bool,
    /// Whether what is read now was sent after the client could see all replies.
    after_replies: bool,
}

/// What lies between MAIL and the reply to its content.
struct Transaction {
    utf8: bool,
    recipients: Vec<Address>,
    /// What BDAT brought so far.
    chunks: Option<Content>,
    deadline: Instant,
}

/// Why a session ends.
enum End {
    /// The client said QUIT.
    Quit,
    /// We say this and hang up.
    LastWords(Reply),
    /// There is nobody to talk to any more.
    Gone,
}

impl<'a, T: Transactions> Session<'a, T> {
    pub fn new(
        settings: &'a Settings,
        transactions: T,
        stop: Stop,
        client: Client,
        io: Box<dyn Io>,
    ) -> Self {
        Session {
            settings,
            transactions,
            stop,
            client,
            wire: Wire::new(io),
            hello: false,
            tls: false,
            transaction: None,
            errors: 0,
            idle_commands: 0,
            refusals: 0,
            may_not_know: false,
            after_replies: false,
        }
    }

    /// Talks until one side ends it.
    pub async fn run(mut self) {
        let Settings {
            hostname,
            protocol,
            software,
            ..
        } = self.settings;
        let greeting = format!("{hostname} {protocol} {software}");
        self.wire.say(&Reply::plain(220, greeting));
        let end = loop {
            if let Err(end) = self.turn().await {
                break end;
            }
        };
        let last_words = match end {
            End::Quit => reply::BYE,
            End::LastWords(reply) => {
                if reply != reply::STOPPING {
                    tracing::info!("SMTP client {} was sent off: {reply}.", self.client);
                }
                reply
            }
            End::Gone => {
                if self.transaction.is_some() {
                    let client = self.client;
                    tracing::info!("SMTP client {client} hung up in the middle of a mail.");
                }
                return;
            }
        };
        self.wire.say(&last_words);
        // A client may send QUIT together with the end of its mail: only by its orderly end it shows that it has our
        // 250.
        if self.wire.close(self.settings.timeouts.farewell).await {
            self.knows();
        }
    }

    /// The client has seen all of our replies.
    fn knows(&mut self) {
        if std::mem::take(&mut self.may_not_know) {
            self.transactions.saw_replies();
        }
    }

    /// Takes one command and answers it.
    async fn turn(&mut self) -> Result<(), End> {
        if self.errors >= self.settings.max_errors {
            return Err(End::LastWords(reply::TOO_MANY_ERRORS));
        }
        if self.idle_commands >= self.settings.max_idle_commands {
            return Err(End::LastWords(reply::TOO_MANY_IDLE_COMMANDS));
        }
        let line = self.line().await?;
        let reply = match command::parse(&line) {
            Ok(command) => {
                if self.after_replies {
                    self.knows();
                }
                self.obey(command).await?
            }
            Err(refusal) => Some(refusal),
        };
        match reply {
            Some(reply) if reply.is_last() => Err(End::LastWords(reply)),
            Some(reply) => {
                self.answer(&reply, &line);
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn answer(&mut self, reply: &Reply, line: &[u8]) {
        if !reply.is_positive() {
            self.log_refusal(reply, line);
            self.errors += 1;
        }
        self.wire.say(reply);
    }

    fn log_refusal(&mut self, reply: &Reply, line: &[u8]) {
        self.refusals = self.refusals.saturating_add(1);
        let client = self.client;
        if self.refusals <= MOST_REFUSALS_LOGGED {
            let line = line.trim_ascii_end();
            let line = String::from_utf8_lossy(&line[..line.len().min(SHOWN)]);
            let line = Printable(&line);
            tracing::info!("SMTP client {client} was told: {reply} (to: {line})");
        } else if self.refusals == MOST_REFUSALS_LOGGED + 1 {
            tracing::info!("What SMTP client {client} is refused from here on is not in the log.");
        }
    }

    /// The next line with its line break. Of one that is too long, only a beginning that is too long as well.
    async fn line(&mut self) -> Result<BytesMut, End> {
        let deadline = Instant::now() + self.settings.timeouts.command;
        let mut begun = BytesMut::new();
        loop {
            let input = self.wire.input();
            let end = memchr(b'\n', input).map(|at| at + 1);
            if end.is_some() || input.len() > command::MAX_LINE {
                let piece = input.split_to(end.unwrap_or(input.len()));
                if begun.len() <= command::MAX_LINE {
                    begun.unsplit(piece);
                }
            }
            if end.is_some() {
                return Ok(begun);
            }
            self.read_more(deadline).await?;
        }
    }

    /// Waits for more input, but not beyond `deadline` or that of the transaction.
    async fn read_more(&mut self, deadline: Instant) -> Result<(), End> {
        let idle = self.transaction.is_none();
        let deadline = match &self.transaction {
            Some(transaction) => deadline.min(transaction.deadline),
            None => deadline,
        };
        let fill = tokio::select! {
            biased;
            () = self.stop.now.cancelled() => return Err(End::LastWords(reply::STOPPING)),
            () = self.stop.asked.cancelled(), if idle => return Err(End::LastWords(reply::STOPPING)),
            fill = timeout_at(deadline, self.wire.fill()) => fill,
        };
        match fill {
            Ok(Ok(Fill::Ahead)) => {
                self.after_replies = false;
                Ok(())
            }
            Ok(Ok(Fill::After)) => {
                self.after_replies = true;
                Ok(())
            }
            Ok(Ok(Fill::End) | Err(_)) => Err(End::Gone),
            Err(_) => Err(End::LastWords(reply::TOO_SLOW)),
        }
    }

    /// Does as told. No reply is needed to what was answered on the way.
    async fn obey(&mut self, command: Command) -> Result<Option<Reply>, End> {
        let without_tls = matches!(
            command,
            Command::Ehlo
                | Command::Helo
                | Command::Lhlo
                | Command::Noop
                | Command::StartTls
                | Command::Quit
        );
        if self.settings.require_tls && !self.tls && !without_tls {
            return match command {
                Command::Bdat { size, .. } => self.refuse_chunk(size, reply::TLS_FIRST).await,
                _ => Ok(reply::TLS_FIRST),
            }
            .map(Some);
        }
        match command {
            Command::Bdat {
                size: 0,
                last: false,
            } => self.idle_commands += 1,
            Command::Mail { .. } | Command::Rcpt(_) | Command::Data | Command::Bdat { .. } => {}
            _ => self.idle_commands += 1,
        }
        let reply = match command {
            Command::Ehlo | Command::Helo | Command::Lhlo => self.hello(&command),
            Command::Mail { size, utf8 } => self.mail(size, utf8),
            Command::Rcpt(recipient) => self.recipient(recipient),
            Command::Data => self.data().await?,
            Command::Bdat { size, last } => self.chunk(size, last).await?,
            Command::Rset => {
                self.transaction = None;
                reply::OK
            }
            Command::Noop => reply::OK,
            Command::Vrfy => reply::CANNOT_VERIFY,
            Command::Help => reply::HELP,
            Command::StartTls => return self.start_tls().await,
            Command::Quit => return Err(End::Quit),
        };
        Ok(Some(reply))
    }

    fn hello(&mut self, command: &Command) -> Reply {
        let extended = match (self.settings.protocol, command) {
            (Protocol::Smtp, Command::Lhlo) => return reply::WRONG_HELLO_FOR_SMTP,
            (Protocol::Lmtp, Command::Ehlo | Command::Helo) => return reply::WRONG_HELLO_FOR_LMTP,
            (_, command) => *command != Command::Helo,
        };
        self.transaction = None;
        self.hello = true;
        let mut text = self.settings.hostname.clone();
        if extended {
            text += &format!(
                "\nPIPELINING\nSIZE {}\n8BITMIME\nSMTPUTF8\nENHANCEDSTATUSCODES\nCHUNKING\nDSN\nLIMITS RCPTMAX={}",
                self.settings.max_message_size, self.settings.max_recipients
            );
            if self.settings.tls.is_some() && !self.tls {
                text += "\nSTARTTLS";
            }
        }
        Reply::plain(250, text)
    }

    fn mail(&mut self, size: usize, utf8: bool) -> Reply {
        if !self.hello {
            return reply::HELLO_FIRST;
        }
        if self.transaction.is_some() {
            return reply::NESTED_MAIL;
        }
        if size > self.settings.max_message_size {
            return reply::TOO_LARGE;
        }
        self.transaction = Some(Transaction {
            utf8,
            recipients: Vec::new(),
            chunks: None,
            deadline: Instant::now() + self.settings.timeouts.transaction,
        });
        reply::SENDER_OK
    }

    fn recipient(&mut self, recipient: Recipient) -> Reply {
        let Some(transaction) = &mut self.transaction else {
            return reply::MAIL_FIRST;
        };
        if transaction.chunks.is_some() {
            return reply::CONTENT_BEGUN;
        }
        let address = match recipient {
            Recipient::Address(address) => address,
            Recipient::NoDomain => {
                return match self.transactions.rcpt(None) {
                    Ok(()) => reply::RECIPIENT_OK,
                    Err(refusal) => refusal,
                };
            }
        };
        if !transaction.utf8 && !address.as_str().is_ascii() {
            return reply::NEEDS_SMTPUTF8;
        }
        if let Err(refusal) = self.transactions.rcpt(Some(&address)) {
            return refusal;
        }
        if transaction.recipients.len() >= self.settings.max_recipients {
            return reply::TOO_MANY_RECIPIENTS;
        }
        transaction.recipients.push(address);
        reply::RECIPIENT_OK
    }

    /// Goes on in TLS, or refuses to.
    async fn start_tls(&mut self) -> Result<Option<Reply>, End> {
        let Some(tls) = &self.settings.tls else {
            return Ok(Some(reply::NO_TLS));
        };
        if self.tls {
            return Ok(Some(reply::TLS_ALREADY));
        }
        if !self.wire.input().is_empty() {
            return Ok(Some(reply::TLS_MUST_BE_LAST));
        }
        let acceptor = tls.acceptor();
        self.wire.say(&reply::READY_FOR_TLS);
        let deadline = Instant::now() + self.settings.timeouts.command;
        let handshake = async {
            self.wire.flush().await?;
            self.wire.start_tls(&acceptor).await
        };
        let shaken = tokio::select! {
            () = self.stop.now.cancelled() => return Err(End::Gone),
            shaken = timeout_at(deadline, handshake) => shaken,
        };
        match shaken {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::info!("TLS with SMTP client {} failed: {error}.", self.client);
                return Err(End::Gone);
            }
            Err(_) => return Err(End::Gone),
        }
        // What was said in plain text may have been said by anybody (RFC 3207, 4.2).
        self.tls = true;
        self.hello = false;
        self.transaction = None;
        Ok(None)
    }
}
