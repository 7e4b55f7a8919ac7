//! The platform's token, in a header and in the return path.

use crate::mails::{OURS, Situation, TODAY, address, headers, news, whole};
use bouncedemails::trust::{Day, Evidence, MAX_AGE, Secret, Standing};

const DEAD: &str = "Dead@Example.com";
const VICTIM: &str = "victim@example.com";

fn secret(text: &str) -> Secret {
    Secret::new(text).expect("it is long enough")
}

fn situation(secrets: &[&str]) -> Situation {
    Situation {
        secrets: secrets.iter().map(|text| secret(text)).collect(),
        ..Situation::default()
    }
}

const SECRET: &str = "the only secret of the tests";

fn token(mailed: &str) -> String {
    secret(SECRET).token(&address(mailed), OURS, TODAY)
}

/// A bounce in bare text, which returns nothing.
fn text(failed: &str, to: &str) -> String {
    format!(
        "From: MAILER-DAEMON@mx.example.net\nTo: {to}\nSubject: failure notice\n\n\
         Hi. This is the qmail-send program at mx.example.net.\n\
         I'm afraid I wasn't able to deliver your message to the following addresses.\n\
         This is a permanent error; I've given up. Sorry it didn't work out.\n\n\
         <{failed}>:\nSorry, no mailbox here by that name. (#5.1.1)\n"
    )
}

#[test]
fn a_token_in_the_return_path_proves_a_bare_text() {
    let known = situation(&[SECRET]);
    let path = format!("no-reply+{}@openhpi.de", token(DEAD));
    let mail = text("dead@example.com", &path.to_ascii_uppercase());
    let proof = known.proof(&mail, "dead@example.com");
    assert_eq!(
        (proof.standing, proof.by),
        (Standing::Proven, Some(Evidence::TokenReturnPath))
    );
    assert_eq!(proof.spends, [token(DEAD)]);
    for field in ["Delivered-To", "X-Original-To"] {
        let mail = format!(
            "{field}: {path}\n{}",
            text("dead@example.com", "no-reply@openhpi.de")
        );
        assert_eq!(
            known.proof(&mail, "dead@example.com").standing,
            Standing::Proven
        );
    }
    let by_envelope = Situation {
        envelope: vec![address(&path)],
        ..situation(&[SECRET])
    };
    let mail = text("dead@example.com", "no-reply@openhpi.de");
    assert_eq!(
        by_envelope.proof(&mail, "dead@example.com").standing,
        Standing::Proven
    );
    assert_eq!(
        known.proof(&mail, "dead@example.com").standing,
        Standing::Unproven
    );
}

#[test]
fn a_token_in_the_header_proves_what_returns_it() {
    let known = situation(&[SECRET]);
    let original = format!("X-Bounce-Token: {}\n{}", token(DEAD), news(DEAD));
    for mail in [
        whole("dead@example.com", &original),
        headers("dead@example.com", &original),
    ] {
        let proof = known.proof(&mail, "dead@example.com");
        assert_eq!(
            (proof.standing, proof.by),
            (Standing::Proven, Some(Evidence::TokenHeader))
        );
    }
    // In the header of the bounce itself it is worth nothing.
    let mail = format!(
        "X-Bounce-Token: {}\n{}",
        token(DEAD),
        whole("dead@example.com", &news(DEAD))
    );
    assert_eq!(
        known.proof(&mail, "dead@example.com").standing,
        Standing::Unproven
    );
}

/// Attacks: somebody else's address, an old one, another platform's, a guess.
#[test]
fn a_token_is_worth_nothing_elsewhere() {
    let with = |token: &str| text(VICTIM, &format!("no-reply+{token}@openhpi.de"));
    let on = |today| Situation {
        today,
        ..situation(&[SECRET])
    };
    let mine = with(&token(VICTIM));
    assert_eq!(on(TODAY).proof(&mine, VICTIM).standing, Standing::Proven);
    assert_eq!(
        on(Day(TODAY.0 + MAX_AGE)).proof(&mine, VICTIM).standing,
        Standing::Proven
    );
    let old = on(Day(TODAY.0 + MAX_AGE + 1)).proof(&mine, VICTIM);
    assert_eq!(old.standing, Standing::Unproven);
    assert!(old.sentence.contains("is old"), "{}", old.sentence);
    assert_eq!(
        on(Day(TODAY.0 - 2)).proof(&mine, VICTIM).standing,
        Standing::Unproven
    );
    let elsewhere = secret(SECRET).token(&address(VICTIM), "opensap.info", TODAY);
    let renewed = format!("{:04x}{}", TODAY.0 + 1, &token(VICTIM)[4..]);
    for other in [
        token(DEAD),
        elsewhere,
        renewed,
        "0".repeat(30),
        format!("{:04x}{}", TODAY.0, "0".repeat(26)),
    ] {
        let proof = on(TODAY).proof(&with(&other), VICTIM);
        assert_eq!(proof.standing, Standing::Unproven, "{other}");
        assert!(proof.spends.is_empty());
    }
}

#[test]
fn every_secret_checks_while_they_rotate() {
    let mail = text(VICTIM, &format!("no-reply+{}@openhpi.de", token(VICTIM)));
    let rotated = situation(&["the secret that comes next", SECRET]);
    assert_eq!(rotated.proof(&mail, VICTIM).standing, Standing::Proven);
    let gone = situation(&["the secret that comes next"]);
    assert_eq!(gone.proof(&mail, VICTIM).standing, Standing::Unproven);
}
