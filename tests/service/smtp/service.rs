//! The real binary with an SMTP intake, a platform, and a raw client.

use crate::support::{Configuration, Daemon, PATIENCE, Platform, TempDir, temp_dir};
use rusqlite::{Connection, OpenFlags};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpStream};
use std::path::{Path, PathBuf};

/// A service that takes mail for mydomain.de on a port of its own.
pub struct Service {
    pub daemon: Daemon,
    pub platform: Platform,
    pub port: u16,
    pub configuration: PathBuf,
    database: PathBuf,
    _folder: Option<TempDir>,
}

impl Service {
    pub fn start() -> Service {
        Service::with(&[])
    }

    /// With these lines below `smtp:`; without a `listen:` among them, on a free port.
    pub fn with(lines: &[&str]) -> Service {
        let folder = temp_dir();
        let service = Service::launch(folder.path(), lines);
        Service {
            _folder: Some(folder),
            ..service
        }
    }

    /// With its database in a folder of somebody else's.
    pub fn in_folder(folder: &Path) -> Service {
        Service::launch(folder, &[])
    }

    fn launch(folder: &Path, lines: &[&str]) -> Service {
        let platform = Platform::start();
        let listens = lines.iter().any(|line| line.starts_with("listen:"));
        let free: &[&str] = if listens {
            &[]
        } else {
            &["listen: 127.0.0.1:0"]
        };
        let lines = [free, lines].concat();
        let configuration = Configuration::in_folder(folder)
            .platform("mydomain.de", &platform)
            .handler("temporary_threshold: 1000000")
            .section("smtp", &lines);
        let file = configuration.write();
        let daemon = Daemon::start(&file, &["run"]);
        let port = daemon.smtp_port();
        Service {
            daemon,
            platform,
            port,
            configuration: file,
            database: configuration.database(),
            _folder: None,
        }
    }

    /// Kills it (kill -9) and starts it again.
    pub fn kill_and_start(self) -> Service {
        self.daemon.kill();
        let daemon = Daemon::start(&self.configuration, &["run"]);
        Service {
            port: daemon.smtp_port(),
            daemon,
            ..self
        }
    }

    /// Stops it in good order, and starts it again after `meanwhile`.
    pub fn stop_and_start(self, meanwhile: impl FnOnce()) -> Service {
        self.daemon.stop();
        meanwhile();
        let daemon = Daemon::start(&self.configuration, &["run"]);
        Service {
            port: daemon.smtp_port(),
            daemon,
            ..self
        }
    }

    pub fn client(&self) -> Client {
        Client::connect(self.port)
    }

    /// How often this address failed softly, by the ledger.
    pub fn counter(&self, address: &str) -> i64 {
        let query =
            "SELECT coalesce(sum(counter), 0) FROM temporary_bounces WHERE bounced_address = ?";
        self.ledger()
            .query_row(query, [address], |row| row.get(0))
            .expect("the ledger answers")
    }

    /// How often each address failed softly, by the ledger.
    pub fn counters(&self) -> BTreeMap<String, i64> {
        let ledger = self.ledger();
        let mut query = ledger
            .prepare("SELECT bounced_address, counter FROM temporary_bounces")
            .expect("the ledger answers");
        query
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .and_then(Iterator::collect)
            .expect("the ledger answers")
    }

    /// Of how many mails the ledger thinks that their clients may not know.
    pub fn tickets(&self) -> i64 {
        self.ledger()
            .query_row("SELECT count(*) FROM handled", [], |row| row.get(0))
            .expect("the ledger answers")
    }

    fn ledger(&self) -> Connection {
        Connection::open_with_flags(&self.database, OpenFlags::SQLITE_OPEN_READ_ONLY)
            .expect("the ledger can be read")
    }
}

/// Always the same bytes for an address.
pub fn soft_bounce(address: &str) -> String {
    text(crate::support::soft_bounce(address, 1))
}

/// Always the same bytes for an address.
pub fn hard_bounce(address: &str) -> String {
    text(crate::support::hard_bounce(address, 1))
}

fn text(mail: Vec<u8>) -> String {
    String::from_utf8(mail).expect("the tests write UTF-8")
}

/// A raw SMTP client.
pub struct Client(BufReader<TcpStream>);

impl Client {
    pub fn connect(port: u16) -> Client {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("somebody listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_nodelay(true).expect("a socket");
        let mut client = Client(BufReader::new(stream));
        client.expect("220 ");
        client
    }

    pub fn send(&mut self, text: &str) {
        let stream = self.0.get_mut();
        stream.write_all(text.as_bytes()).expect("it can be sent");
    }

    #[track_caller]
    pub fn expect(&mut self, start: &str) {
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).expect("a reply");
            if line.as_bytes().get(3) != Some(&b'-') {
                assert!(line.starts_with(start), "{line:?} instead of {start:?}");
                return;
            }
        }
    }

    #[track_caller]
    pub fn asks(&mut self, line: &str, start: &str) {
        self.send(&format!("{line}\r\n"));
        self.expect(start);
    }

    /// Goes up to the end of a mail, but does not read the reply to it.
    pub fn send_mail(&mut self, mail: &str) {
        self.begin_mail();
        self.end_mail(mail);
    }

    /// Goes up to the reply to DATA.
    pub fn begin_mail(&mut self) {
        self.asks("EHLO mx.test", "250 ");
        self.asks("MAIL FROM:<>", "250 ");
        self.asks("RCPT TO:<no-reply@mydomain.de>", "250 ");
        self.asks("DATA", "354 ");
    }

    /// Sends a mail after DATA.
    pub fn end_mail(&mut self, mail: &str) {
        self.send(&format!("{mail}\r\n.\r\n"));
    }

    /// Hands a mail over, and shows that it has the 250.
    pub fn mail(&mut self, mail: &str) {
        self.send_mail(mail);
        self.expect("250 2.0.0 ");
        self.asks("QUIT", "221 ");
    }

    pub fn half_close(&self) {
        let _ = self.0.get_ref().shutdown(Shutdown::Write);
    }

    pub fn hang_up(self) {
        // What may have come is never read; nothing is left to be said.
        let _ = self.0.get_ref().shutdown(Shutdown::Both);
    }
}
