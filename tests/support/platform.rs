//! A platform: a web server that records what it is asked and answers, or misbehaves, on order.

use super::PATIENCE;
use parking_lot::{Condvar, Mutex};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// What it does with a request.
pub enum Answer {
    /// Answers with status, headers and body.
    Reply {
        status: u16,
        headers: Vec<(String, String)>,
        body: String,
    },
    /// Answers after a while.
    Late(Duration, Box<Answer>),
    /// Keeps the connection and never says anything.
    Hang,
    /// Closes the connection without a word.
    Close,
    /// Resets the connection.
    Reset,
    /// Answers with a status, and keeps the body that it announced.
    Stall(u16),
    /// Sends a body without end, in pieces as fast as they are taken.
    Endless,
}

impl Answer {
    pub fn status(status: u16) -> Answer {
        Answer::Reply {
            status,
            headers: Vec::new(),
            body: String::new(),
        }
    }

    pub fn json(status: u16, body: &str) -> Answer {
        Answer::status(status)
            .header("Content-Type", "application/json")
            .body(body)
    }

    pub fn header(mut self, name: &str, value: &str) -> Answer {
        if let Answer::Reply { headers, .. } = &mut self {
            headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    fn body(mut self, text: &str) -> Answer {
        if let Answer::Reply { body, .. } = &mut self {
            text.clone_into(body);
        }
        self
    }
}

/// What it was asked.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    /// As it was sent: percent-encoded.
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub at: Instant,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(header, _)| header == name)
            .map(|(_, value)| value.as_str())
    }
}

type Decide = Box<dyn FnMut(&Request) -> Answer + Send>;

/// A web server on a free port. Its threads end with the test process.
pub struct Platform {
    port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    requests: Mutex<Vec<Request>>,
    /// The paths of all POSTs.
    posted: Mutex<BTreeSet<String>>,
    arrived: Condvar,
    decide: Mutex<Decide>,
    connections: AtomicUsize,
    /// How much of an endless body was sent, once its client has had enough.
    endless_sent: Mutex<Option<usize>>,
}

impl Platform {
    /// One that accepts every suspension as the prototype's did: 200 and `{"processd_email": "<address>"}`.
    pub fn start() -> Platform {
        Platform::answering(accept)
    }

    /// One that answers as `decide` says.
    pub fn answering(decide: impl FnMut(&Request) -> Answer + Send + 'static) -> Platform {
        Platform::on_port(0, decide)
    }

    /// The same on a port that is known before.
    pub fn on_port(port: u16, decide: impl FnMut(&Request) -> Answer + Send + 'static) -> Platform {
        let listener = TcpListener::bind(("127.0.0.1", port)).expect("the port is free");
        let port = listener.local_addr().expect("it is bound").port();
        let shared = Arc::new(Shared {
            requests: Mutex::new(Vec::new()),
            posted: Mutex::new(BTreeSet::new()),
            arrived: Condvar::new(),
            decide: Mutex::new(Box::new(decide)),
            connections: AtomicUsize::new(0),
            endless_sent: Mutex::new(None),
        });
        let serving = shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = serving.clone();
                shared.connections.fetch_add(1, Ordering::Relaxed);
                std::thread::spawn(move || shared.serve(stream));
            }
        });
        Platform { port, shared }
    }

    /// Answers otherwise from now on.
    pub fn answer(&self, decide: impl FnMut(&Request) -> Answer + Send + 'static) {
        *self.shared.decide.lock() = Box::new(decide);
    }

    /// `http://127.0.0.1:PORT` and this path.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// All requests by now.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.requests.lock().clone()
    }

    /// How many connections were made by now.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// How many bytes of an endless body were sent when its client had enough; none before that.
    pub fn endless_sent(&self) -> Option<usize> {
        *self.shared.endless_sent.lock()
    }

    /// The paths of all POSTs by now.
    pub fn posts(&self) -> Vec<String> {
        posts(&self.shared.requests.lock())
    }

    /// Waits until there was at least one POST to each of these paths.
    pub fn wait_for_all(&self, paths: &BTreeSet<String>) {
        let mut requests = self.shared.requests.lock();
        loop {
            let missing = {
                let posted = self.shared.posted.lock();
                // The usual case is quick: too few.
                match posted.len() < paths.len() {
                    true => paths.len() - posted.len(),
                    false => paths.difference(&posted).count(),
                }
            };
            if missing == 0 {
                return;
            }
            // Patient as long as something happens.
            let late = self
                .shared
                .arrived
                .wait_for(&mut requests, PATIENCE)
                .timed_out();
            assert!(!late, "{missing} of {} paths got no POST", paths.len());
        }
    }

    /// Waits until there were `count` POSTs; returns the paths of all.
    pub fn wait_for_posts(&self, count: usize) -> Vec<String> {
        let deadline = Instant::now() + PATIENCE;
        let mut requests = self.shared.requests.lock();
        loop {
            let posts = posts(&requests);
            if posts.len() >= count {
                return posts;
            }
            let late = self
                .shared
                .arrived
                .wait_until(&mut requests, deadline)
                .timed_out();
            assert!(!late, "{} POSTs instead of {count}: {posts:?}", posts.len());
        }
    }
}

