//! What the largest mails say neither fills the memory nor makes another mail wait.
//!
//! A binary of its own, as nothing else is to run beside it. The real service takes them by SMTP and from a real RabbitMQ at the same
//! time, while one bounce after the other is handed in.

#[path = "hostile_sizes/places.rs"]
mod places;
mod support;

use places::{HEAD, PLACES, filled};
use rustix::net::{AddressFamily, SocketType};
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use support::{Broker, Configuration, Daemon, Platform, hard_bounce, temp_dir};

/// How large each is: the largest that the SMTP intake takes by default, less its own words.
const SIZE: usize = 9_900_000;
/// An unoptimised build needs a second and more for each.
const MAILS: usize = if cfg!(debug_assertions) { 12 } else { 100 };
const MOST_MEMORY: u64 = 300 << 20;
const MOST_DELAY: Duration = Duration::from_secs(2);

/// What costs most to read, kept by many parsers, or named for many.
const REPEATED: [&str; 10] = [
    "\\x{",
    "<",
    "<a@b.c>: 550 no\n",
    "\n<a@b.c>\n\n\n",
    "=?utf-8?q?a?= ",
    "a@b.c,",
    ">>> RCPT To:<a@b.c>\n<<< 550 no\n",
    "550-",
    "--b\na: b\n\n",
    "X-Y: z\nFinal-Recipient: rfc822; a@b.c\nOriginal-Recipient: rfc822; a@b.c\n\n",
];

/// At most so many mails as are handed in, each as large as a mail may be: every token, in one place or another, and lists of names.
fn hostile_mails() -> Vec<Vec<u8>> {
    let shapes = REPEATED
        .iter()
        .flat_map(|token| PLACES.map(|place| (token, place)));
    let repeated = shapes
        .map(|(token, (_, front, back))| filled(&format!("{HEAD}{front}"), token, back, SIZE));
    let many = (0..10).map(|number| {
        let each = |n: usize| format!("<u{n}.{number}@example.org>: 550 5.1.1 no such user\n");
        let long = "mx.example.org.".repeat(20_000);
        let names: String = (0..SIZE / 50).map(each).collect();
        format!("{HEAD}\nThis is the mail system at host {long}.\n\n{names}").into_bytes()
    });
    repeated.step_by(15).chain(many).take(MAILS).collect()
}

/// Hands a mail in by SMTP from an address of its own; what was said to it, and after how long.
fn send(port: u16, client: u8, mail: &[u8]) -> (String, Duration) {
    let begun = Instant::now();
    let stream = connect_from(Ipv4Addr::new(127, 0, 7, client), port);
    let mut replies = BufReader::new(stream.try_clone().expect("a socket")).lines();
    let mut say = |text: &[u8]| -> String {
        (&stream).write_all(text).expect("it listens");
        let mut lines = replies.by_ref().map(|line| line.expect("a reply"));
        lines
            .find(|line| line.as_bytes().get(3) == Some(&b' '))
            .expect("a last line")
    };
    say(b"");
    say(b"EHLO client.example\r\n");
    say(b"MAIL FROM:<>\r\n");
    say(b"RCPT TO:<no-reply@mydomain.de>\r\n");
    let chunk = format!("BDAT {} LAST\r\n", mail.len());
    let reply = say(&[chunk.as_bytes(), mail].concat());
    (reply, begun.elapsed())
}

fn connect_from(client: Ipv4Addr, port: u16) -> TcpStream {
    let socket =
        rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
    let of = |address, port| SocketAddr::from((address, port));
    rustix::net::bind(&socket, &of(client, 0)).expect("an address of this machine");
    rustix::net::connect(&socket, &of(Ipv4Addr::LOCALHOST, port)).expect("it listens");
    TcpStream::from(socket)
}

#[test]
fn the_largest_mails_delay_no_other_and_take_little_memory() {
    let queue = Broker::shared().vhost("large").durable_queue("mails");
    let platform = Platform::start();
    let folder = temp_dir();
    let configuration = Configuration::in_folder(folder.path())
        .platform("mydomain.de", &platform)
        .section("smtp", &["listen: 127.0.0.1:0"])
        .amqp(&queue);
    let daemon = Daemon::start(&configuration.write(), &["run"]);
    let port = daemon.smtp_port();
    let shapes = hostile_mails();
    let mails: Vec<&[u8]> = shapes
        .iter()
        .map(Vec::as_slice)
        .cycle()
        .take(MAILS)
        .collect();
    let (by_smtp, by_amqp) = mails.split_at(MAILS / 2);
    let done = AtomicBool::new(false);
    let delays = thread::scope(|scope| {
        let clients: Vec<_> = by_smtp
            .chunks(by_smtp.len().div_ceil(5))
            .enumerate()
            .map(|(client, mails)| {
                scope.spawn(move || {
                    for mail in mails {
                        // As a mail server does, it comes again with what was not taken for want of room.
                        while !send(port, client as u8 + 1, mail).0.starts_with("250") {
                            thread::yield_now();
                        }
                    }
                })
            })
            .collect();
        let other = scope.spawn(|| {
            let mut delays = Vec::new();
            for number in 0.. {
                if done.load(Ordering::Acquire) {
                    break;
                }
                let address = format!("gone.{number}@example.org");
                let (reply, by_smtp) = send(port, 100, &hard_bounce(&address, number));
                assert!(reply.starts_with("250"), "{reply}");
                delays.push(by_smtp);
            }
            delays
        });
        queue.publish(by_amqp);
        queue.publish([hard_bounce("last@example.org", 0)]);
        platform.wait_for_all(&["/emails/last%40example.org/suspend".to_owned()].into());
        for client in clients {
            client.join().expect("all were taken");
        }
        queue.wait_until_empty();
        done.store(true, Ordering::Release);
        other.join().expect("each was taken")
    });
    let memory = daemon.peak_memory();
    let longest = delays.iter().max().expect("there were some");
    println!(
        "{} mails beside them, the slowest {longest:?}; {} MB",
        delays.len(),
        memory >> 20
    );
    assert!(memory < MOST_MEMORY, "{} MB", memory >> 20);
    assert!(*longest < MOST_DELAY, "{longest:?}");
    daemon.stop();
}
