//! Reading a mail takes time in proportion to its size, whatever it repeats: when the size doubles, the time doubles.
//!
//! Every token that some parser looks for, repeated, in every place that some parser reads. What takes long is measured
//! again at an eighth of the size: in proportion, it takes an eighth of the time; each byte looked at again for each byte
//! before it, it would take a sixty-fourth.

use super::places::{HEAD, PLACES, filled};
use bouncedemails::report;
use rustix::time::{ClockId, clock_gettime};
use std::thread;
use std::time::Duration;

const KB: usize = 1024;
const MB: usize = 1024 * KB;

/// What parsers look for. Repeated, each makes a parser look again, unless it remembers.
const TOKENS: [&str; 52] = [
    "a",
    " ",
    "\n",
    "\n ",
    "\t\n",
    ":",
    "@",
    "a@",
    "\"@",
    "a@b.c ",
    "a@b.c,",
    "<a@b.c>\n",
    "<a@b.c>: 550 no\n",
    "\n<a@b.c>\n\n\n",
    "\\",
    "\\x{",
    "\\x{41}",
    "+",
    "+2B",
    "<",
    "<a",
    "<a>",
    "<!--",
    "<style>",
    "</",
    "<pre> ",
    "&",
    "&#",
    "&#65;",
    "=",
    "=\n",
    "=?",
    "=?utf-8?q?a?= ",
    "=?utf-8?b?",
    "(",
    "((a)",
    "[",
    "{\"",
    "[[",
    "0,",
    "550-",
    "550 5.1.1 ",
    "4.4.",
    ">>> RCPT To:<a@b.c>\n",
    "<<< 250 ok\n",
    "<<< 550 no\n",
    "550 <a@b.c>... no\n",
    "--b\n",
    "--b\na: b\n\n",
    "a: b\n",
    "Final-Recipient: rfc822; a@b.c\n",
    "X-Y: z\nFinal-Recipient: rfc822; a@b.c\nOriginal-Recipient: rfc822; a@b.c\n\n",
];

/// A header is read as far as its own bound only; so what it costs is bounded, too.
const FIELDS: [&str; 10] = [
    "From",
    "To",
    "Subject",
    "Message-ID",
    "Content-Type",
    "X-Failed-Recipients",
    "Delivered-To",
    "Auto-Submitted",
    "Content-Transfer-Encoding",
    "List-Id",
];

type Make = Box<dyn Fn(usize) -> Vec<u8> + Send + Sync>;

fn cases() -> Vec<(String, Make)> {
    let mut cases: Vec<(String, Make)> = Vec::new();
    for token in TOKENS {
        for (place, front, back) in PLACES {
            let make = move |size| filled(&format!("{HEAD}{front}"), token, back, size);
            cases.push((format!("{token:?} in {place}"), Box::new(make)));
        }
        for field in FIELDS {
            let make = move |size| filled(&format!("{field}: "), token, "\n\nbody\n", size);
            cases.push((format!("{token:?} in {field}"), Box::new(make)));
        }
    }
    cases
}

/// How large the repeated tokens become: an unoptimised build is twenty times slower.
const SIZE: usize = if cfg!(debug_assertions) {
    32 * KB
} else {
    2 * MB
};

/// For eight times the size: between eight and sixty-four.
pub const MOST_TIMES: f64 = 24.0;

/// What it costs this thread, at best of `tries`.
pub fn cost(read: impl Fn(), tries: usize) -> Duration {
    let now = || {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
    };
    let once = || {
        let before = now();
        read();
        now() - before
    };
    (0..tries).map(|_| once()).min().unwrap_or_default()
}

/// What reading a mail costs this thread, at best of `tries`.
fn cost_of(mail: &[u8], tries: usize) -> Duration {
    let read = || {
        std::hint::black_box(report::parse(mail));
    };
    cost(read, tries)
}

/// Whether the cost of a mail of `size` is out of proportion to that of an eighth: says how far.
fn out_of_proportion(make: &Make, size: usize) -> Option<String> {
    let large = cost_of(&make(size), 1);
    // So much is what an unoptimised build needs for every byte; it is too little to measure.
    if large < Duration::from_millis(size as u64 * 300 / MB as u64) {
        return None;
    }
    let (small, large) = (cost_of(&make(size / 8), 3), cost_of(&make(size), 2));
    let times = large.as_secs_f64() / small.as_secs_f64();
    (times > MOST_TIMES)
        .then(|| format!("{small:?} → {large:?}, {times:.0} times for 8 times the size"))
}