/// The answer of a platform in good health.
pub fn accept(request: &Request) -> Answer {
    let address = request
        .path
        .strip_prefix("/emails/")
        .and_then(|rest| rest.strip_suffix("/suspend"))
        .map(|address| address.replace("%40", "@"));
    match address {
        Some(address) if request.method == "POST" => {
            Answer::json(200, &format!(r#"{{"processd_email": "{address}"}}"#))
        }
        _ => Answer::status(404),
    }
}

fn posts(requests: &[Request]) -> Vec<String> {
    requests
        .iter()
        .filter(|request| request.method == "POST")
        .map(|request| request.path.clone())
        .collect()
}

impl Shared {
    /// Serves one connection until its client closes it.
    fn serve(&self, stream: TcpStream) {
        let _ = stream.set_nodelay(true);
        let Ok(reading) = stream.try_clone() else {
            return;
        };
        let mut reading = BufReader::new(reading);
        while let Some(request) = read_request(&mut reading) {
            let answer = (self.decide.lock())(&request);
            if request.method == "POST" {
                self.posted.lock().insert(request.path.clone());
            }
            self.requests.lock().push(request);
            self.arrived.notify_all();
            if !self.act(answer, &stream) {
                return;
            }
        }
    }

    /// Carries an answer out; whether the connection can take another request.
    fn act(&self, answer: Answer, mut stream: &TcpStream) -> bool {
        match answer {
            Answer::Reply {
                status,
                headers,
                body,
            } => {
                let mut reply =
                    format!("HTTP/1.1 {status} .\r\nContent-Length: {}\r\n", body.len());
                for (name, value) in headers {
                    reply += &format!("{name}: {value}\r\n");
                }
                reply += &format!("\r\n{body}");
                stream.write_all(reply.as_bytes()).is_ok()
            }
            Answer::Late(delay, answer) => {
                std::thread::sleep(delay);
                self.act(*answer, stream)
            }
            Answer::Hang => {
                // Until the client gives up and closes.
                let _ = stream.read(&mut [0; 1]);
                false
            }
            Answer::Close => false,
            Answer::Reset => {
                // Closed with a linger time of zero, a connection is reset (socket(7)).
                let _ = rustix::net::sockopt::set_socket_linger(stream, Some(Duration::ZERO));
                false
            }
            Answer::Stall(status) => {
                let head = format!("HTTP/1.1 {status} .\r\nContent-Length: 10\r\n\r\nhalf");
                let _ = stream.write_all(head.as_bytes());
                let _ = stream.read(&mut [0; 1]);
                false
            }
            Answer::Endless => {
                let head = b"HTTP/1.1 200 .\r\nContent-Type: text/plain\r\n\r\n";
                let piece = [b'x'; 64 * 1024];
                let mut sent = 0;
                if stream.write_all(head).is_ok() {
                    while let Ok(written) = stream.write(&piece) {
                        sent += written;
                    }
                }
                *self.endless_sent.lock() = Some(sent);
                false
            }
        }
    }
}

/// The next request of a connection; none at its end.
fn read_request(stream: &mut impl BufRead) -> Option<Request> {
    let mut line = || {
        let mut line = String::new();
        let length = stream.read_line(&mut line).ok()?;
        (length > 0).then(|| line.trim_end().to_owned())
    };
    let first = line()?;
    let mut words = first.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = Vec::new();
    loop {
        let line = line()?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':')?;
        headers.push((name.to_lowercase(), value.trim().to_owned()));
    }
    let mut request = Request {
        method,
        path,
        headers,
        body: Vec::new(),
        at: Instant::now(),
    };
    let length = request
        .header("content-length")
        .and_then(|length| length.parse().ok())
        .unwrap_or(0);
    request.body.resize(length, 0);
    stream.read_exact(&mut request.body).ok()?;
    Some(request)
}
