//! The sockets on which clients come in: bound by us, or by systemd (socket activation).

use super::backend::Client;
use super::listen::Listen;
use super::wire::Io;
use futures_util::FutureExt;
use futures_util::future::select_all;
use listenfd::ListenFd;
use rustix::io::Errno;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tokio::net::{TcpListener, UnixListener, UnixStream};

/// One or more sockets that listen.
#[derive(Debug)]
pub struct Listener {
    /// The unix socket that we made, to be removed at the end: before it is closed, while its inode is ours.
    _made: Option<Made>,
    sockets: Vec<Socket>,
}

/// A unix socket in the file system.
#[derive(Debug)]
struct Made {
    path: PathBuf,
    /// Its device and inode, which no other file has while it is listened on.
    identity: (u64, u64),
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
    #[error("cannot listen on {listen}: {error}; {}", advice(listen, error))]
    Bind {
        /// What was asked for.
        listen: Listen,
        /// Why.
        error: io::Error,
    },
    /// What systemd handed over can't be used.
    #[error(
        "the socket that systemd handed over can't be used: {0}; write ListenStream= with a port or a path in the \
         socket unit"
    )]
    Activation(io::Error),
}

/// A client that came in.
pub(super) struct Accepted {
    pub io: Box<dyn Io>,
    pub client: Client,
}

impl Accepted {
    pub fn new(stream: impl Io + 'static, address: Option<SocketAddr>) -> Accepted {
        Accepted {
            io: Box::new(stream),
            client: Client::new(address),
        }
    }
}

impl Listener {
    /// Listens on every address that `listen` stands for.
    ///
    /// # Errors
    /// When that is not possible, in words that say what to do.
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
    ///
    /// # Errors
    /// When they are no sockets that listen.
    pub fn from_systemd() -> Result<Option<Listener>, ListenError> {
        let mut handed = ListenFd::from_env();
        let mut sockets = Vec::new();
        for index in 0..handed.len() {
            let socket = take(&mut handed, index).map_err(ListenError::Activation)?;
            sockets.extend(socket);
        }
        Ok((!sockets.is_empty()).then_some(Listener {
            sockets,
            _made: None,
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
    ///
    /// # Errors
    /// When the system has no descriptor left for it, or when it is gone already.
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
                Ok(Accepted::new(stream, Some(address)))
            }
            Socket::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                Ok(Accepted::new(stream, None))
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

impl Drop for Made {
    fn drop(&mut self) {
        // Somebody may have put a socket of their own there. If it can't be removed, that is done at the next start.
        if identity(&self.path).is_ok_and(|now| now == self.identity) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Device and inode.
fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let metadata = std::fs::symlink_metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

/// What to do about an address or path that can't be listened on.
fn advice(listen: &Listen, error: &io::Error) -> String {
    match (listen, Errno::from_io_error(error)) {
        (Listen::Tcp { .. }, Some(Errno::ADDRINUSE)) => {
            "another server listens there: stop it, or take another port".to_owned()
        }
        (Listen::Tcp { .. }, Some(Errno::ACCESS)) => {
            "a port below 1024 needs resources/bouncedemails.socket, or root".to_owned()
        }
        (Listen::Tcp { .. }, Some(Errno::ADDRNOTAVAIL | Errno::AFNOSUPPORT)) => {
            "this machine has no such address: take one that `ip address` shows, or 0.0.0.0 for all"
                .to_owned()
        }
        // The resolver's faults are none of the system's.
        (Listen::Tcp { host, .. }, None) => {
            format!("write an address instead of {host}, or see that the name can be resolved")
        }
        (Listen::Unix(path), Some(Errno::ADDRINUSE)) if is_socket(path) => {
            "another server listens there: stop it, or write another path".to_owned()
        }
        (Listen::Unix(_), Some(Errno::ADDRINUSE)) => {
            "what is there is no socket: remove it, or write another path".to_owned()
        }
        (Listen::Unix(path), Some(Errno::NOENT)) => {
            let folder = folder_of(path);
            format!("make the folder (install -d -o bouncedemails {folder}), or write another path")
        }
        (Listen::Unix(path), Some(Errno::ACCESS | Errno::PERM | Errno::ROFS)) => {
            let folder = folder_of(path);
            format!("let this user write to the folder {folder}, or write another path")
        }
        _ => "see smtp.listen in config.template.yml".to_owned(),
    }
}

fn folder_of(path: &Path) -> impl fmt::Display {
    path.parent().unwrap_or(path).display()
}

fn is_socket(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket())
}

async fn bind_tcp(host: &str, port: u16) -> io::Result<Listener> {
    let mut sockets = Vec::new();
    let mut seen = Vec::new();
    let mut absent = io::Error::other("the name has no address");
    for address in tokio::net::lookup_host((host, port)).await? {
        // A name may stand twice in /etc/hosts.
        if seen.contains(&address) {
            continue;
        }
        seen.push(address);
        match bind_beside(&sockets, address).await {
            Ok(listener) => sockets.push(Socket::Tcp(listener)),
            // `localhost` may name ::1 where IPv6 is off; one of its addresses is enough.
            Err(error) if is_absent(&error) => absent = error,
            Err(error) => return Err(error),
        }
    }
    if sockets.is_empty() {
        return Err(absent);
    }
    Ok(Listener {
        sockets,
        _made: None,
    })
}

/// Whether this machine lacks the address, or its whole family.
fn is_absent(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::ADDRNOTAVAIL | Errno::AFNOSUPPORT)
    )
}

/// Listens on an address. Where any free port will do, it is that of the sockets before, if it is free here, too.
async fn bind_beside(sockets: &[Socket], address: SocketAddr) -> io::Result<TcpListener> {
    if address.port() == 0
        && let Some(Socket::Tcp(first)) = sockets.first()
    {
        let mut same_port = address;
        same_port.set_port(first.local_addr()?.port());
        match TcpListener::bind(same_port).await {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            other => return other,
        }
    }
    TcpListener::bind(address).await
}

async fn bind_unix(path: &Path) -> io::Result<Listener> {
    let nobody_listens = |error: io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    // Any other fault may be that of a server that has no time at the moment.
    if is_socket(path) && UnixStream::connect(path).await.is_err_and(nobody_listens) {
        // A process that was killed left it behind.
        std::fs::remove_file(path)?;
    }
    let listener = UnixListener::bind(path)?;
    let made = Made {
        path: path.to_owned(),
        identity: identity(path)?,
    };
    // Who may connect is decided by the folder it lies in, as with the sockets of other mail servers.
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o666))?;
    Ok(Listener {
        sockets: vec![Socket::Unix(listener)],
        _made: Some(made),
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
