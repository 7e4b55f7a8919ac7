//! The real server on a port of its own, a mailbox behind it, and a client that says lines and reads replies.

use bouncedemails::address::Address;
use bouncedemails::memory::MemoryBudget;
use bouncedemails::smtp::{
    Backend, Client as Peer, Listener, Message, Protocol, Reply, Settings, Timeouts, Transactions,
    serve,
};
use parking_lot::{Condvar, Mutex};
use rustix::net::{self, AddressFamily, SocketType};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How long a test waits for what comes at once on an idle machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A running server.
pub struct Server {
    pub address: SocketAddr,
    pub mailbox: Mailbox,
    pub shutdown: CancellationToken,
    task: JoinHandle<()>,
    runtime: Runtime,
}

impl Server {
    pub fn start() -> Server {
        Server::with(|_| {})
    }

    pub fn with(adjust: impl FnOnce(&mut Settings)) -> Server {
        let mut settings = settings();
        adjust(&mut settings);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let listen = "127.0.0.1:0".parse().unwrap();
        let listener = runtime.block_on(Listener::bind(&listen)).unwrap();
        let address = listener.address().unwrap();
        let mailbox = Mailbox::default();
        let shutdown = CancellationToken::new();
        let serving = serve(listener, settings, mailbox.clone(), shutdown.clone());
        let task = runtime.spawn(serving);
        Server {
            address,
            mailbox,
            shutdown,
            task,
            runtime,
        }
    }

    /// A client that has read the greeting.
    pub fn connect(&self) -> Client {
        let mut client = Client::new(TcpStream::connect(self.address).unwrap());
        client.expect("220 ");
        client
    }

    /// A client that has read the greeting, and comes from another address of this machine.
    pub fn connect_from(&self, address: &str) -> Client {
        let socket = net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        let ours = SocketAddr::new(address.parse().unwrap(), 0);
        net::bind(&socket, &ours).unwrap();
        net::connect(&socket, &self.address).unwrap();
        let mut client = Client::new(TcpStream::from(socket));
        client.expect("220 ");
        client
    }

    /// A client that has said EHLO.
    pub fn hello(&self) -> Client {
        let mut client = self.connect();
        client.asks("EHLO mx.example.com", "250 ");
        client
    }

    /// A client with a mail under way, up to one recipient.
    pub fn envelope(&self) -> Client {
        let mut client = self.hello();
        client.envelope();
        client
    }

    /// Waits for the server's end after `shutdown`.
    pub fn ended(self) {
        let end = async { tokio::time::timeout(PATIENCE, self.task).await };
        self.runtime.block_on(end).expect("it ends").unwrap();
    }
}

fn settings() -> Settings {
    Settings {
        hostname: "mx.test".to_owned(),
        software: "bouncedemails",
        protocol: Protocol::Smtp,
        allow: vec!["127.0.0.0/8".parse().unwrap()],
        max_connections: 20,
        max_message_size: 100_000,
        memory: MemoryBudget::new(1_000_000),
        max_recipients: 100,
        max_errors: 20,
        max_idle_commands: 20,
        tls: None,
        require_tls: false,
        timeouts: Timeouts::default(),
    }
}

/// Takes mail for openhpi.de and remembers it.
#[derive(Clone)]
pub struct Mailbox {
    inside: Arc<Inside>,
    mood: watch::Sender<Mood>,
}

#[derive(Default)]
struct Inside {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    messages: Vec<Message>,
    known: Vec<usize>,
}

/// What it does with mail.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    Take,
    Refuse,
    Hold,
}

impl Default for Mailbox {
    fn default() -> Mailbox {
        Mailbox {
            inside: Arc::default(),
            mood: watch::Sender::new(Mood::Take),
        }
    }
}

impl Mailbox {
    pub fn set(&self, mood: Mood) {
        self.mood.send_replace(mood);
    }

    /// The contents of all mails by now.
    pub fn contents(&self) -> Vec<String> {
        let text = |message: &Message| String::from_utf8_lossy(&message.content).into_owned();
        self.inside.state.lock().messages.iter().map(text).collect()
    }

    /// The recipients of all mails by now.
    pub fn recipients(&self) -> Vec<Vec<String>> {
        let texts = |message: &Message| message.recipients.iter().map(Address::to_string).collect();
        let state = self.inside.state.lock();
        state.messages.iter().map(texts).collect()
    }

    /// Lets go of all mails.
    pub fn clear(&self) {
        self.inside.state.lock().messages.clear();
    }

    /// The numbers of the mails of which the client is known to know.
    pub fn known(&self) -> Vec<usize> {
        self.inside.state.lock().known.clone()
    }

    /// Waits until this many mails came.
    pub fn wait_for_messages(&self, count: usize) {
        self.wait(&format!("{count} mails"), |state| {
            state.messages.len() >= count
        });
    }

    /// Waits until this mail's client is known to know.
    pub fn wait_for_known(&self, number: usize) {
        self.wait(&format!("knowledge of mail {number}"), |state| {
            state.known.contains(&number)
        });
    }

