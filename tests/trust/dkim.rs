//! Our signature of the original.

use crate::mails::{
    ED25519, NOW, OURS, RSA, SIGNING, Situation, TODAY, add, bounce, headers, news, proof, signed,
    whole,
};
use crate::support::{Signer, Signing};
use bouncedemails::report;
use bouncedemails::trust::{
    Clues, Day, Evidence, Keys, Known, MAX_AGE, Proof, PublicKey, Standing,
};

const DEAD: &str = "dead@example.com";
const VICTIM: &str = "victim@example.com";

#[track_caller]
fn assert_proven(proof: &Proof, by: Evidence) {
    assert_eq!(
        (proof.standing, proof.by),
        (Standing::Proven, Some(by)),
        "{}",
        proof.sentence
    );
    assert_eq!(proof.spends.len(), 1);
}

#[track_caller]
fn assert_unproven(proof: &Proof, words: &str) {
    assert_eq!(proof.standing, Standing::Unproven, "{}", proof.sentence);
    assert!(proof.sentence.contains(words), "{}", proof.sentence);
    assert!(proof.spends.is_empty());
}

#[track_caller]
fn assert_contradicted(proof: &Proof, words: &str) {
    assert_eq!(proof.standing, Standing::Contradicted, "{}", proof.sentence);
    assert!(proof.sentence.contains(words), "{}", proof.sentence);
    assert!(proof.spends.is_empty());
}

#[test]
fn a_returned_mail_of_ours_proves_its_bounce() {
    for signer in [&*RSA, &*ED25519] {
        for canonicalization in [
            "relaxed/relaxed",
            "relaxed/simple",
            "simple/relaxed",
            "simple/simple",
        ] {
            let how = Signing {
                canonicalization,
                ..SIGNING
            };
            let original = signer.sign(how, &news(DEAD));
            let proven = proof(&whole(DEAD, &original), DEAD);
            assert_proven(&proven, Evidence::Dkim);
            assert_eq!(proven.spends, ["<news.7@openhpi.de>"]);
            // Over a pipe, mails come with bare line feeds.
            let lf = whole(DEAD, &original).replace("\r\n", "\n");
            assert_proven(&proof(&lf, DEAD), Evidence::Dkim);
            assert_proven(
                &proof(&headers(DEAD, &original), DEAD),
                Evidence::DkimHeader,
            );
        }
    }
}

#[test]
fn a_body_that_does_not_fit_is_said_and_proves_less() {
    let original = signed(DEAD);
    let short = original.replace("new video. ", "");
    let cut = proof(&whole(DEAD, &short), DEAD);
    assert_proven(&cut, Evidence::DkimHeader);
    assert!(
        cut.sentence.contains("cut short, or changed"),
        "{}",
        cut.sentence
    );
    let absent = proof(&headers(DEAD, &original), DEAD);
    assert!(
        absent.sentence.contains("not returned"),
        "{}",
        absent.sentence
    );
}

#[test]
fn a_returned_mail_below_a_text_proves_it() {
    let original = signed(DEAD).replace("\r\n", "\n");
    let text = format!(
        "From: Mail Delivery System <Mailer-Daemon@mx.example.org>\nTo: no-reply@openhpi.de\n\
         Auto-Submitted: auto-replied\nSubject: Mail delivery failed: returning message to sender\n\n\
         This message was created automatically by mail delivery software.\n\n\
         A message that you sent could not be delivered to one or more of its\nrecipients. \
         This is a permanent error. The following address(es) failed:\n\n  {DEAD}\n    \
         host mx.example.org [192.0.2.1]\n    SMTP error from remote mail server after RCPT TO:<{DEAD}>:\n    \
         550 no such user\n\n\
         ------ This is a copy of the message, including all the headers. ------\n\n{original}"
    );
    assert_proven(&proof(&text, DEAD), Evidence::Dkim);
    assert_contradicted(
        &proof(&text.replace("new   video", "bad video"), DEAD),
        "was changed",
    );
}

#[test]
fn what_changes_on_the_way_does_no_harm() {
    let original = signed("Some Body <Dead@Example.COM>");
    let folded = original
        .replace("To: Some Body <", "TO:  Some Body\r\n <")
        .replace("\r\n\tnew   video", " new video");
    let traced =
        format!("Received: by mx.example.net\r\nReturn-Path: <no-reply@openhpi.de>\r\n{folded}");
    assert_proven(&proof(&whole(DEAD, &traced), DEAD), Evidence::Dkim);
}

