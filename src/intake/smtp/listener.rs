//! The sockets on which clients come in: bound by us, or by systemd (socket activation).

use super::connection::Connection;
use super::wire::Io;
use crate::config::Listen;
use futures_util::FutureExt;
use futures_util::future::select_all;
use listenfd::ListenFd;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tokio::net::{TcpListener, UnixListener, UnixStream};

/// One or more sockets that listen.
#[derive(Debug)]
pub struct Listener {
    sockets: Vec<Socket>,
    /// Where the unix socket is that we made, to be removed at the end.
    made: Option<PathBuf>,
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// Why nothing listens.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The address or path can't be listened on.
    #[error(
        "smtp.listen: cannot listen on {listen}: {error}; is another server running there, or is it a port below 1024? See smtp.listen in config.template.yml"
    )]
    Bind {
        /// What was asked for.
        listen: Listen,
        /// Why.
        error: io::Error,
    },
    /// What systemd handed over can't be used.
    #[error(
        "the socket that systemd handed over can't be used: {0}; write ListenStream= with a port or a path in the socket unit"
    )]
    Activation(io::Error),
}

/// A client that came in.
pub(super) struct Accepted {
    pub io: Box<dyn Io>,
    pub connection: Connection,
}

impl Accepted {
    pub fn new(
        stream: impl Io + AsFd + 'static,
        address: Option<SocketAddr>,
    ) -> io::Result<Accepted> {
        Ok(Accepted {
            connection: Connection::new(&stream, address)?,
            io: Box::new(stream),
        })
    }
}

impl Listener {
    /// Listens on every address that `listen` stands for.
    pub async fn bind(listen: &Listen) -> Result<Listener, ListenError> {
        let bound = match listen {
            Listen::Tcp { host, port } => bind_tcp(host, *port).await,
            Listen::Unix(path) => bind_unix(path).await,
        };
        bound.map_err(|error| ListenError::Bind {
            listen: listen.clone(),
            error,
        })
    }

    /// The sockets that systemd handed over, if it did.
    pub fn from_systemd() -> Result<Option<Listener>, ListenError> {
        let mut handed = ListenFd::from_env();
        let mut sockets = Vec::new();
        for index in 0..handed.len() {
            let socket = take(&mut handed, index).map_err(ListenError::Activation)?;
            sockets.extend(socket);
        }
        Ok((!sockets.is_empty()).then_some(Listener {
            sockets,
            made: None,
        }))
    }

    /// The first TCP address that it listens on.
    pub fn address(&self) -> Option<SocketAddr> {
        self.sockets.iter().find_map(|socket| match socket {
            Socket::Tcp(listener) => listener.local_addr().ok(),
            Socket::Unix(_) => None,
        })
    }

    /// Waits for a client. Can be cancelled without losing one.
    pub(super) async fn accept(&self) -> io::Result<Accepted> {
        let (accepted, _, _) = select_all(self.sockets.iter().map(|s| s.accept().boxed())).await;
        accepted
    }
}

impl Socket {
    async fn accept(&self) -> io::Result<Accepted> {
        match self {
            Socket::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                // Replies are small and awaited.
                stream.set_nodelay(true)?;
                Accepted::new(stream, Some(address))
            }
            Socket::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                Accepted::new(stream, None)
            }
        }
    }
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, socket) in self.sockets.iter().enumerate() {
            if index > 0 {
                f.write_str(" and ")?;
            }
            match socket {
                Socket::Tcp(listener) => match listener.local_addr() {
                    Ok(address) => write!(f, "{address}")?,
                    Err(error) => write!(f, "an unknown address ({error})")?,
                },
                Socket::Unix(listener) => match listener.local_addr() {
                    Ok(address) => write!(
                        f,
                        "{}",
                        address.as_pathname().unwrap_or(Path::new("?")).display()
                    )?,
                    Err(error) => write!(f, "an unknown path ({error})")?,
                },
            }
        }
        Ok(())
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some(path) = &self.made {
            // It may be gone already; a leftover is cleared away at the next start.
            let _ = std::fs::remove_file(path);
        }
    }
}

async fn bind_tcp(host: &str, port: u16) -> io::Result<Listener> {
    let mut sockets = Vec::new();
    for address in tokio::net::lookup_host((host, port)).await? {
        sockets.push(Socket::Tcp(TcpListener::bind(address).await?));
    }
    if sockets.is_empty() {
        return Err(io::Error::other("the name has no address"));
    }
    Ok(Listener {
        sockets,
        made: None,
    })
}

async fn bind_unix(path: &Path) -> io::Result<Listener> {
    let is_socket =
        std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket());
    if is_socket && UnixStream::connect(path).await.is_err() {
        // Nobody listens: a process that was killed left it behind.
        std::fs::remove_file(path)?;
    }
    let listener = UnixListener::bind(path)?;
    // Who may connect is decided by the folder it lies in, as with the sockets of other mail servers.
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o666))?;
    Ok(Listener {
        sockets: vec![Socket::Unix(listener)],
        made: Some(path.to_owned()),
    })
}

fn take(handed: &mut ListenFd, index: usize) -> io::Result<Option<Socket>> {
    if let Ok(Some(listener)) = handed.take_tcp_listener(index) {
        listener.set_nonblocking(true)?;
        return Ok(Some(Socket::Tcp(TcpListener::from_std(listener)?)));
    }
    match handed.take_unix_listener(index)? {
        Some(listener) => {
            listener.set_nonblocking(true)?;
            Ok(Some(Socket::Unix(UnixListener::from_std(listener)?)))
        }
        None => Ok(None),
    }
}
