//! TXT records, asked of the servers that the system uses (RFC 1035).
//!
//! Written here, and not taken from a library: those that ask are large (hickory-resolver brings more crates than all of SMTP here), and those
//! that only read and write messages leave the asking to be written. What is left is short, since of an answer only the texts are needed:
//! names are skipped, so no compressed one is ever followed.

use ring::rand::{SecureRandom, SystemRandom};
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

/// Where the system's servers stand (resolv.conf(5)), of which so many are asked.
const RESOLV_CONF: &str = "/etc/resolv.conf";
const MAX_SERVERS: usize = 3;

/// A message by UDP has at most so many bytes; a longer answer says that it is cut, and is fetched by TCP.
const MAX_UDP: usize = 512;

/// So many texts of an answer are taken, of so many bytes each: a key of 8,192 bits has 1,400.
const MAX_TEXTS: usize = 16;
const MAX_TEXT: usize = 4_096;

const HEADER: usize = 12;
const TXT: u16 = 16;
const INTERNET: u16 = 1;

/// Who is asked.
#[derive(Debug, Clone)]
pub struct Resolver {
    servers: Vec<SocketAddr>,
}

/// No server has said whether there is such a record.
#[derive(Debug, thiserror::Error)]
#[error("no answer from {0}")]
pub struct NoAnswer(String);

/// What is taken from an answer.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Texts(Vec<String>),
    /// It did not fit.
    Cut,
}

impl Resolver {
    /// Asks the servers of `/etc/resolv.conf`; without one, this machine's own, as every program does.
    pub fn of_system() -> Resolver {
        let text = std::fs::read_to_string(RESOLV_CONF).unwrap_or_default();
        let mut servers = servers(&text);
        if servers.is_empty() {
            servers.push((Ipv4Addr::LOCALHOST, 53).into());
        }
        Resolver { servers }
    }

    /// Asks this server.
    pub fn at(server: SocketAddr) -> Resolver {
        Resolver {
            servers: vec![server],
        }
    }

    /// The texts at a name; none where there are none, or no such name.
    ///
    /// # Errors
    /// When no server has answered before the deadline.
    pub fn texts(&self, name: &str, deadline: Instant) -> Result<Vec<String>, NoAnswer> {
        let mut faults = Vec::new();
        for (at, server) in self.servers.iter().enumerate() {
            let others = u32::try_from(self.servers.len() - at).unwrap_or(u32::MAX);
            let share = deadline.saturating_duration_since(Instant::now()) / others;
            match ask(*server, name, share) {
                Ok(texts) => return Ok(texts),
                Err(error) => faults.push(format!("{server} ({error})")),
            }
        }
        Err(NoAnswer(faults.join(", ")))
    }
}

/// The servers that `/etc/resolv.conf` names.
fn servers(text: &str) -> Vec<SocketAddr> {
    let addresses = text.lines().filter_map(|line| {
        let address = line.trim().strip_prefix("nameserver")?.trim();
        address.parse::<IpAddr>().ok()
    });
    let servers = addresses.map(|address| SocketAddr::new(address, 53));
    servers.take(MAX_SERVERS).collect()
}

/// Asks one server by UDP, and by TCP if the answer does not fit.
fn ask(server: SocketAddr, name: &str, within: Duration) -> io::Result<Vec<String>> {
    let deadline = Instant::now() + within;
    let query = query(name)?;
    match by_udp(server, &query, deadline)? {
        Answer::Texts(texts) => Ok(texts),
        Answer::Cut => match by_tcp(server, &query, deadline)? {
            Answer::Texts(texts) => Ok(texts),
            Answer::Cut => Err(invalid("an answer that is cut")),
        },
    }
}

fn by_udp(server: SocketAddr, query: &[u8], deadline: Instant) -> io::Result<Answer> {
    let from: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    // From a port that nobody can foresee, and only to be answered by whom we ask.
    let socket = UdpSocket::bind((from, 0))?;
    socket.connect(server)?;
    socket.send(query)?;
    let mut message = [0; MAX_UDP];
    loop {
        socket.set_read_timeout(Some(left(deadline)?))?;
        let length = socket.recv(&mut message)?;
        // Anybody may send something: the answer may still come.
        if is_answer_to(&message[..length], query) {
            return read(&message[..length], query);
        }
    }
}

