//! Real signers and real mail servers: opendkim signs what Postfix sends, and what Postfix and Exim send back of it is proven.

use crate::service::{OURS, SECRET, done};
use crate::support::*;
use bouncedemails::trust::{Day, Secret};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;

const NO_REPLY: &str = "no-reply@mydomain.de";
const REFUSAL: &str = "550 5.1.1 No such user";

/// Signs for mydomain.de, as Debian's opendkim does.
struct OpenDkim {
    folder: TempDir,
    port: u16,
    _process: Guarded,
}

impl OpenDkim {
    fn start() -> OpenDkim {
        let folder = temp_dir();
        let mut genkey = Command::new("opendkim-genkey");
        genkey
            .args(["-b", "2048", "-d", OURS, "-s", "s2026", "-D"])
            .arg(folder.path());
        output_of(&mut genkey, b"");
        let port = free_port();
        let settings = format!(
            "Mode s\nDomain {OURS}\nSelector s2026\nKeyFile {}\nCanonicalization relaxed/relaxed\n\
             Socket inet:{port}@127.0.0.1\nOversignHeaders From\nRequireSafeKeys no\nSyslog no\n",
            folder.path().join("s2026.private").display(),
        );
        let file = folder.path().join("opendkim.conf");
        std::fs::write(&file, settings).expect("the folder is ours");
        let mut opendkim = Command::new("/usr/sbin/opendkim");
        opendkim.args(["-f", "-x"]).arg(file);
        let process = Guarded::spawn(
            opendkim
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null()),
        );
        eventually("opendkim to listen", || {
            std::net::TcpStream::connect(("127.0.0.1", port)).ok()
        });
        OpenDkim {
            folder,
            port,
            _process: process,
        }
    }

    /// The public key, in the file that `opendkim-genkey` wrote for the zone.
    fn record(&self) -> PathBuf {
        self.folder.path().join("s2026.txt")
    }

    /// As Postfix is to ask it.
    fn milter(&self) -> String {
        format!("inet:127.0.0.1:{}", self.port)
    }
}

/// A service that requires proof, and a platform.
struct Service {
    platform: Platform,
    configuration: Configuration,
    _daemon: Daemon,
    port: u16,
    _folder: TempDir,
}

impl Service {
    fn start(keys: &[(&str, &str)]) -> Service {
        let folder = temp_dir();
        let platform = Platform::start();
        let url = platform.url("/emails/{address}/suspend");
        let keys = [&[("base_url", url.as_str()), ("proof", "require")], keys].concat();
        let configuration = Configuration::in_folder(folder.path())
            .handler("dns: off")
            .domain(OURS, &keys)
            .section("smtp", &["listen: 127.0.0.1:0"]);
        let daemon = Daemon::start(&configuration.write(), &["run"]);
        Service {
            port: daemon.smtp_port(),
            platform,
            configuration,
            _daemon: daemon,
            _folder: folder,
        }
    }

    fn with_key(record: &Path) -> Service {
        let record = format!("{{s2026: '${{file:{}}}'}}", record.display());
        Service::start(&[("dkim_keys", &record)])
    }

    /// Waits until so many bounces are decided on; what was done with each.
    fn wait_for(&self, count: usize) -> Vec<String> {
        eventually("bounces to be decided on", || {
            let done = done(&self.configuration);
            (done.len() >= count).then_some(done)
        })
    }
}

#[test]
fn what_opendkim_signed_and_postfix_returned_is_proven() {
    let signer = OpenDkim::start();
    let service = Service::with_key(&signer.record());
    let refusing = RefusingServer::start(REFUSAL);
    let postfix = |limit: &str| {
        Postfix::start(&[
            ("mydestination", ""),
            ("non_smtpd_milters", &signer.milter()),
            // Of what is larger, Postfix returns the header only.
            ("bounce_size_limit", limit),
            (
                "transport_maps",
                &format!(
                    "inline:{{ some-provider.com={}, {OURS}=smtp:[127.0.0.1]:{} }}",
                    refusing.next_hop(),
                    service.port
                ),
            ),
        ])
    };
    let (whole, header) = (postfix("50000"), postfix("1"));
    whole.send(NO_REPLY, "whole@some-provider.com");
    assert_eq!(
        service.wait_for(1),
        ["whole@some-provider.com suspend proven"]
    );
    header.send(NO_REPLY, "header@some-provider.com");
    assert_eq!(
        service.wait_for(2)[1],
        "header@some-provider.com suspend proven"
    );
    assert_eq!(service.platform.wait_for_posts(2).len(), 2);
}

/// A mail of ours as Postfix and opendkim send it.
fn signed(signer: &OpenDkim, to: &str) -> String {
    let folder = open_dir();
    give(folder.path(), "nobody");
    let kept = folder.path().join("kept");
    let postfix = Postfix::start(&[
        ("mydestination", "some-provider.com"),
        ("non_smtpd_milters", &signer.milter()),
        ("local_recipient_maps", ""),
        (
            "alias_maps",
            &format!(
                "inline:{{ {{ {} = {} }} }}",
                to.split('@').next().expect("a name"),
                kept.display()
            ),
        ),
    ]);
    postfix.send(NO_REPLY, to);
    postfix.wait_for_log("status=sent");
    let mail = std::fs::read_to_string(kept).expect("it was delivered");
    // What the last delivery added stands above.
    let start = mail.find("DKIM-Signature:").expect("it is signed");
    mail[start..].trim_end().to_owned() + "\n"
}

#[test]
fn what_opendkim_signed_and_exim_returned_is_proven() {
    let signer = OpenDkim::start();
    let service = Service::with_key(&signer.record());
    let refusing = RefusingServer::start(REFUSAL);
    let mut expected = Vec::new();
    for (name, setting) in [
        ("whole", ""),
        ("header", "bounce_return_body = false"),
        // It returns the header even so.
        ("less", "bounce_return_message = false"),
    ] {
        let to = format!("{name}@some-provider.com");
        let exim = Exim::new(service.port, refusing.port(), |fragment| fragment);
        exim.set(setting);
        exim.send_mail(NO_REPLY, &to, signed(&signer, &to).as_bytes());
        expected.push(format!("{to} suspend proven"));
        assert_eq!(service.wait_for(expected.len()), expected);
    }
}

/// Without any key: what is not signed comes back to its return path all the same.
#[test]
fn a_token_in_the_return_path_proves_what_exim_returns() {
    let secrets = format!("['{SECRET}']");
    let service = Service::start(&[("token_secrets", &secrets)]);
    let refusing = RefusingServer::start(REFUSAL);
    let exim = Exim::new(service.port, refusing.port(), |fragment| fragment);
    let to = "dead@some-provider.com";
    let secret = Secret::new(SECRET).expect("it is long enough");
    let token = secret.token(
        &to.parse().expect("an address"),
        OURS,
        Day::of(SystemTime::now()),
    );
    exim.send(&format!("no-reply+{token}@{OURS}"), to);
    assert_eq!(
        service.wait_for(1),
        ["dead@some-provider.com suspend proven"]
    );
}