#[test]
fn one_of_several_addressees_is_named_too() {
    let original = signed("a@example.com, dead@example.com");
    assert_proven(&proof(&whole(DEAD, &original), DEAD), Evidence::Dkim);
    let victim = proof(&whole(VICTIM, &original), VICTIM);
    assert_contradicted(
        &victim,
        "of a mail to a@example.com and 1 more, not to this address",
    );
}

/// Attack: whoever got a mail of ours says that somebody else's address failed.
#[test]
fn an_original_of_ones_own_proves_nothing_of_another() {
    let original = signed("attacker@example.org");
    let forged = proof(&whole(VICTIM, &original), VICTIM);
    assert_contradicted(
        &forged,
        "of a mail to attacker@example.org, not to this address",
    );
    assert_contradicted(
        &proof(&headers(VICTIM, &original), VICTIM),
        "not to this address",
    );
}

/// Where the attacker's own host says so, it is as if he had passed the mail on: then nobody is judged but himself.
#[test]
fn whoever_got_a_mail_of_ours_answers_for_it() {
    let report = report::parse(whole(VICTIM, &signed("attacker@example.net")).as_bytes());
    let judged: Vec<&str> = report
        .recipients
        .iter()
        .map(|one| one.address.as_str())
        .collect();
    assert_eq!(judged, ["attacker@example.net"]);
    assert!(report.recipients[0].behind_forward().is_some());
}

/// Attack: he writes the other's name into it.
#[test]
fn an_original_with_another_name_is_contradicted() {
    let original = signed("attacker@example.org");
    for forged in [
        original.replace("attacker@example.org", VICTIM),
        original.replace("To: ", &format!("To: {VICTIM}, ")),
        original.replace("\r\nSubject:", &format!("\r\nTo: {VICTIM}\r\nSubject:")),
        original.replace("\r\nDate: Wed, 25", "\r\nDate: Thu, 26"),
    ] {
        assert_contradicted(&proof(&whole(VICTIM, &forged), VICTIM), "it was changed");
    }
}

/// Attack: he puts another field of the same name on top of the signed one.
#[test]
fn a_field_above_the_signed_one_counts_for_nothing() {
    let original = signed("attacker@example.net");
    let forged = format!("To: {VICTIM}\r\nMessage-ID: <2@openhpi.de>\r\n{original}");
    let on_top = proof(&whole(VICTIM, &forged), VICTIM);
    assert_contradicted(&on_top, "of a mail to attacker@example.net");
    // Nor does another Message-ID make the same mail spent anew.
    let other = format!("Message-ID: <2@openhpi.de>\r\n{}", signed(DEAD));
    let proven = proof(&whole(DEAD, &other), DEAD);
    assert_eq!(proven.spends, ["<news.7@openhpi.de>"]);
    // With `To` signed as absent a second time, none may be added.
    let how = Signing {
        names: "from:to:to:date",
        ..SIGNING
    };
    let original = RSA.sign(how, &news(DEAD));
    assert_proven(&proof(&whole(DEAD, &original), DEAD), Evidence::Dkim);
    let added = format!("To: {VICTIM}\r\n{original}");
    assert_contradicted(&proof(&whole(DEAD, &added), DEAD), "it was changed");
}

/// Attack: white space, which a relaxed signature does not cover, makes another Message-ID of it.
#[test]
fn a_mail_has_one_identity_however_it_is_written() {
    let original = signed(DEAD);
    let blown = original.replace("<news.7@openhpi.de>", "\t <news.7@openhpi.de>  ");
    let spends = proof(&whole(DEAD, &blown), DEAD).spends;
    assert_eq!(spends, ["<news.7@openhpi.de>"]);
    // Where it is not signed, the signature itself is the identity: in whatever lines it stands.
    let how = Signing {
        names: "from:to:date",
        ..SIGNING
    };
    let original = RSA.sign(how, &news(DEAD));
    let first = proof(&whole(DEAD, &original), DEAD).spends;
    let at = original.rfind(" b=").expect("a signature") + 20;
    let refolded = format!("{}\r\n {}", &original[..at], &original[at..]);
    let renamed = refolded.replace("news.7@", "news.8@");
    assert_eq!(proof(&whole(DEAD, &renamed), DEAD).spends, first);
    assert!(first[0].starts_with("sha256:"), "{first:?}");
}

