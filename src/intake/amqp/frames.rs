//! What a broker sends, made harmless before lapin reads it.
//!
//! lapin parses tables by recursion: headers nested 2,000 tables deep overflow the stack of its thread and abort the
//! process, at every delivery again (docs/upstream.md). It also gives the connection up over a property that is no
//! UTF-8. Whoever may publish can write such headers, and nothing behind that mail would ever be handled. So each frame
//! is read here first, without recursion, and lapin gets to see no more of what publishers write than this service
//! uses: a message's name and how often it was delivered.
//!
//! The layout of frames, methods and properties is that of AMQP 0-9-1 (specification 2.3 and 4.2), with the types of
//! RabbitMQ's tables.

mod properties;
mod table;

pub(super) use properties::{DELIVERY_COUNT, MESSAGE_ID};

use bytes::{BufMut, BytesMut};
use properties::Used;
use std::io;
use table::{Reader, be_u32, each_entry};

/// The largest frame, in bytes. Broker and client agree on 128 kB unless somebody configured more; lapin's buffer takes
/// 32 such.
const LARGEST: usize = 4 * 1024 * 1024;

/// A frame's type, channel and size; its payload follows, and an end mark of one byte.
const START: usize = 7;
const END_MARK: u8 = 0xCE;

const METHOD: u8 = 1;
const HEADER: u8 = 2;
const BODY: u8 = 3;
const HEARTBEAT: u8 = 8;

/// `AMQP` and a version: how a broker refuses ours.
const PROTOCOL_HEADER: usize = 8;

/// Methods by class and number.
type Method = (u16, u16);
const CONNECTION_START: Method = (10, 10);
const BASIC_DELIVER: Method = (60, 60);

/// The other methods that hold a table. Only clients send them.
const TABLES_OF_CLIENTS: [Method; 8] = [
    (10, 11),
    (40, 10),
    (40, 30),
    (40, 40),
    (50, 10),
    (50, 20),
    (50, 50),
    (60, 20),
];

/// Reads frames, one after the other.
#[derive(Debug, Default)]
pub(super) struct Frames {
    /// What is still to come of a body frame, with its end mark: bodies pass through piece by piece.
    body: usize,
    /// Whether what comes belongs to a message that lapin does not get to see.
    skipping: bool,
    /// The version that the broker says it is.
    version: Option<String>,
}

/// What was done with the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing: there must be more of it first.
    Incomplete,
    /// Something passed.
    Passed,
    /// A content header passed: a message of so many bytes comes next.
    Announced(u64),
}

impl Frames {
    /// Takes a frame, or a piece of a body, from `input` and appends to `output` what lapin may see of it. That is
    /// nothing of messages whose delivery begins while they are not `wanted`.
    ///
    /// # Errors
    /// When no broker would send that.
    pub fn pass(
        &mut self,
        input: &mut BytesMut,
        output: &mut BytesMut,
        wanted: bool,
    ) -> io::Result<Step> {
        if self.body > 0 {
            let length = self.body.min(input.len());
            if length == 0 {
                return Ok(Step::Incomplete);
            }
            let piece = input.split_to(length);
            if !self.skipping {
                output.unsplit(piece);
            }
            self.body -= length;
            return Ok(Step::Passed);
        }
        if input.first() == Some(&b'A') {
            return Ok(pass(PROTOCOL_HEADER, input, output));
        }
        let Some(start) = input.get(..START) else {
            return Ok(Step::Incomplete);
        };
        let (kind, size) = (start[0], be_u32(&start[3..]));
        if size > LARGEST {
            return Err(strange(format!("a frame of {size} bytes")));
        }
        let whole = START + size + 1;
        match kind {
            BODY => {
                self.body = whole;
                self.pass(input, output, wanted)
            }
            HEARTBEAT => Ok(pass(whole, input, output)),
            METHOD | HEADER if input.len() < whole => Ok(Step::Incomplete),
            METHOD => {
                let frame = input.split_to(whole);
                self.method(&frame, output, wanted)?;
                Ok(Step::Passed)
            }
            HEADER => {
                let frame = input.split_to(whole);
                match self.skipping {
                    true => Ok(Step::Passed),
                    false => content_header(&frame, output).map(Step::Announced),
                }
            }
            _ => Err(strange(format!("a frame of the unknown type {kind}"))),
        }
    }

    /// The version that the broker said it is, once.
    pub fn take_version(&mut self) -> Option<String> {
        self.version.take()
    }

