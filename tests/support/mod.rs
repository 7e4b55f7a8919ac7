//! What the tests need to talk to real things: a private RabbitMQ, the real binary, a platform, a configuration.
//!
//! Every process that is started here ends with the test, also when that one panics or is killed. Nothing sleeps: a test waits for
//! a line, a request or a state, and fails with what it saw when that does not come within [`PATIENCE`].

// The tests of the service use all of it, and each benchmark a part.
#![allow(dead_code, unused_imports)]

mod bounces;
mod broker;
mod configuration;
mod daemon;
mod exim;
mod journald;
mod load;
mod platform;
mod ports;
mod postfix;
mod process;
mod raw_amqp;
mod setup;
mod signer;
mod slow_disk;
mod small_disk;
mod wait;

pub use bounces::{hard_bounce, ordinary_mail, soft_bounce};
pub use broker::{Broker, Queue, Vhost, runtime};
pub use configuration::Configuration;
pub use daemon::{Daemon, bouncedemails};
pub use exim::Exim;
pub use journald::{JournalLine, Journald};
pub use load::Load;
pub use platform::{Answer, Platform, Request, accept};
pub use ports::free_port;
pub use postfix::{Postfix, RefusingServer};
pub use process::{Guarded, output_of};
pub use raw_amqp::{DEEPEST, RawBroker, RawClient, headers, nested_arrays, nested_tables};
pub use setup::Setup;
pub use signer::{Signer, Signing};
pub use slow_disk::SlowDisk;
pub use small_disk::SmallDisk;
pub use tempfile::TempDir;
pub use wait::{PATIENCE, eventually};

use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::Command;

/// A folder that is gone when the test is over.
pub fn temp_dir() -> TempDir {
    tempfile::Builder::new()
        .prefix("bouncedemails-")
        .tempdir()
        .expect("a folder for temporary files")
}

/// A folder that every user may look into: mail servers do their work as users of their own, which only root can let them.
pub fn open_dir() -> TempDir {
    assert!(
        rustix::process::getuid().is_root(),
        "mail servers change users: run this test as root"
    );
    let folder = temp_dir();
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).expect("ours");
    folder
}

/// Gives a folder or file to a user.
pub fn give(path: &Path, user: &str) {
    let id = output_of(Command::new("id").args(["-u", user]), b"");
    let id = id.trim().parse().expect("a number");
    chown(path, Some(id), None).expect("we are root");
}

/// The bytes of a file of this repository, by its path from the root.
pub fn file_of_repository(path: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
