//! What a platform is sent.

use super::harness::{Bench, quick};
use crate::support::{Answer, Platform, accept};
use bouncedemails::ledger::Claimant;
use bouncedemails::suspend::{Outcome, tell};
use std::time::{Duration, SystemTime};

#[test]
fn a_suspension_is_an_empty_post_to_the_percent_encoded_address() {
    let platform = Platform::start();
    let mut bench = Bench::new(|c| c.platform("plain.example", &platform));
    bench.start(quick());
    let addresses = [
        "evil-address@some-provider.com",
        "a/b@x.example",
        "50%+\"q\"@x.example",
        "müller@x.example",
        "x=1&y@x.example",
    ];
    let sound: Vec<&str> = addresses
        .into_iter()
        .filter(|address| address.parse::<bouncedemails::address::Address>().is_ok())
        .collect();
    bench.suspend("plain.example", &sound);
    let mut posts = platform.wait_for_posts(sound.len());
    posts.sort();
    assert_eq!(
        posts,
        [
            "/emails/a%2Fb%40x.example/suspend",
            "/emails/evil-address%40some-provider.com/suspend",
            "/emails/m%C3%BCller%40x.example/suspend",
            "/emails/x%3D1%26y%40x.example/suspend",
        ]
    );
    for request in platform.requests() {
        assert_eq!(request.header("content-length"), Some("0"));
        assert_eq!(request.header("content-type"), None);
        assert_eq!(request.header("cookie"), None);
        let agent = concat!("bouncedemails/", env!("CARGO_PKG_VERSION"));
        assert_eq!(request.header("user-agent"), Some(agent));
    }
    let rows = bench.wait_for_state("plain.example", "delivered");
    assert_eq!(rows[0].address, "evil-address@some-provider.com");
    assert_eq!(rows[0].status, Some(200));
    let answer = r#"200 / {"processd_email": "evil-address@some-provider.com"}"#;
    assert_eq!(rows[0].answer.as_deref(), Some(answer));
    bench
        .log
        .wait_for(&["is suspended at plain.example", answer]);
}

#[test]
fn an_address_that_could_lead_a_proxy_elsewhere_is_not_posted_and_said() {
    let platform = Platform::start();
    let mut bench = Bench::new(|c| c.platform("misled.example", &platform));
    bench.start(quick());
    let addresses = ["a/../../b@x.example", "1/delete?@x.example", "c@x.example"];
    bench.suspend("misled.example", &addresses);
    let rows = bench.wait_for_rows("misled.example", |rows| {
        rows.iter().all(|row| row.state != "pending")
    });
    let states: Vec<&str> = rows.iter().map(|row| row.state.as_str()).collect();
    assert_eq!(states, ["failed", "failed", "delivered"]);
    assert_eq!(platform.posts(), ["/emails/c%40x.example/suspend"]);
    bench.log.wait_for(&[
        "ERROR a/../../b@x.example is not suspended at misled.example: the address is put into no URL",
    ]);
}

#[test]
fn a_json_body_says_why() {
    let platform = Platform::start();
    let url = platform.url("/emails/{address}/suspend");
    let mut bench =
        Bench::new(|c| c.domain("json.example", &[("base_url", &url), ("body", "json")]));
    bench.start(quick());
    let decided = humantime::parse_rfc3339("2026-11-22T16:00:00Z").unwrap();
    bench.suspend_since(decided, "json.example", &["a@x.example"]);
    platform.wait_for_posts(1);
    let request = &platform.requests()[0];
    assert_eq!(request.header("content-type"), Some("application/json"));
    let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(
        body,
        serde_json::json!({
            "address": "a@x.example", "reason": "complaint", "type": "complaint", "status": null,
            "diagnostic": null, "time": "2026-11-22T16:00:00Z", "message_id": null,
        })
    );
}

