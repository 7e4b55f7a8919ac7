//! What is decided about a mail, as DESIGN 5 has it.

use bouncedemails::address::Address;
use bouncedemails::diagnosis::{BounceType, Diagnosis, Reason};
use bouncedemails::policy::{
    Action, Complaint, Complaints, Counting, Decision, Finding, Known, Policy, Unhandled, decide,
};
use bouncedemails::report::{self, Envelope, Kind, Original, Recipient, Report};
use bouncedemails::trust::{Evidence, Proof, Standing};
use std::sync::Arc;

/// The policy of a service for some platforms, with every default.
fn policy() -> Policy {
    let domains = ["openhpi.de", "lists.hpi.de", "Bücher.de", "shop.co.uk"];
    Policy {
        platforms: domains.into_iter().collect(),
        ..Policy::default()
    }
}

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

fn bounce(recipients: &[&str]) -> Report {
    let recipient = |text: &&str| Recipient::new(address(text), "Final-Recipient");
    Report {
        kind: Kind::Bounce,
        evidence: "a delivery status part".to_owned(),
        envelope: Envelope {
            to: vec![address("no-reply@openhpi.de")],
            ..Envelope::default()
        },
        recipients: recipients.iter().map(recipient).collect(),
        complainants: Vec::new(),
        original: Original::default(),
        limits: Vec::new(),
    }
}

fn diagnosis(reason: Reason) -> Diagnosis {
    Diagnosis {
        reason,
        bounce_type: reason.bounce_type(),
        status: "5.1.1".parse().ok(),
        evidence: "its words".to_owned(),
    }
}

/// The recipients of a report, each with its diagnosis.
fn findings(report: &Report, diagnoses: &[Diagnosis]) -> Vec<Arc<Finding>> {
    assert_eq!(report.recipients.len(), diagnoses.len());
    let pairs = report.recipients.iter().zip(diagnoses);
    pairs
        .map(|(recipient, diagnosis)| {
            Arc::new(Finding {
                recipient: recipient.clone(),
                diagnosis: diagnosis.clone(),
                proof: Proof::UNPROVEN,
            })
        })
        .collect()
}

/// What a token of ours proves.
fn by_token() -> Proof {
    Proof {
        standing: Standing::Proven,
        by: Some(Evidence::TokenHeader),
        sentence: "made for this address".into(),
        spends: vec!["token".to_owned()],
    }
}

/// The complaints of a report, each with its token.
fn complaints(report: &Report) -> Vec<Complaint> {
    let complaint = |address: &Address| Complaint {
        address: address.clone(),
        proof: by_token(),
    };
    report.complainants.iter().map(complaint).collect()
}

/// The platform, and what is done about each address.
fn decided(
    report: &Report,
    diagnoses: &[Diagnosis],
    policy: &Policy,
) -> (String, Vec<(String, Action)>) {
    let findings = findings(report, diagnoses);
    match decide(
        report,
        &findings,
        &complaints(report),
        Known::default(),
        policy,
    ) {
        Decision::Act { platform, rulings } => (
            platform,
            rulings
                .into_iter()
                .map(|ruling| (ruling.address.to_string(), ruling.action))
                .collect(),
        ),
        other => panic!("{other:?}"),
    }
}

/// What is done about one recipient who failed for `reason`.
fn action(reason: Reason, policy: &Policy) -> Action {
    decided(&bounce(&["a@example.com"]), &[diagnosis(reason)], policy).1[0].1
}

#[test]
fn hard_suspends_at_once() {
    for reason in [
        Reason::UserUnknown,
        Reason::HostUnknown,
        Reason::HasMoved,
        Reason::NotAccept,
    ] {
        assert_eq!(action(reason, &policy()), Action::Suspend, "{reason}");
    }
}

/// A dead mailbox `end`, to which mail to `mailed` was passed on.
fn behind(mailed: &str, end: &str) -> Report {
    let mut report = bounce(&[mailed]);
    report.recipients[0].final_recipient = Some(address(end));
    report
}

