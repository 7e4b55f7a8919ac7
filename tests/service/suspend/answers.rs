//! Each answer ends as DESIGN 9 says.

use super::harness::{Bench, Row, quick};
use crate::support::{Answer, Platform, accept};
use bouncedemails::suspend::Schedule;
use std::time::{Duration, SystemTime};

/// One suspension for a platform that answers like this; when it is no longer pending.
fn settled(domain: &str, platform: &Platform, schedule: Schedule) -> (Bench, Row) {
    let mut bench = Bench::new(|c| c.platform(domain, platform));
    bench.start(schedule);
    bench.suspend(domain, &["a@x.example"]);
    let rows = bench.wait_for_rows(domain, |rows| rows[0].state != "pending");
    let row = rows[0].clone();
    (bench, row)
}

/// Answers the first requests like this, and is in good health from then on.
fn at_first(count: usize, answer: impl Fn() -> Answer + Send + 'static) -> Platform {
    let mut left = count;
    Platform::answering(move |request| {
        if left == 0 {
            return accept(request);
        }
        left -= 1;
        answer()
    })
}

#[test]
fn what_the_platform_does_not_know_is_delivered_and_said() {
    for status in [404, 410] {
        let domain = format!("unknown-{status}.example");
        let platform = Platform::answering(move |_| Answer::status(status));
        let (bench, row) = settled(&domain, &platform, quick());
        assert_eq!(
            (row.state.as_str(), row.status),
            ("delivered", Some(status))
        );
        bench
            .log
            .wait_for(&["INFO a@x.example is not known at", &domain]);
        assert_eq!(platform.posts().len(), 1);
    }
}

#[test]
fn what_the_platform_refuses_is_failed_at_once_and_said() {
    for status in [400, 401, 403, 405, 422] {
        let domain = format!("refused-{status}.example");
        let platform = Platform::answering(move |_| Answer::json(status, "no\n\u{1b}[2Jway"));
        let (bench, row) = settled(&domain, &platform, quick());
        let answer = format!(r"{status} / no\u{{a}}\u{{1b}}[2Jway");
        assert_eq!((row.state.as_str(), row.status), ("failed", Some(status)));
        assert_eq!(row.answer.as_deref(), Some(answer.as_str()));
        bench
            .log
            .wait_for(&["ERROR a@x.example", &domain, "refuses it", &answer]);
        assert_eq!(platform.posts().len(), 1);
    }
}

#[test]
fn a_redirect_is_not_followed() {
    let elsewhere = Platform::start();
    for status in [301, 302, 303, 307, 308] {
        let domain = format!("redirect-{status}.example");
        let location = elsewhere.url("/emails/a%40x.example/suspend");
        let platform =
            Platform::answering(move |_| Answer::status(status).header("Location", &location));
        let (_, row) = settled(&domain, &platform, quick());
        assert_eq!((row.state.as_str(), row.status), ("failed", Some(status)));
    }
    assert!(elsewhere.requests().is_empty());
}

#[test]
fn what_passes_is_tried_again_until_it_works() {
    for status in [408, 425, 429, 500, 502, 503, 504] {
        let domain = format!("passing-{status}.example");
        let platform = at_first(3, move || Answer::status(status));
        let (bench, row) = settled(&domain, &platform, quick());
        assert_eq!(
            (row.state.as_str(), row.attempts),
            ("delivered", 4),
            "{status}"
        );
        assert_eq!(platform.posts().len(), 4);
        assert!(
            bench
                .log
                .lines(&domain)
                .iter()
                .all(|line| !line.starts_with("ERROR"))
        );
    }
}

#[test]
fn a_broken_connection_is_tried_again() {
    let platform = at_first(3, || Answer::Close);
    let (bench, row) = settled("closing.example", &platform, quick());
    assert_eq!((row.state.as_str(), row.attempts), ("delivered", 4));
    bench
        .log
        .wait_for(&["WARN", "closing.example", "broke off"]);
}

