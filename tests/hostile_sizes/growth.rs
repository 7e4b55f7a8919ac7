//! Reading a mail takes time in proportion to its size, whatever it repeats: when the size doubles, the time doubles.
//!
//! Every token that some parser looks for, repeated, in every place that some parser reads. What takes long is measured
//! again at an eighth of the size: in proportion, it takes an eighth of the time; each byte looked at again for each byte
//! before it, it would take a sixty-fourth.

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

const HEAD: &str = "From: MAILER-DAEMON@mail.example.org\nTo: no-reply@mydomain.de\n\
    Subject: Undelivered Mail Returned to Sender\nMIME-Version: 1.0\n";

/// Where parsers read: what stands in front of the tokens, and behind them.
const PLACES: [(&str, &str, &str); 14] = [
    (
        "a text",
        "\nThis is the mail system at host a.example.\n\n",
        "\n",
    ),
    ("a line of text", "\n<a@b.example>: ", "\n"),
    ("HTML", "Content-Type: text/html\n\n", ">\n"),
    (
        "quoted-printable",
        "Content-Transfer-Encoding: quoted-printable\n\n",
        "\n",
    ),
    ("base64", "Content-Transfer-Encoding: base64\n\n", "\n"),
    (
        "a Japanese text",
        "Content-Type: text/plain; charset=iso-2022-jp\n\n",
        "\n",
    ),
    ("UTF-7", "Content-Type: text/plain; charset=utf-7\n\n", "\n"),
    (
        "parts",
        "Content-Type: multipart/mixed; boundary=b\n\n",
        "\n",
    ),
    (
        "a delivery status",
        "Content-Type: multipart/report; boundary=b\n\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; a\n\n",
        "\n--b--\n",
    ),
    (
        "a recipient",
        "Content-Type: multipart/report; boundary=b\n\n--b\nContent-Type: message/delivery-status\n\nFinal-Recipient: rfc822; ",
        "\n--b--\n",
    ),
    (
        "a diagnostic",
        "Content-Type: multipart/report; boundary=b\n\n--b\nContent-Type: message/delivery-status\n\n\
         Final-Recipient: rfc822; a@b.example\nDiagnostic-Code: smtp; ",
        "\n--b--\n",
    ),
    (
        "a returned mail",
        "Content-Type: multipart/report; boundary=b\n\n--b\nContent-Type: message/rfc822\n\n\
         From: MAILER-DAEMON@b.example\nSubject: Undelivered Mail\n\n",
        "\n--b--\n",
    ),
    (
        "a complaint",
        "Content-Type: multipart/report; boundary=b\n\n--b\nContent-Type: message/feedback-report\n\nOriginal-Rcpt-To: ",
        "\n--b--\n",
    ),
    (
        "a notification",
        "\n{\"notificationType\":\"Bounce\",\"bounce\":{\"bouncedRecipients\":[",
        "]}}\n",
    ),
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

fn filled(front: &str, token: &str, back: &str, size: usize) -> Vec<u8> {
    format!("{front}{}{back}", token.repeat(size / token.len())).into_bytes()
}

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
const MOST_TIMES: f64 = 24.0;

/// What reading a mail costs this thread, at best of `tries`.
fn cost(mail: &[u8], tries: usize) -> Duration {
    let now = || {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
    };
    let read = || {
        let before = now();
        std::hint::black_box(report::parse(mail));
        now() - before
    };
    (0..tries).map(|_| read()).min().unwrap_or_default()
}

/// Whether the cost of a mail of `size` is out of proportion to that of an eighth: says how far.
fn out_of_proportion(make: &Make, size: usize) -> Option<String> {
    let large = cost(&make(size), 1);
    // So much is what an unoptimised build needs for every byte; it is too little to measure.
    if large < Duration::from_millis(size as u64 * 300 / MB as u64) {
        return None;
    }
    let (small, large) = (cost(&make(size / 8), 3), cost(&make(size), 2));
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
    let cases: [(&str, OfSize<'_>); 6] = [
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
        let costs = sizes.map(|size| cost(&make(size), 2));
        println!("{name}: {costs:?} for 256 kB to 8 MB");
        for (small, large) in costs.iter().zip(&costs[3..]) {
            let times = large.as_secs_f64() / small.as_secs_f64();
            assert!(times < MOST_TIMES, "{name}: {costs:?}");
        }
    }
}