#[test]
fn a_failure_behind_a_forward_only_counts() {
    let unknown = [diagnosis(Reason::UserUnknown)];
    let forwarded = behind("a@example.com", "b@example.org");
    let findings = findings(&forwarded, &unknown);
    let Decision::Act { rulings, .. } =
        decide(&forwarded, &findings, &[], Known::default(), &policy())
    else {
        panic!("nothing is done");
    };
    assert_eq!(rulings[0].address.as_str(), "a@example.com");
    assert_eq!(rulings[0].action, Action::Count);
    let why = &rulings[0].why;
    assert!(why.contains("only of b@example.org"), "{why}");
    // Another name of the same mailbox is no forward.
    for same in ["a@mx7.example.com", "a@example.onmicrosoft.com", "a@store"] {
        let rulings = decided(&behind("a@example.com", same), &unknown, &policy()).1;
        assert_eq!(rulings[0].1, Action::Suspend, "{same}");
    }
}

#[test]
fn an_address_that_failed_itself_is_suspended_whatever_failed_behind_it() {
    let mut report = bounce(&["a@example.com", "a@example.com"]);
    report.recipients[0].final_recipient = Some(address("b@example.org"));
    let both = [
        diagnosis(Reason::UserUnknown),
        diagnosis(Reason::UserUnknown),
    ];
    let rulings = decided(&report, &both, &policy()).1;
    assert_eq!(rulings, [("a@example.com".to_owned(), Action::Suspend)]);
}

#[test]
fn soft_counts_unless_it_is_our_own_fault() {
    assert_eq!(action(Reason::MailboxFull, &policy()), Action::Count);
    assert_eq!(action(Reason::NetworkError, &policy()), Action::Count);
    assert_eq!(action(Reason::Blocked, &policy()), Action::Ignore);
    assert_eq!(action(Reason::SpamDetected, &policy()), Action::Ignore);
}

#[test]
fn our_own_faults_count_when_it_is_configured() {
    let policy = Policy {
        count_sender_faults: true,
        ..policy()
    };
    assert_eq!(action(Reason::Blocked, &policy), Action::Count);
}

#[test]
fn no_soft_reason_ever_suspends_at_once() {
    let policy = Policy {
        count_sender_faults: true,
        ..policy()
    };
    for reason in Reason::ALL
        .iter()
        .filter(|reason| reason.bounce_type() == BounceType::Soft)
    {
        assert_ne!(action(*reason, &policy), Action::Suspend, "{reason}");
    }
}

#[test]
fn delayed_is_not_counted_whatever_the_reason() {
    let delayed = Diagnosis {
        bounce_type: BounceType::Delayed,
        ..diagnosis(Reason::UserUnknown)
    };
    let (_, rulings) = decided(&bounce(&["a@example.com"]), &[delayed], &policy());
    assert_eq!(rulings[0].1, Action::Ignore);
}

#[test]
fn an_address_that_one_mail_reports_both_ways_is_hard_and_ruled_once() {
    let report = bounce(&["A@example.com", "b@example.com", "a@example.com"]);
    let soft_then_hard = [
        diagnosis(Reason::MailboxFull),
        diagnosis(Reason::MailboxFull),
        diagnosis(Reason::UserUnknown),
    ];
    let (_, rulings) = decided(&report, &soft_then_hard, &policy());
    assert_eq!(
        rulings,
        [
            ("a@example.com".to_owned(), Action::Suspend),
            ("b@example.com".to_owned(), Action::Count)
        ]
    );
    let mut hard_then_soft = soft_then_hard;
    hard_then_soft.reverse();
    let (_, rulings) = decided(&report, &hard_then_soft, &policy());
    assert_eq!(rulings[0], ("A@example.com".to_owned(), Action::Suspend));
}

#[test]
fn the_sentence_names_type_reason_and_evidence() {
    let Decision::Act { rulings, .. } = decide(
        &bounce(&[]),
        &findings(
            &bounce(&["a@example.com"]),
            &[diagnosis(Reason::UserUnknown)],
        ),
        &[],
        Known::default(),
        &policy(),
    ) else {
        panic!("it acts")
    };
    assert_eq!(rulings[0].why, "hard, userunknown: its words");
}

fn with_complaints(policy: Policy) -> Policy {
    Policy {
        complaints: Complaints::Suspend,
        ..policy
    }
}

#[test]
fn complaints_are_ignored_unless_configured() {
    let mut complaint = bounce(&[]);
    complaint.kind = Kind::Feedback;
    complaint.complainants = vec![address("annoyed@example.com")];
    assert!(matches!(
        decide(&complaint, &[], &[], Known::default(), &policy()),
        Decision::Ignore { .. }
    ));
    let (platform, rulings) = decided(&complaint, &[], &with_complaints(policy()));
    assert_eq!(platform, "openhpi.de");
    assert_eq!(
        rulings,
        [("annoyed@example.com".to_owned(), Action::Suspend)]
    );
}

