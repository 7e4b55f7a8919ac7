//! The real binary, with keys and secrets in its configuration.

use crate::support::*;
use bouncedemails::trust::{Day, Secret};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

pub const OURS: &str = "mydomain.de";

/// Of tokens, in tests.
pub const SECRET: &str = "an example, not a secret";

/// A configuration for one platform with these keys, in a folder.
pub fn configuration(folder: &Path, keys: &[(&str, &str)]) -> Configuration {
    let nobody = ("base_url", "http://127.0.0.1:9/{address}");
    Configuration::in_folder(folder).domain(OURS, &[&[nobody], keys].concat())
}

pub fn run(file: &Path, arguments: &[&str], input: &[u8]) -> String {
    output_of(
        bouncedemails().arg("--config").arg(file).args(arguments),
        input,
    )
}

/// A mail of ours, signed now.
pub fn signed(signer: &Signer, to: &str, number: u32) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    signed_at(signer, to, number, now.expect("after 1970").as_secs())
}

/// A mail of ours, signed in the second `made` since 1970.
pub fn signed_at(signer: &Signer, to: &str, number: u32, made: u64) -> String {
    let signing = Signing {
        canonicalization: "relaxed/relaxed",
        names: "from:to:subject:date:message-id",
        made,
    };
    let mail = format!(
        "From: My Platform <no-reply@{OURS}>\nTo: {to}\nSubject: News\n\
         Date: Wed, 25 Nov 2026 11:00:00 +0000\nMessage-ID: <news.{number}@{OURS}>\n\nThere is a new video.\n"
    );
    signer.sign(signing, &mail)
}

/// A bounce of an address that returns this.
pub fn bounce(failed: &str, words: &str, original: &str) -> Vec<u8> {
    format!(
        "From: MAILER-DAEMON@mx.example.net\nTo: no-reply@{OURS}\nSubject: Undelivered Mail Returned to Sender\n\
         Auto-Submitted: auto-replied\nMIME-Version: 1.0\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n\
         --b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.net\n\n\
         Final-Recipient: rfc822; {failed}\nAction: failed\nStatus: {status}\n\
         Diagnostic-Code: smtp; {words}\n\n--b\nContent-Type: message/rfc822\n\n{original}\n--b--\n",
        status = &words[4..9],
    )
    .into_bytes()
}

pub const UNKNOWN: &str = "550 5.1.1 no such user";
pub const FULL: &str = "452 4.2.2 mailbox full";

/// A platform that signs and makes tokens, in a folder of its own.
pub struct Site {
    _folder: TempDir,
    pub configuration: Configuration,
    pub file: PathBuf,
    pub signer: Signer,
}

impl Site {
    pub fn new(proof: &str) -> Site {
        let folder = temp_dir();
        let signer = Signer::ed25519(OURS, "s1");
        let record = folder.path().join("s1.txt");
        std::fs::write(&record, signer.record()).expect("the folder is ours");
        let secret = folder.path().join("secret");
        std::fs::write(&secret, format!("{SECRET}\n")).expect("the folder is ours");
        let keys = format!("{{s1: '${{file:{}}}'}}", record.display());
        let secrets = format!("['${{file:{}}}', another that is old]", secret.display());
        let configuration = configuration(
            folder.path(),
            &[
                ("proof", proof),
                ("dkim_keys", &keys),
                ("token_secrets", &secrets),
            ],
        );
        let file = configuration.write();
        Site {
            _folder: folder,
            configuration,
            file,
            signer,
        }
    }

    pub fn hand_in(&self, mail: &[u8]) -> String {
        hand_in(&self.file, mail)
    }

    /// What was done with each bounce, in order.
    pub fn done(&self) -> Vec<String> {
        done(&self.configuration)
    }
}

