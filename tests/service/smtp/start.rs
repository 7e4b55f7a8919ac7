//! How it starts: commands, readiness, socket activation, what can't be listened on.

use super::service::{Client, hard_bounce};
use crate::support::{
    Configuration, Daemon, PATIENCE, Platform, TempDir, bouncedemails, free_port, output_of,
    temp_dir,
};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;

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
        let mut client = Client::connect(daemon.smtp_port());
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
    let (daemon, first) = activated(&file, port, &["run"]);
    drop(first);
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
            Command::new("swaks")
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
    let fault = format!(
        "cannot listen on {address}: Address already in use (os error 98); another server listens there: stop it, or take another port"
    );
    let port = address.port().to_string();
    for (arguments, line) in [
        (
            &["run"][..],
            format!("{}:9: production.smtp.listen: {fault}", file.display()),
        ),
        (&["run-smtpserver", "--port", &port], fault.clone()),
    ] {
        let (status, lines) = Daemon::start(&file, arguments).wait();
        // Not that of a wrong configuration: systemd is to try again.
        assert_eq!(status.code(), Some(1));
        assert_eq!(lines, [format!("bouncedemails: {line}")]);
    }
}

#[test]
fn a_host_that_is_none() {
    let (folder, platform) = (temp_dir(), Platform::start());
    let file = configuration(&folder, &platform, &[]);
    let (status, lines) =
        Daemon::start(&file, &["run-smtpserver", "--host", "unix:/run/x.sock"]).wait();
    assert_eq!(status.code(), Some(2));
    assert!(
        lines[0]
            .contains("it is no name or address; write for example localhost, 192.0.2.1 or ::1"),
        "{lines:#?}"
    );
}

/// Starts the program as systemd does when a client comes to `port`, and lets one come.
fn activated(file: &Path, port: u16, arguments: &[&str]) -> (Daemon, TcpStream) {
    let daemon = Daemon::spawn(
        Command::new("systemd-socket-activate")
            .arg(format!("--listen=127.0.0.1:{port}"))
            .arg(env!("CARGO_BIN_EXE_bouncedemails"))
            .arg("--config")
            .arg(file)
            .args(arguments),
    );
    daemon.wait_for("Listening on");
    let client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    (daemon, client)
}

#[test]
fn sockets_from_systemd_that_nobody_would_serve() {
    let (folder, platform) = (temp_dir(), Platform::start());
    let broker = ["url: amqp://localhost/nothing", "queue: nothing"];
    let file = Configuration::in_folder(folder.path())
        .platform("mydomain.de", &platform)
        .section("amqp", &broker)
        .write();
    let port = free_port();
    let (daemon, _client) = activated(&file, port, &["run"]);
    let (status, lines) = daemon.wait();
    assert_eq!(status.code(), Some(78));
    let expected = format!(
        "bouncedemails: {}:1: production: systemd hands over 127.0.0.1:{port}, but there is no `smtp:` to take mail with; add it, or stop the socket unit",
        file.display()
    );
    assert_eq!(lines.last(), Some(&expected));
}

#[test]
fn sockets_from_systemd_that_contradict_the_arguments() {
    let (folder, platform) = (temp_dir(), Platform::start());
    let file = configuration(&folder, &platform, &[]);
    for arguments in [["--port", "0"], ["--host", "localhost"]] {
        let port = free_port();
        let arguments = [&["run-smtpserver"], &arguments[..]].concat();
        let (daemon, _client) = activated(&file, port, &arguments);
        let (status, lines) = daemon.wait();
        assert_eq!(status.code(), Some(2));
        let expected = format!(
            "bouncedemails: --host and --port contradict 127.0.0.1:{port}, which systemd hands over; leave them out, or stop the socket unit"
        );
        assert_eq!(lines.last(), Some(&expected));
    }
}

/// `run-smtpserver --host localhost --port 0` where that name has two addresses, with IPv6 or without; none where the machine does
/// not let us arrange that.
fn on_localhost(folder: &TempDir, ipv6: bool) -> Option<Daemon> {
    let file = configuration(folder, &Platform::start(), &[]);
    let hosts = folder.path().join("hosts");
    std::fs::write(&hosts, "127.0.0.1 localhost\n::1 localhost\n").unwrap();
    let mut network = Command::new("unshare");
    network
        .args(["--map-root-user", "--net", "--mount", "sh", "-ec"])
        .arg(
            r#"mount --bind "$1" /etc/hosts
            ip link set lo up
            echo "$2" > /proc/sys/net/ipv6/conf/all/disable_ipv6
            shift 2
            exec "$@""#,
        )
        .arg("sh")
        .arg(&hosts)
        .arg(if ipv6 { "0" } else { "1" });
    let mut probe = Command::new(network.get_program());
    if !probe
        .args(network.get_args())
        .arg("true")
        .output()
        .unwrap()
        .status
        .success()
    {
        eprintln!("skipped: no right to make a network");
        return None;
    }
    let daemon = Daemon::spawn(
        network
            .arg(env!("CARGO_BIN_EXE_bouncedemails"))
            .arg("--config")
            .arg(&file)
            .args(["run-smtpserver", "--host", "localhost", "--port", "0"]),
    );
    daemon.wait_for("Mail is taken at ");
    Some(daemon)
}

#[test]
fn localhost_has_one_port_on_all_of_its_addresses() {
    let folder = temp_dir();
    let Some(daemon) = on_localhost(&folder, true) else {
        return;
    };
    let line = daemon.wait_for("Mail is taken at [::1]:");
    let (_, addresses) = line.split_once("[::1]:").unwrap();
    let (port, other) = addresses.split_once(" and ").unwrap();
    assert_eq!(other, format!("127.0.0.1:{port}."));
    daemon.stop();
}

#[test]
fn localhost_is_listened_on_where_ipv6_is_off() {
    let folder = temp_dir();
    let Some(daemon) = on_localhost(&folder, false) else {
        return;
    };
    let line = daemon.wait_for("Mail is taken at 127.0.0.1:");
    assert!(!line.contains(" and "), "{line}");
    daemon.stop();
}
