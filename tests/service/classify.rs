//! `bouncedemails classify`, as it is typed.

use crate::support::{Configuration, temp_dir};
use rusqlite::Connection;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn classify() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bouncedemails"));
    command.arg("classify").current_dir(fixtures());
    command
}

fn fixtures() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures"))
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8")
}

fn output(command: &mut Command) -> Output {
    command.output().expect("the program")
}

fn bounce_to(address: &str, diagnostic: &str) -> String {
    format!(
        "From: MAILER-DAEMON@mail.example.org\nTo: no-reply@mydomain.de\nMIME-Version: 1.0\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n\
         --b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mail.example.org\n\n\
         Final-Recipient: rfc822; {address}\nAction: failed\nStatus: 5.1.1\n\
         Diagnostic-Code: smtp; {diagnostic}\n\n--b--\n"
    )
}

#[test]
fn tells_people_who_failed_why_and_what_would_be_done() {
    let out = output(classify().args([
        "bounce/postfix-several-recipients.eml",
        "none/newsletter.eml",
    ]));
    assert!(out.status.success());
    assert_eq!(
        text(&out.stdout),
        "\
bounce/postfix-several-recipients.eml: bounce
  uli@willow.example.org  hard, userunknown: No such mailbox.
    words     550 5.1.1 <uli@willow.example.org>: no such user
    evidence  rule 'no such user' in Diagnostic-Code
    service   would suspend the address at once
  vera@willow.example.org  soft, mailboxfull: Over quota.
    words     552 5.2.2 <vera@willow.example.org>: mailbox over quota
    evidence  rule 'over quota' in Diagnostic-Code
    service   would count it, and suspend the address when the count exceeds the threshold
  wanda@willow.example.org  soft, norelaying: Relaying denied.
    words     554 5.7.1 <wanda@willow.example.org>: Relay access denied
    evidence  rule 'relaying denied' in Diagnostic-Code
    service   would record it and not count it

none/newsletter.eml: none
    evidence  nothing in it is known
    service   would record it and do nothing

"
    );
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    // script(1) gives the program a terminal.
    let on_terminal = |no_color: &str| {
        let program = env!("CARGO_BIN_EXE_bouncedemails");
        let line = format!("{program} classify bounce/postfix-user-unknown.eml");
        let mut command = Command::new("script");
        command
            .args(["-qec", &line, "/dev/null"])
            .env("TERM", "xterm")
            .env("NO_COLOR", no_color)
            .current_dir(fixtures())
            .stdin(Stdio::null());
        output(&mut command).stdout
    };
    assert!(text(&on_terminal("")).contains("\u{1b}[31mhard\u{1b}[0m"));
    assert!(!on_terminal("1").contains(&0x1b));
}

#[test]
fn json_is_one_object_a_mail_with_every_field() {
    let out = output(classify().args(["--json", "bounce/postfix-user-unknown.eml"]));
    let got: Value = serde_json::from_slice(&out.stdout).expect("one object");
    let expected = serde_json::json!({
        "file": "bounce/postfix-user-unknown.eml",
        "kind": "bounce",
        "platform_address": "no-reply@mydomain.de",
        "recipients": [{
            "address": "anna@alder.example.org",
            "final_recipient": null,
            "type": "hard",
            "reason": "userunknown",
            "fault": "recipient",
            "action": "failed",
            "status": "5.1.1",
            "reply_code": 550,
            "diagnostic": "550 5.1.1 <anna@alder.example.org>: Recipient address rejected: User unknown in virtual mailbox table",
            "command": "RCPT",
            "reporting_mta": "mail.mydomain.de",
            "remote_mta": "mx.alder.example.org",
            "evidence": "rule 'no such user' in Diagnostic-Code",
        }],
        "original": {
            "message_id": "<20261102081244.alder@mydomain.de>",
            "from": "no-reply@mydomain.de",
            "to": ["anna@alder.example.org"],
            "subject": "New answers in your course",
        },
    });
    assert_eq!(got, expected);
}

