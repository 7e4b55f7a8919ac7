//! Keys that stand in DNS: a real server, one that is silent, and one among whose answers are forged ones.

use crate::service::{OURS, UNKNOWN, bounce, done, hand_in, signed};
use crate::support::*;
use bouncedemails::dns::Resolver;
use std::net::{SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const DEAD: &str = "dead@example.org";

/// A dnsmasq that knows one text and nothing else.
struct Dnsmasq {
    address: SocketAddr,
    _process: Guarded,
}

impl Dnsmasq {
    fn start(name: &str, text: &str) -> Dnsmasq {
        let port = free_port();
        // As zone files have it: strings of at most 255 bytes.
        let bytes: Vec<char> = text.chars().collect();
        let strings: Vec<String> = bytes
            .chunks(200)
            .map(|part| part.iter().collect())
            .collect();
        let record = format!("--txt-record={name},{}", strings.join(","));
        let process = Guarded::spawn(
            Command::new("dnsmasq")
                .args([
                    "--keep-in-foreground",
                    "--conf-file=/dev/null",
                    "--pid-file=",
                ])
                .args([
                    "--no-resolv",
                    "--no-hosts",
                    "--bind-interfaces",
                    "--user=root",
                ])
                .args([
                    "--listen-address=127.0.0.1",
                    &format!("--port={port}"),
                    &record,
                ])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null()),
        );
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        eventually("dnsmasq to answer", || {
            let deadline = Instant::now() + Duration::from_secs(1);
            Resolver::at(address).texts(name, deadline).ok()
        });
        Dnsmasq {
            address,
            _process: process,
        }
    }
}

/// A platform that requires proof and has no keys but those in DNS.
struct Site {
    _folder: TempDir,
    configuration: Configuration,
    file: PathBuf,
}

impl Site {
    fn asking(server: SocketAddr) -> Site {
        let folder = temp_dir();
        let configuration = crate::service::configuration(folder.path(), &[("proof", "require")])
            .handler(&format!("dns: {server}"));
        Site {
            file: configuration.write(),
            configuration,
            _folder: folder,
        }
    }

    fn done(&self) -> Vec<String> {
        done(&self.configuration)
    }
}

/// A mailbox of so many bounces.
fn mbox(mails: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut mbox = Vec::new();
    for mail in mails {
        mbox.extend_from_slice(b"From MAILER-DAEMON Mon Nov  2 09:14:07 2026\n");
        mbox.extend(mail);
        mbox.extend_from_slice(b"\n\n");
    }
    mbox
}

#[test]
fn a_key_in_dns_proves_and_is_kept_for_when_it_is_gone() {
    let signer = Signer::ed25519(OURS, "s1");
    let server = Dnsmasq::start("s1._domainkey.mydomain.de", signer.record());
    let site = Site::asking(server.address);
    let bounce_of = |number| bounce(DEAD, UNKNOWN, &signed(&signer, DEAD, number));
    let classified = crate::service::run(&site.file, &["classify"], &bounce_of(1));
    assert!(classified.contains("proven by DKIM"), "{classified}");
    hand_in(&site.file, &bounce_of(1));
    drop(server);
    hand_in(&site.file, &bounce_of(2));
    // What `classify` says without the database is that the key is gone.
    let classified = crate::service::run(&site.file, &["classify"], &bounce_of(3));
    assert!(classified.contains("unproven"), "{classified}");
    assert_eq!(
        site.done(),
        [
            "dead@example.org suspend proven",
            "dead@example.org join proven"
        ]
    );
}

#[test]
fn a_record_that_does_not_fit_into_a_datagram_is_fetched_by_tcp() {
    let signer = Signer::rsa(OURS, "s1");
    let record = format!("v=DKIM1; n={};{}", "x".repeat(600), &signer.record()[8..]);
    let server = Dnsmasq::start("s1._domainkey.mydomain.de", &record);
    let deadline = Instant::now() + Duration::from_secs(5);
    let name = "s1._domainkey.mydomain.de";
    let texts = Resolver::at(server.address).texts(name, deadline);
    assert_eq!(texts.expect("an answer"), [record]);
    let site = Site::asking(server.address);
    hand_in(
        &site.file,
        &bounce(DEAD, UNKNOWN, &signed(&signer, DEAD, 1)),
    );
    assert_eq!(site.done(), ["dead@example.org suspend proven"]);
}

