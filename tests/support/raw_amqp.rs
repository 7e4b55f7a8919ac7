//! AMQP 0-9-1 by hand, for what no client library would send.

use super::PATIENCE;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

const METHOD: u8 = 1;
const HEADER: u8 = 2;
const BODY: u8 = 3;
const FRAME_END: u8 = 0xCE;

/// How many tables, each in the one before, a frame of 128 kB holds.
pub const DEEPEST: usize = 18_000;

/// A table whose only value is a table, and so on.
pub fn nested_tables(levels: usize) -> Vec<u8> {
    nested(levels, b"\x01aF", b"")
}

/// A table whose only value is an array, whose only value is an array, and so on.
pub fn nested_arrays(levels: usize) -> Vec<u8> {
    let arrays = nested(levels, b"A", b"");
    [b"\x01aA", &arrays[..]].concat()
}

/// Layers of `start`, the length of what follows, and the next layer.
fn nested(levels: usize, start: &[u8], core: &[u8]) -> Vec<u8> {
    let layer = start.len() + 4;
    let mut bytes = Vec::with_capacity(levels * layer + core.len() + 4);
    for inner in (0..levels).rev() {
        bytes.extend_from_slice(start);
        bytes.extend(long(inner * layer + core.len()));
    }
    bytes.extend_from_slice(core);
    match start {
        // An array's own length stands in front of it.
        b"A" => [&long(bytes.len())[..], &bytes].concat(),
        _ => bytes,
    }
}

/// The property `headers`, with what is between the table's length and its end.
pub fn headers(table: &[u8]) -> Vec<u8> {
    [&[0x20, 0x00][..], &long(table.len()), table].concat()
}

fn long(number: usize) -> [u8; 4] {
    u32::try_from(number).expect("it fits").to_be_bytes()
}

fn short(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).expect("it is short");
    [&[length][..], text.as_bytes()].concat()
}

/// A client's connection with one channel.
pub struct RawClient(Wire);

impl RawClient {
    /// Logs in as `guest`.
    pub fn connect(port: u16, vhost: &str) -> RawClient {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("the broker listens");
        let mut wire = Wire::new(stream);
        wire.send(b"AMQP\x00\x00\x09\x01");
        wire.expect(10, 10);
        let plain = b"\x00guest\x00guest";
        let mut start_ok = long(0).to_vec();
        start_ok.extend(short("PLAIN"));
        start_ok.extend(long(plain.len()));
        start_ok.extend(plain);
        start_ok.extend(short("en_US"));
        wire.method(0, 10, 11, &start_ok);
        let tune = wire.expect(10, 30);
        wire.method(0, 10, 31, &tune[..8]);
        wire.method(0, 10, 40, &[short(vhost), vec![0, 0]].concat());
        wire.expect(10, 41);
        wire.method(1, 20, 10, &[0]);
        wire.expect(20, 11);
        RawClient(wire)
    }

    /// Publishes to a queue; `properties` are the flags and what they announce.
    pub fn publish(&mut self, queue: &str, properties: &[u8], body: &[u8]) {
        let wire = &mut self.0;
        let target = [&[0, 0, 0][..], &short(queue), &[0]].concat();
        wire.method(1, 60, 40, &target);
        let size = (body.len() as u64).to_be_bytes();
        let header = [&[0, 60, 0, 0][..], &size, properties].concat();
        wire.frame(HEADER, 1, &header);
        wire.frame(BODY, 1, body);
    }

    /// Ends the channel: by then the broker has taken all that was published.
    pub fn close(mut self) {
        let reason = [&[0, 200][..], &short("done"), &[0, 0, 0, 0]].concat();
        self.0.method(1, 20, 40, &reason);
        self.0.expect(20, 41);
    }
}

/// A broker's side of one connection, as far as the login.
pub struct RawBroker(Wire);

impl RawBroker {
    /// Waits for a client, and tells it of itself: `properties` is what is between the table's length and its end.
    pub fn greet(listener: &TcpListener, properties: &[u8]) -> RawBroker {
        let (stream, _) = listener.accept().expect("a client comes");
        let mut wire = Wire::new(stream);
        let mut protocol = [0; 8];
        wire.0.read_exact(&mut protocol).expect("a protocol header");
        let mut start = vec![0, 9];
        start.extend(long(properties.len()));
        start.extend(properties);
        start.extend(long(5));
        start.extend(b"PLAIN");
        start.extend(long(5));
        start.extend(b"en_US");
        wire.method(0, 10, 10, &start);
        RawBroker(wire)
    }

    /// Waits until the client has answered with its name and password.
    pub fn is_answered(&mut self) {
        self.0.expect(10, 11);
    }
}

struct Wire(TcpStream);

impl Wire {
    fn new(stream: TcpStream) -> Wire {
        stream
            .set_read_timeout(Some(PATIENCE))
            .expect("a socket has timeouts");
        Wire(stream)
    }

    fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).expect("the other side reads");
    }

    fn frame(&mut self, kind: u8, channel: u16, payload: &[u8]) {
        let mut frame = vec![kind];
        frame.extend(channel.to_be_bytes());
        frame.extend(long(payload.len()));
        frame.extend(payload);
        frame.push(FRAME_END);
        self.send(&frame);
    }

    fn method(&mut self, channel: u16, class: u16, method: u16, arguments: &[u8]) {
        let ids = [class.to_be_bytes(), method.to_be_bytes()].concat();
        self.frame(METHOD, channel, &[&ids[..], arguments].concat());
    }

    /// Waits for a method; returns its arguments.
    fn expect(&mut self, class: u16, method: u16) -> Vec<u8> {
        let mut start = [0; 7];
        self.0.read_exact(&mut start).expect("a frame");
        let size = u32::from_be_bytes([start[3], start[4], start[5], start[6]]);
        let mut payload = vec![0; size as usize + 1];
        self.0.read_exact(&mut payload).expect("a whole frame");
        let ids = [class.to_be_bytes(), method.to_be_bytes()].concat();
        assert!(
            start[0] == METHOD && payload.starts_with(&ids),
            "{start:?} {:?} instead of the method {class}.{method}",
            String::from_utf8_lossy(&payload[..payload.len().min(200)])
        );
        payload[4..payload.len() - 1].to_vec()
    }
}
