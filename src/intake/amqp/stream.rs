//! The connection to a broker as lapin gets to see it: through [`Frames`].

use super::frames::{Frames, Step};
use async_rs::traits::Reactor;
use async_rs::util::RuntimeParts;
use async_rs::{Runtime, Tokio};
use bytes::{Buf, BytesMut};
use futures_util::Stream;
use futures_util::io::{AsyncRead, AsyncWrite};
use lapin::tcp::{AMQPUriTcpExt, AsyncTcpStream, OwnedTLSConfig};
use lapin::uri::AMQPUri;
use lapin::{Connection, ConnectionProperties};
use std::io::{self, IoSlice, Read, Write};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

/// How much is read at once, in bytes.
const PIECE: usize = 32 * 1024;

/// A connection to the broker, TLS included.
type Inner = AsyncTcpStream<<Tokio as Reactor>::TcpStream>;

/// Connects to a broker, and puts [`Frames`] between it and lapin.
///
/// # Errors
/// When no connection comes about.
pub(super) async fn connect(
    uri: AMQPUri,
    properties: ConnectionProperties,
) -> lapin::Result<Connection> {
    let tokio = Tokio::current();
    let runtime = Runtime::new(RuntimeParts::new(tokio.clone(), Network(tokio.clone())));
    let connect = async move |uri: AMQPUri, _: Runtime<_>| {
        let tls = OwnedTLSConfig::default();
        let tokio = Runtime::new(tokio.clone());
        let inner = uri.connect_with_config_async(tls.as_ref(), &tokio).await?;
        Ok(AsyncTcpStream::Plain(Filtered::new(inner)))
    };
    Connection::connector(uri, runtime, connect, properties).await
}

/// Bytes to and from a broker; those from it pass through [`Frames`].
pub(super) struct Filtered {
    inner: Inner,
    frames: Frames,
    /// What came and did not pass yet.
    input: BytesMut,
    /// What passed and was not read yet.
    output: BytesMut,
}

impl Filtered {
    fn new(inner: Inner) -> Filtered {
        Filtered {
            inner,
            frames: Frames::default(),
            input: BytesMut::new(),
            output: BytesMut::new(),
        }
    }

    /// Reads from the broker what is there; returns how many bytes that was, 0 at the end.
    fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let before = self.input.len();
        self.input.resize(before + PIECE, 0);
        let read = Pin::new(&mut self.inner).poll_read(context, &mut self.input[before..]);
        let length = match &read {
            Poll::Ready(Ok(length)) => *length,
            _ => 0,
        };
        self.input.truncate(before + length);
        read
    }
}

impl AsyncRead for Filtered {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        while this.output.is_empty() {
            let step = this.frames.pass(&mut this.input, &mut this.output)?;
            if step == Step::Incomplete && ready!(this.poll_fill(context))? == 0 {
                return Poll::Ready(Ok(0));
            }
        }
        let length = buffer.len().min(this.output.len());
        this.output.copy_to_slice(&mut buffer[..length]);
        Poll::Ready(Ok(length))
    }
}

impl AsyncWrite for Filtered {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write_vectored(context, slices)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(context)
    }

    fn poll_close(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_close(context)
    }
}

/// tokio's network, whose connections are [`Filtered`]: lapin takes the type of its connection from here.
#[derive(Debug, Clone)]
struct Network(Tokio);

impl Reactor for Network {
    type TcpStream = Filtered;
    type Sleep = <Tokio as Reactor>::Sleep;

    fn register<H: Read + Write + AsFd + AsRawFd + Send + 'static>(
        &self,
        socket: H,
    ) -> io::Result<impl AsyncRead + AsyncWrite + Send + Unpin + 'static> {
        self.0.register(socket)
    }

    fn sleep(&self, duration: Duration) -> Self::Sleep {
        self.0.sleep(duration)
    }

    fn interval(&self, duration: Duration) -> impl Stream<Item = Instant> + Send + 'static {
        self.0.interval(duration)
    }

    fn tcp_connect_addr(
        &self,
        address: SocketAddr,
    ) -> impl Future<Output = io::Result<Filtered>> + Send + 'static {
        let connecting = self.0.tcp_connect_addr(address);
        async move { Ok(Filtered::new(AsyncTcpStream::Plain(connecting.await?))) }
    }
}
