//! A platform that is down or misbehaves: what becomes of its own suspensions, and that the others' don't notice.

use super::harness::{Bench, quick};
use crate::support::{Answer, PATIENCE, Platform, accept, free_port};
use std::net::TcpListener;
use std::time::{Duration, Instant};

fn numbered(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("n{n}@x.example")).collect()
}

fn texts(addresses: &[String]) -> Vec<&str> {
    addresses.iter().map(String::as_str).collect()
}

#[test]
fn a_platform_that_is_down_is_told_everything_once_it_is_up() {
    let port = free_port();
    let url = format!("http://127.0.0.1:{port}/emails/{{address}}/suspend");
    let mut bench = Bench::new(|c| c.domain("down.example", &[("base_url", &url)]));
    bench.start(quick());
    bench.suspend("down.example", &texts(&numbered(500)));
    bench
        .log
        .wait_for(&["WARN down.example cannot be told: its host refuses the connection"]);
    // Many probes later, most of what waits is untouched.
    let rows = bench.wait_for_rows("down.example", |rows| {
        rows.iter().map(|row| row.attempts).sum::<u32>() > 30
    });
    assert!(rows.iter().all(|row| row.state == "pending"));
    assert!(rows.iter().filter(|row| row.attempts == 0).count() > 300);
    let platform = Platform::on_port(port, accept);
    bench.wait_for_state("down.example", "delivered");
    let end = bench.log.wait_for(&[
        "INFO down.example works again after",
        "suspensions delivered late: 500.",
    ]);
    assert_eq!(
        bench.log.lines("down.example cannot be told").len(),
        1,
        "{end}"
    );
    assert_eq!(platform.posts().len(), 500);
}

#[test]
fn while_a_platform_fails_one_request_at_a_time_probes_it() {
    let platform = Platform::answering(|_| Answer::status(503));
    let mut bench = Bench::new(|c| c.platform("probed.example", &platform));
    bench.suspend("probed.example", &texts(&numbered(1000)));
    bench.start(quick());
    bench
        .log
        .wait_for(&["WARN probed.example cannot be told: 503"]);
    // The first ones are on their way together, and it takes five answers to see that nothing works.
    let first = quick().at_once + 4;
    platform.wait_for_posts(first + 8);
    bench.stop();
    let requests = platform.requests();
    let probes = &requests[first..];
    let shortest = probes.windows(2).map(|pair| pair[1].at - pair[0].at).min();
    assert!(shortest >= Some(Duration::from_millis(10)), "{shortest:?}");
    assert_eq!(bench.log.lines("probed.example cannot be told").len(), 1);
}

#[test]
fn reasons_are_told_apart() {
    let not_tls = Platform::start();
    // Takes the connection, and never says a word.
    let silent = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let silent_url = format!("https://{}/{{address}}", silent.local_addr().unwrap());
    let tls_url = not_tls.url("/{address}").replace("http://", "https://");
    let mut bench = Bench::new(|c| {
        c.domain(
            "no-name.example",
            &[("base_url", "http://no-such-host.invalid/{address}")],
        )
        .domain("no-tls.example", &[("base_url", &tls_url)])
        .domain("no-handshake.example", &[("base_url", &silent_url)])
    });
    for domain in ["no-name.example", "no-tls.example", "no-handshake.example"] {
        bench.suspend(domain, &["a@x.example"]);
    }
    let mut schedule = quick();
    schedule.timeouts.connect = Duration::from_millis(250);
    bench.start(schedule);
    bench
        .log
        .wait_for(&["no-name.example cannot be told: the name of its host cannot be resolved"]);
    bench
        .log
        .wait_for(&["no-tls.example cannot be told: TLS with its host fails"]);
    bench.log.wait_for(&[
        "no-handshake.example cannot be told: its host does not take the connection within 0.25 s",
    ]);
}

/// Whatever one platform does, another one gets all of its own within a second or two.
#[test]
fn a_platform_that_misbehaves_slows_nobody_else() {
    const COUNT: usize = 500;
    let sick = [
        (
            "sick-hanging.example",
            Platform::answering(|_| Answer::Hang),
        ),
        (
            "sick-closing.example",
            Platform::answering(|_| Answer::Close),
        ),
        (
            "sick-resetting.example",
            Platform::answering(|_| Answer::Reset),
        ),
        (
            "sick-500.example",
            Platform::answering(|_| Answer::status(500)),
        ),
        (
            "sick-403.example",
            Platform::answering(|_| Answer::status(403)),
        ),
        (
            "sick-endless.example",
            Platform::answering(|_| Answer::Endless),
        ),
        (
            "sick-stalling.example",
            Platform::answering(|_| Answer::Stall(200)),
        ),
        (
            "sick-limiting.example",
            Platform::answering(|_| Answer::status(429).header("Retry-After", "3600")),
        ),
    ];
    let healthy = Platform::start();
    let down = format!("http://127.0.0.1:{}/{{address}}", free_port());
    let mut bench = Bench::new(|mut c| {
        for (domain, platform) in &sick {
            c = c.platform(domain, platform);
        }
        c.domain("sick-refusing.example", &[("base_url", &down)])
            .platform("healthy.example", &healthy)
    });
    let addresses = numbered(COUNT);
    for (domain, _) in &sick {
        bench.suspend(domain, &texts(&addresses));
    }
    bench.suspend("sick-refusing.example", &texts(&addresses));
    let mut schedule = quick();
    schedule.timeouts.whole = PATIENCE;
    bench.start(schedule);
    // The sick ones are at it.
    for (_, platform) in &sick {
        platform.wait_for_posts(1);
    }
    let start = Instant::now();
    bench.suspend("healthy.example", &texts(&addresses));
    healthy.wait_for_posts(COUNT);
    let taken = start.elapsed();
    // A second or two on an idle machine. Behind the hanging ones it would be a minute, on any.
    assert!(taken < Duration::from_secs(20), "{taken:?}");
    println!("{COUNT} suspensions of the healthy platform took {taken:?}.");
    bench.wait_for_state("healthy.example", "delivered");
    let hanging = bench.rows("sick-hanging.example");
    assert!(hanging.iter().all(|row| row.state == "pending"));
}
