//! Any bytes as a bounce to a platform that signs and makes tokens: whatever they are, they prove nothing, and are read in proportion to
//! their size. As a key record, they end in a key or in a fault.

#![no_main]

#[path = "../cost.rs"]
mod cost;

use bouncedemails::address::Address;
use bouncedemails::policy::{Known, Policy};
use bouncedemails::report;
use bouncedemails::trust::{Day, Keys, PublicKey, Secret, Standing};
use bouncedemails::verdict::{Knowledge, Verdict};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

const OURS: &str = "mydomain.de";

/// The example of RFC 8463; what its private key has signed there is not for this domain.
const RECORD: &str = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

struct Service {
    keys: Keys,
    knowledge: Knowledge,
    policy: Policy,
    no_reply: [Address; 1],
}

static SERVICE: LazyLock<Service> = LazyLock::new(|| {
    report::prepare();
    let mut keys = Keys::none();
    keys.add(OURS, "s1", PublicKey::parse(RECORD).expect("a key"));
    let mut knowledge = Knowledge::builtin();
    let secret = Secret::new("a secret of the fuzzer's").expect("it is long enough");
    knowledge.secrets.insert(OURS.to_owned(), vec![secret]);
    Service {
        keys,
        knowledge,
        policy: Policy {
            platforms: [OURS].into_iter().collect(),
            ..Policy::default()
        },
        no_reply: ["no-reply@mydomain.de".parse().expect("an address")],
    }
});

fuzz_target!(|raw: &[u8]| {
    let Service {
        keys,
        knowledge,
        policy,
        no_reply,
    } = &*SERVICE;
    let known = Known {
        envelope_recipients: no_reply,
        keys,
        today: Day(20_782),
        ..Known::default()
    };
    let verdict = cost::bounded(raw.len(), || Verdict::of(raw, known, knowledge, policy));
    for finding in &verdict.findings {
        assert_ne!(finding.proof.standing, Standing::Proven);
        assert!(finding.proof.spends.is_empty());
    }
    _ = PublicKey::parse(&String::from_utf8_lossy(raw));
});