#[test]
fn replies_notices_and_other_mail_do_nothing() {
    for kind in [
        Kind::AutoReply,
        Kind::DeliveryNotice,
        Kind::None,
        Kind::Feedback,
    ] {
        let mut mail = bounce(&[]);
        mail.kind = kind;
        let decision = decide(&mail, &[], &[], Known::default(), &policy());
        assert!(
            matches!(
                decision,
                Decision::Ignore {
                    platform: Some(_),
                    ..
                }
            ),
            "{decision:?}"
        );
    }
}

#[test]
fn a_bounce_that_names_nobody_is_quarantined() {
    let decision = decide(&bounce(&[]), &[], &[], Known::default(), &policy());
    let why = Unhandled::NoRecipient(Kind::Bounce);
    assert_eq!(decision, Decision::Quarantine { why });
}

#[test]
fn a_mail_without_any_header_is_quarantined() {
    let report = report::parse(b"\0\xff\xfe");
    let decision = decide(&report, &[], &[], Known::default(), &policy());
    let why = Unhandled::Unreadable;
    assert_eq!(decision, Decision::Quarantine { why });
}

/// The platform of a bounce with these places to take it from.
fn platform(fill: impl FnOnce(&mut Report), envelope: &[&str]) -> Result<String, Unhandled> {
    let mut report = bounce(&["a@example.com"]);
    report.envelope.to.clear();
    fill(&mut report);
    let envelope: Vec<Address> = envelope.iter().map(|text| address(text)).collect();
    match decide(
        &report,
        &findings(&report, &[diagnosis(Reason::UserUnknown)]),
        &[],
        Known {
            envelope_recipients: &envelope,
            ..Known::default()
        },
        &policy(),
    ) {
        Decision::Act { platform, .. } => Ok(platform),
        Decision::Quarantine { why } => Err(why),
        other => panic!("{other:?}"),
    }
}

fn platform_of(to: &str) -> Option<String> {
    platform(|report| report.envelope.to = vec![address(to)], &[]).ok()
}

#[test]
fn the_platform_is_the_domain_or_its_closest_configured_parent() {
    assert_eq!(
        platform_of("no-reply@openhpi.de").as_deref(),
        Some("openhpi.de")
    );
    assert_eq!(
        platform_of("no-reply@OpenHPI.de").as_deref(),
        Some("openhpi.de")
    );
    assert_eq!(
        platform_of("no-reply@a.mail.openhpi.de").as_deref(),
        Some("openhpi.de")
    );
    assert_eq!(
        platform_of("no-reply@a.lists.hpi.de").as_deref(),
        Some("lists.hpi.de")
    );
    assert_eq!(
        platform_of("no-reply@mail.shop.co.uk").as_deref(),
        Some("shop.co.uk")
    );
    assert_eq!(platform_of("no-reply@hpi.de"), None, "a parent is no child");
    assert_eq!(platform_of("no-reply@notopenhpi.de"), None);
    assert_eq!(platform_of("no-reply@openhpi.de.evil.example"), None);
}

#[test]
fn a_domain_is_the_same_in_every_spelling() {
    for domain in [
        "bücher.de",
        "BÜCHER.de",
        "xn--bcher-kva.de",
        "XN--Bcher-KVA.de.",
        "bu\u{308}cher.de",
        "mail.bücher.de",
        "mail.xn--bcher-kva.de.",
    ] {
        let platform = platform_of(&format!("no-reply@{domain}"));
        assert_eq!(platform.as_deref(), Some("xn--bcher-kva.de"), "{domain}");
    }
    assert_eq!(
        platform_of("no-reply@openhpi.de.").as_deref(),
        Some("openhpi.de")
    );
    for other in ["bucher.de", "xn--bcher-kvb.de"] {
        assert_eq!(platform_of(&format!("no-reply@{other}")), None, "{other}");
    }
    for none in ["openhpi.de..", ".", "xn--"] {
        let address = format!("no-reply@{none}").parse::<Address>();
        assert!(address.is_err(), "{none}");
    }
}

