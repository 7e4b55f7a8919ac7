//! The connection to a broker as lapin gets to see it: through [`Frames`].

use super::frames::{Frames, Step};
use crate::memory::{Memory, MemoryBudget, Owner};
use async_rs::traits::Reactor;
use async_rs::util::RuntimeParts;
use async_rs::{Runtime, Tokio};
use bytes::{Buf, BytesMut};
use futures_util::Stream;
use futures_util::io::{AsyncRead, AsyncWrite};
use lapin::tcp::{AMQPUriTcpExt, AsyncTcpStream, OwnedTLSConfig};
use lapin::uri::AMQPUri;
use lapin::{Connection, ConnectionProperties};
use parking_lot::Mutex;
use std::io::{self, IoSlice, Read, Write};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// How much is read at once, in bytes.
const PIECE: usize = 32 * 1024;

/// What takes the memory for messages.
const AMQP: Owner = Owner::Part("AMQP");

/// A connection to the broker, TLS included.
type Inner = AsyncTcpStream<<Tokio as Reactor>::TcpStream>;

/// A connection, and what passed by it beside lapin.
pub(super) struct Filter {
    pub(super) connection: Connection,
    /// The memory that each message takes, in their order. Once this is gone, no message passes any more.
    pub(super) arrivals: mpsc::UnboundedReceiver<Memory>,
    /// The version that the broker says it is.
    pub(super) version: Option<String>,
}

/// Connects to a broker, and puts [`Frames`] between it and lapin. A message is read from the network when `budget` has
/// memory for it.
///
/// # Errors
/// When no connection comes about.
pub(super) async fn connect(
    uri: AMQPUri,
    properties: ConnectionProperties,
    budget: MemoryBudget,
) -> lapin::Result<Filter> {
    let tokio = Tokio::current();
    let (announce, arrivals) = mpsc::unbounded_channel();
    let passing = Passing {
        budget,
        arrivals: announce,
        version: Arc::default(),
    };
    let version = passing.version.clone();
    let network = Network {
        tokio: tokio.clone(),
        passing,
    };
    let runtime = Runtime::new(RuntimeParts::new(tokio, network.clone()));
    let connect = async move |uri: AMQPUri, _: Runtime<_>| {
        let tls = OwnedTLSConfig::default();
        let tokio = Runtime::new(network.tokio.clone());
        let inner = uri.connect_with_config_async(tls.as_ref(), &tokio).await?;
        Ok(AsyncTcpStream::Plain(network.filter(inner)))
    };
    let connection = Connection::connector(uri, runtime, connect, properties).await?;
    let version = version.lock().take();
    Ok(Filter {
        connection,
        arrivals,
        version,
    })
}

/// What a filtered connection knows of the rest of the program.
#[derive(Debug, Clone)]
struct Passing {
    budget: MemoryBudget,
    arrivals: mpsc::UnboundedSender<Memory>,
    version: Arc<Mutex<Option<String>>>,
}

/// Bytes to and from a broker; those from it pass through [`Frames`].
pub(super) struct Filtered {
    inner: Inner,
    frames: Frames,
    /// What came and did not pass yet.
    input: BytesMut,
    /// What passed and was not read yet.
    output: BytesMut,
    passing: Passing,
    waiting: Option<Waiting>,
}

/// A message for which there is no memory yet.
struct Waiting {
    /// Its header, which does not pass before there is.
    header: BytesMut,
    /// The memory, or none if the message is not wanted any more.
    memory: Pin<Box<dyn Future<Output = Option<Memory>> + Send>>,
}

impl Filtered {
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

    /// Lets the next frame pass, or a piece of it. Whether there was any: false at the end of the connection.
    fn poll_pass(&mut self, context: &mut Context<'_>) -> Poll<io::Result<bool>> {
        if self.waiting.is_some() {
            return self.poll_memory(context).map(|()| Ok(true));
        }
        let before = self.output.len();
        let wanted = !self.passing.arrivals.is_closed();
        let step = self
            .frames
            .pass(&mut self.input, &mut self.output, wanted)?;
        if let Some(version) = self.frames.take_version() {
            *self.passing.version.lock() = Some(version);
        }
        match step {
            Step::Passed => Poll::Ready(Ok(true)),
            Step::Incomplete => self.poll_fill(context).map_ok(|length| length > 0),
            Step::Announced(size) => {
                let header = self.output.split_off(before);
                self.wait_for_memory(header, size);
                Poll::Ready(Ok(true))
            }
        }
    }

    fn wait_for_memory(&mut self, header: BytesMut, size: u64) {
        let passing = self.passing.clone();
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let memory = async move {
            tokio::select! {
                memory = passing.budget.acquire(AMQP, size) => Some(memory),
                () = passing.arrivals.closed() => None,
            }
        };
        self.waiting = Some(Waiting {
            header,
            memory: Box::pin(memory),
        });
    }

    /// Waits for memory. Meanwhile nothing is read from the broker. RabbitMQ gives up a connection that takes nothing
    /// for 30 seconds, as when nothing can be recorded for so long; then its mails come again, as after any lost
    /// connection.
    fn poll_memory(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(waiting) = &mut self.waiting else {
            return Poll::Ready(());
        };
        if let Some(memory) = ready!(waiting.memory.as_mut().poll(context)) {
            // If nobody listens any more, the message is dropped by lapin.
            let _ = self.passing.arrivals.send(memory);
        }
        self.output.unsplit(std::mem::take(&mut waiting.header));
        self.waiting = None;
        Poll::Ready(())
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
            if !ready!(this.poll_pass(context))? {
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
struct Network {
    tokio: Tokio,
    passing: Passing,
}

impl Network {
    fn filter(&self, inner: Inner) -> Filtered {
        Filtered {
            inner,
            frames: Frames::default(),
            input: BytesMut::new(),
            output: BytesMut::new(),
            passing: self.passing.clone(),
            waiting: None,
        }
    }
}

impl Reactor for Network {
    type TcpStream = Filtered;
    type Sleep = <Tokio as Reactor>::Sleep;

    fn register<H: Read + Write + AsFd + AsRawFd + Send + 'static>(
        &self,
        socket: H,
    ) -> io::Result<impl AsyncRead + AsyncWrite + Send + Unpin + 'static> {
        self.tokio.register(socket)
    }

    fn sleep(&self, duration: Duration) -> Self::Sleep {
        self.tokio.sleep(duration)
    }

    fn interval(&self, duration: Duration) -> impl Stream<Item = Instant> + Send + 'static {
        self.tokio.interval(duration)
    }

    fn tcp_connect_addr(
        &self,
        address: SocketAddr,
    ) -> impl Future<Output = io::Result<Filtered>> + Send + 'static {
        let connecting = self.tokio.tcp_connect_addr(address);
        let network = self.clone();
        async move { Ok(network.filter(AsyncTcpStream::Plain(connecting.await?))) }
    }
}
