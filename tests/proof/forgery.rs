//! What somebody can write who wants a person silenced: each attack against a platform that requires proof, and against one that notes it.
//!
//! The forger can send what he likes to our no-reply address. He has mails of ours that we sent to him, also signed and with tokens; he may
//! have seen old ones. He knows the victim's address.

use crate::service::{OURS, SECRET, UNKNOWN, bounce, signed_at};
use crate::support::{Signer, file_of_repository};
use bouncedemails::address::Address;
use bouncedemails::policy::{Action, Complaints, Decision, Known, Policy};
use bouncedemails::trust::{Day, Keys, PublicKey, Secret, Standing};
use bouncedemails::verdict::{Knowledge, Verdict};
use std::sync::LazyLock;
use std::time::{Duration, UNIX_EPOCH};

const VICTIM: &str = "victim@example.org";
const FORGER: &str = "forger@example.org";
const DAY: u64 = 24 * 60 * 60;

/// 2026-11-25, 12:00 UTC.
const NOW: u64 = 1_795_608_000;

static OUR_KEY: LazyLock<Signer> = LazyLock::new(|| Signer::ed25519(OURS, "s1"));
static HIS_KEY: LazyLock<Signer> = LazyLock::new(|| Signer::ed25519(OURS, "s1"));
static HIS_DOMAIN: LazyLock<Signer> =
    LazyLock::new(|| Signer::ed25519("mydomain.de.example", "s1"));

/// A mail of ours to the forger, or to the victim, some days ago (or ahead).
fn ours(to: &str, days: i64) -> String {
    let made = NOW.saturating_add_signed(-days * DAY.cast_signed());
    signed_at(&OUR_KEY, to, 1, made)
}

fn token_of(to: &str, platform: &str, days: i64) -> String {
    let secret = Secret::new(SECRET).expect("it is long enough");
    let today = Day::of(UNIX_EPOCH + Duration::from_secs(NOW));
    let day = u32::try_from(i64::from(today.0) - days).expect("after 1970");
    secret.token(&address(to), platform, Day(day))
}

fn address(text: &str) -> Address {
    text.parse().expect("an address")
}

/// A bounce that returns only the header of a mail.
fn of_header(failed: &str, original: &str) -> Vec<u8> {
    let original = original.replace("\r\n", "\n");
    let (header, _) = original.split_once("\n\n").expect("a header and a body");
    let mail = String::from_utf8(bounce(failed, UNKNOWN, header)).expect("UTF-8");
    mail.replace("message/rfc822", "text/rfc822-headers")
        .into_bytes()
}

/// A bounce in bare text.
fn text(failed: &str, to: &str) -> Vec<u8> {
    format!(
        "From: MAILER-DAEMON@mx.example.net\nTo: {to}\nSubject: failure notice\n\n\
         Hi. This is the qmail-send program at mx.example.net.\n\
         I'm afraid I wasn't able to deliver your message to the following addresses.\n\
         This is a permanent error; I've given up. Sorry it didn't work out.\n\n\
         <{failed}>:\nSorry, no mailbox here by that name. (#5.1.1)\n"
    )
    .into_bytes()
}

fn path(token: &str) -> String {
    format!("no-reply+{token}@{OURS}")
}

/// A complaint of somebody that returns this.
fn complaint(of: &str, original: &str) -> Vec<u8> {
    format!(
        "From: fbl@example.net\nTo: no-reply@{OURS}\nSubject: complaint\nMIME-Version: 1.0\n\
         Content-Type: multipart/report; report-type=feedback-report; boundary=b\n\n\
         --b\nContent-Type: message/feedback-report\n\nFeedback-Type: abuse\nUser-Agent: x/1\nVersion: 1\n\
         Original-Rcpt-To: {of}\n\n--b\nContent-Type: message/rfc822\n\n{original}\n--b--\n"
    )
    .into_bytes()
}

/// A bounce of many at once.
fn of_many(count: usize, original: &str) -> Vec<u8> {
    let groups: String = (0..count)
        .map(|n| {
            format!(
                "Final-Recipient: rfc822; victim{n}@example.org\nAction: failed\nStatus: 5.1.1\n\n"
            )
        })
        .collect();
    format!(
        "From: MAILER-DAEMON@mx.example.net\nTo: no-reply@{OURS}\nSubject: Undelivered Mail\nMIME-Version: 1.0\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n\
         --b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.net\n\n{groups}\
         --b\nContent-Type: message/rfc822\n\n{original}\n--b--\n"
    )
    .into_bytes()
}

