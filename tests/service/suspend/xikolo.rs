//! The `xikolo` resolver: a document says where suspensions go, and HTTP's own rules say how long that holds.

use super::harness::{Bench, quick};
use crate::support::{Answer, Platform, Request, accept};

/// A platform whose document is answered like this.
fn platform(document: impl Fn(&Request) -> Answer + Send + 'static) -> Platform {
    Platform::answering(move |request| match request.method.as_str() {
        "GET" => document(request),
        _ => accept(request),
    })
}

fn document() -> Answer {
    Answer::json(
        200,
        r#"{"email_suspensions_url": "/emails/{address}/suspend"}"#,
    )
}

fn bench(domain: &str, platform: &Platform) -> Bench {
    let root = platform.url("/api");
    let mut bench =
        Bench::new(|c| c.domain(domain, &[("url_resolver", "xikolo"), ("base_url", &root)]));
    bench.start(quick());
    bench
}

fn gets(platform: &Platform) -> Vec<Request> {
    let requests = platform.requests();
    requests
        .into_iter()
        .filter(|request| request.method == "GET")
        .collect()
}

#[test]
fn a_fresh_document_is_not_asked_for_again() {
    let platform = platform(|_| document().header("Cache-Control", "private, max-age=60"));
    let bench = bench("fresh.example", &platform);
    for address in ["a@x.example", "b@x.example", "c@x.example"] {
        bench.suspend("fresh.example", &[address]);
        bench.wait_for_state("fresh.example", "delivered");
    }
    assert_eq!(
        platform.posts(),
        [
            "/emails/a%40x.example/suspend",
            "/emails/b%40x.example/suspend",
            "/emails/c%40x.example/suspend"
        ]
    );
    assert_eq!(gets(&platform).len(), 1);
    assert_eq!(gets(&platform)[0].path, "/api");
}

#[test]
fn a_stale_document_is_revalidated() {
    // As Rails answers by default.
    let platform = platform(|request| {
        let answer = match request.header("if-none-match") {
            Some("W/\"1\"") => Answer::status(304),
            _ => document(),
        };
        answer
            .header("ETag", "W/\"1\"")
            .header("Cache-Control", "max-age=0, private, must-revalidate")
    });
    let bench = bench("stale.example", &platform);
    for address in ["a@x.example", "b@x.example", "c@x.example"] {
        bench.suspend("stale.example", &[address]);
        bench.wait_for_state("stale.example", "delivered");
    }
    let validators: Vec<_> = gets(&platform)
        .iter()
        .map(|get| get.header("if-none-match").map(str::to_owned))
        .collect();
    let etag = Some("W/\"1\"".to_owned());
    assert_eq!(validators, [None, etag.clone(), etag]);
}

#[test]
fn what_may_not_be_stored_is_asked_for_each_time() {
    let platform = platform(|_| {
        document()
            .header("Cache-Control", "no-store")
            .header("ETag", "\"1\"")
    });
    let bench = bench("no-store.example", &platform);
    for address in ["a@x.example", "b@x.example"] {
        bench.suspend("no-store.example", &[address]);
        bench.wait_for_state("no-store.example", "delivered");
    }
    let gets = gets(&platform);
    assert_eq!(gets.len(), 2);
    assert_eq!(gets[1].header("if-none-match"), None);
}

#[test]
fn a_document_that_cannot_be_had_is_a_passing_fault() {
    let platform = platform(|_| Answer::status(502));
    let bench = bench("no-document.example", &platform);
    bench.suspend("no-document.example", &["a@x.example", "b@x.example"]);
    bench.log.wait_for(&[
        "WARN no-document.example cannot be told: its suspend URL cannot be found",
        "/api answers 502",
    ]);
    platform.answer(|request| match request.method.as_str() {
        "GET" => document(),
        _ => accept(request),
    });
    bench.wait_for_state("no-document.example", "delivered");
}

#[test]
fn a_stale_document_is_used_where_http_allows_it() {
    let mut first = true;
    let platform = Platform::answering(move |request| match request.method.as_str() {
        "GET" if std::mem::take(&mut first) => {
            document().header("Cache-Control", "max-age=0, stale-if-error=600")
        }
        "GET" => Answer::status(500),
        _ => accept(request),
    });
    let bench = bench("stale-if-error.example", &platform);
    for address in ["a@x.example", "b@x.example"] {
        bench.suspend("stale-if-error.example", &[address]);
        bench.wait_for_state("stale-if-error.example", "delivered");
    }
    assert_eq!(gets(&platform).len(), 2);
}

#[test]
fn a_document_that_leads_nowhere_is_said() {
    for (domain, body, fault) in [
        (
            "html.example",
            "<html>",
            "is no JSON object with `email_suspensions_url`",
        ),
        (
            "no-address.example",
            r#"{"email_suspensions_url": "/emails/suspend"}"#,
            "must hold {address}",
        ),
        (
            "file.example",
            r#"{"email_suspensions_url": "file:///etc/{address}"}"#,
            "must begin with https:// or http://",
        ),
    ] {
        let platform = platform(move |_| Answer::json(200, body));
        let bench = bench(domain, &platform);
        bench.suspend(domain, &["a@x.example"]);
        bench
            .log
            .wait_for(&["WARN", domain, "cannot be told", fault]);
        assert!(platform.posts().is_empty());
        assert_eq!(bench.rows(domain)[0].state, "pending");
    }
}

#[test]
fn a_document_without_end_is_not_read() {
    let platform = platform(|_| Answer::Endless);
    let bench = bench("endless-document.example", &platform);
    bench.suspend("endless-document.example", &["a@x.example"]);
    bench.log.wait_for(&[
        "endless-document.example cannot be told",
        "more than 65536 bytes",
    ]);
}

#[test]
fn headers_beyond_all_sense_harm_nobody() {
    const MOST: &str = "18446744073709551615";
    for (domain, header, value) in [
        ("age.example", "Age", MOST.to_owned()),
        (
            "max-age.example",
            "Cache-Control",
            format!("max-age={MOST}"),
        ),
        (
            "stale.example",
            "Cache-Control",
            format!("max-age=5, stale-if-error={MOST}"),
        ),
        (
            "date.example",
            "Date",
            "Fri, 31 Dec 9999 23:59:59 GMT".to_owned(),
        ),
        (
            "expires.example",
            "Expires",
            "Fri, 31 Dec 9999 23:59:59 GMT".to_owned(),
        ),
        ("vary.example", "Vary", "*, : ,,".to_owned()),
        ("etag.example", "ETag", "\"a\", W/".to_owned()),
    ] {
        let domain = format!("no-sense-{domain}");
        let platform = platform(move |_| document().header(header, &value));
        let bench = bench(&domain, &platform);
        for address in ["a@x.example", "b@x.example"] {
            bench.suspend(&domain, &[address]);
            bench.wait_for_state(&domain, "delivered");
        }
    }
}