    /// A method as it came, but for tables and for the two names in a delivery that publishers choose.
    fn method(&mut self, frame: &[u8], output: &mut BytesMut, wanted: bool) -> io::Result<()> {
        let payload = payload(frame)?;
        let mut rest = Reader(payload);
        let id = rest.u16().zip(rest.u16());
        self.skipping = id == Some(BASIC_DELIVER) && !wanted;
        let changed = match id {
            _ if self.skipping => return Ok(()),
            Some(CONNECTION_START) => self.start(payload, rest),
            Some(BASIC_DELIVER) => deliver(payload, rest),
            Some((class, number)) if TABLES_OF_CLIENTS.contains(&(class, number)) => {
                return Err(strange(format!("the method {class}.{number} of a client")));
            }
            _ => {
                output.extend_from_slice(frame);
                return Ok(());
            }
        };
        let changed = changed.ok_or_else(|| strange("a method that ends too soon".to_owned()))?;
        put_frame(frame, &changed, output);
        Ok(())
    }

    /// Connection.Start without what the broker says of itself, of which the version is remembered.
    fn start(&mut self, payload: &[u8], mut rest: Reader) -> Option<Vec<u8>> {
        let _versions = rest.take(2)?;
        let before = payload.len() - rest.0.len();
        let mut version = None;
        let _ = each_entry(Reader(rest.long()?), |entry| {
            if entry.name == b"version" && entry.kind == b'S' {
                version = Some(String::from_utf8_lossy(&entry.value[4..]).into_owned());
            }
        });
        self.version = version;
        Some([&payload[..before], &[0; 4], rest.0].concat())
    }
}

fn pass(length: usize, input: &mut BytesMut, output: &mut BytesMut) -> Step {
    if input.len() < length {
        return Step::Incomplete;
    }
    output.unsplit(input.split_to(length));
    Step::Passed
}

/// Basic.Deliver with an empty exchange and routing key.
fn deliver(payload: &[u8], mut rest: Reader) -> Option<Vec<u8>> {
    let _consumer = rest.short()?;
    let _tag_and_redelivered = rest.take(9)?;
    let before = payload.len() - rest.0.len();
    let (_exchange, _routing_key) = (rest.short()?, rest.short()?);
    Some([&payload[..before], &[0, 0]].concat())
}

/// A content header with the properties that this service uses. Returns the size of the message in bytes.
fn content_header(frame: &[u8], output: &mut BytesMut) -> io::Result<u64> {
    let payload = payload(frame)?;
    // The class, the weight, and the size of the message.
    let Some((fixed, properties)) = payload.split_at_checked(12) else {
        return Err(strange("a content header that ends too soon".to_owned()));
    };
    let size = Reader(&fixed[4..]).u64().unwrap_or_default();
    let mut used = Used::default();
    // What can't be read is left out, with all that comes after it: it is the publisher's fault, and no reason to lose
    // the mail.
    let _ = used.read(Reader(properties));
    put_frame(frame, &[fixed, &used.written()].concat(), output);
    Ok(size)
}

/// What is between a frame's start and its end mark.
fn payload(frame: &[u8]) -> io::Result<&[u8]> {
    match frame {
        [start @ .., END_MARK] => Ok(&start[START..]),
        _ => Err(strange("a frame without its end mark".to_owned())),
    }
}

/// The frame with another payload, which is not longer than the one before.
fn put_frame(frame: &[u8], payload: &[u8], output: &mut BytesMut) {
    output.put_slice(&frame[..3]);
    output.put_u32(payload.len() as u32);
    output.put_slice(payload);
    output.put_u8(END_MARK);
}