/// A bounce as this mail system writes it, of the fixture's own address.
fn as_by(system: &str) -> Vec<u8> {
    file_of_repository(&format!("tests/fixtures/bounce/{system}.eml"))
}

fn edited(mail: Vec<u8>, from: &str, to: &str) -> Vec<u8> {
    let mail = String::from_utf8(mail).expect("UTF-8");
    assert!(mail.contains(from), "{from} in {mail}");
    mail.replacen(from, to, 1).into_bytes()
}

/// The mail systems whose forms are forged, by fixture.
const SYSTEMS: [&str; 16] = [
    "postfix-user-unknown",
    "exim-user-unknown",
    "sendmail-user-unknown",
    "courier-user-unknown",
    "opensmtpd-user-unknown",
    "dma-user-unknown",
    "qmail-several-recipients",
    "gmail-old-failed-permanently",
    "exchange-2010-html-only",
    "domino-german-directory",
    "notes-returned-message",
    "james-user-unknown",
    "mailenable-recipient-rejected",
    "mimecast-text",
    "home-made-sentence",
    "verp-with-hyphens-among-several",
];

/// Every attack by name.
fn attacks() -> Vec<(String, Vec<u8>)> {
    let to_forger = ours(FORGER, 1);
    let old = ours(VICTIM, 15);
    let unsigned =
        format!("From: no-reply@{OURS}\nTo: {VICTIM}\nMessage-ID: <1@{OURS}>\n\nHello\n");
    let his = |signer: &Signer| signed_at(signer, VICTIM, 1, NOW);
    let with_token = |token: &str| format!("X-Bounce-Token: {token}\n{unsigned}");
    let mut attacks: Vec<(String, Vec<u8>)> = SYSTEMS
        .iter()
        .map(|system| ((*system).to_owned(), as_by(system)))
        .collect();
    let mut add = |name: &str, mail: Vec<u8>| attacks.push((name.to_owned(), mail));
    add(
        "nothing returned",
        text(VICTIM, &format!("no-reply@{OURS}")),
    );
    add("an unsigned original", bounce(VICTIM, UNKNOWN, &unsigned));
    add(
        "the forger's own original",
        bounce(VICTIM, UNKNOWN, &to_forger),
    );
    add("its header alone", of_header(VICTIM, &to_forger));
    add(
        "renamed to the victim",
        bounce(VICTIM, UNKNOWN, &to_forger.replace(FORGER, VICTIM)),
    );
    add(
        "a second To above",
        bounce(VICTIM, UNKNOWN, &format!("To: {VICTIM}\n{to_forger}")),
    );
    let below = to_forger.replacen("Subject:", &format!("To: {VICTIM}\r\nSubject:"), 1);
    add("a second To below", bounce(VICTIM, UNKNOWN, &below));
    add(
        "a Cc added",
        bounce(VICTIM, UNKNOWN, &format!("Cc: {VICTIM}\n{to_forger}")),
    );
    add(
        "an old original of the victim",
        bounce(VICTIM, UNKNOWN, &old),
    );
    let refreshed = old.replace("t=", "t=1");
    add(
        "an old one with a later time",
        bounce(VICTIM, UNKNOWN, &refreshed),
    );
    add(
        "one from the future",
        bounce(VICTIM, UNKNOWN, &ours(VICTIM, -3)),
    );
    let stripped: String = ours(VICTIM, 1)
        .split_inclusive('\n')
        .skip_while(|line| !line.starts_with("From:"))
        .collect();
    add("a stripped signature", bounce(VICTIM, UNKNOWN, &stripped));
    add(
        "a key of the forger's",
        bounce(VICTIM, UNKNOWN, &his(&HIS_KEY)),
    );
    add(
        "a domain of the forger's",
        bounce(VICTIM, UNKNOWN, &his(&HIS_DOMAIN)),
    );
    add(
        "another selector",
        bounce(VICTIM, UNKNOWN, &his(&HIS_KEY).replace("s=s1", "s=s2")),
    );
    let two = format!(
        "{}{}",
        his(&HIS_KEY).split("From:").next().expect("a signature"),
        to_forger
    );
    add("two signatures", bounce(VICTIM, UNKNOWN, &two));
    let delivered = format!("Delivered-To: {VICTIM}\n{to_forger}");
    add("a trace of the victim", bounce(VICTIM, UNKNOWN, &delivered));
    let received = format!("Received: from a by b for <{VICTIM}>; Tue\n{to_forger}");
    add("another trace", bounce(VICTIM, UNKNOWN, &received));
    let original = edited(
        bounce(FORGER, UNKNOWN, &to_forger),
        "Final-Recipient:",
        &format!("Original-Recipient: rfc822; {VICTIM}\nFinal-Recipient:"),
    );
    add("mailed to the victim, as it says", original);
    let failed = edited(
        bounce(FORGER, UNKNOWN, &to_forger),
        "Subject:",
        &format!("X-Failed-Recipients: {VICTIM}\nSubject:"),
    );
    add(
        "the victim in a field of Exim's",
        edited(failed, FORGER, VICTIM),
    );
    add(
        "VERP with the victim's address",
        text(VICTIM, &format!("no-reply+victim=example.org@{OURS}")),
    );
    add(
        "VERP and the forger's original",
        edited(
            bounce(FORGER, UNKNOWN, &to_forger),
            "no-reply@",
            "no-reply+victim=example.org@",
        ),
    );
    add(
        "a guessed token",
        text(VICTIM, &path(&format!("512e{}", "7".repeat(26)))),
    );
    add("no token's form", text(VICTIM, &path("victim")));
    add(
        "the forger's token",
        text(VICTIM, &path(&token_of(FORGER, OURS, 0))),
    );
    add(
        "the victim's token at another platform",
        text(VICTIM, &path(&token_of(VICTIM, "opensap.info", 0))),
    );
    add(
        "an old token",
        text(VICTIM, &path(&token_of(VICTIM, OURS, 15))),
    );
    let renewed = format!(
        "{}{}",
        &token_of(VICTIM, OURS, 0)[..4],
        &token_of(VICTIM, OURS, 15)[4..]
    );
    add("an old token with a new day", text(VICTIM, &path(&renewed)));
    add(
        "a token of days to come",
        text(VICTIM, &path(&token_of(VICTIM, OURS, -3))),
    );
    add(
        "the forger's token in the header",
        bounce(VICTIM, UNKNOWN, &with_token(&token_of(FORGER, OURS, 0))),
    );
    let outside = edited(
        bounce(VICTIM, UNKNOWN, &unsigned),
        "Subject:",
        &format!("X-Bounce-Token: {}\nSubject:", token_of(VICTIM, OURS, 0)),
    );
    add("a token outside of the original", outside);
    add("a complaint", complaint(VICTIM, &unsigned));
    add(
        "a complaint with a mail of ours to the victim",
        complaint(VICTIM, &ours(VICTIM, 1)),
    );
    add(
        "a complaint with the forger's token",
        complaint(VICTIM, &with_token(&token_of(FORGER, OURS, 0))),
    );
    add("twenty at once", of_many(20, &to_forger));
    add("a thousand at once", of_many(1_000, &to_forger));
    add(
        "twenty at once, with a token",
        edited(
            of_many(20, &unsigned),
            "no-reply@",
            &format!("no-reply+{}@", token_of(FORGER, OURS, 0)),
        ),
    );
    attacks
}