/// A server of our own: a socket that nobody answers at.
fn silent() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port is free");
    socket.set_nonblocking(true).expect("it can be");
    let address = socket.local_addr().expect("it is bound");
    (socket, address)
}

fn questions(socket: &UdpSocket) -> usize {
    let mut message = [0; 512];
    std::iter::from_fn(|| socket.recv(&mut message).ok()).count()
}

#[test]
fn dns_that_is_silent_is_asked_once_and_said_to_be() {
    let (socket, address) = silent();
    let site = Site::asking(address);
    let signer = Signer::ed25519(OURS, "s1");
    let mails = (0..20).map(|number| {
        let to = format!("dead{number}@example.org");
        bounce(&to, UNKNOWN, &signed(&signer, &to, number))
    });
    let log = hand_in(&site.file, &mbox(mails));
    let said = "The key s1._domainkey.mydomain.de is not known: no answer from 127.0.0.1";
    assert_eq!(log.matches(said).count(), 1, "{log}");
    assert_eq!(questions(&socket), 1);
    let done = site.done();
    assert_eq!(done.len(), 20);
    assert!(
        done.iter().all(|done| done.ends_with("note unproven")),
        "{done:?}"
    );
}

#[test]
fn nobody_waits_longer_than_the_deadline() {
    let (_socket, address) = silent();
    let begun = Instant::now();
    let deadline = begun + Duration::from_millis(200);
    let answer = Resolver::at(address).texts("s1._domainkey.mydomain.de", deadline);
    assert!(answer.is_err());
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
}

#[test]
fn dns_is_asked_for_domains_of_ours_only() {
    let (socket, address) = silent();
    let site = Site::asking(address);
    let stranger = Signer::ed25519("stranger.example", "s1");
    hand_in(
        &site.file,
        &bounce(DEAD, UNKNOWN, &signed(&stranger, DEAD, 1)),
    );
    let unsigned = "From: no-reply@mydomain.de\nTo: dead@example.org\n\nHello\n";
    hand_in(&site.file, &bounce(DEAD, UNKNOWN, unsigned));
    assert_eq!(site.done().len(), 2);
    assert_eq!(questions(&socket), 0);
}

/// Attack: whoever can reach our port guesses the number of the question, or answers another one.
#[test]
fn forged_answers_are_not_taken() {
    let server = UdpSocket::bind("127.0.0.1:0").expect("a port is free");
    let address = server.local_addr().expect("it is bound");
    let answering = std::thread::spawn(move || {
        let mut query = [0; 512];
        let (length, client) = server.recv_from(&mut query).expect("a question");
        let query = &query[..length];
        let answer = |text: &str, change: fn(&mut Vec<u8>)| {
            let mut message = query.to_vec();
            message[2] |= 0x80;
            message[7] = 1;
            let length = u8::try_from(text.len()).expect("a short text");
            message.extend([0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 60, 0, length + 1, length]);
            message.extend_from_slice(text.as_bytes());
            change(&mut message);
            server.send_to(&message, client).expect("it can be sent");
        };
        answer("forged", |message| message[0] ^= 1);
        answer("forged", |message| message[13] = b'x');
        answer("forged", |message| message[2] &= 0x7f);
        answer("true", |_| {});
    });
    let deadline = Instant::now() + PATIENCE;
    let texts = Resolver::at(address).texts("s1._domainkey.mydomain.de", deadline);
    answering.join().expect("it answers");
    assert_eq!(texts.expect("an answer"), ["true"]);
}

#[test]
fn to_require_what_nothing_can_give_is_a_fault_of_the_configuration() {
    let folder = temp_dir();
    let file = crate::service::configuration(folder.path(), &[("proof", "require")])
        .handler("dns: off")
        .write();
    for command in ["check-config", "stdin"] {
        let mut bouncedemails = bouncedemails();
        let output = bouncedemails
            .arg("--config")
            .arg(&file)
            .arg(command)
            .output();
        let output = output.expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success());
        let fault = "config.yml:9: production.handler.domains.mydomain.de.proof: require, but nothing can prove";
        assert!(said.contains(fault), "{said}");
    }
}
