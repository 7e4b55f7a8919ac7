//! What the fuzz target `smtp` does for hours, for a second: conversations put together at random.

use crate::conversation::check;

const PARTS: &[&[u8]] = &[
    b"EHLO x\r\n",
    b"HELO x\r\n",
    b"LHLO x\r\n",
    b"MAIL FROM:<>\r\n",
    b"MAIL FROM:<x@y> SIZE=2000\r\n",
    b"RCPT TO:<b@a.de>\r\n",
    b"RCPT TO:<b@elsewhere>\r\n",
    b"DATA\r\n",
    b"BDAT 5\r\n",
    b"BDAT 5 LAST\r\n",
    b"BDAT 0 LAST\r\n",
    b"BDAT 2000\r\n",
    b"BDAT x\r\n",
    b"QUIT\r\n",
    b"RSET\r\n",
    b"NOOP\r\n",
    b"STARTTLS\r\n",
    b"hello",
    b".\r\n",
    b"..\r\n",
    b"\r\n",
    b"\r\n.\r\n",
    b"\n.\n",
    b"\r",
    b"\n",
    b".",
    b"\0",
    b"\xff",
    b"GET / HTTP/1.1\r\n",
    &[b'x'; 2100],
];

#[test]
fn random_conversations() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    for _ in 0..400 {
        let mut bytes = match random.u8(..3) {
            0 => b"LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<b@a.de>\r\n".to_vec(),
            1 => b"EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<b@a.de>\r\n".to_vec(),
            _ => Vec::new(),
        };
        for _ in 0..random.usize(1..25) {
            bytes.extend_from_slice(PARTS[random.usize(..PARTS.len())]);
        }
        check(&bytes);
    }
}