#[test]
fn a_folder_of_thousands_is_printed_in_order() {
    let dir = tempfile::tempdir().expect("a folder");
    let names: Vec<String> = (0..2_500)
        .map(|number| format!("user{number:04}@example.org"))
        .collect();
    for name in &names {
        let mail = bounce_to(name, "550 5.1.1 no such user");
        fs::write(dir.path().join(name), mail).expect("a file");
    }
    let out = output(classify().arg("--json").arg(dir.path()));
    let lines = text(&out.stdout).lines();
    let addresses: Vec<String> = lines
        .map(|line| {
            let mail: Value = serde_json::from_str(line).expect("an object");
            mail["recipients"][0]["address"]
                .as_str()
                .expect("an address")
                .to_owned()
        })
        .collect();
    assert_eq!(addresses, names);
}

#[test]
fn a_file_that_cannot_be_read_is_named_and_the_others_are_classified() {
    let out = output(classify().args(["nowhere.eml", "none/newsletter.eml"]));
    assert_eq!(out.status.code(), Some(1));
    assert!(text(&out.stdout).starts_with("none/newsletter.eml: none\n"));
    assert_eq!(
        text(&out.stderr),
        "bouncedemails: nowhere.eml cannot be read: No such file or directory (os error 2)\n"
    );
}

