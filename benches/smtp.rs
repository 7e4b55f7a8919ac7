//! How many mails a second come in over SMTP, beside Postfix' `smtp-sink`, which throws them away, in one run and from one load generator.
//!
//! `cargo bench --bench smtp [MAILS]`. It needs Postfix' `smtp-source` and `smtp-sink`. The service does all that it does for
//! a bounce: the first one is posted, the others join it.

#[path = "../tests/support/mod.rs"]
mod support;

use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use support::*;

const ROUNDS: usize = 3;
const CONNECTIONS: &str = "50";

fn main() {
    let mails: u32 = std::env::args()
        .skip(1)
        .find_map(|argument| argument.parse().ok())
        .unwrap_or(20_000);
    let folder = temp_dir();
    let mail = folder.path().join("mail");
    let text = String::from_utf8(hard_bounce("gone@somewhere.test", 1)).expect("ours is UTF-8");
    std::fs::write(&mail, text.replace('\r', "")).expect("the folder is ours");

    let sink = free_port();
    let _sink = Guarded::spawn(
        Command::new("smtp-sink")
            .args(["-u", "nobody", &format!("127.0.0.1:{sink}"), "100"])
            .stdout(Stdio::null())
            .stderr(Stdio::null()),
    );
    let service = free_port();
    let platform = Platform::start();
    let configuration = Configuration::in_folder(folder.path())
        .platform("mydomain.de", &platform)
        .section("smtp", &[&format!("listen: 127.0.0.1:{service}")])
        .write();
    let _service = Guarded::spawn(
        bouncedemails()
            .arg("--config")
            .arg(&configuration)
            .arg("run")
            .stderr(Stdio::null()),
    );
    for port in [sink, service] {
        eventually("a server to listen", || {
            TcpStream::connect(("127.0.0.1", port)).ok()
        });
    }
    for _ in 0..ROUNDS {
        for (name, options) in [
            ("a connection for each mail", &[] as &[&str]),
            ("50 connections are kept", &["-d"]),
        ] {
            let thrown_away = sent(sink, &mail, mails, options);
            let taken = sent(service, &mail, mails, options);
            println!(
                "{name:<26} {:>6.0} mails a second  {:>5.2} of smtp-sink",
                f64::from(mails) / taken.as_secs_f64(),
                thrown_away.as_secs_f64() / taken.as_secs_f64()
            );
        }
    }
}

/// How long smtp-source takes to get rid of its mails.
fn sent(port: u16, mail: &Path, count: u32, options: &[&str]) -> Duration {
    let start = Instant::now();
    output_of(
        Command::new("smtp-source")
            .args(["-s", CONNECTIONS, "-m", &count.to_string()])
            .args(["-f", "", "-t", "no-reply@mydomain.de", "-F"])
            .arg(mail)
            .args(options)
            .arg(format!("inet:127.0.0.1:{port}")),
        b"",
    );
    start.elapsed()
}
