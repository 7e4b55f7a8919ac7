//! How it starts: commands, readiness, socket activation, what can't be listened on.

use crate::service::{Client, hard_bounce, port_of};
use crate::support::{
    Configuration, Daemon, PATIENCE, Platform, TempDir, bouncedemails, free_port, output_of,
    temp_dir,
};
use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;

fn configuration(folder: &TempDir, platform: &Platform, smtp: &[&str]) -> PathBuf {
    let configuration = Configuration::in_folder(folder.path()).platform("mydomain.de", platform);
    match smtp {
        [] => configuration.write(),
        lines => configuration.section("smtp", lines).write(),
    }
}

#[test]
fn alone_with_host_and_port() {
    let (folder, platform) = (temp_dir(), Platform::start());
    let file = configuration(&folder, &platform, &[]);
    for command in ["run-smtpserver", "run_smtpserver"] {
        let daemon = Daemon::start(&file, &[command, "--host", "127.0.0.1", "--port", "0"]);
        let mut client = Client::connect(port_of(&daemon));
        client.mail(&hard_bounce("gone@somewhere.test"));
        platform.wait_for_posts(1);
        daemon.stop();
    }
}

#[test]
fn the_port_is_open_before_systemd_is_told() {
    let (folder, platform) = (temp_dir(), Platform::start());
    let port = free_port();
    let file = configuration(&folder, &platform, &[&format!("listen: 127.0.0.1:{port}")]);
    let systemd = folder.path().join("notify");
    let told = UnixDatagram::bind(&systemd).unwrap();
    told.set_read_timeout(Some(PATIENCE)).unwrap();
    let daemon = Daemon::spawn(
        bouncedemails()
            .arg("--config")
            .arg(&file)
            .arg("run")
            .env("NOTIFY_SOCKET", &systemd),
    );
    let mut state = [0; 100];
    let length = told.recv(&mut state).unwrap();
    assert!(state[..length].starts_with(b"READY=1"));
    Client::connect(port).asks("QUIT", "221 ");
    daemon.stop();
}

#[test]
fn a_socket_from_systemd_goes_before_the_configuration() {
    let (folder, platform) = (temp_dir(), Platform::start());
    let file = configuration(&folder, &platform, &["listen: 127.0.0.1:1"]);
    let port = free_port();
    // Starts the service when the first client comes.
    let daemon = Daemon::spawn(
        std::process::Command::new("systemd-socket-activate")
            .arg(format!("--listen=127.0.0.1:{port}"))
            .arg(env!("CARGO_BIN_EXE_bouncedemails"))
            .arg("--config")
            .arg(&file)
            .arg("run"),
    );
    daemon.wait_for("Listening on");
    let mut client = Client::connect(port);
    client.mail(&hard_bounce("gone@somewhere.test"));
    platform.wait_for_posts(1);
    daemon.stop();
}

#[test]
fn lmtp_on_a_unix_socket() {
    let (folder, platform) = (temp_dir(), Platform::start());
    let socket = folder.path().join("lmtp.sock");
    let listen = format!("listen: unix:{}", socket.display());
    let file = configuration(&folder, &platform, &[&listen, "protocol: lmtp"]);
    // One that was killed leaves its socket behind.
    for _ in 0..2 {
        let daemon = Daemon::start(&file, &["run"]);
        daemon.wait_for("Mail is taken at ");
        let transcript = output_of(
            std::process::Command::new("swaks")
                .args(["--protocol", "LMTP", "--socket"])
                .arg(&socket)
                .args([
                    "--from",
                    "<>",
                    "--to",
                    "no-reply@mydomain.de",
                    "--data",
                    "-",
                ]),
            hard_bounce("gone@somewhere.test").as_bytes(),
        );
        assert!(
            transcript.contains("<-  250 2.0.0 Recorded"),
            "{transcript}"
        );
        daemon.kill();
    }
    let daemon = Daemon::start(&file, &["run"]);
    daemon.wait_for("Mail is taken at ");
    daemon.stop();
    assert!(!socket.exists());
}

#[test]
fn a_port_that_is_taken() {
    let (folder, platform) = (temp_dir(), Platform::start());
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let file = configuration(&folder, &platform, &[&format!("listen: {address}")]);
    let (status, lines) = Daemon::start(&file, &["run"]).wait();
    assert_eq!(status.code(), Some(1));
    let expected = format!("smtp.listen: cannot listen on {address}: Address already in use");
    assert!(
        lines.iter().any(|line| line.contains(&expected)),
        "{lines:#?}"
    );
}