#[test]
fn standard_input_may_be_an_mbox() {
    let mbox = format!(
        "From a Mon Nov  2 09:14:07 2026\n{}\nFrom b Mon Nov  2 09:14:08 2026\n{}",
        bounce_to("anna@example.org", "550 5.1.1 no such user"),
        bounce_to("bernd@example.org", "552 5.2.2 mailbox is full"),
    );
    let mut child = classify()
        .args(["--json", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program");
    let mut stdin = child.stdin.take().expect("its input");
    stdin.write_all(mbox.as_bytes()).expect("it reads");
    drop(stdin);
    let out = child.wait_with_output().expect("its output");
    let reasons: Vec<Value> = text(&out.stdout)
        .lines()
        .map(|line| {
            serde_json::from_str::<Value>(line).expect("an object")["recipients"][0]["reason"]
                .take()
        })
        .collect();
    assert_eq!(reasons, ["userunknown", "mailboxfull"]);
}

#[test]
fn control_characters_reach_nobody_raw() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("\u{1b}[31mred.eml");
    let words = "550 5.1.1 \u{1b}]0;title\u{7} no such user \u{9b}2J \u{202e}resu";
    fs::write(&file, bounce_to("anna@example.org", words)).expect("a file");
    for form in [Some("--json"), None] {
        let out = output(classify().args(form).arg(&file).arg("\u{1b}[31mnowhere"));
        assert!(text(&out.stdout).contains("anna@example.org"));
        for stream in [&out.stdout, &out.stderr] {
            let harmful = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
            assert!(!text(stream).contains(harmful), "{stream:?}");
        }
    }
}

/// A platform that nobody can be suspended at: nothing listens there.
const NOBODY: [(&str, &str); 1] = [("base_url", "http://127.0.0.1:1/emails/{address}/suspend")];

#[test]
fn with_a_configuration_it_says_what_this_service_would_do() {
    let folder = temp_dir();
    let rules = folder.path().join("rules.toml");
    fs::write(
        &rules,
        "[[rule]]\nname = 'our own block list'\nreason = 'blocked'\nwords = ['user unknown in virtual mailbox table']\nexample = 'User unknown in virtual mailbox table'\n",
    )
    .expect("a file");
    let configuration = Configuration::in_folder(folder.path())
        .handler("temporary_threshold: 7")
        .domain("mydomain.de", &NOBODY);
    let file = configuration.write();
    let with = |more: &[&str]| {
        let mut command = classify();
        command.arg("--config").arg(&file).args(more);
        let out = output(&mut command);
        assert!(out.status.success(), "{}", text(&out.stderr));
        text(&out.stdout).to_owned()
    };
    let said = with(&["bounce/postfix-several-recipients.eml"]);
    for line in [
        "    proof     unproven: nothing proves that a mail of ours is answered\n",
        "    service   would suspend the address at once\n",
        "    service   would count it, and suspend the address when the count exceeds 7 (temporary_threshold)\n",
        "    platform  mydomain.de\n",
    ] {
        assert!(said.contains(line), "{line}{said}");
    }
    let object = |more: &[&str]| -> Value {
        serde_json::from_str(&with(&[&["--json"], more].concat())).expect("one object")
    };
    let got = object(&["bounce/postfix-user-unknown.eml"]);
    let recipient = &got["recipients"][0];
    assert_eq!(
        (
            &got["platform"],
            &got["decision"],
            &recipient["decision"],
            &recipient["proof"]
        ),
        (
            &"mydomain.de".into(),
            &"act".into(),
            &"suspend".into(),
            &"unproven".into()
        ),
    );
    let rules = rules.to_str().expect("UTF-8");
    let got = object(&["--rules", rules, "bounce/postfix-user-unknown.eml"]);
    let recipient = &got["recipients"][0];
    assert_eq!(
        (&recipient["reason"], &recipient["decision"]),
        (&"blocked".into(), &"ignore".into())
    );
    assert!(!configuration.database().exists(), "no side effect");
}

#[test]
fn it_looks_into_the_configuration_of_a_service_whose_database_it_may_not_open() {
    let folder = temp_dir();
    let configuration = Configuration::in_folder(folder.path()).domain("mydomain.de", &NOBODY);
    let file = configuration.write();
    // Nobody can open that, not even root.
    fs::create_dir(configuration.database()).expect("the folder is ours");
    let mut command = classify();
    command.arg("--config").arg(file);
    let out = output(command.arg("bounce/postfix-user-unknown.eml"));
    assert!(out.status.success(), "{}", text(&out.stderr));
    let said = text(&out.stdout);
    assert!(said.contains("    platform  mydomain.de\n"), "{said}");
}

#[test]
fn rules_that_cannot_be_used_are_blamed_with_their_line() {
    let folder = temp_dir();
    let rules = folder.path().join("rules.toml");
    fs::write(&rules, "[[rule]]\nname = 'x'\nreason = 'zorgle'\n").expect("a file");
    let out = output(
        classify()
            .arg("--rules")
            .arg(&rules)
            .arg("none/newsletter.eml"),
    );
    assert_eq!(out.status.code(), Some(78));
    assert!(
        text(&out.stderr).contains("rules.toml:3: "),
        "{}",
        text(&out.stderr)
    );
}

/// What is decided about one mail: its kind, the decision, the platform and why, and about each address.
type Decided = (
    String,
    String,
    Option<String>,
    String,
    BTreeMap<String, String>,
);

/// As much of a text as the ledger surely keeps.
fn start(text: &str) -> String {
    text.chars().take(200).collect()
}

fn said_by_classify(line: &str) -> Decided {
    let mail: Value = serde_json::from_str(line).expect("an object");
    let word = |value: &Value| value.as_str().expect("a text").to_owned();
    let decision = word(&mail["decision"]);
    let people = ["recipients", "complainants"].map(|list| mail[list].as_array());
    let about = people.into_iter().flatten().flatten();
    let about = about.map(|one| (word(&one["address"]).to_lowercase(), word(&one["decision"])));
    let about: BTreeMap<String, String> = match decision.as_str() {
        "act" => about.collect(),
        _ => {
            assert!(
                about.into_iter().all(|(_, done)| done == decision),
                "{line}"
            );
            BTreeMap::new()
        }
    };
    let platform = mail["platform"].as_str().map(str::to_owned);
    let why = start(mail["why"].as_str().unwrap_or_default());
    (word(&mail["kind"]), decision, platform, why, about)
}

fn recorded(database: &Path) -> Vec<Decided> {
    let sql = Connection::open(database).expect("a database");
    let mut bounces: BTreeMap<i64, BTreeMap<String, String>> = BTreeMap::new();
    sql.prepare("SELECT mail, bounced_address, action FROM bounces")
        .expect("a table")
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .expect("rows")
        .for_each(|row: rusqlite::Result<(i64, String, String)>| {
            let (mail, address, action) = row.expect("a row");
            let decision = match action.as_str() {
                "suspend" | "join" => "suspend",
                "count" => "count",
                "note" => "ignore",
                other => panic!("{other}"),
            };
            let of_mail = bounces.entry(mail).or_default();
            of_mail.insert(address.to_lowercase(), decision.to_owned());
        });
    sql.prepare("SELECT id, kind, decision, domain, evidence FROM mails")
        .expect("a table")
        .query_map([], |row| {
            let decision: String = row.get(2)?;
            let evidence: String = row.get(4)?;
            // Why it acts is said of each address.
            let why = if decision == "act" {
                String::new()
            } else {
                start(&evidence)
            };
            let about = bounces.get(&row.get(0)?).cloned().unwrap_or_default();
            Ok((row.get(1)?, decision, row.get(3)?, why, about))
        })
        .expect("rows")
        .collect::<rusqlite::Result<_>>()
        .expect("the rows are read")
}

/// Every fixture by both: what `classify` says is what `stdin` does, mail by mail and address by address.
#[test]
fn classify_and_stdin_never_disagree() {
    let folder = temp_dir();
    // As many soft bounces as the same address may have in the fixtures: what was counted before is not classify's to know.
    let configuration = Configuration::in_folder(folder.path())
        .handler("temporary_threshold: 1000")
        .handler("complaints: suspend")
        .handler("brake_per_mail: 1")
        .domain("mydomain.de", &NOBODY)
        .domain("openhpi.example", &NOBODY);
    let file = configuration.write();
    let mut mbox = Vec::new();
    let mut mails = 0;
    for kind in [
        "bounce",
        "feedback",
        "auto-reply",
        "delivery-notice",
        "none",
    ] {
        let mut names: Vec<_> = fs::read_dir(fixtures().join(kind))
            .expect("fixtures")
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "eml"))
            .collect();
        names.sort();
        for name in names {
            mbox.extend_from_slice(b"From MAILER-DAEMON Mon Nov  2 09:14:07 2026\n");
            mbox.extend_from_slice(&fs::read(name).expect("a fixture"));
            mbox.extend_from_slice(b"\n\n");
            mails += 1;
        }
    }
    let input = folder.path().join("mbox");
    fs::write(&input, mbox).expect("a file");
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bouncedemails"));
        command.arg("--config").arg(&file).args(arguments);
        command.stdin(fs::File::open(&input).expect("the file"));
        let out = output(&mut command);
        assert!(out.status.success(), "{}", text(&out.stderr));
        text(&out.stdout).to_owned()
    };
    let mut said: Vec<Decided> = run(&["classify", "--json"])
        .lines()
        .map(said_by_classify)
        .collect();
    run(&["stdin"]);
    let mut done = recorded(&configuration.database());
    assert_eq!((said.len(), done.len()), (mails, mails));
    let kinds: BTreeSet<(&str, bool)> = said
        .iter()
        .map(|it| (it.1.as_str(), it.4.is_empty()))
        .collect();
    assert_eq!(
        kinds.len(),
        3,
        "all that can be decided is among them: {kinds:?}"
    );
    said.sort();
    done.sort();
    for (said, done) in said.iter().zip(&done) {
        assert_eq!(said, done, "classify, stdin");
    }
}

