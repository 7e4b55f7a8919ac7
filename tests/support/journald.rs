//! What stands where journald would, for one process: a socket that takes its native protocol.

use super::temp_dir;
use std::collections::HashMap;
use std::io::ErrorKind;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// A socket that a process takes for journald's. Nobody reads it but [`Journald::read`].
pub struct Journald {
    folder: TempDir,
    socket: UnixDatagram,
}

/// One line of the journal by its fields.
pub type JournalLine = HashMap<String, String>;

/// In a view of the file system of its own, our socket stands where the system's would, and stderr is said to lead there.
const IN_OUR_PLACE: &str = r#"mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/journal && ln -s "$0" /run/systemd/journal/socket &&
export JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2) && exec "$@""#;

impl Journald {
    /// None where a process may not have a view of the file system of its own.
    pub fn start() -> Option<Journald> {
        let mut allowed = Command::new("unshare");
        let allowed = allowed.args(["-m", "mount", "-t", "tmpfs", "tmpfs", "/run"]);
        if !allowed.output().is_ok_and(|output| output.status.success()) {
            eprintln!("skipped: no right to mount anything");
            return None;
        }
        let folder = temp_dir();
        let socket = UnixDatagram::bind(folder.path().join("socket")).expect("the folder is ours");
        Some(Journald { folder, socket })
    }

    /// A command that runs another with its log going here.
    pub fn log_of(&self, command: &Command) -> Command {
        let mut within = Command::new("unshare");
        within.args(["-m", "sh", "-c", IN_OUR_PLACE]);
        within.arg(self.path());
        within.arg(command.get_program()).args(command.get_args());
        within.stderr(Stdio::null());
        within
    }

    /// Sends it as much as it holds unread: who sends more will wait.
    pub fn fill(&self) {
        let sender = UnixDatagram::unbound().expect("a socket");
        sender.set_nonblocking(true).expect("it can be");
        let full = loop {
            if let Err(error) = sender.send_to(b"MESSAGE=nobody reads this\n", self.path()) {
                break error;
            }
        };
        assert_eq!(full.kind(), ErrorKind::WouldBlock);
    }

    /// Reads until [`Journald::end`] is called.
    pub fn read(&self) -> Vec<JournalLine> {
        let mut lines = Vec::new();
        let mut datagram = vec![0; 1 << 20];
        loop {
            let size = self.socket.recv(&mut datagram).expect("a datagram");
            match &datagram[..size] {
                b"END" => return lines,
                // Whether anybody is there.
                b"" => {}
                line => lines.push(fields(line)),
            }
        }
    }

    /// Nothing more will come.
    pub fn end(&self) {
        let sender = UnixDatagram::unbound().expect("a socket");
        sender.send_to(b"END", self.path()).expect("it is read");
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("socket")
    }
}

/// Reads `NAME=value⏎`, and `NAME⏎‹length›value⏎` (<https://systemd.io/JOURNAL_NATIVE_PROTOCOL/>).
fn fields(mut line: &[u8]) -> JournalLine {
    let mut fields = JournalLine::new();
    while let Some(end) = line.iter().position(|byte| *byte == b'\n') {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
        let head = text(&line[..end]);
        line = &line[end + 1..];
        let (name, value) = match head.split_once('=') {
            Some((name, value)) => (name.to_owned(), value.to_owned()),
            None => {
                let (length, rest) = line.split_first_chunk().expect("a length");
                let length = u64::from_le_bytes(*length) as usize;
                line = &rest[length + 1..];
                (head, text(&rest[..length]))
            }
        };
        fields.insert(name, value);
    }
    fields
}