fn by_tcp(server: SocketAddr, query: &[u8], deadline: Instant) -> io::Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&server, left(deadline)?)?;
    let length = u16::try_from(query.len()).map_err(|_| invalid("a name that is too long"))?;
    stream.set_write_timeout(Some(left(deadline)?))?;
    stream.write_all(&[&length.to_be_bytes(), query].concat())?;
    let mut message = Vec::new();
    let mut wanted = 2;
    while message.len() < wanted {
        stream.set_read_timeout(Some(left(deadline)?))?;
        let mut chunk = [0; 2_048];
        let read = stream.read(&mut chunk)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        message.extend_from_slice(&chunk[..read]);
        if let Some(length) = message.first_chunk() {
            wanted = 2 + usize::from(u16::from_be_bytes(*length));
        }
    }
    let message = &message[2..wanted];
    match is_answer_to(message, query) {
        true => read(message, query),
        false => Err(invalid("an answer to something else")),
    }
}

/// How long may still be waited.
fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    match left.is_zero() {
        true => Err(io::ErrorKind::TimedOut.into()),
        false => Ok(left),
    }
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

/// A question for the texts at a name, with a number that nobody can foresee.
fn query(name: &str) -> io::Result<Vec<u8>> {
    let mut id = [0; 2];
    SystemRandom::new()
        .fill(&mut id)
        .map_err(|_| io::Error::other("the system has no randomness"))?;
    let mut query = Vec::with_capacity(HEADER + name.len() + 6);
    query.extend_from_slice(&id);
    // Recursion is desired; one question.
    query.extend_from_slice(&[1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in name.trim_end_matches('.').split('.') {
        let length = u8::try_from(label.len()).ok();
        let length = length.filter(|length| (1..=63).contains(length));
        query.push(length.ok_or_else(|| invalid("no name"))?);
        query.extend_from_slice(label.as_bytes());
    }
    query.push(0);
    query.extend_from_slice(&TXT.to_be_bytes());
    query.extend_from_slice(&INTERNET.to_be_bytes());
    match query.len() <= HEADER + 255 + 4 {
        true => Ok(query),
        false => Err(invalid("a name that is too long")),
    }
}

/// Whether a message has the number and the question of ours.
fn is_answer_to(message: &[u8], query: &[u8]) -> bool {
    let is_response = message.get(2).is_some_and(|flags| flags & 0x80 != 0);
    let question = message.get(HEADER..query.len());
    is_response
        && message[..2] == query[..2]
        && question.is_some_and(|question| question.eq_ignore_ascii_case(&query[HEADER..]))
}

/// The texts of an answer to the query.
fn read(message: &[u8], query: &[u8]) -> io::Result<Answer> {
    if message[2] & 2 != 0 {
        return Ok(Answer::Cut);
    }
    match message[3] & 0x0f {
        0 => {}
        // No such name.
        3 => return Ok(Answer::Texts(Vec::new())),
        code => return Err(invalid(&format!("response code {code}"))),
    }
    let answers = u16::from_be_bytes([message[6], message[7]]);
    let mut rest = &message[query.len()..];
    let mut texts = Vec::new();
    for _ in 0..answers {
        let (kind, data, behind) = record(rest).ok_or_else(|| invalid("half an answer"))?;
        rest = behind;
        if kind == TXT && texts.len() < MAX_TEXTS {
            texts.extend(text(data));
        }
    }
    Ok(Answer::Texts(texts))
}

/// The first record: its type and data, and what stands behind it.
fn record(mut rest: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    // Its name: labels up to an empty one, or to a pointer to the rest of them.
    loop {
        let (&length, behind) = rest.split_first()?;
        match length {
            0 => {
                rest = behind;
                break;
            }
            0xc0.. => {
                rest = behind.get(1..)?;
                break;
            }
            length => rest = behind.get(usize::from(length)..)?,
        }
    }
    let (fixed, rest) = rest.split_first_chunk::<10>()?;
    let kind = u16::from_be_bytes([fixed[0], fixed[1]]);
    let length = u16::from_be_bytes([fixed[8], fixed[9]]);
    let (data, rest) = rest.split_at_checked(length.into())?;
    Some((kind, data, rest))
}

/// The strings of a record, joined; none where it is too long or no text.
fn text(mut data: &[u8]) -> Option<String> {
    let mut text = Vec::new();
    while let Some((&length, behind)) = data.split_first() {
        let (string, rest) = behind.split_at_checked(length.into())?;
        text.extend_from_slice(string);
        data = rest;
    }
    let text = String::from_utf8(text).ok()?;
    (text.len() <= MAX_TEXT).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked() -> Vec<u8> {
        query("s1._domainkey.openhpi.de").unwrap()
    }

    /// An answer with these flags, and these records behind the question.
    fn answer(flags: [u8; 2], records: &[&[u8]]) -> Vec<u8> {
        let query = asked();
        let count = u16::try_from(records.len()).unwrap().to_be_bytes();
        let header = [
            query[0], query[1], flags[0], flags[1], 0, 1, count[0], count[1], 0, 0, 0, 0,
        ];
        [&header, &query[HEADER..], &records.concat()].concat()
    }

    fn a_record(kind: u8, data: &[u8]) -> Vec<u8> {
        let length = u16::try_from(data.len()).unwrap().to_be_bytes();
        let fixed = [0xc0, 0x0c, 0, kind, 0, 1, 0, 0, 0, 60, length[0], length[1]];
        [&fixed, data].concat()
    }

    fn texts(message: &[u8]) -> Option<Vec<String>> {
        match read(message, &asked()) {
            Ok(Answer::Texts(texts)) => Some(texts),
            Ok(Answer::Cut) | Err(_) => None,
        }
    }

    #[test]
    fn texts_are_joined_and_other_records_left_out() {
        let message = answer(
            [0x81, 0x80],
            &[
                &a_record(5, b"\x02s2\xc0\x0c"),
                &a_record(16, b"\x04v=DK\x03IM1"),
                &a_record(16, b"\x01x"),
            ],
        );
        assert_eq!(texts(&message).unwrap(), ["v=DKIM1", "x"]);
        assert_eq!(texts(&answer([0x81, 0x83], &[])).unwrap(), [""; 0]);
        assert_eq!(texts(&answer([0x81, 0x82], &[])), None, "SERVFAIL is none");
        let cut = answer([0x83, 0x80], &[]);
        assert_eq!(read(&cut, &asked()).unwrap(), Answer::Cut);
    }

    #[test]
    fn no_answer_however_broken_is_read_beyond_its_end() {
        let message = answer([0x81, 0x80], &[&a_record(16, b"\x04v=DK\x03IM1")]);
        for length in asked().len()..message.len() {
            assert_eq!(texts(&message[..length]), None, "{length}");
        }
        for at in 2..message.len() {
            for byte in [0, 1, 0x3f, 0x40, 0xc0, 0xff] {
                let mut broken = message.clone();
                broken[at] = byte;
                _ = texts(&broken);
            }
        }
        let long = a_record(16, &[&[255; 256][..]; 17].concat());
        assert_eq!(texts(&answer([0x81, 0x80], &[&long])).unwrap(), [""; 0]);
        let many = a_record(16, b"\x01x");
        let many = vec![many.as_slice(); 100];
        assert_eq!(
            texts(&answer([0x81, 0x80], &many)).unwrap().len(),
            MAX_TEXTS
        );
    }

    #[test]
    fn an_answer_has_our_number_and_our_question() {
        let query = asked();
        let mut message = query.clone();
        assert!(!is_answer_to(&message, &query), "our own query");
        message[2] |= 0x80;
        assert!(is_answer_to(&message, &query));
        message[HEADER + 1] ^= 0x20;
        assert!(is_answer_to(&message, &query), "in another case");
        message[HEADER + 1] = b'x';
        assert!(!is_answer_to(&message, &query));
        assert!(!is_answer_to(&query[..3], &query));
        assert!(!is_answer_to(b"", &query));
        for name in ["", "a..b", &"x".repeat(64), &"x.".repeat(200)] {
            assert!(super::query(name).is_err(), "{name}");
        }
    }

    #[test]
    fn the_systems_servers_are_read() {
        let text = "# nameserver 192.0.2.9\nsearch example.org\nnameserver 192.0.2.1\n nameserver  2001:db8::1 \nnameserver fe80::1%eth0\n";
        let found: Vec<String> = servers(text).iter().map(SocketAddr::to_string).collect();
        assert_eq!(found, ["192.0.2.1:53", "[2001:db8::1]:53"]);
    }
}
