//! A private Exim, with the router and the transport that `resources/exim` gives to administrators.

use super::{eventually, give, open_dir, output_of};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

const FRAGMENT: &str = include_str!("../../resources/exim/routers_and_transports");

/// A mail server without a daemon: every call delivers what it can at once. Needs root, as Exim does.
pub struct Exim {
    folder: TempDir,
    program: PathBuf,
}

impl Exim {
    /// It hands mail for mydomain.de to `service` as the fragment says, after `edit`; all other mail goes to port `elsewhere`.
    pub fn new(service: u16, elsewhere: u16, edit: impl FnOnce(String) -> String) -> Exim {
        let folder = open_dir();
        let path = folder.path();
        for name in ["spool", "log"] {
            std::fs::create_dir(path.join(name)).expect("the folder is ours");
            give(&path.join(name), "Debian-exim");
        }
        let program = program();
        let fragment = edit(FRAGMENT.replace("2525", &service.to_string()));
        let (routers, transports) = fragment
            .split_once("# begin transports:")
            .expect("the fragment has two parts");
        let configuration = format!(
            "exim_path = {program}
keep_environment =
primary_hostname = mail.mydomain.de
spool_directory = {folder}/spool
log_file_path = {folder}/log/%slog

begin routers
{routers}
elsewhere:
  driver = manualroute
  transport = elsewhere
  route_list = * 127.0.0.1
  self = send

begin transports
{transports}
elsewhere:
  driver = smtp
  port = {elsewhere}

begin retry
* * F,1h,1m
",
            program = program.display(),
            folder = path.display(),
        );
        std::fs::write(path.join("configuration"), configuration).expect("the folder is ours");
        Exim { folder, program }
    }

    /// Another line of the main part of its configuration.
    pub fn set(&self, line: &str) {
        let file = self.folder.path().join("configuration");
        let text = std::fs::read_to_string(&file).expect("it was written");
        std::fs::write(file, format!("{line}\n{text}")).expect("the folder is ours");
    }

    /// Sends a mail; when this returns, it is on its way or refused, and a bounce is written.
    pub fn send(&self, from: &str, to: &str) {
        let mail = format!("From: {from}\nTo: {to}\nSubject: News\n\nThere is a new video.\n");
        self.send_mail(from, to, mail.as_bytes());
    }

    /// Sends this mail.
    pub fn send_mail(&self, from: &str, to: &str, mail: &[u8]) {
        let arguments = ["-odf", "-i", "-f", from, to];
        output_of(self.command().args(arguments), mail);
    }

    /// Tries everything again that is deferred.
    pub fn flush(&self) {
        output_of(self.command().arg("-qff"), b"");
    }

    /// Waits for a line of its log that holds `part`.
    pub fn wait_for_log(&self, part: &str) -> String {
        let log = self.folder.path().join("log/mainlog");
        eventually(&format!("{part:?} in Exim's log"), || {
            let log = std::fs::read_to_string(&log).ok()?;
            log.lines()
                .find(|line| line.contains(part))
                .map(str::to_owned)
        })
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .arg("-C")
            .arg(self.folder.path().join("configuration"));
        command
    }
}

/// Debian installs one mail server at a time, and that is Postfix here. `tests/run` unpacks Exim beside it.
fn program() -> PathBuf {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/exim/usr/sbin/exim4");
    assert!(
        program.exists(),
        "{} is missing: tests/run unpacks it",
        program.display()
    );
    program
}