/// What the service says of a mail by `stdin`.
pub fn hand_in(file: &Path, mail: &[u8]) -> String {
    let mut command = bouncedemails();
    command.arg("--debug").arg("--config").arg(file);
    let output = support_output(command.arg("stdin"), mail);
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What was done with each bounce, in order, and how it is proven.
pub fn done(configuration: &Configuration) -> Vec<String> {
    let database = rusqlite::Connection::open(configuration.database()).expect("a database");
    let mut select = database
        .prepare("SELECT bounced_address || ' ' || action || ' ' || proof FROM bounces ORDER BY id")
        .expect("the table is there");
    let rows = select.query_map([], |row| row.get(0)).expect("rows");
    rows.collect::<rusqlite::Result<_>>().expect("texts")
}

/// Runs a command to its end, whatever that is.
fn support_output(command: &mut std::process::Command, input: &[u8]) -> std::process::Output {
    use std::io::Write;
    use std::process::Stdio;
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("it runs");
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(input).expect("it reads");
    drop(stdin);
    child.wait_with_output().expect("it ends")
}

#[test]
fn a_proof_is_shown_by_classify_the_ledger_find_address_and_the_log() {
    let site = Site::new("note");
    let dead = "dead@example.org";
    let mail = bounce(dead, UNKNOWN, &signed(&site.signer, dead, 1));
    let sentence = "the signature of mydomain.de (key s1) is of a mail to this address";
    let said = run(&site.file, &["classify"], &mail);
    let proof = format!("proof     proven by DKIM: {sentence}");
    assert!(said.contains(&proof), "{said}");
    let json = run(&site.file, &["classify", "--json"], &mail);
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let recipient = &json["recipients"][0];
    assert_eq!(recipient["proof"], "proven");
    assert_eq!(recipient["proof_by"], "dkim");
    assert!(
        recipient["proof_sentence"]
            .as_str()
            .expect("a text")
            .starts_with(sentence)
    );
    let log = site.hand_in(&mail);
    assert!(
        log.contains(&format!("Proof:     proven by DKIM: {sentence}")),
        "{log}"
    );
    assert_eq!(site.done(), ["dead@example.org suspend proven"]);
    let found = run(&site.file, &["find-address", "--address", dead], b"");
    assert!(
        found.contains(&format!("proven by dkim: {sentence}")),
        "{found}"
    );
}

#[test]
fn without_proof_nothing_is_suspended_or_counted_where_it_is_required_and_all_is_where_it_is_noted()
{
    let unsigned =
        "From: no-reply@mydomain.de\nTo: a@example.org\nMessage-ID: <1@mydomain.de>\n\nHello\n";
    for (proof, hard, soft) in [("note", "suspend", "count"), ("require", "note", "note")] {
        let site = Site::new(proof);
        site.hand_in(&bounce("a@example.org", UNKNOWN, unsigned));
        site.hand_in(&bounce("a@example.org", FULL, unsigned));
        // Another one's mail of ours, as whoever wants to silence a person has one.
        let of_forger = signed(&site.signer, "forger@example.org", 1);
        site.hand_in(&bounce("victim@example.org", UNKNOWN, &of_forger));
        assert_eq!(
            site.done(),
            [
                format!("a@example.org {hard} unproven"),
                format!("a@example.org {soft} unproven"),
                "victim@example.org note contradicted".to_owned(),
            ],
            "{proof}"
        );
    }
}

#[test]
fn a_burst_of_contradictions_is_one_error_line() {
    let site = Site::new("note");
    let of_forger = signed(&site.signer, "forger@example.org", 1);
    let mut mbox = Vec::new();
    for number in 0..30 {
        mbox.extend_from_slice(b"From MAILER-DAEMON Mon Nov  2 09:14:07 2026\n");
        mbox.extend(bounce(
            &format!("victim{number}@example.org"),
            UNKNOWN,
            &of_forger,
        ));
        mbox.extend_from_slice(b"\n\n");
    }
    let log = site.hand_in(&mbox);
    let said = log
        .matches("Somebody forges bounces for mydomain.de")
        .count();
    assert_eq!(said, 1, "{log}");
    assert!(
        site.done()
            .iter()
            .all(|done| done.ends_with("note contradicted"))
    );
}

#[test]
fn check_config_says_what_is_proven_by_what() {
    let said = |keys: &[(&str, &str)]| {
        let folder = temp_dir();
        let file = configuration(folder.path(), keys)
            .section("smtp", &["listen: 127.0.0.1:0"])
            .write();
        let output = bouncedemails()
            .arg("--config")
            .arg(file)
            .arg("check-config")
            .output();
        let output = output.expect("it runs");
        String::from_utf8([output.stdout, output.stderr].concat()).expect("a text")
    };
    for (keys, expected) in [
        (
            &[][..],
            "bounces that are not proven are acted on, too (proof: note)",
        ),
        (
            &[
                ("proof", "require"),
                ("token_secrets", "[0123456789abcdef, 0123456789abcdeg]"),
            ],
            "mydomain.de: bounces that are not proven by DKIM keys in DNS, 2 token secrets neither suspend nor count (proof: require)",
        ),
        (
            &[("proof", "require")],
            "not proven by DKIM keys in DNS neither suspend nor count",
        ),
        (&[("proof", "always")], "unknown variant `always`"),
        (
            &[("token_secrets", "[short]")],
            "`token_secrets`, number 1 is too short to be secret",
        ),
        (
            &[("dkim_keys", "{s1: v=spf1}")],
            "`dkim_keys` has `s1`, which is no DKIM key record",
        ),
    ] {
        let said = said(keys);
        assert!(said.contains(expected), "{expected} in {said}");
        assert!(!said.contains("0123456789abcdef"), "{said}");
    }
}

/// The secret's token for an address, of today.
pub fn token(address: &str) -> String {
    let secret = Secret::new(SECRET).expect("it is long enough");
    let address = address.parse().expect("an address");
    secret.token(&address, OURS, Day::of(SystemTime::now()))
}

#[test]
fn a_mail_of_ours_proves_one_failure_of_an_address_in_whatever_form_it_comes_again() {
    let site = Site::new("require");
    let full = "full@example.org";
    let captured = signed(&site.signer, full, 1);
    let with_token = format!("X-Bounce-Token: {}\n{captured}", token(full));
    let stripped = captured.replace("Subject: News", "X-Added: 1\nSubject: News");
    for mail in [&with_token, &captured, &stripped, &with_token] {
        site.hand_in(&bounce(full, FULL, mail));
    }
    let another = signed(&site.signer, full, 2);
    let log = site.hand_in(&bounce(full, FULL, &another));
    assert!(log.contains("has 2 of 3 soft bounces allowed"), "{log}");
    let log = site.hand_in(&bounce(full, FULL, &another));
    assert!(log.contains("its proof was used before"), "{log}");
    let spent = "full@example.org note unproven".to_owned();
    let counted = "full@example.org count proven".to_owned();
    let [c, s] = [counted, spent];
    assert_eq!(site.done(), [&c, &s, &s, &s, &c, &s].map(String::as_str));
}

/// The same test mail handed in again on purpose counts again.
#[test]
fn where_proof_is_not_required_none_is_used_up() {
    let site = Site::new("note");
    let full = "full@example.org";
    let mail = bounce(full, FULL, &signed(&site.signer, full, 1));
    for _ in 0..4 {
        site.hand_in(&mail);
    }
    assert_eq!(
        site.done().last().map(String::as_str),
        Some("full@example.org suspend proven")
    );
}