/// A platform with a key and a secret.
struct Service {
    keys: Keys,
    knowledge: Knowledge,
    policy: Policy,
}

impl Service {
    fn new(is_proof_required: bool) -> Service {
        let mut keys = Keys::none();
        keys.add(
            OURS,
            "s1",
            PublicKey::parse(OUR_KEY.record()).expect("a key"),
        );
        let mut knowledge = Knowledge::builtin();
        let secret = Secret::new(SECRET).expect("it is long enough");
        knowledge.secrets.insert(OURS.to_owned(), vec![secret]);
        let platforms = [OURS, "openhpi.example", "campus.example"];
        let mut policy = Policy {
            platforms: platforms.into_iter().collect(),
            complaints: Complaints::Suspend,
            ..Policy::default()
        };
        if is_proof_required {
            policy.proof_required = platforms.map(str::to_owned).into();
        }
        Service {
            keys,
            knowledge,
            policy,
        }
    }

    fn verdict(&self, mail: &[u8]) -> Verdict {
        let known = Known {
            keys: &self.keys,
            today: Day::of(UNIX_EPOCH + Duration::from_secs(NOW)),
            ..Known::default()
        };
        Verdict::of(mail, known, &self.knowledge, &self.policy)
    }
}

/// What is done with each address.
fn done(verdict: &Verdict) -> Vec<(String, Action)> {
    match &verdict.decision {
        Decision::Act { rulings, .. } => {
            let done = rulings
                .iter()
                .map(|ruling| (ruling.address.to_string(), ruling.action));
            done.collect()
        }
        Decision::Ignore { .. } | Decision::Quarantine { .. } => Vec::new(),
    }
}