#[test]
fn what_no_rule_knows_becomes_rules_of_mails_and_of_the_ledger() {
    let folder = temp_dir();
    let words = "the moon has set over";
    for (name, host) in [("a", "mx1.example.org"), ("b", "mx2.example.net")] {
        let mail = bounce_to("anna@example.com", &format!("550 5.0.0 {words} {host}"));
        fs::write(folder.path().join(format!("{name}.eml")), mail).expect("a file");
    }
    let known = bounce_to("anna@example.com", "550 5.1.1 no such user");
    fs::write(folder.path().join("c.eml"), known).expect("a file");
    let said = |command: &mut Command| {
        let out = output(command);
        assert!(out.status.success(), "{}", text(&out.stderr));
        text(&out.stdout).to_owned()
    };
    let rules = said(classify().arg("--unknown").arg(folder.path()));
    assert!(
        rules.starts_with(&format!("# 2 times: # # {words} #\n")),
        "{rules}"
    );
    assert_eq!(rules.matches("[[rule]]").count(), 1, "{rules}");
    let file = folder.path().join("rules.toml");
    fs::write(&file, rules).expect("a file");
    let mut taught = classify();
    taught.arg("--unknown").arg("--rules").arg(&file);
    assert_eq!(said(taught.arg(folder.path().join("a.eml"))), "");

    let place = temp_dir();
    let configuration = Configuration::in_folder(place.path()).domain("mydomain.de", &NOBODY);
    let config = configuration.write();
    let program = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bouncedemails"));
        command.arg("--config").arg(&config);
        command
    };
    said(program().arg("import").arg(folder.path().join("a.eml")));
    let remembered = said(program().args(["classify", "--unknown", "--ledger"]));
    assert!(
        remembered.contains(&format!("words = [\"{words}\"]")),
        "{remembered}"
    );
}