#[test]
fn what_a_mail_server_knew_goes_before_what_a_stranger_wrote() {
    let openhpi = || vec![address("no-reply@openhpi.de")];
    let forged = |report: &mut Report| {
        report.envelope.to = vec![address("no-reply@shop.co.uk")];
        report.original.from = Some(address("no-reply@shop.co.uk"));
    };
    let found = platform(forged, &["no-reply@openhpi.de"]);
    assert_eq!(found.unwrap(), "openhpi.de");
    let delivered_to = |report: &mut Report| {
        forged(report);
        report.envelope.delivered_to = openhpi();
        report.envelope.x_original_to = vec![address("no-reply@lists.hpi.de")];
    };
    assert_eq!(platform(delivered_to, &[]).unwrap(), "openhpi.de");
    let found = platform(delivered_to, &["no-reply@lists.hpi.de"]);
    assert_eq!(found.unwrap(), "lists.hpi.de");
    let x_original_to = |report: &mut Report| {
        forged(report);
        report.envelope.x_original_to = openhpi();
    };
    assert_eq!(platform(x_original_to, &[]).unwrap(), "openhpi.de");
    assert_eq!(platform(forged, &[]).unwrap(), "shop.co.uk");
    // Where the mail server named nobody of ours, what stands in the mail is all there is.
    let found = platform(forged, &["somebody@elsewhere.example"]);
    assert_eq!(found.unwrap(), "shop.co.uk");
}

#[test]
fn the_original_is_the_last_place_to_look_for_the_platform() {
    let from = |report: &mut Report| report.original.from = Some(address("no-reply@shop.co.uk"));
    assert_eq!(platform(from, &[]).unwrap(), "shop.co.uk");
    let return_path =
        |report: &mut Report| report.original.return_path = Some(address("no-reply@openhpi.de"));
    assert_eq!(platform(return_path, &[]).unwrap(), "openhpi.de");
    let both = |report: &mut Report| {
        from(report);
        report.envelope.to = vec![address("no-reply@openhpi.de")];
    };
    assert_eq!(platform(both, &[]).unwrap(), "openhpi.de");
}

/// What is decided about a bounce of so many dead addresses, or so many complaints.
fn many(kind: Kind, count: usize, released: bool, policy: &Policy) -> Decision {
    let addresses: Vec<String> = (0..count).map(|n| format!("gone{n}@example.com")).collect();
    let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
    let mut report = bounce(&addresses);
    report.kind = kind;
    if kind == Kind::Feedback {
        let failed = std::mem::take(&mut report.recipients);
        report.complainants = failed.into_iter().map(|failed| failed.address).collect();
    }
    let diagnoses = vec![diagnosis(Reason::UserUnknown); report.recipients.len()];
    let known = Known {
        released,
        ..Known::default()
    };
    let findings = findings(&report, &diagnoses);
    decide(&report, &findings, &complaints(&report), known, policy)
}

#[test]
fn more_suspensions_than_one_mail_may_bring_are_held_until_a_person_releases_them() {
    let held = |suspensions, most| Decision::Quarantine {
        why: Unhandled::Brake { suspensions, most },
    };
    let acted_on = |decision: Decision| match decision {
        Decision::Act { rulings, .. } => rulings.len(),
        other => panic!("{other:?}"),
    };
    for (kind, policy) in [
        (Kind::Bounce, policy()),
        (Kind::Feedback, with_complaints(policy())),
    ] {
        assert_eq!(acted_on(many(kind, 20, false, &policy)), 20);
        assert_eq!(many(kind, 21, false, &policy), held(21, 20));
        assert_eq!(acted_on(many(kind, 21, true, &policy)), 21);
        let narrow = Policy {
            brake_per_mail: 2,
            ..policy
        };
        assert_eq!(many(kind, 3, false, &narrow), held(3, 2));
    }
}

/// Whatever the counters say: with a threshold of 0 each soft failure suspends.
#[test]
fn soft_failures_that_suspend_at_once_are_held_as_hard_ones_are() {
    let addresses: Vec<String> = (0..21).map(|n| format!("full{n}@example.com")).collect();
    let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
    let report = bounce(&addresses);
    let findings = findings(&report, &vec![diagnosis(Reason::MailboxFull); 21]);
    let with_threshold = |threshold| Policy {
        counting: Counting {
            threshold,
            ..Counting::default()
        },
        ..policy()
    };
    let decided = |policy| decide(&report, &findings, &[], Known::default(), &policy);
    let why = Unhandled::Brake {
        suspensions: 21,
        most: 20,
    };
    assert_eq!(decided(with_threshold(0)), Decision::Quarantine { why });
    assert!(matches!(decided(with_threshold(1)), Decision::Act { .. }));
}