fn strange(what: String) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("it sent {what}, which no broker would"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![kind, 0, 1];
        frame.put_u32(payload.len() as u32);
        frame.extend(payload);
        frame.push(END_MARK);
        frame
    }

    fn header(properties: &[u8]) -> Vec<u8> {
        let fixed = b"\x00\x3c\x00\x00\x00\x00\x00\x00\x00\x00\x00\x05";
        frame(HEADER, &[fixed, properties].concat())
    }

    /// What lapin gets to see, when the input comes in pieces of `step` bytes.
    fn passed(input: &[u8], step: usize) -> io::Result<Vec<u8>> {
        let (mut frames, mut waiting) = (Frames::default(), BytesMut::new());
        let mut output = BytesMut::new();
        for piece in input.chunks(step) {
            waiting.extend_from_slice(piece);
            while frames.pass(&mut waiting, &mut output, true)? != Step::Incomplete {}
        }
        assert!(waiting.is_empty(), "{waiting:?} is left");
        Ok(output.to_vec())
    }

    fn assert_passes(input: &[u8], expected: &[u8]) {
        for step in [1, 2, 7, 8, 9, 100, 200_000] {
            let passed = passed(input, step).expect("a broker may send it");
            assert_eq!(passed, expected, "in steps of {step}");
        }
    }

    #[test]
    fn what_is_harmless_passes_unchanged() {
        let flow = frame(METHOD, &[0, 20, 0, 20, 1]);
        let body = frame(BODY, b"\x01\x02\xce\x00A");
        let beat = frame(HEARTBEAT, b"");
        let header = header(b"\x00\x80\x02id");
        let all = [&flow[..], &header, &body, &beat, b"AMQP\x00\x00\x09\x01"].concat();
        assert_passes(&all, &all);
    }

    #[test]
    fn only_properties_that_are_used_are_left() {
        let count = b"\x10x-delivery-countl\x00\x00\x00\x00\x00\x00\x00\x03";
        let id = b"\x0amessage-idS\x00\x00\x00\x02\xff1";
        let table = b"\x01aF\x00\x00\x00\x07\x01bF\x00\x00\x00\x00";
        let array = b"\x10x-delivery-countA\x00\x00\x00\x00";
        let entries = [&table[..], count, array, id].concat();
        let mut properties = vec![0xff, 0x80, 1, 0xff, 1, b'e'];
        properties.put_u32(entries.len() as u32);
        properties.extend(&entries);
        // Delivery mode, priority, and short strings up to the message id.
        properties.extend(b"\x02\x05\x01c\x01r\x01x\x02id");
        let used = [&count[..], id].concat();
        let mut expected = vec![0x20, 0x80];
        expected.put_u32(used.len() as u32);
        expected.extend(used);
        expected.extend(b"\x02id");
        assert_passes(&header(&properties), &header(&expected));
    }

    #[test]
    fn what_can_not_be_read_is_left_out_with_what_follows() {
        let unknown_type = b"\x20\x00\x00\x00\x00\x06\x01a?\x01bV";
        let too_short = b"\x20\x80\x00\x00\x00\xff\x01a";
        let no_text = b"\x00\x80\x02\xff\xfe";
        for properties in [&unknown_type[..], too_short, no_text, b"", b"\x80"] {
            assert_passes(&header(properties), &header(b"\x00\x00"));
        }
    }

    #[test]
    fn names_that_publishers_choose_are_left_out_of_a_delivery() {
        let tag = [0, 0, 0, 0, 0, 0, 0, 9, 1];
        let delivery = |end: &[u8]| {
            let start = b"\x00\x3c\x00\x3c\x03tag";
            frame(METHOD, &[&start[..], &tag, end].concat())
        };
        assert_passes(&delivery(b"\x01\xff\x02\xfe\xfe"), &delivery(b"\x00\x00"));
    }

    #[test]
    fn the_size_of_a_message_is_told() {
        let mut input = BytesMut::from(&header(b"\x00\x00")[..]);
        let step = Frames::default().pass(&mut input, &mut BytesMut::new(), true);
        assert_eq!(step.unwrap(), Step::Announced(5));
    }

    #[test]
    fn messages_that_are_not_wanted_are_left_out_whole() {
        let delivery = frame(METHOD, b"\x00\x3c\x00\x3c\x00\0\0\0\0\0\0\0\x01\0\0\0");
        let (flow, body) = (frame(METHOD, &[0, 20, 0, 20, 1]), frame(BODY, b"mail"));
        let message = [&delivery[..], &header(b"\x00\x00"), &body].concat();
        let mut input = BytesMut::from(&[&message[..], &flow, &message].concat()[..]);
        let (mut frames, mut output) = (Frames::default(), BytesMut::new());
        // What has begun is finished.
        frames.pass(&mut input, &mut output, true).unwrap();
        while frames.pass(&mut input, &mut output, false).unwrap() != Step::Incomplete {}
        assert_eq!(output, [&message[..], &flow].concat()[..]);
    }

    #[test]
    fn the_version_of_the_broker_is_told_and_the_rest_is_left_out() {
        let start = |properties: &[u8]| {
            let mut payload = vec![0, 10, 0, 10, 0, 9];
            payload.put_u32(properties.len() as u32);
            payload.extend(properties);
            payload.extend(b"\x00\x00\x00\x05PLAIN\x00\x00\x00\x05en_US");
            frame(METHOD, &payload)
        };
        let table = b"\x01aF\x00\x00\x00\x00\x07versionS\x00\x00\x00\x054.1.0";
        let mut input = BytesMut::from(&start(table)[..]);
        let (mut frames, mut output) = (Frames::default(), BytesMut::new());
        frames.pass(&mut input, &mut output, true).unwrap();
        assert_eq!(output, start(b"")[..]);
        assert_eq!(frames.take_version().as_deref(), Some("4.1.0"));
    }

    #[test]
    fn what_no_broker_sends_is_refused() {
        let too_large = b"\x01\x00\x01\xff\xff\xff\xff";
        let queue_declare = frame(METHOD, b"\x00\x32\x00\x0a");
        let short_delivery = frame(METHOD, b"\x00\x3c\x00\x3c\x03ta");
        let short_header = frame(HEADER, b"\x00\x3c");
        let unmarked = [&frame(METHOD, b"\x00\x14\x00\x0b")[..11], &[0]].concat();
        for input in [
            &too_large[..],
            &queue_declare,
            &short_delivery,
            &short_header,
            &unmarked,
            b"\x09\x00\x00\x00\x00\x00\x00\xce",
        ] {
            let error = passed(input, input.len()).unwrap_err();
            assert!(error.to_string().contains("which no broker would"));
        }
    }
}
