//! A configuration that can't be used: one line with file, line and key that says what to write instead, and exit status 78.

#[path = "config/smtp.rs"]
mod smtp;
#[path = "config/template.rs"]
mod template;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output};
use tempfile::TempDir;

/// A folder with a configuration in it.
struct Dir(TempDir);

impl Dir {
    /// The configuration of DESIGN 6, with `edit` done to its text.
    fn with(edit: impl FnOnce(String, &Path) -> String) -> Dir {
        let dir = tempfile::tempdir().unwrap();
        let text = format!(
            "\
production:
  handler:
    dbfile: {}/bounced_emails.db
    temporary_threshold: 3
    domains:
      openhpi.de:
        base_url: https://open.hpi.de/emails/{{address}}/suspend
      opensap.info:
        url_resolver: xikolo
        base_url: https://open.sap.com/api
  amqp:
    url: amqp://user:geheim@localhost/bouncedemails
    queue: bouncedemails
",
            dir.path().display()
        );
        fs::write(dir.path().join("config.yml"), edit(text, dir.path())).unwrap();
        Dir(dir)
    }

    fn replacing(from: &'static str, to: &'static str) -> Dir {
        Dir::with(|text, _| {
            assert!(text.contains(from), "{from} is to be replaced");
            text.replacen(from, to, 1)
        })
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bouncedemails"));
        command.args(arguments).current_dir(self.0.path());
        command
    }

    fn check(&self) -> Output {
        self.command(&["check-config"]).output().unwrap()
    }

    /// Asserts that the configuration is refused with this one line.
    #[track_caller]
    fn is_refused(&self, line: &str) {
        assert_refused(&self.check(), line);
    }
}

#[track_caller]
fn assert_refused(output: &Output, line: &str) {
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        format!("bouncedemails: {line}\n")
    );
    assert_eq!(output.status.code(), Some(78));
    assert!(output.stdout.is_empty());
}

/// For Postfix 75 (EX_TEMPFAIL) means: keep the mail; with 78 it would give it up.
#[test]
fn a_pipe_asks_the_mail_server_to_keep_the_mail_meanwhile() {
    let dir = Dir::with(|text, _| text.replacen("handler:", "handlr:", 1));
    let output = dir.command(&["stdin"]).output().unwrap();
    assert_eq!(output.status.code(), Some(75), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("handlr"), "{said}");
}

#[test]
fn a_good_one_is_shown_with_its_secrets_masked() {
    let output = Dir::with(|text, _| text).check();
    let shown = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(
        shown.starts_with("config.yml, environment production: fine\n"),
        "{shown}"
    );
    assert!(
        shown.contains("amqp://user:***@localhost:5672/bouncedemails"),
        "{shown}"
    );
    assert!(
        shown.contains("openhpi.de: POST https://open.hpi.de/emails/{address}/suspend"),
        "{shown}"
    );
    assert!(!shown.contains("geheim"), "{shown}");
}

#[test]
fn the_template_is_good_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let template = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/config.template.yml"))
        .unwrap()
        .replace("/var/lib/bouncedemails", dir.path().to_str().unwrap())
        .replace("/etc/bouncedemails", dir.path().to_str().unwrap());
    // The files that it names.
    let authority = rcgen::generate_simple_self_signed(["platform.example".to_owned()]).unwrap();
    fs::write(dir.path().join("ca.pem"), authority.cert.pem()).unwrap();
    fs::write(
        dir.path().join("rules.toml"),
        "[[rule]]\nname = 'gone'\nreason = 'userunknown'\nwords = ['gone fishing for good']\n",
    )
    .unwrap();
    // Every optional key that is commented out is good, too.
    let uncommented: String = template
        .lines()
        .map(|line| match line.trim_start().strip_prefix("# ") {
            Some(key)
                if key.contains(": ")
                    && key.starts_with(|c: char| c.is_ascii_lowercase())
                    && !key.contains(". ") =>
            {
                line.replacen("# ", "", 1) + "\n"
            }
            _ => line.to_owned() + "\n",
        })
        .collect();
    for text in [template, uncommented] {
        fs::write(dir.path().join("config.yml"), &text).unwrap();
        let output = Dir(tempfile::tempdir().unwrap())
            .command(&["--config"])
            .arg(dir.path().join("config.yml"))
            .arg("check-config")
            .env("RABBITMQ_PASSWORD", "geheim")
            .output()
            .unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{text}");
        assert_eq!(output.status.code(), Some(0));
    }
}

