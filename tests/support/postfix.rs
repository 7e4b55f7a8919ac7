//! A private Postfix, and mail servers that refuse what it sends.

use super::{Guarded, eventually, give, open_dir, output_of};
use std::fmt::Write;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// Where Postfix keeps its programs.
const PROGRAMS: &str = "/usr/lib/postfix/sbin";

/// What runs of it: no server for mail from outside, tests hand mail in with `sendmail`.
const SERVICES: &str = "\
pickup    unix  n - n 60    1 pickup
cleanup   unix  n - n -     0 cleanup
qmgr      unix  n - n 300   1 qmgr
rewrite   unix  - - n -     - trivial-rewrite
bounce    unix  - - n -     0 bounce
defer     unix  - - n -     0 bounce
trace     unix  - - n -     0 bounce
flush     unix  n - n 1000? 0 flush
proxymap  unix  - - n -     - proxymap
smtp      unix  - - n -     - smtp
lmtp      unix  - - n -     - lmtp
showq     unix  n - n -     - showq
error     unix  - - n -     - error
retry     unix  - - n -     - error
local     unix  - n n -     - local
postlog   unix-dgram n - n - 1 postlogd
";

/// A mail server with its own folders. Needs root, as Postfix does.
pub struct Postfix {
    folder: TempDir,
    _master: Guarded,
}

impl Postfix {
    /// Starts it with these settings, as in main.cf, besides its own.
    pub fn start(settings: &[(&str, &str)]) -> Postfix {
        let folder = open_dir();
        let path = folder.path();
        for name in ["etc", "queue", "data"] {
            std::fs::create_dir(path.join(name)).expect("the folder is ours");
        }
        give(&path.join("data"), "postfix");
        let mut main = String::new();
        for (key, value) in [
            ("compatibility_level", "3.6"),
            ("myhostname", "mail.mydomain.de"),
            ("mydestination", "mydomain.de"),
            ("inet_interfaces", "127.0.0.1"),
            ("maillog_file_prefixes", &path.display().to_string()),
        ] {
            writeln!(main, "{key} = {value}").expect("a String takes everything");
        }
        for (key, name) in [
            ("queue_directory", "queue"),
            ("data_directory", "data"),
            ("maillog_file", "data/log"),
        ] {
            let place = path.join(name);
            writeln!(main, "{key} = {}", place.display()).expect("a String takes everything");
        }
        for (key, value) in settings {
            writeln!(main, "{key} = {value}").expect("a String takes everything");
        }
        std::fs::write(path.join("etc/main.cf"), main).expect("the folder is ours");
        std::fs::write(path.join("etc/master.cf"), SERVICES).expect("the folder is ours");
        let etc = path.join("etc");
        // Makes the folders of the queue.
        output_of(
            Command::new("postfix").arg("-c").arg(&etc).arg("check"),
            b"",
        );
        let master = Guarded::spawn(
            Command::new(Path::new(PROGRAMS).join("master"))
                // -d: it stays in our process group.
                .args(["-d", "-c"])
                .arg(&etc)
                .env("MAIL_CONFIG", &etc)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null()),
        );
        let postfix = Postfix {
            folder,
            _master: master,
        };
        postfix.wait_for_log("daemon started");
        postfix
    }

    /// Sends a mail.
    pub fn send(&self, from: &str, to: &str) {
        let mail = format!("From: {from}\nTo: {to}\nSubject: News\n\nThere is a new video.\n");
        let mut sendmail = self.command("sendmail");
        output_of(sendmail.args(["-f", from, to]), mail.as_bytes());
    }

    /// Tries everything again that is deferred.
    pub fn flush(&self) {
        output_of(self.command("sendmail").arg("-q"), b"");
    }

    /// Waits for a line of its log that holds `part`.
    pub fn wait_for_log(&self, part: &str) -> String {
        let log = self.folder.path().join("data/log");
        eventually(&format!("{part:?} in Postfix' log"), || {
            let log = std::fs::read_to_string(&log).ok()?;
            log.lines()
                .find(|line| line.contains(part))
                .map(str::to_owned)
        })
    }

    /// A folder that every user may look into.
    pub fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("MAIL_CONFIG", self.folder.path().join("etc"));
        command
    }
}

/// Postfix' own test server: refuses every recipient with this reply.
pub struct RefusingServer {
    port: u16,
    _process: Guarded,
}

impl RefusingServer {
    pub fn start(reply: &str) -> RefusingServer {
        let port = super::free_port();
        let address = format!("127.0.0.1:{port}");
        let (refuse, with) = match reply.starts_with('5') {
            true => ("-f", "-B"),
            false => ("-r", "-b"),
        };
        let process = Guarded::spawn(
            Command::new("smtp-sink")
                .args(["-u", "nobody", refuse, "RCPT", with, reply, &address, "16"])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null()),
        );
        eventually("smtp-sink to listen", || TcpStream::connect(&address).ok());
        RefusingServer {
            port,
            _process: process,
        }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// As the next hop of Postfix' transport maps.
    pub fn next_hop(&self) -> String {
        format!("smtp:[127.0.0.1]:{}", self.port)
    }
}