/// Attack: a mail of ours from long ago. The end of its validity is no matter, as a bounce may come after it.
#[test]
fn an_old_original_proves_nothing() {
    let mail = whole(DEAD, &signed(DEAD));
    let on = |day| Situation {
        today: Day(day),
        ..Situation::default()
    };
    assert_proven(&on(TODAY.0 + MAX_AGE).proof(&mail, DEAD), Evidence::Dkim);
    assert_unproven(
        &on(TODAY.0 + MAX_AGE + 1).proof(&mail, DEAD),
        "is old: of 2026-11-25",
    );
    assert_unproven(&on(TODAY.0 - 2).proof(&mail, DEAD), "yet to come");
}

#[test]
fn a_signature_without_time_is_as_old_as_its_date() {
    let undated = |names: &str, date: &str| {
        let how = Signing {
            names,
            made: 0,
            ..SIGNING
        };
        let original = news(DEAD).replace("Wed, 25 Nov 2026 11:00:00 +0000", date);
        RSA.sign(how, &original)
    };
    let fresh = undated("from:to:date", "Wed, 25 Nov 2026 01:00:00 +0200 (CEST)");
    assert_proven(&proof(&whole(DEAD, &fresh), DEAD), Evidence::Dkim);
    let old = undated("from:to:date", "Wed, 04 Nov 2026 01:00:00 +0200");
    assert_unproven(&proof(&whole(DEAD, &old), DEAD), "is old: of 2026-11-03");
    let unsigned = undated("from:to", "Wed, 25 Nov 2026 01:00:00 +0200");
    assert_unproven(&proof(&whole(DEAD, &unsigned), DEAD), "does not say when");
    let unreadable = undated("from:to:date", "soon");
    assert_unproven(&proof(&whole(DEAD, &unreadable), DEAD), "does not say when");
}

/// Attack: without its signature the original proves nothing, but is no contradiction either.
#[test]
fn a_stripped_original_is_unproven() {
    assert_unproven(
        &proof(&whole(VICTIM, &news(VICTIM)), VICTIM),
        "nothing proves",
    );
}

/// Attack: a signature over everything but the addressee.
#[test]
fn a_signature_that_does_not_cover_the_addressee_binds_nobody() {
    let how = Signing {
        names: "from:date:message-id",
        ..SIGNING
    };
    let original = RSA.sign(how, &news("attacker@example.net"));
    let forged = original.replace("attacker@example.net", VICTIM);
    assert_unproven(
        &proof(&whole(VICTIM, &forged), VICTIM),
        "does not say to whom",
    );
    let nobody = signed("undisclosed-recipients:;");
    assert_unproven(&proof(&whole(VICTIM, &nobody), VICTIM), "to nobody by name");
}

/// Attack: signed by a domain of the attacker's, or by a key of his own that claims to be ours.
#[test]
fn only_our_domains_and_keys_prove() {
    let theirs = Signer::ed25519("example.net", "e2026");
    let mut situation = Situation::default();
    add(&mut situation.keys, &theirs);
    let original = theirs.sign(SIGNING, &news(VICTIM));
    assert_unproven(
        &situation.proof(&whole(VICTIM, &original), VICTIM),
        "nothing proves",
    );
    let same_name = Signer::ed25519(OURS, "e2026");
    let original = same_name.sign(SIGNING, &news(VICTIM));
    assert_contradicted(&proof(&whole(VICTIM, &original), VICTIM), "does not fit");
    let other_name = Signer::ed25519(OURS, "other");
    let original = other_name.sign(SIGNING, &news(VICTIM));
    assert_unproven(
        &proof(&whole(VICTIM, &original), VICTIM),
        "the key is not known",
    );
    let none = Situation {
        keys: Keys::default(),
        ..Situation::default()
    };
    assert_unproven(
        &none.proof(&whole(DEAD, &signed(DEAD)), DEAD),
        "the key is not known",
    );
}

/// A domain above or below the platform's signs for it; the key may have been replaced since, under the same name.
#[test]
fn neighbours_and_earlier_keys_prove() {
    for domain in ["mail.openhpi.de", OURS] {
        let (earlier, later) = (Signer::ed25519(domain, "e1"), Signer::ed25519(domain, "e1"));
        let mut situation = Situation::default();
        add(&mut situation.keys, &earlier);
        add(&mut situation.keys, &later);
        let original = earlier.sign(SIGNING, &news(DEAD));
        assert_proven(
            &situation.proof(&whole(DEAD, &original), DEAD),
            Evidence::Dkim,
        );
    }
}