#[test]
fn wrong_yaml() {
    Dir::replacing("queue: ", "queue: : ")
        .is_refused("config.yml:13: mapping values are not allowed in this context");
}

#[test]
fn an_unknown_key() {
    Dir::replacing("queue: bouncedemails", "queue: bouncedemails\n    prefetsch: 5").is_refused(
        "config.yml:14: production.amqp: unknown field `prefetsch`, expected one of `url`, `queue`, `prefetch`",
    );
}

#[test]
fn a_prefetch_without_end() {
    for wrong in ["0", "-1", "70000", "many"] {
        let keys = format!("queue: bouncedemails\n    prefetch: {wrong}");
        Dir::with(|text, _| text.replacen("queue: bouncedemails", &keys, 1)).is_refused(&format!(
            "config.yml:14: production.amqp.prefetch: {wrong} is no number of mails; write one from 1 to 65535"
        ));
    }
}

#[test]
fn a_missing_environment() {
    Dir::replacing("production:", "staging:").is_refused(
        "config.yml: there is no environment `production`; it has staging: choose one with --env NAME, or add `production:`",
    );
}

#[test]
fn another_environment_can_be_chosen_and_faults_in_the_others_harm_nobody() {
    let dir = Dir::with(|text, _| {
        let good = text.replacen("production:", "staging:", 1);
        format!("production: {{handler: none of your business}}\n{good}")
    });
    let output = dir
        .command(&["--env", "staging", "check-config"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[test]
fn a_base_url_without_address() {
    Dir::replacing("emails/{address}/suspend", "emails/suspend").is_refused(
        "config.yml:7: production.handler.domains.openhpi.de: `base_url` must hold {address}, for example \
         https://open.hpi.de/emails/{address}/suspend (it is https://open.hpi.de/emails/suspend)",
    );
}

#[test]
fn a_base_url_that_would_put_the_address_in_unencoded() {
    Dir::replacing("emails/{address}/suspend", "emails/{+address}/suspend").is_refused(
        "config.yml:7: production.handler.domains.openhpi.de: `base_url` must hold {address}, which is percent-encoded, not \
         {+address} or {#address} (it is https://open.hpi.de/emails/{+address}/suspend)",
    );
}

#[test]
fn a_domain_that_stands_there_twice_in_two_spellings() {
    for (first, second) in [
        ("bücher.de", "xn--bcher-kva.de"),
        ("openhpi.de", "OpenHPI.de."),
    ] {
        let dir = Dir::with(|text, _| {
            text.replace("openhpi.de:", &format!("{first}:"))
                .replace("opensap.info:", &format!("{second}:"))
        });
        dir.is_refused(&format!(
            "config.yml:8: production.handler.domains: `{second}` stands there twice, first as `{first}`; leave one of them out"
        ));
    }
}

#[test]
fn a_domain_that_is_none() {
    Dir::replacing("openhpi.de:", "xn--ü.de:")
        .is_refused("config.yml:6: production.handler.domains: `xn--ü.de` is no domain name");
}

#[test]
fn a_domain_is_shown_as_mails_have_it_and_as_people_know_it() {
    let output = Dir::replacing("openhpi.de:", "Bücher.de:").check();
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(
        shown.contains("  platform    xn--bcher-kva.de (bücher.de): POST https://open.hpi.de/"),
        "{shown}"
    );
}

#[test]
fn a_negative_threshold() {
    Dir::replacing("temporary_threshold: 3", "temporary_threshold: -1").is_refused(
        "config.yml:4: production.handler.temporary_threshold: -1 is below zero; write a whole number of 0 or more, for example 3",
    );
}

#[test]
fn a_threshold_in_words() {
    Dir::replacing("temporary_threshold: 3", "temporary_threshold: three").is_refused(
        "config.yml:4: production.handler.temporary_threshold: invalid type: string \"three\", expected a whole number of 0 or \
         more, for example 3",
    );
}

#[test]
fn a_database_in_a_folder_that_does_not_exist() {
    let dir = Dir::with(|text, path| text.replace(&path.display().to_string(), "/nowhere/at/all"));
    dir.is_refused(
        "config.yml:3: production.handler.dbfile: the folder /nowhere/at/all does not exist; make it (install -d -o \
         bouncedemails /nowhere/at/all), or write another path",
    );
}

#[test]
fn a_database_in_a_folder_that_this_user_cannot_write() {
    let dir = Dir::with(|text, path| {
        text.replace(
            &path.display().to_string(),
            &path.join("data").display().to_string(),
        )
    });
    let data = dir.0.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::set_permissions(&data, fs::Permissions::from_mode(0o555)).unwrap();
    fs::set_permissions(dir.0.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = dir.command(&["check-config"]);
    // Root may write everywhere; so let nobody (65534 on Debian) look, by a copy of the program where nobody may go.
    if rustix::process::geteuid().is_root() {
        let program = dir.0.path().join("program");
        fs::copy(env!("CARGO_BIN_EXE_bouncedemails"), &program).unwrap();
        command = Command::new(program);
        command
            .arg("check-config")
            .current_dir(dir.0.path())
            .uid(65534)
            .gid(65534);
    }
    assert_refused(
        &command.output().unwrap(),
        &format!(
            "config.yml:3: production.handler.dbfile: {} cannot be read and written by this user (Permission denied (os error 13)); \
             mend its owner, or write another path",
            data.display()
        ),
    );
}

#[test]
fn a_bad_amqp_url_without_its_password_in_the_message() {
    Dir::replacing("amqp://user", "ampq://user").is_refused(
        "config.yml:12: production.amqp.url: Invalid AMQP scheme: ampq; write amqp://USER:PASSWORD@HOST/VHOST, with %2f for the \
         vhost /, and other special characters percent-encoded, too",
    );
}

#[test]
fn a_variable_that_is_not_set() {
    Dir::replacing("geheim", "${NO_SUCH_VARIABLE}").is_refused(
        "config.yml:12: production.amqp.url: the environment variable NO_SUCH_VARIABLE is not set; set it, or write ${file:PATH}",
    );
}

#[test]
fn secrets_come_from_the_environment_or_a_file() {
    let dir = Dir::with(|text, path| {
        fs::write(path.join("secret"), "from-file\n").unwrap();
        text.replace(
            "user:geheim",
            &format!("${{WHO}}:${{file:{}}}", path.join("secret").display()),
        )
    });
    let output = dir
        .command(&["check-config"])
        .env("WHO", "from-environment")
        .output()
        .unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(
        shown.contains("amqp://from-environment:***@localhost"),
        "{shown}"
    );
}

#[test]
fn no_configuration_at_all() {
    let dir = Dir(tempfile::tempdir().unwrap());
    let output = dir
        .command(&["--config", "there.yml", "check-config"])
        .output()
        .unwrap();
    assert_refused(
        &output,
        "there.yml: cannot be read: No such file or directory (os error 2)",
    );
}

#[test]
fn the_prototypes_file_works_unchanged() {
    // As the Python prototype's README shows it: only `handler` and `amqp`, `%2f` and all.
    let dir = Dir::with(|_, path| {
        format!(
            "\
production:
  handler:
    dbfile: {0}/bounced_emails.db
    permanent_bounced_emails_path: {0}/bounced_emails
    temporary_threshold: 5
    domains:
      mydomain.de:
        base_url: http://localhost:7001/emails/{{address}}/suspend
      other.de:
        url_resolver: xikolo
        base_url: http://localhost:7001/
  amqp:
    url: amqp://guest:guest@localhost:5672/%2f
    queue: bouncedemails
",
            path.display()
        )
    });
    let output = dir.check();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("5 soft bounces"));
}
