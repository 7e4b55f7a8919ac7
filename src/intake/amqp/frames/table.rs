//! Bytes in the types of AMQP 0-9-1 and of RabbitMQ's tables.

use bytes::Buf;

/// Bytes that are read from the front; none when there are too few.
pub(super) struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    pub fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    pub fn u8(&mut self) -> Option<u8> {
        self.take(1).map(|mut bytes| bytes.get_u8())
    }

    pub fn u16(&mut self) -> Option<u16> {
        self.take(2).map(|mut bytes| bytes.get_u16())
    }

    pub fn u64(&mut self) -> Option<u64> {
        self.take(8).map(|mut bytes| bytes.get_u64())
    }

    /// A string of up to 255 bytes.
    pub fn short(&mut self) -> Option<&'a [u8]> {
        let length = self.u8()?;
        self.take(length.into())
    }

    /// What states its length in four bytes: a string, a table, an array.
    pub fn long(&mut self) -> Option<&'a [u8]> {
        let length = be_u32(self.take(4)?);
        self.take(length)
    }

    /// A value of a table, of this type.
    fn value(&mut self, kind: u8) -> Option<&'a [u8]> {
        match kind {
            b'V' => self.take(0),
            b't' | b'b' | b'B' => self.take(1),
            b's' | b'u' | b'U' => self.take(2),
            b'I' | b'i' | b'f' => self.take(4),
            b'D' => self.take(5),
            b'l' | b'L' | b'd' | b'T' => self.take(8),
            b'S' | b'x' | b'A' | b'F' => self.long(),
            _ => None,
        }
    }
}

/// The number in the first four bytes, of which there are four.
pub(super) fn be_u32(mut bytes: &[u8]) -> usize {
    // On a machine that can't count so far there is no such frame either.
    usize::try_from(bytes.get_u32()).unwrap_or(usize::MAX)
}

/// One entry of a table.
pub(super) struct Entry<'a> {
    pub whole: &'a [u8],
    pub name: &'a [u8],
    pub kind: u8,
    /// As it was written, with its length where it has one.
    pub value: &'a [u8],
}

/// Goes through a table. Tables and arrays in it say how long they are, so what is in them is passed over unread. None
/// if it can't be read to its end.
pub(super) fn each_entry<'a>(mut rest: Reader<'a>, mut take: impl FnMut(Entry<'a>)) -> Option<()> {
    while !rest.0.is_empty() {
        let start = rest.0;
        let (name, kind) = (rest.short()?, rest.u8()?);
        let value = rest.0;
        rest.value(kind)?;
        take(Entry {
            whole: &start[..start.len() - rest.0.len()],
            name,
            kind,
            value: &value[..value.len() - rest.0.len()],
        });
    }
    Some(())
}