/// Exchange writes headers anew: the bounce of a mail that we really sent must not be called forged.
#[test]
fn a_rewritten_original_is_no_forgery() {
    let original = signed(DEAD);
    let rewritten = original.replace(
        "Subject: There is a\r\n\tnew   video",
        "Subject: There is a newer video",
    );
    assert_ne!(rewritten, original);
    assert_contradicted(&proof(&whole(DEAD, &rewritten), DEAD), "it was changed");
    for mark in [
        "X-MS-Exchange-Organization-SCL: 1",
        "Thread-Topic: There is a video",
        "x-mimetrack: Itemize by SMTP Server",
        "X-Spam-Flag: YES",
    ] {
        let marked = format!("{mark}\r\n{rewritten}");
        assert_unproven(
            &proof(&whole(DEAD, &marked), DEAD),
            "was rewritten on the way",
        );
        // The mark alone takes nothing away.
        assert_proven(
            &proof(&whole(DEAD, &format!("{mark}\r\n{original}")), DEAD),
            Evidence::Dkim,
        );
    }
    let how = Signing {
        canonicalization: "simple/simple",
        ..SIGNING
    };
    let refolded = RSA
        .sign(how, &news(DEAD))
        .replace("\r\n\tnew   video", " new video");
    assert_unproven(
        &proof(&whole(DEAD, &refolded), DEAD),
        "was rewritten on the way",
    );
}

#[test]
fn a_header_that_is_cut_short_is_no_forgery() {
    let original = signed(DEAD);
    let (header, _) = original.split_once("\r\nDate:").expect("a date");
    // The mail ends within its header; the part has no end.
    let mail = bounce(DEAD, "text/rfc822-headers", header);
    let mail = mail.strip_suffix("\n--b--\n").expect("the end of the part");
    assert_unproven(&proof(mail, DEAD), "which is cut short");
    // With more than is kept in front of what was signed.
    let long = format!("X-Long: {}\r\n", "x".repeat(900)).repeat(40);
    let long = original.replacen("From:", &format!("{long}From:"), 1);
    assert_unproven(&proof(&whole(DEAD, &long), DEAD), "which is cut short");
}

#[test]
fn the_valid_one_of_several_signatures_decides() {
    let original = signed(DEAD);
    let broken = original.replacen(" b=", " b=AAAA", 1);
    let (broken, _) = broken.split_once("\r\nFrom:").expect("a header");
    for both in [
        format!("{broken}\r\n{original}"),
        original.replacen("\r\nFrom:", &format!("\r\n{broken}\r\nFrom:"), 1),
        ED25519.sign(SIGNING, &original),
    ] {
        assert_proven(&proof(&whole(DEAD, &both), DEAD), Evidence::Dkim);
    }
    // Beyond eight none is looked at, from the bottom up.
    let many = format!("{broken}\r\n").repeat(8);
    let below = original.replacen("\r\nFrom:", &format!("\r\n{many}From:"), 1);
    assert_contradicted(&proof(&whole(DEAD, &below), DEAD), "does not fit");
}

/// RFC 8463 appendix A.3: signed by its authors.
#[test]
fn the_example_of_the_standard_is_proven() {
    const MAIL: &str = "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=brisbane; t=1528637909; h=from : to :
 subject : date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus
 Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==
DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=test; t=1528637909; h=from : to : subject :
 date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3
 DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz
 dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=
From: Joe SixPack <joe@football.example.com>
To: Suzie Q <suzie@shopping.example.net>
Subject: Is dinner ready?
Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)
Message-ID: <20030712040037.46341.5F8J@football.example.com>

Hi.

We lost the game.  Are you hungry yet?

Joe.
";
    let records = [
        (
            "brisbane",
            "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
        ),
        (
            "test",
            "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWR\
             iGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutAC\
             DfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3\
             Ip3G+2kryOTIKT+l/K4w3QIDAQAB",
        ),
    ];
    for (selector, record) in records {
        let mut keys = Keys::default();
        let key = PublicKey::parse(record).expect("a key");
        keys.add("football.example.com", selector, key);
        let to = "suzie@shopping.example.net";
        let raw = whole(to, MAIL);
        let report = report::parse(raw.as_bytes());
        let known = Known {
            platform: "football.example.com",
            raw: raw.as_bytes(),
            envelope_recipients: &[],
            keys: &keys,
            secrets: &[],
            today: Day(17_692),
        };
        let clues = Clues::find(&report, known);
        assert_proven(
            &clues.about(&to.parse().expect("an address")),
            Evidence::Dkim,
        );
    }
    assert_eq!(NOW / 86_400, u64::from(TODAY.0));
}