#[test]
fn one_address_by_many_names_is_one_suspension() {
    let report = bounce(&["a@example.com"; 50]);
    let diagnoses = vec![diagnosis(Reason::UserUnknown); 50];
    let (_, rulings) = decided(&report, &diagnoses, &policy());
    assert_eq!(rulings.len(), 1);
}

#[test]
fn a_stranger_among_several_addressees_does_not_hide_the_platform() {
    let found = platform(
        |report| {
            report.envelope.to = vec![
                address("x@stranger.example"),
                address("no-reply@openhpi.de"),
            ]
        },
        &[],
    );
    assert_eq!(found.unwrap(), "openhpi.de");
}

#[test]
fn an_unknown_platform_is_quarantined_and_named() {
    let why = platform(
        |report| report.envelope.to = vec![address("x@stranger.example")],
        &[],
    )
    .unwrap_err();
    assert_eq!(
        why.to_string(),
        "no configured platform: it came back to x@stranger.example"
    );
}

/// A bounce of a dead address, of which this is proven, at a platform that requires proof or not.
fn with_proof(standing: Standing, reason: Reason, is_required: bool) -> (Action, String) {
    let report = bounce(&["a@example.com"]);
    let mut findings = findings(&report, &[diagnosis(reason)]);
    Arc::get_mut(&mut findings[0]).expect("ours alone").proof = Proof {
        standing,
        sentence: "so it is".into(),
        ..Proof::UNPROVEN
    };
    let mut policy = policy();
    if is_required {
        policy.proof_required.insert("openhpi.de".to_owned());
    }
    match decide(&report, &findings, &[], Known::default(), &policy) {
        Decision::Act { rulings, .. } => (rulings[0].action, rulings[0].why.clone()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_contradicted_is_never_acted_on_and_what_is_unproven_not_where_proof_is_required() {
    use Action::{Count, Ignore, Suspend};
    for (standing, required, hard, soft) in [
        (Standing::Proven, false, Suspend, Count),
        (Standing::Proven, true, Suspend, Count),
        (Standing::Unproven, false, Suspend, Count),
        (Standing::Unproven, true, Ignore, Ignore),
        (Standing::Contradicted, false, Ignore, Ignore),
        (Standing::Contradicted, true, Ignore, Ignore),
    ] {
        for (reason, action) in [(Reason::UserUnknown, hard), (Reason::MailboxFull, soft)] {
            let (decided, why) = with_proof(standing, reason, required);
            assert_eq!(decided, action, "{standing}, {required}: {why}");
            let says_why_not = why.contains("not acted on: so it is");
            assert_eq!(says_why_not, action == Ignore, "{why}");
        }
    }
}

#[test]
fn proof_is_required_by_those_platforms_that_say_so() {
    let mut report = bounce(&["a@example.com"]);
    report.envelope.to = vec![address("no-reply@shop.co.uk")];
    let policy = Policy {
        proof_required: ["openhpi.de".to_owned()].into(),
        ..policy()
    };
    let (platform, rulings) = decided(&report, &[diagnosis(Reason::UserUnknown)], &policy);
    assert_eq!(platform, "shop.co.uk");
    assert_eq!(rulings[0].1, Action::Suspend);
}

/// What comes back with a complaint proves little: everybody may have it to whom the mail was passed on.
#[test]
fn a_complaint_without_a_token_of_ours_is_held_until_a_person_releases_it() {
    let mut report = bounce(&[]);
    report.kind = Kind::Feedback;
    report.complainants = vec![address("annoyed@example.com")];
    let by_signature = Proof {
        by: Some(Evidence::Dkim),
        ..by_token()
    };
    for proof in [Proof::UNPROVEN, by_signature] {
        let why = Unhandled::UnprovenComplaint(proof.sentence.clone());
        let complaints = [Complaint {
            address: report.complainants[0].clone(),
            proof,
        }];
        let decided = |released| {
            let known = Known {
                released,
                ..Known::default()
            };
            decide(&report, &[], &complaints, known, &with_complaints(policy()))
        };
        assert_eq!(decided(false), Decision::Quarantine { why });
        assert!(matches!(decided(true), Decision::Act { .. }));
    }
}
