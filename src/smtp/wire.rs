//! The bytes to and from one client: buffers, and whether bytes came before or after our replies left.
//!
//! It knows nothing of commands.

use super::reply::Reply;
use bytes::{Buf, BytesMut};
use futures_util::FutureExt;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

/// What a session talks over: TCP, a unix socket, TLS on top of either.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// Both directions of a connection. Everything in here can be cancelled without a byte being lost or sent twice.
pub(super) struct Wire {
    io: Box<dyn Io>,
    input: BytesMut,
    output: BytesMut,
    /// The client had ended its side before our last words left.
    ended: bool,
}

/// What a client did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fill {
    /// It sent bytes before our last replies had left (pipelining).
    Ahead,
    /// It sent bytes after our last replies had left.
    After,
    /// It ended its side.
    End,
}

impl Wire {
    /// How much is read at once.
    const PIECE: usize = 16 * 1024;
    /// Replies to pipelined commands leave together (RFC 2920), at the latest when they are this long.
    const MAX_OUTPUT: usize = 4 * 1024;

    pub fn new(io: Box<dyn Io>) -> Wire {
        Wire {
            io,
            input: BytesMut::new(),
            output: BytesMut::new(),
            ended: false,
        }
    }

    /// What came and was not taken yet.
    pub fn input(&mut self) -> &mut BytesMut {
        &mut self.input
    }

    /// Puts a reply into the buffer; it leaves before we wait for more input.
    pub fn say(&mut self, reply: &Reply) {
        reply.write(&mut self.output);
    }

    /// Waits for more input. Replies leave first, but not before everything is read that is there already.
    ///
    /// # Errors
    /// When the connection is lost.
    pub async fn fill(&mut self) -> io::Result<Fill> {
        if !self.output.is_empty() {
            let ahead = self.catch_up()?;
            if !ahead || self.output.len() >= Self::MAX_OUTPUT {
                self.flush().await?;
            }
            if ahead {
                return Ok(Fill::Ahead);
            }
        }
        match self.read().await? {
            0 => Ok(Fill::End),
            _ => Ok(Fill::After),
        }
    }

    /// Reads what is there already. Whether that was anything.
    fn catch_up(&mut self) -> io::Result<bool> {
        if self.ended {
            return Ok(false);
        }
        let read = tokio::task::unconstrained(self.read()).now_or_never();
        self.ended = matches!(read, Some(Ok(0)));
        Ok(read.transpose()?.is_some_and(|length| length > 0))
    }

    async fn read(&mut self) -> io::Result<usize> {
        self.input.reserve(Self::PIECE);
        self.io.read_buf(&mut self.input).await
    }

    /// Sends what was said.
    ///
    /// # Errors
    /// When the connection is lost.
    pub async fn flush(&mut self) -> io::Result<()> {
        while self.output.has_remaining() {
            if self.io.write_buf(&mut self.output).await? == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
        }
        self.io.flush().await
    }

    /// Sends what was said as far as that needs no waiting.
    pub fn flush_now(&mut self) {
        // Who can't take a line on a fresh connection does without.
        let _ = tokio::task::unconstrained(self.flush()).now_or_never();
    }

    /// Goes on in TLS. Nothing may be waiting in either direction.
    ///
    /// # Errors
    /// When the client does not agree on TLS with us, or the connection is lost.
    pub async fn start_tls(&mut self, acceptor: &TlsAcceptor) -> io::Result<()> {
        let plain = std::mem::replace(&mut self.io, Box::new(tokio::io::empty()));
        self.io = Box::new(acceptor.accept(plain).await?);
        Ok(())
    }

    /// Sends the last words and closes. Whether the client, which was still there, then closed in good order, too: it
    /// has them all.
    pub async fn close(&mut self, patience: Duration) -> bool {
        let farewell = async {
            while self.catch_up()? {
                self.input.clear();
            }
            self.flush().await?;
            self.io.shutdown().await?;
            // Without reading on, the kernel might answer late bytes with a reset that overtakes our last words.
            while self.read().await? > 0 {
                self.input.clear();
            }
            io::Result::Ok(())
        };
        let orderly = matches!(timeout(patience, farewell).await, Ok(Ok(())));
        orderly && !self.ended
    }
}
