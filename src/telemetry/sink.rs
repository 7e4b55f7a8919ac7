//! Where log lines go: journald, stderr or stdout, each with lines of its own form.

use std::io::{self, Write};
use std::os::unix::net::UnixDatagram;
use tracing::{Level, Metadata};

/// The name under which operators know the program's lines, in journald and at the head of each line on stderr.
pub(super) const IDENTIFIER: &str = "bouncedemails";

/// Where journald takes its native protocol.
const JOURNALD: &str = "/run/systemd/journal/socket";

/// What is longer is cut: journald takes about 200 kB at once, for all fields of a line.
const MOST_IN_FIELD: usize = 32 * 1024;

/// Where lines go that do not go to journald.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// As for every service and command.
    Stderr,
    /// Where the log is what a person came to see.
    Stdout,
}

/// Where lines go.
#[derive(Debug)]
pub(super) enum Sink {
    Stream(Stream),
    Journald(UnixDatagram),
}

/// The form that lines have there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Text,
    /// journald's native protocol: <https://systemd.io/JOURNAL_NATIVE_PROTOCOL/>.
    Fields,
}

/// What is said in one line.
#[derive(Debug)]
pub(super) struct Said {
    pub level: Level,
    pub message: String,
    /// For journald, by which one can look for them.
    pub fields: Vec<(&'static str, String)>,
    /// Where in the program it was said.
    pub place: Option<&'static Metadata<'static>>,
}

impl Sink {
    /// journald, if it can be reached.
    pub(super) fn journald() -> io::Result<Sink> {
        let socket = UnixDatagram::unbound()?;
        // It takes no notice of an empty message. One that is busy is there all the same.
        socket.set_nonblocking(true)?;
        match socket.send_to(&[], JOURNALD) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
            _ => socket.set_nonblocking(false)?,
        }
        Ok(Sink::Journald(socket))
    }

    /// The form that lines are to have here.
    pub(super) fn form(&self) -> Form {
        match self {
            Sink::Stream(_) => Form::Text,
            Sink::Journald(_) => Form::Fields,
        }
    }

    /// Writes a line that has this sink's form. Blocks as long as nobody takes it.
    pub(super) fn write(&self, line: &[u8]) -> io::Result<()> {
        match self {
            Sink::Stream(Stream::Stderr) => io::stderr().write_all(line),
            Sink::Stream(Stream::Stdout) => io::stdout().write_all(line),
            Sink::Journald(socket) => socket.send_to(line, JOURNALD).map(drop),
        }
    }
}

impl Said {
    /// What belongs to no place and has no fields.
    pub(super) fn plain(level: Level, message: String) -> Said {
        Said {
            level,
            message,
            fields: Vec::new(),
            place: None,
        }
    }

    /// The line in this form.
    pub(super) fn line(&self, form: Form) -> Vec<u8> {
        match form {
            Form::Text => self.text().into_bytes(),
            Form::Fields => self.native(),
        }
    }

    fn text(&self) -> String {
        let severity = match self.level {
            Level::ERROR => "error: ",
            Level::WARN => "warning: ",
            _ => "",
        };
        format!("{IDENTIFIER} - {severity}{}\n", self.message)
    }

    fn native(&self) -> Vec<u8> {
        // As syslog(3) counts.
        let priority = match self.level {
            Level::ERROR => "3",
            Level::WARN => "4",
            Level::INFO => "6",
            _ => "7",
        };
        let mut line = Vec::with_capacity(256 + self.message.len());
        field(&mut line, "PRIORITY", priority);
        field(&mut line, "SYSLOG_IDENTIFIER", IDENTIFIER);
        field(&mut line, "MESSAGE", &self.message);
        for (name, value) in &self.fields {
            let name = format!("BOUNCE_{}", name.to_ascii_uppercase());
            field(&mut line, &name, value);
        }
        if let Some(place) = self.place {
            field(&mut line, "TARGET", place.target());
            field(&mut line, "CODE_FILE", place.file().unwrap_or_default());
            let number = place.line().unwrap_or_default().to_string();
            field(&mut line, "CODE_LINE", &number);
        }
        line
    }
}

/// A field in the form that may hold line breaks: its name, the length of its value, its value.
fn field(line: &mut Vec<u8>, name: &str, value: &str) {
    let value = &value[..value.floor_char_boundary(MOST_IN_FIELD)];
    line.extend_from_slice(name.as_bytes());
    line.push(b'\n');
    line.extend_from_slice(&(value.len() as u64).to_le_bytes());
    line.extend_from_slice(value.as_bytes());
    line.push(b'\n');
}
