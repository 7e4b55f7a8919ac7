//! What is too old or too much goes, in bounded steps: no batch of mails waits for a large deletion, and no mail fills the disk.

use super::*;
use bytesize::ByteSize;
use rusqlite::params;

/// How many rows of a table may go with a batch of no mails.
const FEW: u32 = 100;

/// What makes 5,000 rows of each table that are pruned, all from long ago: `?1` is their time.
const OLD: [(&str, &str); 6] = [
    (
        "mails",
        "INSERT INTO mails (at, source, kind, decision, evidence, position) SELECT ?1, 's', 'none', 'ignore', 'e', value FROM numbers",
    ),
    (
        "bounces",
        "INSERT INTO bounces (at, bounced_address, address_key, domain, type, reason, evidence, source, action, position)
         SELECT ?1, 'a', 'a', 'd', 'hard', 'userunknown', 'e', 's', 'note', value FROM numbers",
    ),
    (
        "suspensions",
        "INSERT INTO suspensions (bounced_address, address_key, domain, state, created, due, settled, type, reason)
         SELECT 'a', 'a', 'd', 'delivered', ?1, ?1, ?1, 'hard', 'userunknown' FROM numbers",
    ),
    (
        "handled",
        "INSERT INTO handled (fingerprint, session, at) SELECT x'00', 0, ?1 FROM numbers",
    ),
    (
        "spent",
        "INSERT INTO spent (mark, at) SELECT CAST(value AS BLOB), ?1 FROM numbers",
    ),
    (
        "quarantine",
        "INSERT INTO quarantine (at, why, source, envelope_recipients, size, raw) SELECT ?1, 'w', 's', '', 1, x'00' FROM numbers",
    ),
];

fn with_old_rows(bench: &Bench) {
    let long_ago = bench.now - 400 * DAY;
    let long_ago = long_ago.duration_since(UNIX_EPOCH).expect("after 1970");
    let sql = bench.sql();
    for (table, insert) in OLD {
        let numbers = "WITH RECURSIVE numbers (value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM numbers WHERE value < 5000)";
        sql.execute(
            &format!("{numbers} {insert}"),
            params![long_ago.as_millis() as i64],
        )
        .expect(table);
    }
}

fn rows(bench: &Bench, table: &str) -> u32 {
    count(bench, &format!("SELECT count(*) FROM {table}"))
}

#[test]
fn old_rows_of_every_table_go_a_few_at_a_time() {
    let bench = Bench::new();
    let ledger = bench.open();
    with_old_rows(&bench);
    for left in [4_900, 4_800] {
        bench.record(&ledger, &[]);
        for (table, _) in OLD {
            assert_eq!(rows(&bench, table), left, "{table}");
        }
    }
}

#[test]
fn a_mail_lets_twice_as_many_rows_go_as_it_brings() {
    let mut bench = Bench::new();
    let ledger = bench.open();
    with_old_rows(&bench);
    let entry = bench.of_many(1_000, "550 no");
    bench.record(&ledger, &[entry]);
    let gone = FEW + 2 * (1 + 1_000);
    assert_eq!(rows(&bench, "bounces"), 5_000 - gone + 1_000);
    assert_eq!(rows(&bench, "mails"), 5_000 - gone + 1);
    assert_eq!(rows(&bench, "quarantine"), 5_000 - gone);
}

#[test]
fn what_is_too_much_in_quarantine_goes_a_few_at_a_time_as_well() {
    let mut bench = Bench::new();
    let ledger = bench.open();
    with_old_rows(&bench);
    bench
        .sql()
        .execute("UPDATE quarantine SET at = at + 1000 * 86400000", [])
        .expect("made young");
    bench.handler.quarantine_max_count = 10;
    bench.record(&ledger, &[]);
    assert_eq!(rows(&bench, "quarantine"), 4_900);
}

#[test]
fn the_history_is_bounded_in_size_and_the_oldest_goes() {
    let mut bench = Bench::new();
    bench.handler.history_max_size = ByteSize::kb(100);
    let ledger = bench.open();
    for number in 0..400 {
        bench.bounce(&ledger, &format!("{number}@example.com"), Reason::Blocked);
    }
    let size = |first: &str| {
        count(
            &bench,
            &format!("SELECT (SELECT max(position) FROM bounces) - ({first})"),
        )
    };
    assert!((90_000..=100_000).contains(&size("SELECT min(position) FROM bounces")));
    assert!((90_000..=100_000).contains(&size("SELECT min(position) FROM mails")));
    let known = ledger.known("@example.com", 1_000).expect("the lookup");
    assert_eq!(
        known.bounces.last().expect("the newest").address,
        "399@example.com"
    );
    // Counted is what the rows hold, give or take what SQLite adds.
    let held = "SELECT sum(octet_length(bounced_address) + octet_length(address_key) + octet_length(diagnostic)
        + octet_length(message_id) + octet_length(evidence) + octet_length(source)
        + octet_length(proof_sentence) + 100) FROM bounces";
    let held = count(&bench, held) + 150 * rows(&bench, "mails");
    assert!((90_000..=110_000).contains(&held), "{held}");
}

#[test]
fn ten_thousand_names_below_long_words_fill_neither_database_nor_log() {
    let mut bench = Bench::new();
    bench.handler.history_max_size = ByteSize::mb(20);
    let ledger = bench.open();
    let words = "550 5.7.1 refused ".repeat(228);
    assert_eq!(words.len(), 4_104);
    let file = bench.file();
    let size = |end: &str| {
        let file = format!("{}{end}", file.display());
        std::fs::metadata(file).map_or(0, |file| file.len())
    };
    let mut log = 0;
    let mails: Vec<Entry> = (0..4).map(|_| bench.of_many(10_000, &words)).collect();
    for mail in &mails {
        bench.record(&ledger, std::slice::from_ref(mail));
        log = log.max(size("-wal"));
    }
    let one = bench.entry("x@example.com", Reason::Blocked);
    bench.record(&ledger, &[one]);
    println!(
        "database {} kB, log at most {} kB",
        size("") / 1000,
        log / 1000
    );
    assert!(rows(&bench, "bounces") < 20_000);
    assert!(size("") < 45_000_000, "{}", size(""));
    assert!(log < 64 << 20, "{log}");
    assert!(size("-wal") <= 64 << 20);
}