#[test]
fn eight_times_the_size_takes_eight_times_as_long() {
    report::prepare();
    let cases = cases();
    let wrong: Vec<String> = thread::scope(|scope| {
        let (one, other) = cases.split_at(cases.len() / 2);
        let check = |cases: &[(String, Make)]| -> Vec<String> {
            let check = |(name, make): &(String, Make)| {
                Some(format!("{name}: {}", out_of_proportion(make, SIZE)?))
            };
            cases.iter().filter_map(check).collect()
        };
        let other = scope.spawn(move || check(other));
        [check(one), other.join().expect("a thread")].concat()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What was quadratic once, up to the most that is read of a mail.
#[test]
fn time_doubles_with_the_size() {
    report::prepare();
    let foreign = |n: usize| format!("u{n}@example.org is one of them\n");
    let own = |n: usize| format!("u{n}@example.org,");
    let numbered =
        |each: &dyn Fn(usize) -> String, size: usize| (0..size / 20).map(each).collect::<String>();
    type OfSize<'a> = &'a dyn Fn(usize) -> Vec<u8>;
    let cases: [(&str, OfSize<'_>); 8] = [
        ("codes without an end", &|size| {
            filled(&format!("{HEAD}{}", PLACES[9].1), "\\x{", "\n--b--\n", size)
        }),
        ("tags before the only end", &|size| {
            filled(&format!("{HEAD}{}", PLACES[2].1), "<", ">\n", size)
        }),
        ("own addresses and those in the text", &|size| {
            let to = numbered(&own, (size / 2).min(250 * KB));
            let text = numbered(&foreign, size / 2);
            format!("To: {to}\n{HEAD}\n{text}").into_bytes()
        }),
        ("own addresses and those that failed", &|size| {
            let to = numbered(&own, (size / 2).min(250 * KB));
            let text = numbered(&|n| format!("<u{n}@example.org>: 550 no\n"), size / 2);
            format!("To: {to}\n{HEAD}\n{text}").into_bytes()
        }),
        ("replies that say yes", &|size| {
            filled(&format!("{HEAD}\n>>> DATA\n"), "<<< 250 ok\n", "\n", size)
        }),
        (
            "those that failed and those that the returned mail was to",
            &|size| {
                let fields = numbered(
                    &|n| format!("Final-Recipient: rfc822; u{n}@e.io\n\n"),
                    size / 2,
                );
                let to = numbered(&|n| format!("v{n}@e.io,"), (size / 2).min(250 * KB));
                format!(
                "{HEAD}Content-Type: multipart/report; boundary=b\n\n--b\nContent-Type: message/delivery-status\n\n\
                 Reporting-MTA: dns; a\n\n{fields}\n--b\nContent-Type: text/rfc822-headers\n\nTo: {to}\n\n--b--\n"
            )
            .into_bytes()
            },
        ),
        (
            "return paths that may hold an address in many ways",
            &|size| {
                let path = format!("no-reply{}=e.io@mydomain.de,", "+a-b".repeat(200));
                let to = path.repeat((size.min(250 * KB)) / path.len());
                format!(
                    "To: {to}\n{HEAD}\n<a@b.example>: 550 no\n{}",
                    "no more\n".repeat(size / 16)
                )
                .into_bytes()
            },
        ),
        ("recipients beside a text that says no more", &|size| {
            let fields = numbered(
                &|n| {
                    format!(
                        "Final-Recipient: rfc822; u{n}@e.io\nDiagnostic-Code: smtp; 550 no such user (in reply to RCPT TO)\n\n"
                    )
                },
                size / 10,
            );
            let text = "nothing to see here\n".repeat(size / 20);
            format!(
                "{HEAD}Content-Type: multipart/report; boundary=b\n\n--b\n\n{text}\n--b\n\
                 Content-Type: message/delivery-status\n\nReporting-MTA: dns; a\n\n{fields}\n--b--\n"
            )
            .into_bytes()
        }),
    ];
    for (name, make) in cases {
        let sizes = [256 * KB, 512 * KB, MB, 2 * MB, 4 * MB, 8 * MB];
        let costs = sizes.map(|size| cost_of(&make(size), 2));
        println!("{name}: {costs:?} for 256 kB to 8 MB");
        for (small, large) in costs.iter().zip(&costs[3..]) {
            let times = large.as_secs_f64() / small.as_secs_f64();
            assert!(times < MOST_TIMES, "{name}: {costs:?}");
        }
    }
}
