//! The content of a mail as DATA and BDAT bring it: where it ends, and how much of it is kept.
//!
//! Nothing but CR LF . CR LF ends DATA, and only a dot that begins a line after CR LF is taken away. A lone CR or LF is
//! content like any other byte, and since a mail is never passed on, no next server can read another end into it: that
//! leaves no room for SMTP smuggling (`\n.\n`, `\r.\r`, `\n.\r\n` and their kin), and no bounce is refused for the line
//! breaks of a sloppy mail that it returns.

use super::reply::{self, Reply};
use crate::memory::Memory;
use memchr::memchr;

/// The bytes of a mail, up to a limit and as far as there is memory.
#[derive(Debug)]
pub(super) struct Content {
    kept: Result<Vec<u8>, Reply>,
    limit: usize,
    memory: Memory,
}

impl Content {
    pub fn new(limit: usize, memory: Memory) -> Content {
        Content {
            kept: Ok(Vec::new()),
            limit,
            memory,
        }
    }

    /// Appends. Beyond the limit everything is given up at once, so that no memory waits for a mail that will be
    /// refused.
    pub fn push(&mut self, more: &[u8]) {
        let Ok(bytes) = &mut self.kept else {
            return;
        };
        if more.len() > self.limit - bytes.len() {
            return self.give_up(reply::TOO_LARGE);
        }
        let length = bytes.len() + more.len();
        if length > bytes.capacity() {
            // Twice as much each time, so that a large mail is not copied over and over.
            let capacity = length.max(2 * bytes.capacity()).min(self.limit);
            if !self.memory.extend(capacity) {
                return self.give_up(reply::NO_ROOM);
            }
            bytes.reserve_exact(capacity - bytes.len());
        }
        bytes.extend_from_slice(more);
    }

    fn give_up(&mut self, why: Reply) {
        self.kept = Err(why);
        self.memory.clear();
    }

    /// Why it was given up, if it was.
    pub fn refusal(&self) -> Option<&Reply> {
        self.kept.as_ref().err()
    }

    /// The bytes with the memory that they take.
    ///
    /// # Errors
    /// The reply that says why they were given up.
    pub fn finish(self) -> Result<(Vec<u8>, Memory), Reply> {
        self.kept.map(|bytes| (bytes, self.memory))
    }
}

/// Finds the end of DATA and takes the dots away that the client put before lines (RFC 5321, 4.5.2).
#[derive(Debug)]
pub(super) struct DotReader(Seen);

/// What was read last.
#[derive(Debug, Clone, Copy)]
enum Seen {
    /// CR LF, or nothing yet: the CR LF of the DATA command counts.
    LineBreak,
    /// CR LF and a dot, which is held back.
    Dot,
    /// CR LF, a dot, and CR, which are held back.
    DotCr,
    /// CR inside of a line.
    Cr,
    /// Anything else.
    Text,
}

impl DotReader {
    pub fn new() -> DotReader {
        DotReader(Seen::LineBreak)
    }