#[test]
fn headers_go_to_the_origin_of_base_url_and_nowhere_else() {
    let elsewhere = Platform::start();
    let template = elsewhere.url("/emails/{address}/suspend");
    let document = format!(r#"{{"email_suspensions_url": "{template}"}}"#);
    let home = Platform::answering(move |_| Answer::json(200, &document));
    let root = home.url("/");
    let headers = "{Authorization: Bearer secret}";
    let mut bench = Bench::new(|c| {
        c.domain(
            "own.example",
            &[("base_url", &template), ("headers", headers)],
        )
        .domain(
            "led-off.example",
            &[
                ("url_resolver", "xikolo"),
                ("base_url", &root),
                ("headers", headers),
            ],
        )
    });
    bench.start(quick());
    bench.suspend("own.example", &["own@x.example"]);
    bench.suspend("led-off.example", &["led-off@x.example"]);
    elsewhere.wait_for_posts(2);
    for request in elsewhere.requests() {
        let own = request.path.contains("own%40x.example");
        assert_eq!(
            request.header("authorization"),
            own.then_some("Bearer secret")
        );
    }
    assert_eq!(
        home.requests()[0].header("authorization"),
        Some("Bearer secret")
    );
    assert!(bench.log.lines("secret").is_empty());
    assert!(!format!("{:?}", bench.handler).contains("secret"));
}

#[test]
fn each_suspension_is_posted_once_over_few_connections() {
    const COUNT: usize = 2_000;
    let platform = Platform::start();
    let mut bench = Bench::new(|c| c.platform("many.example", &platform));
    bench.start(quick());
    let addresses: Vec<String> = (0..COUNT).map(|n| format!("n{n}@x.example")).collect();
    // In batches while it posts, as the engine hands them over.
    for batch in addresses.chunks(100) {
        let batch: Vec<&str> = batch.iter().map(String::as_str).collect();
        bench.suspend("many.example", &batch);
    }
    bench.wait_for_state("many.example", "delivered");
    bench.stop();
    let mut posts = platform.posts();
    assert_eq!(posts.len(), COUNT);
    posts.sort();
    posts.dedup();
    assert_eq!(posts.len(), COUNT);
    let connections = platform.connections();
    assert!(connections < COUNT / 20, "{connections} connections");
}

#[test]
fn what_is_pending_is_posted_by_the_next_process() {
    let platform = Platform::answering(|_| Answer::Hang);
    let mut bench = Bench::new(|c| c.platform("restart.example", &platform));
    bench.suspend("restart.example", &["a@x.example", "b@x.example"]);
    let mut patient = quick();
    patient.timeouts.whole = crate::support::PATIENCE;
    bench.start(patient);
    platform.wait_for_posts(2);
    bench.stop();
    bench
        .log
        .wait_for(&["restart.example has not answered 2 requests yet"]);
    assert!(
        bench
            .rows("restart.example")
            .iter()
            .all(|row| row.state == "pending")
    );
    platform.answer(accept);
    bench.start(quick());
    bench.wait_for_state("restart.example", "delivered");
}

#[test]
fn what_is_pending_for_a_platform_that_is_no_longer_configured_is_kept_and_said() {
    let platform = Platform::start();
    let mut bench = Bench::new(|c| c.platform("kept.example", &platform));
    bench.suspend("kept.example", &["b@x.example"]);
    bench.suspend("dropped.example", &["a@x.example"]);
    bench.start(quick());
    bench
        .log
        .wait_for(&["WARN dropped.example is not configured, and has pending suspensions: 1."]);
    bench.wait_for_state("kept.example", "delivered");
    assert_eq!(bench.rows("dropped.example")[0].state, "pending");
    assert!(bench.log.lines("kept.example is not configured").is_empty());
}

#[test]
fn what_another_process_wrote_is_posted_without_a_wake_up() {
    let platform = Platform::start();
    let mut bench = Bench::new(|c| c.platform("other-process.example", &platform));
    bench.start(quick());
    bench.wake_up = Default::default();
    bench.suspend("other-process.example", &["a@x.example"]);
    bench.wait_for_state("other-process.example", "delivered");
}

#[test]
fn a_person_is_told_what_the_platform_answered() {
    let platform = Platform::start();
    let bench = Bench::new(|c| c.platform("by-hand.example", &platform));
    bench.suspend("by-hand.example", &["a@x.example"]);
    let due = bench
        .ledger
        .claim(
            "by-hand.example",
            Claimant::new(),
            1,
            Duration::ZERO,
            SystemTime::now(),
        )
        .unwrap();
    let target = &bench.handler.domains["by-hand.example"];
    let told = |status: Option<u16>| {
        if let Some(status) = status {
            platform.answer(move |_| Answer::status(status));
        }
        bench
            .runtime
            .block_on(tell(target, &due[0], quick()))
            .unwrap()
    };
    let accepted = told(None);
    assert_eq!(
        accepted.response,
        r#"200 / {"processd_email": "a@x.example"}"#
    );
    assert_eq!(accepted.outcome, Outcome::Delivered);
    assert_eq!(told(Some(404)).outcome, Outcome::NothingToStop);
    assert_eq!(told(Some(403)).outcome, Outcome::Refused);
    assert!(matches!(told(Some(500)).outcome, Outcome::Passing(_)));
    bench
        .ledger
        .settle(
            &[(due[0].id, told(Some(403)).settlement)],
            SystemTime::now(),
        )
        .unwrap();
    assert_eq!(bench.rows("by-hand.example")[0].state, "failed");
}