#[test]
fn where_proof_is_required_no_forgery_suspends_or_counts_anybody() {
    let service = Service::new(true);
    let attacks = attacks();
    assert!(attacks.len() >= 40, "{}", attacks.len());
    for (name, mail) in &attacks {
        let verdict = service.verdict(mail);
        let acted_on: Vec<_> = done(&verdict)
            .into_iter()
            .filter(|(_, action)| *action != Action::Ignore)
            .collect();
        assert!(acted_on.is_empty(), "{name}: {acted_on:?}");
        for finding in &verdict.findings {
            assert_ne!(
                finding.proof.standing,
                Standing::Proven,
                "{name}: {}",
                finding.proof
            );
        }
    }
}

/// Nothing is done that would not be done without any key and secret, and nobody is called proven.
#[test]
fn where_proof_is_noted_forgeries_do_what_their_words_do_unless_they_are_contradicted() {
    let service = Service::new(false);
    let by_words = Service {
        keys: Keys::none(),
        knowledge: Knowledge::builtin(),
        ..Service::new(false)
    };
    let (mut contradicted, mut acted_on) = (0, 0);
    for (name, mail) in attacks() {
        let verdict = service.verdict(&mail);
        let expected = done(&by_words.verdict(&mail));
        let done = done(&verdict);
        if expected.is_empty() {
            // It is in quarantine, by its words or as there are too many.
            assert!(
                done.iter().all(|is| is.1 == Action::Ignore),
                "{name}: {done:?}"
            );
            continue;
        }
        assert_eq!(done.len(), expected.len(), "{name}");
        for (is, without_proofs) in done.iter().zip(expected) {
            let finding = verdict
                .findings
                .iter()
                .find(|finding| finding.recipient.address.as_str() == is.0);
            let proof = &finding.expect("a finding").proof;
            assert_ne!(proof.standing, Standing::Proven, "{name}: {proof}");
            assert!(!proof.sentence.is_empty());
            match proof.standing {
                Standing::Contradicted => {
                    assert_eq!(is.1, Action::Ignore, "{name}");
                    contradicted += 1;
                }
                _ => {
                    assert_eq!(*is, without_proofs, "{name}: {proof}");
                    acted_on += 1;
                }
            }
        }
    }
    // Both are there to be seen.
    assert!(
        contradicted > 10 && acted_on > 10,
        "{contradicted}, {acted_on}"
    );
}

/// The other way round, or nothing would be shown: of what is true, each of these proves it.
#[test]
fn the_same_mails_prove_what_is_true() {
    let service = Service::new(true);
    let token = |to: &str| token_of(to, OURS, 14);
    let unsigned = format!("From: no-reply@{OURS}\nTo: {VICTIM}\n\nHello\n");
    for mail in [
        bounce(VICTIM, UNKNOWN, &ours(VICTIM, 14)),
        of_header(VICTIM, &ours(VICTIM, 0)),
        text(VICTIM, &path(&token(VICTIM))),
        bounce(
            VICTIM,
            UNKNOWN,
            &format!("X-Bounce-Token: {}\n{unsigned}", token(VICTIM)),
        ),
        complaint(
            VICTIM,
            &format!("X-Bounce-Token: {}\n{unsigned}", token(VICTIM)),
        ),
    ] {
        let done = done(&service.verdict(&mail));
        assert_eq!(done, [(VICTIM.to_owned(), Action::Suspend)]);
    }
}

/// Who forges a forward has his own address counted, and nobody else's.
#[test]
fn a_forged_forward_touches_nobody_but_the_forger() {
    let service = Service::new(true);
    let own = format!("Delivered-To: {FORGER}\n{}", ours(FORGER, 1));
    for failed in ["victim@elsewhere.example", VICTIM] {
        let done = done(&service.verdict(&bounce(failed, UNKNOWN, &own)));
        assert!(
            done.iter().all(|(address, _)| address == FORGER),
            "{done:?}"
        );
    }
}

#[test]
fn no_fixture_of_any_mail_system_is_acted_on_where_proof_is_required() {
    let service = Service::new(true);
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/bounce");
    let mut mails = 0;
    for file in std::fs::read_dir(folder).expect("the fixtures") {
        let file = file.expect("a file").path();
        if file.extension().is_some_and(|extension| extension == "eml") {
            let verdict = service.verdict(&std::fs::read(&file).expect("a fixture"));
            let acts = done(&verdict)
                .iter()
                .any(|(_, action)| *action != Action::Ignore);
            assert!(!acts, "{}", file.display());
            mails += 1;
        }
    }
    assert!(mails > 300, "{mails}");
}
