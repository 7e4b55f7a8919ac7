//! What is looked for as a proof costs time in proportion to the size of the mail, too: signatures, addressees, tokens, a signed body.

use super::growth::{MOST_TIMES, cost};
use super::support::{Signer, Signing};
use bouncedemails::policy::{Known, Policy};
use bouncedemails::report;
use bouncedemails::trust::{Day, Keys, PublicKey, Secret};
use bouncedemails::verdict::{Knowledge, Verdict};

const KB: usize = 1024;
const HEAD: &str = "From: MAILER-DAEMON@mail.example.org\nSubject: Undelivered Mail\nMIME-Version: 1.0\n\
    Content-Type: multipart/report; report-type=delivery-status; boundary=b\n";
const DAY: u32 = 20_782;

/// A bounce of these addresses that came back to `to` and returns this mail.
fn bounce(to: &str, failed: &str, original: &str) -> Vec<u8> {
    format!(
        "{HEAD}To: {to}\n\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; a\n\n{failed}\n\
         --b\nContent-Type: message/rfc822\n\n{original}\n--b--\n"
    )
    .into_bytes()
}

/// The fields of as many failed addresses as fill `size`.
fn failed(size: usize) -> String {
    let field = |n| format!("Final-Recipient: rfc822; u{n}@e.io\nStatus: 5.1.1\n\n");
    (0..size / 50).map(field).collect()
}

#[test]
fn eight_times_the_size_takes_eight_times_as_long_with_proofs() {
    report::prepare();
    let signer = Signer::ed25519("mydomain.de", "s1");
    let mut keys = Keys::none();
    let key = PublicKey::parse(signer.record()).expect("a key");
    keys.add("mydomain.de", "s1", key);
    let signed = |to: &str| {
        let signing = Signing {
            canonicalization: "relaxed/relaxed",
            names: "from:to",
            made: u64::from(DAY) * 86_400,
        };
        signer.sign(
            signing,
            &format!("From: no-reply@mydomain.de\nTo: {to}\n\nHello\n"),
        )
    };
    let to_one = signed("u1@e.io");
    let many: Vec<String> = (0..1_500).map(|n| format!("v{n}@e.io")).collect();
    let to_many = signed(&many.join(", "));
    let signature = to_one.split("From:").next().expect("it is signed");
    let signatures = format!(
        "{}From: a@mydomain.de\n\n",
        signature.replace("b=", "b=A").repeat(60)
    );
    let secret = |n| Secret::new(&format!("a secret of the tests, {n}")).expect("it is long");
    let token = secret(0).token(
        &"x@e.io".parse().expect("an address"),
        "mydomain.de",
        Day(DAY),
    );
    let paths = |size: usize| {
        let digits = |n: usize| format!("no-reply+{}{n:04x}@mydomain.de", &token[..26]);
        let paths = (0..(size / 45).min(5_000)).map(digits);
        paths.collect::<Vec<_>>().join(", ")
    };
    let mut knowledge = Knowledge::builtin();
    knowledge
        .secrets
        .insert("mydomain.de".to_owned(), (0..8).map(secret).collect());
    let policy = Policy {
        platforms: ["mydomain.de"].into_iter().collect(),
        ..Policy::default()
    };
    let ours = "no-reply@mydomain.de";
    type OfSize<'a> = &'a dyn Fn(usize) -> Vec<u8>;
    let cases: [(&str, OfSize<'_>); 6] = [
        ("signatures and those that failed", &|size| {
            bounce(ours, &failed(size), &signatures)
        }),
        (
            "those that failed and those that the signed mail was to",
            &|size| bounce(ours, &failed(size), &to_many),
        ),
        ("tokens and those that failed", &|size| {
            bounce(&paths(size / 2), &failed(size / 2), &to_one)
        }),
        ("a signed mail with a long body", &|size| {
            bounce(
                ours,
                &failed(50),
                &format!("{to_one}{}", "a  line \n".repeat(size / 9)),
            )
        }),
        ("blank lines in a signed mail", &|size| {
            bounce(ours, &failed(50), &format!("{to_one}{}", "\n".repeat(size)))
        }),
        ("fields of a signed mail", &|size| {
            bounce(
                ours,
                &failed(50),
                &format!("{}{to_one}", "To: a@b.example\n".repeat(size / 16)),
            )
        }),
    ];
    for (name, make) in cases {
        let sizes = [32 * KB, 64 * KB, 128 * KB, 256 * KB, 512 * KB];
        let costs = sizes.map(|size| {
            let mail = make(size);
            let read = || {
                let known = Known {
                    keys: &keys,
                    today: Day(DAY),
                    ..Known::default()
                };
                std::hint::black_box(Verdict::of(&mail, known, &knowledge, &policy));
            };
            cost(read, 2)
        });
        println!("{name}: {costs:?} for 32 kB to 512 kB");
        for (small, large) in costs.iter().zip(&costs[3..]) {
            let times = large.as_secs_f64() / small.as_secs_f64();
            assert!(times < MOST_TIMES, "{name}: {costs:?}");
        }
    }
}
