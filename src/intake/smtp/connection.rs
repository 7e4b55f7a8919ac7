//! A client's connection, as others than its session see it.

use crate::mail::Session;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::time::Timespec;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicI64, Ordering};

/// Who is at the other end, and whether it still is.
#[derive(Debug)]
pub struct Connection {
    /// None for a unix socket.
    address: Option<SocketAddr>,
    socket: OwnedFd,
    session: AtomicI64,
}

impl Connection {
    pub(super) fn new(socket: impl AsFd, address: Option<SocketAddr>) -> io::Result<Connection> {
        let canonical = |a: SocketAddr| SocketAddr::new(a.ip().to_canonical(), a.port());
        Ok(Connection {
            // An IPv6 socket sees IPv4 clients as ::ffff:a.b.c.d.
            address: address.map(canonical),
            socket: socket.as_fd().try_clone_to_owned()?,
            session: AtomicI64::new(Session::begin().0),
        })
    }

    /// The client's address; none if it came by a unix socket.
    pub fn ip(&self) -> Option<IpAddr> {
        self.address.map(|address| address.ip())
    }

    /// Its name in the ledger. Whoever connects later has a greater one.
    pub fn session(&self) -> Session {
        Session(self.session.load(Ordering::Relaxed))
    }

    /// Takes another name: what comes from now on may be a repeat of what came so far, as if by a new connection.
    pub fn begin_anew(&self) {
        self.session.store(Session::begin().0, Ordering::Relaxed);
    }

    /// Whether the client has not ended its side yet: the kernel's word, ahead of what the session has read.
    pub fn is_open(&self) -> bool {
        let mut sockets = [PollFd::new(&self.socket, PollFlags::RDHUP)];
        let at_once = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        matches!(poll(&mut sockets, Some(&at_once)), Ok(0))
    }
}

impl fmt::Display for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            Some(address) => address.fmt(f),
            None => f.write_str("at the unix socket"),
        }
    }
}
