//! The bytes to and from one client: buffers, and what may be concluded from the order in which bytes come and go.
//!
//! It knows nothing of commands.

use super::reply::Reply;
use bytes::{Buf, BytesMut};
use futures_util::FutureExt;
use rustix::io::Errno;
use rustix::ioctl::{self, Getter};
use rustix::net::{RecvFlags, recv};
use std::ffi::c_int;
use std::io;
use std::os::fd::AsFd;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// What a session talks over: TCP, a unix socket, TLS on top of either.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {
    /// What lies unread in the socket at this moment. The runtime learns of it a little later, which would be too late for
    /// telling what was sent before our replies left.
    fn unread(&self) -> Unread;

    /// How many of the bytes that we sent have not reached the other side: those that a TCP peer has not acknowledged (our end of
    /// the connection counts as one), or that the peer of a unix socket has not read. None if nobody can say.
    fn unheard(&self) -> Option<usize>;
}

/// What lies unread in a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unread {
    /// Nothing: the client waits, or sends something in the future.
    Nothing,
    /// Something to read.
    Input,
    /// The end of the client's side, or of the connection.
    End,
}

impl Io for TcpStream {
    fn unread(&self) -> Unread {
        peek(self)
    }

    fn unheard(&self) -> Option<usize> {
        queued(self)
    }
}

impl Io for UnixStream {
    fn unread(&self) -> Unread {
        peek(self)
    }

    fn unheard(&self) -> Option<usize> {
        queued(self)
    }
}

impl Io for TlsStream<Box<dyn Io>> {
    fn unread(&self) -> Unread {
        self.get_ref().0.unread()
    }

    fn unheard(&self) -> Option<usize> {
        self.get_ref().0.unheard()
    }
}

/// Stands in for a stream while TLS is put on top of it.
impl Io for tokio::io::Empty {
    fn unread(&self) -> Unread {
        Unread::End
    }

    fn unheard(&self) -> Option<usize> {
        None
    }
}

fn peek(socket: impl AsFd) -> Unread {
    match recv(socket, &mut [0; 1], RecvFlags::PEEK | RecvFlags::DONTWAIT) {
        Ok((_, 0)) => Unread::End,
        Ok(_) => Unread::Input,
        Err(Errno::AGAIN | Errno::INTR) => Unread::Nothing,
        Err(_) => Unread::End,
    }
}

/// SIOCOUTQ (tcp(7), unix(7)), which is TIOCOUTQ by another name.
fn queued(socket: impl AsFd) -> Option<usize> {
    const SIOCOUTQ: ioctl::Opcode = libc::TIOCOUTQ as ioctl::Opcode;
    // SAFETY: for this request the kernel writes one int.
    let queued = unsafe { ioctl::ioctl(socket, Getter::<SIOCOUTQ, c_int>::new()) };
    usize::try_from(queued.ok()?).ok()
}

/// Both directions of a connection. Everything in here can be cancelled without a byte being lost or sent twice.
pub(super) struct Wire {
    io: Box<dyn Io>,
    input: BytesMut,
    output: BytesMut,
    /// The client had ended its side before our last words left.
    ended: bool,
}

/// What a client did, and whether it knows what we said before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fill {
    /// It sent bytes before it can have seen our last replies (pipelining).
    Unaware,
    /// It sent bytes, and has all of our replies.
    Aware,
    /// It ended its side.
    End {
        /// Whether it had all of our replies by then.
        aware: bool,
    },
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
    /// What comes afterwards may have crossed our replies on the way. It did not if by then the client's kernel has acknowledged
    /// them; and had the client been killed before it read them, its kernel would have reset the connection.
    pub async fn fill(&mut self) -> io::Result<Fill> {
        if !self.output.is_empty() {
            let ahead = self.catch_up().await?;
            if ahead && self.output.len() < Self::MAX_OUTPUT {
                return Ok(Fill::Unaware);
            }
            self.flush().await?;
            if ahead {
                return Ok(Fill::Unaware);
            }
        }
        let read = self.read().await?;
        let aware = !self.ended && self.io.unheard() == Some(0);
        Ok(match (read, aware) {
            (0, aware) => Fill::End { aware },
            (_, true) => Fill::Aware,
            (_, false) => Fill::Unaware,
        })
    }

    /// Reads what is there already. Whether that was anything.
    async fn catch_up(&mut self) -> io::Result<bool> {
        while !self.ended {
            match tokio::task::unconstrained(self.read())
                .now_or_never()
                .transpose()?
            {
                Some(0) => self.ended = true,
                Some(_) => return Ok(true),
                None => match self.io.unread() {
                    Unread::Nothing => break,
                    // The runtime is about to learn of it.
                    Unread::Input => tokio::task::yield_now().await,
                    Unread::End => self.ended = true,
                },
            }
        }
        Ok(false)
    }

    async fn read(&mut self) -> io::Result<usize> {
        self.input.reserve(Self::PIECE);
        self.io.read_buf(&mut self.input).await
    }

    /// Sends what was said.
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
    pub async fn start_tls(&mut self, acceptor: &TlsAcceptor) -> io::Result<()> {
        let plain = std::mem::replace(&mut self.io, Box::new(tokio::io::empty()));
        self.io = Box::new(acceptor.accept(plain).await?);
        Ok(())
    }

    /// Closes without a word. A socket that others look at ([`super::Connection`]) does not close by being dropped.
    pub fn hang_up(mut self) {
        let _ = tokio::task::unconstrained(self.io.shutdown()).now_or_never();
    }

    /// Sends the last words and closes. Whether the client, which was still there, has them all, and then closed in good order, too.
    pub async fn close(&mut self, patience: Duration) -> bool {
        let farewell = async {
            while self.catch_up().await? {
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
        // It may not have acknowledged the end of our side yet, which counts as one.
        orderly && !self.ended && self.io.unheard().is_some_and(|bytes| bytes <= 1)
    }
}