    fn wait(&self, what: &str, mut there: impl FnMut(&State) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.inside.state.lock();
        while !there(&state) {
            let late = self.inside.changed.wait_until(&mut state, deadline);
            assert!(!late.timed_out(), "waited in vain for {what}");
        }
    }
}

impl Backend for Mailbox {
    type Transactions = Delivering;

    fn connected(&self, _: Peer) -> Delivering {
        Delivering {
            mailbox: self.clone(),
            unknown: Vec::new(),
        }
    }
}

/// One client's mails on their way into the mailbox.
pub struct Delivering {
    mailbox: Mailbox,
    /// The numbers of the mails, from 0, of which the client may not know.
    unknown: Vec<usize>,
}

impl Transactions for Delivering {
    fn rcpt(&mut self, recipient: Option<&Address>) -> Result<(), Reply> {
        match recipient {
            Some(address) if address.domain() == "openhpi.de" => Ok(()),
            _ => Err(Reply::new(
                550,
                (5, 7, 1),
                "Not an address of a configured platform",
            )),
        }
    }

    async fn data(&mut self, message: Message) -> Result<Reply, Reply> {
        let inside = &self.mailbox.inside;
        let number = {
            let mut state = inside.state.lock();
            state.messages.push(message);
            inside.changed.notify_all();
            state.messages.len() - 1
        };
        let mut mood = self.mailbox.mood.subscribe();
        let mood = *mood.wait_for(|mood| *mood != Mood::Hold).await.unwrap();
        match mood {
            Mood::Take => {
                self.unknown.push(number);
                Ok(Reply::new(250, (2, 0, 0), "Taken"))
            }
            _ => Err(Reply::new(451, (4, 3, 0), "Not now")),
        }
    }

    fn saw_replies(&mut self) {
        let inside = &self.mailbox.inside;
        inside.state.lock().known.append(&mut self.unknown);
        inside.changed.notify_all();
    }
}

/// Says lines and reads replies.
pub struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    pub fn new(stream: TcpStream) -> Client {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Client {
            stream: BufReader::new(stream),
        }
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.get_mut().write_all(bytes.as_ref()).unwrap();
    }

    /// The next reply, all of its lines, with `\n` between them.
    pub fn reply(&mut self) -> String {
        let mut reply = String::new();
        loop {
            let mut line = String::new();
            let length = self.stream.read_line(&mut line).expect("a reply");
            assert!(length > 0, "the connection ended after {reply:?}");
            let line = line.strip_suffix("\r\n").expect("CR LF");
            reply += line;
            if line.as_bytes().get(3) != Some(&b'-') {
                return reply;
            }
            reply += "\n";
        }
    }

    /// Reads a reply that begins like this (its last line does, if it has several).
    #[track_caller]
    pub fn expect(&mut self, start: &str) -> String {
        let reply = self.reply();
        let last = reply.lines().last().unwrap_or_default();
        assert!(last.starts_with(start), "{reply:?} instead of {start:?}");
        reply
    }

    /// Says a line and reads the reply.
    #[track_caller]
    pub fn asks(&mut self, line: &str, start: &str) -> String {
        self.send(format!("{line}\r\n"));
        self.expect(start)
    }

    pub fn envelope(&mut self) {
        self.asks("MAIL FROM:<>", "250 2.1.0 ");
        self.asks("RCPT TO:<no-reply@openhpi.de>", "250 2.1.5 ");
    }

    /// Sends one mail with this content.
    pub fn mail(&mut self, content: &str) {
        self.envelope();
        self.asks("DATA", "354 ");
        self.asks(&format!("{content}\r\n."), "250 2.0.0 Taken");
    }

    /// Reads on to the end of the connection and returns what came.
    pub fn rest(&mut self) -> String {
        let mut rest = Vec::new();
        // A reset after the last words is an end, too.
        let _ = self.stream.read_to_end(&mut rest);
        String::from_utf8(rest).unwrap()
    }

    /// Ends our side only.
    pub fn half_close(&mut self) {
        self.stream.get_ref().shutdown(Shutdown::Write).unwrap();
    }

    /// Reads a reply that ends the connection.
    #[track_caller]
    pub fn is_sent_off(&mut self, start: &str) {
        self.expect(start);
        self.half_close();
        assert_eq!(self.rest(), "");
    }
}

/// Sends single bytes beside a [`Client`] until the connection is gone.
pub struct Feeder(TcpStream);

impl Feeder {
    /// Whether it could still be sent; waits a little, as a client that means to trickle.
    pub fn feed(&mut self, bytes: &[u8]) -> bool {
        std::thread::sleep(Duration::from_millis(20));
        self.0.write_all(bytes).is_ok()
    }
}

impl Client {
    pub fn feeder(&self) -> Feeder {
        Feeder(self.stream.get_ref().try_clone().unwrap())
    }

    /// Waits until a reply lies in our kernel, unread.
    pub fn wait_for_unread_input(&self) {
        let peeked = self.stream.get_ref().peek(&mut [0]).unwrap();
        assert_eq!(peeked, 1);
    }

    /// Reads to the end, whatever comes.
    pub fn rest_of_any_kind(&mut self) {
        let _ = self.stream.read_to_end(&mut Vec::new());
    }
}