    /// Reads on; returns how much of `input` it took and whether that was the end. Without the end, all is taken.
    pub fn read(&mut self, input: &[u8], content: &mut Content) -> (usize, bool) {
        let mut at = 0;
        while at < input.len() {
            let byte = input[at];
            self.0 = match (self.0, byte) {
                (Seen::LineBreak, b'.') => {
                    at += 1;
                    Seen::Dot
                }
                (Seen::Dot, b'\r') => {
                    at += 1;
                    Seen::DotCr
                }
                (Seen::DotCr, b'\n') => return (at + 1, true),
                (Seen::DotCr, _) => {
                    content.push(b"\r");
                    Seen::Cr
                }
                (Seen::Cr, b'\n') => {
                    content.push(b"\n");
                    at += 1;
                    Seen::LineBreak
                }
                _ => {
                    let rest = &input[at..];
                    let (length, seen) = match memchr(b'\r', rest) {
                        Some(place) => (place + 1, Seen::Cr),
                        None => (rest.len(), Seen::Text),
                    };
                    content.push(&rest[..length]);
                    at += length;
                    seen
                }
            };
        }
        (at, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{MemoryBudget, Owner};

    const OWNER: Owner = Owner::Part("test");

    /// Content and rest, read in pieces of `step` bytes; none without an end.
    fn read(input: &[u8], step: usize) -> Option<(Vec<u8>, Vec<u8>)> {
        let mut content = content(usize::MAX);
        let mut reader = DotReader::new();
        let mut taken = 0;
        for piece in input.chunks(step) {
            let (length, end) = reader.read(piece, &mut content);
            taken += length;
            if end {
                return Some((content.finish().unwrap().0, input[taken..].to_vec()));
            }
        }
        None
    }

    fn check(input: &str, expected: Option<(&str, &str)>) {
        let expected = expected.map(|(content, rest)| (content.into(), rest.into()));
        for step in 1..=input.len() {
            let read = read(input.as_bytes(), step);
            assert_eq!(read, expected, "{input:?} in steps of {step}");
        }
    }

    #[test]
    fn ends_at_a_dot_on_a_line_of_its_own() {
        check("a\r\n.\r\nQUIT\r\n", Some(("a\r\n", "QUIT\r\n")));
        check(".\r\n", Some(("", "")));
        check("\r\n.\r\n", Some(("\r\n", "")));
        check("a\r\n.", None);
    }

    #[test]
    fn takes_one_dot_away() {
        check("..\r\n.a\r\n...b\r\n.\r\n", Some((".\r\na\r\n..b\r\n", "")));
        check("a.\r\n.\r\n", Some(("a.\r\n", "")));
    }

    #[test]
    fn nothing_else_ends_it() {
        for smuggled in [
            "\n.\n",
            "\r.\r",
            "\n.\r\n",
            "\r.\r\n",
            "\r\n.\n",
            "\r\n.\r",
            "\r\n.\r\r\n",
            "\r\n\0.\r\n",
            "\n\n.\r\n",
            "\r\r\n.\n",
        ] {
            let input = format!("a{smuggled}MAIL FROM:<x@y>\r\nend\r\n.\r\n");
            for step in 1..=input.len() {
                let (content, rest) = read(input.as_bytes(), step).unwrap();
                assert!(content.ends_with(b"end\r\n"), "{smuggled:?}");
                assert_eq!(rest, b"", "{smuggled:?}");
            }
        }
    }

    #[test]
    fn lone_line_breaks_are_content() {
        check("a\rb\nc\r\r\n.\r\n", Some(("a\rb\nc\r\r\n", "")));
        check("a\n.b\n.\r\n.\r\n", Some(("a\n.b\n.\r\n", "")));
        check(".\r\r\n.\r\n", Some(("\r\r\n", "")));
        check(".\rx\r\n.\r\n", Some(("\rx\r\n", "")));
    }

    fn content(limit: usize) -> Content {
        Content::new(limit, MemoryBudget::new(1 << 20).nothing(OWNER))
    }

    #[test]
    fn beyond_the_limit_nothing_is_kept() {
        let mut large = content(3);
        large.push(b"abc");
        assert_eq!(large.kept.as_deref(), Ok(&b"abc"[..]));
        large.push(b"d");
        large.push(b"e");
        assert_eq!(large.finish().unwrap_err(), reply::TOO_LARGE);
        let mut fitting = content(3);
        fitting.push(b"ab");
        fitting.push(b"c");
        assert_eq!(fitting.finish().unwrap().0, b"abc");
    }

    #[test]
    fn beyond_the_memory_nothing_is_kept_until_there_is_some_again() {
        let budget = MemoryBudget::new(200_000);
        let new = || Content::new(usize::MAX, budget.nothing(OWNER));
        let (mut first, mut second) = (new(), new());
        first.push(&[b'x'; 60_000]);
        second.push(&[b'x'; 30_000]);
        second.push(&[b'x'; 30_000]);
        assert_eq!(second.refusal(), Some(&reply::NO_ROOM));
        let (bytes, memory) = first.finish().unwrap();
        assert_eq!(bytes.len(), 60_000);
        let mut third = new();
        third.push(&bytes);
        assert_eq!(third.refusal(), Some(&reply::NO_ROOM));
        drop(memory);
        let mut fourth = new();
        fourth.push(&bytes);
        assert_eq!(fourth.refusal(), None);
    }
}
