//! What README.md tells platforms to make tokens with, taken from there and run.

use crate::service::{OURS, SECRET, Site, UNKNOWN, bounce, run};
use crate::support::*;
use bouncedemails::trust::{Day, Secret};
use std::process::Command;
use std::time::SystemTime;

/// An address as somebody typed it, and beyond ASCII.
const ADDRESSES: [&str; 3] = [
    "Some.One@Example.COM",
    "Jürgen@bücher.example",
    "o'neil+x@example.org",
];

/// The lines of README.md in this language that make a token.
fn recipe(language: &str) -> String {
    let readme = String::from_utf8(file_of_repository("README.md")).expect("UTF-8");
    let opening = format!("```{language}\n");
    let recipes = readme.split(&opening).skip(1);
    let mut recipes = recipes.filter_map(|rest| rest.split("```").next());
    let recipe = recipes.find(|text| text.contains("bounce_token"));
    recipe
        .unwrap_or_else(|| panic!("README.md has no {language} for tokens"))
        .to_owned()
}

/// What a program prints that is given as an argument.
fn printed(program: &str, option: &str, code: &str) -> String {
    output_of(Command::new(program).args([option, code]), b"")
}

#[test]
fn ruby_python_and_php_make_the_same_tokens() {
    let secret = Secret::new(SECRET).expect("it is long enough");
    for address in ADDRESSES {
        let call = |quote: char| {
            let quoted = |text: &str| format!("{quote}{text}{quote}");
            format!(
                "bounce_token({}, {}, {})",
                quoted(SECRET),
                quoted(address),
                quoted("mydomain.DE")
            )
        };
        let before = Day::of(SystemTime::now());
        for (language, program, option, code) in [
            (
                "ruby",
                "ruby",
                "-e",
                format!("{}\nputs {}", recipe("ruby"), call('"')),
            ),
            (
                "python",
                "/usr/bin/python3",
                "-c",
                format!("{}\nprint({})", recipe("python"), call('"')),
            ),
            (
                "php",
                "php",
                "-r",
                format!("{}\necho {};", recipe("php"), call('"')),
            ),
        ] {
            let made = printed(program, option, &code);
            let parsed = address.parse().expect("an address");
            // It may have become midnight meanwhile.
            let days = before.0..=Day::of(SystemTime::now()).0;
            let mut expected = days.map(|day| secret.token(&parsed, OURS, Day(day)));
            assert!(
                expected.any(|token| token == made.trim()),
                "{language}: {made} of {address}"
            );
        }
        assert!(recipe("ruby").lines().count() <= 10 && recipe("python").lines().count() <= 10);
        assert!(recipe("php").lines().count() <= 10);
    }
}

#[test]
fn a_token_by_command_proves_a_bounce_in_bare_text() {
    let site = Site::new("require");
    let dead = "dead@example.org";
    let token = run(
        &site.file,
        &["token", "--address", dead, "--domain", "MyDomain.de"],
        b"",
    );
    let path = format!("no-reply+{}@{OURS}", token.trim());
    assert!(path.split('@').next().expect("a local part").len() <= 64);
    let text = |to: &str| {
        format!(
            "From: MAILER-DAEMON@mx.example.net\nTo: {to}\nSubject: failure notice\n\n\
             Hi. This is the qmail-send program at mx.example.net.\n\
             I'm afraid I wasn't able to deliver your message to the following addresses.\n\
             This is a permanent error; I've given up. Sorry it didn't work out.\n\n\
             <{dead}>:\nSorry, no mailbox here by that name. (#5.1.1)\n"
        )
    };
    site.hand_in(text(&format!("no-reply@{OURS}")).as_bytes());
    site.hand_in(text(&path).as_bytes());
    assert_eq!(
        site.done(),
        [
            "dead@example.org note unproven",
            "dead@example.org suspend proven"
        ]
    );
    let original = format!(
        "X-Bounce-Token: {}\nTo: {dead}\nSubject: News\n\nHello\n",
        token.trim()
    );
    site.hand_in(&bounce(dead, UNKNOWN, &original));
    assert_eq!(
        site.done().last().map(String::as_str),
        Some("dead@example.org note unproven"),
        "spent"
    );
}

#[test]
fn a_platform_without_secrets_makes_no_token_and_is_told_why() {
    let folder = temp_dir();
    let file = crate::service::configuration(folder.path(), &[]).write();
    let mut command = bouncedemails();
    command.arg("--config").arg(file);
    let output = command
        .args(["token", "--address", "a@b.example", "--domain", OURS])
        .output();
    let output = output.expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(
        said.contains("mydomain.de has no secret to make tokens with; add `token_secrets:`"),
        "{said}"
    );
}

/// A mailbox that passes its mail on leaves its name in what is returned: then it is the one that we mailed, and that is judged.
#[test]
fn behind_a_forward_the_address_that_we_signed_is_judged() {
    let site = Site::new("require");
    let mailed = "anna@example.org";
    let original = crate::service::signed(&site.signer, mailed, 1);
    let forwarded = format!("Delivered-To: {mailed}\n{original}");
    site.hand_in(&bounce("anna@elsewhere.example", UNKNOWN, &forwarded));
    assert_eq!(site.done(), ["anna@example.org count proven"]);
    // Without that trace it is another one's mail.
    site.hand_in(&bounce("victim@elsewhere.example", UNKNOWN, &original));
    assert_eq!(
        site.done().last().map(String::as_str),
        Some("victim@elsewhere.example note contradicted")
    );
}
