//! What is listened on, what is left alone, and what is said when it can't be.

use bouncedemails::smtp::{Listen, Listener};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use std::fs;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use tempfile::TempDir;
use tokio::runtime::Runtime;

fn bind(listen: &Listen) -> Result<Listener, String> {
    let runtime = Runtime::new().unwrap();
    let bound = runtime.block_on(Listener::bind(listen));
    bound.map_err(|error| error.to_string())
}

fn bind_unix(path: &Path) -> Result<Listener, String> {
    bind(&Listen::Unix(path.to_owned()))
}

/// A server on `path` that takes no client, with as many waiting as it lets wait.
fn busy_server(path: &Path) -> Vec<OwnedFd> {
    let socket = || {
        let (family, kind) = (AddressFamily::UNIX, SocketType::STREAM);
        rustix::net::socket_with(family, kind, SocketFlags::NONBLOCK, None).unwrap()
    };
    let address = SocketAddrUnix::new(path).unwrap();
    let mut sockets = vec![socket()];
    rustix::net::bind(&sockets[0], &address).unwrap();
    rustix::net::listen(&sockets[0], 0).unwrap();
    loop {
        let client = socket();
        match rustix::net::connect(&client, &address) {
            Ok(()) => sockets.push(client),
            Err(full) => {
                assert_eq!(full, rustix::io::Errno::AGAIN);
                return sockets;
            }
        }
    }
}

#[test]
fn the_socket_of_a_busy_server_is_left_to_it() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("lmtp.sock");
    let mut sockets = busy_server(&path);
    let refused = bind_unix(&path).unwrap_err();
    assert!(
        refused.ends_with("another server listens there: stop it, or write another path"),
        "{refused}"
    );
    // Once it takes a client, the next one reaches it.
    rustix::net::accept(&sockets[0]).unwrap();
    UnixStream::connect(&path).unwrap();
    // Once it is killed, its socket is a leftover.
    sockets.clear();
    bind_unix(&path).unwrap();
}

#[test]
fn only_the_socket_that_is_ours_is_removed_at_the_end() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("lmtp.sock");
    let ours = bind_unix(&path).unwrap();
    drop(ours);
    assert!(!path.exists());
    let ours = bind_unix(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let theirs = UnixListener::bind(&path).unwrap();
    drop(ours);
    UnixStream::connect(&path).unwrap();
    drop(theirs);
}

#[test]
fn a_bind_error_says_what_to_do_about_it() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let missing = folder.path().join("missing");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap();
    for (listen, what, advice) in [
        (
            taken.to_string(),
            "Address already in use",
            "; another server listens there: stop it, or take another port".to_owned(),
        ),
        (
            // For documentation only (RFC 5737).
            "192.0.2.1:2525".to_owned(),
            "Cannot assign requested address",
            "; this machine has no such address: take one that `ip address` shows, or 0.0.0.0 for all"
                .to_owned(),
        ),
        (
            "no..name:2525".to_owned(),
            "failed to lookup address",
            "; write an address instead of no..name, or see that the name can be resolved".to_owned(),
        ),
        (
            format!("unix:{}", file.display()),
            "Address already in use",
            "; what is there is no socket: remove it, or write another path".to_owned(),
        ),
        (
            format!("unix:{}/lmtp.sock", missing.display()),
            "No such file",
            format!(
                "; make the folder (install -d -o bouncedemails {}), or write another path",
                missing.display()
            ),
        ),
    ] {
        let said = bind(&listen.parse().unwrap()).unwrap_err();
        let start = format!("cannot listen on {listen}: {what}");
        assert!(said.starts_with(&start) && said.ends_with(&advice), "{said}");
    }
    assert!(file.exists());
}

#[test]
fn a_host_is_written_with_or_without_brackets_and_without_a_port() {
    for (typed, host) in [
        ("localhost", "localhost"),
        ("192.0.2.1", "192.0.2.1"),
        ("::1", "::1"),
        ("[::1]", "::1"),
        ("fe80::1%eth0", "fe80::1%eth0"),
    ] {
        assert_eq!(Listen::host(typed).as_deref(), Ok(host));
    }
    for typed in [
        "",
        "[]",
        "[localhost]",
        "[::1",
        "localhost:25",
        "[::1]:25",
        "unix:/run/x",
    ] {
        assert!(Listen::host(typed).is_err(), "{typed}");
    }
}
