//! Configuration files.

use super::{Platform, Queue};
use rusqlite::{Connection, OpenFlags};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// A `config.yml` in the making, with its database and its archive in one folder.
pub struct Configuration {
    folder: PathBuf,
    handler: String,
    domains: String,
    rest: String,
}

impl Configuration {
    pub fn in_folder(folder: &Path) -> Configuration {
        Configuration {
            folder: folder.to_owned(),
            handler: String::new(),
            domains: String::new(),
            rest: String::new(),
        }
    }

    /// A domain whose suspend URL is `/emails/{address}/suspend` of `platform`.
    pub fn platform(self, domain: &str, platform: &Platform) -> Configuration {
        let template = platform.url("/emails/{address}/suspend");
        self.domain(domain, &[("base_url", &template)])
    }

    /// A domain with these keys.
    pub fn domain(mut self, domain: &str, keys: &[(&str, &str)]) -> Configuration {
        line(&mut self.domains, 6, &format!("{domain}:"));
        for (key, value) in keys {
            line(&mut self.domains, 8, &format!("{key}: {value}"));
        }
        self
    }

    /// The queue to take mails from.
    pub fn amqp(self, queue: &Queue) -> Configuration {
        self.amqp_with(queue, &[])
    }

    /// The same with more lines below `amqp:`.
    pub fn amqp_with(self, queue: &Queue, more: &[&str]) -> Configuration {
        let url = format!("url: {}", queue.url());
        let queue = format!("queue: {}", queue.name());
        let lines: Vec<&str> = [url.as_str(), &queue]
            .into_iter()
            .chain(more.iter().copied())
            .collect();
        self.section("amqp", &lines)
    }

    /// Another line below `handler:`, such as `temporary_threshold: 3`.
    pub fn handler(mut self, text: &str) -> Configuration {
        line(&mut self.handler, 4, text);
        self
    }

    /// Another section of the environment, such as `smtp:`, with its lines.
    pub fn section(mut self, name: &str, lines: &[&str]) -> Configuration {
        line(&mut self.rest, 2, &format!("{name}:"));
        for text in lines {
            line(&mut self.rest, 4, text);
        }
        self
    }

    pub fn database(&self) -> PathBuf {
        self.folder.join("bounced_emails.db")
    }

    pub fn archive(&self) -> PathBuf {
        self.folder.join("bounced_emails")
    }

    /// How many soft bounces each address has, as the ledger keeps it; the prototype's own columns.
    pub fn counters(&self) -> BTreeMap<String, u32> {
        self.ask("SELECT bounced_address, counter FROM temporary_bounces WHERE counter > 0")
    }

    /// How many bounces of each address were decided on.
    pub fn history(&self) -> BTreeMap<String, u32> {
        self.ask("SELECT bounced_address, count(*) FROM bounces GROUP BY bounced_address")
    }

    /// Why mails are in quarantine, and how many.
    pub fn quarantine(&self) -> BTreeMap<String, u32> {
        self.ask("SELECT why, count(*) FROM quarantine GROUP BY why")
    }

    fn ask(&self, query: &str) -> BTreeMap<String, u32> {
        let open = OpenFlags::SQLITE_OPEN_READ_ONLY;
        let database = Connection::open_with_flags(self.database(), open).expect("a database");
        database
            .prepare(query)
            .and_then(|mut query| {
                let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
                rows.collect()
            })
            .expect("the tables are there")
    }

    /// Writes `config.yml` and returns its path.
    pub fn write(&self) -> PathBuf {
        let file = self.folder.join("config.yml");
        let text = format!(
            "production:\n  handler:\n    dbfile: {}\n    permanent_bounced_emails_path: {}\n{}    domains:\n{}{}",
            self.database().display(),
            self.archive().display(),
            self.handler,
            self.domains,
            self.rest,
        );
        std::fs::write(&file, text).expect("the folder is ours");
        file
    }
}

fn line(text: &mut String, indent: usize, content: &str) {
    writeln!(text, "{:indent$}{content}", "").expect("a String takes everything");
}