#[test]
fn a_reset_connection_is_tried_again() {
    let platform = at_first(3, || Answer::Reset);
    let (bench, row) = settled("resetting.example", &platform, quick());
    assert_eq!((row.state.as_str(), row.attempts), ("delivered", 4));
    bench
        .log
        .wait_for(&["WARN", "resetting.example", "broke off"]);
}

#[test]
fn a_platform_that_hangs_is_given_up_on_and_tried_again() {
    let platform = at_first(2, || Answer::Hang);
    let (bench, row) = settled("hanging.example", &platform, quick());
    assert_eq!((row.state.as_str(), row.attempts), ("delivered", 3));
    bench
        .log
        .wait_for(&["WARN", "hanging.example", "does not answer within 0.5 s"]);
}

#[test]
fn a_pause_in_seconds_is_kept() {
    is_kept("seconds.example", || "1".to_owned());
}

#[test]
fn a_pause_until_a_date_is_kept() {
    // An HTTP date has no fractions of seconds: two ahead are more than one.
    is_kept("date.example", || {
        httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(2))
    });
}

/// Whether a `Retry-After` of at least a second is waited for.
fn is_kept(domain: &str, retry_after: impl Fn() -> String + Send + 'static) {
    let platform = at_first(1, move || {
        Answer::status(429).header("Retry-After", &retry_after())
    });
    let (bench, row) = settled(domain, &platform, quick());
    assert_eq!((row.state.as_str(), row.attempts), ("delivered", 2));
    let requests = platform.requests();
    let pause = requests[1].at - requests[0].at;
    assert!(pause >= Duration::from_millis(900), "{pause:?}");
    bench.log.wait_for(&["WARN", domain, "cannot be told: 429"]);
}

#[test]
fn a_body_that_never_ends_is_not_read() {
    let platform = Platform::answering(|_| Answer::Endless);
    let (bench, row) = settled("endless.example", &platform, quick());
    assert_eq!((row.state.as_str(), row.status), ("delivered", Some(200)));
    let shown = row.answer.unwrap();
    assert_eq!(shown, format!("200 / {}", "x".repeat(200)));
    drop(bench);
    // What fits into the sockets' buffers on its way, of what could have been gigabytes.
    let sent = crate::support::eventually("the platform to notice", || platform.endless_sent());
    assert!(sent < 64 << 20, "{sent} bytes were taken");
}

#[test]
fn a_body_that_does_not_come_changes_nothing_about_the_status() {
    for (status, state) in [(200, "delivered"), (403, "failed")] {
        let domain = format!("slow-body-{status}.example");
        let platform = Platform::answering(move |_| Answer::Stall(status));
        let (_, row) = settled(&domain, &platform, quick());
        assert_eq!((row.state.as_str(), row.status), (state, Some(status)));
        assert_eq!(row.attempts, 1);
    }
}

#[test]
fn what_was_tried_for_too_long_is_given_up() {
    let platform = Platform::answering(|_| Answer::status(500));
    let mut bench = Bench::new(|c| {
        c.handler("suspension_max_age: 1h")
            .platform("too-old.example", &platform)
    });
    let now = SystemTime::now();
    let minute = Duration::from_secs(60);
    bench.suspend_since(now - 61 * minute, "too-old.example", &["old@x.example"]);
    bench.suspend_since(now - 59 * minute, "too-old.example", &["young@x.example"]);
    bench.start(quick());
    let rows = bench.wait_for_rows("too-old.example", |rows| {
        rows[0].state != "pending" && rows[1].attempts >= 3
    });
    assert_eq!((rows[0].state.as_str(), rows[0].attempts), ("failed", 1));
    assert_eq!(
        (rows[0].status, rows[1].state.as_str()),
        (Some(500), "pending")
    );
    bench.log.wait_for(&[
        "ERROR old@x.example",
        "at too-old.example for too long and is given up",
        ": 500",
    ]);
}
