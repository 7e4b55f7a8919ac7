//! A database as the prototype wrote it is taken over (DESIGN 9).

use super::*;
use bouncedemails::ledger::Effect;
use rusqlite::types::Value;

/// What the prototype's statements leave behind: no key, so each `INSERT OR REPLACE` added a row.
fn written_by_the_prototype(bench: &Bench) {
    bench
        .sql()
        .execute_batch(
            "
            CREATE TABLE temporary_bounces (bounced_address TEXT, domain TEXT, counter INTEGER);
            CREATE TABLE permanent_bounces (ts TIMESTAMP DEFAULT CURRENT_TIMESTAMP, bounced_address TEXT, domain TEXT, status_code INTEGER);
            INSERT OR REPLACE INTO temporary_bounces (bounced_address, domain, counter) VALUES
                ('seven@example.com', 'openhpi.de', 1),
                ('seven@example.com', 'openhpi.de', 2),
                ('Seven@Example.com', 'openhpi.de', 2),
                ('seven@example.com', 'openhpi.de', 2),
                ('SEVEN@EXAMPLE.COM', 'OpenHPI.de', 2),
                ('seven@example.com', 'openhpi.de', 2),
                ('seven@example.com', 'openhpi.de', 2),
                ('seven@example.com', 'opensap.info', 1),
                ('one@example.com', 'openhpi.de', 1),
                ('set-by-hand@example.com', 'openhpi.de', 3),
                (NULL, 'openhpi.de', 1),
                (NULL, 'openhpi.de', 2),
                ('nowhere@example.com', NULL, 1),
                (42, 'openhpi.de', 1),
                (x'ff00', 'openhpi.de', 1),
                ('odd@example.com', 'openhpi.de', 'many'),
                ('odd@example.com', 'openhpi.de', NULL),
                ('huge@example.com', 'openhpi.de', 9223372036854775807);
            INSERT INTO permanent_bounces (ts, bounced_address, domain, status_code) VALUES
                ('2017-03-01 10:00:00', 'Dead@Example.com', 'openhpi.de', 200),
                ('2017-03-01 10:00:00', 'Dead@Example.com', 'openhpi.de', 200),
                (NULL, NULL, NULL, NULL),
                ('yesterday', 17, 'openhpi.de', 'no answer'),
                ('2018-01-01 00:00:00', x'00ff', '', 500);
            ",
        )
        .expect("the prototype's statements");
}

fn rows(sql: &Connection, query: &str) -> Vec<Vec<Value>> {
    let mut select = sql.prepare(query).expect(query);
    let columns = select.column_count();
    select
        .query_map([], |row| {
            (0..columns).map(|column| row.get(column)).collect()
        })
        .and_then(Iterator::collect)
        .expect(query)
}

#[test]
fn every_permanent_row_is_kept_as_it_is() {
    let bench = Bench::new();
    written_by_the_prototype(&bench);
    let query = "SELECT rowid, ts, bounced_address, domain, status_code FROM permanent_bounces ORDER BY rowid";
    let before = rows(&bench.sql(), query);
    assert_eq!(before.len(), 5);
    drop(bench.open());
    drop(bench.open());
    assert_eq!(rows(&bench.sql(), query), before);
}

#[test]
fn the_true_count_is_the_larger_of_rows_and_highest_counter() {
    let bench = Bench::new();
    written_by_the_prototype(&bench);
    drop(bench.open());
    let sql = bench.sql();
    let count = |address: &str, domain: &str| {
        let query = format!(
            "SELECT counter FROM temporary_bounces WHERE lower(bounced_address) = '{address}' AND domain = '{domain}'"
        );
        rows(&sql, &query)
    };
    let one_row = |counter: i64| vec![vec![Value::Integer(counter)]];
    assert_eq!(count("seven@example.com", "openhpi.de"), one_row(7));
    assert_eq!(count("seven@example.com", "opensap.info"), one_row(1));
    assert_eq!(count("one@example.com", "openhpi.de"), one_row(1));
    assert_eq!(count("set-by-hand@example.com", "openhpi.de"), one_row(3));
    assert_eq!(count("odd@example.com", "openhpi.de"), one_row(2));
    assert_eq!(count("huge@example.com", "openhpi.de"), one_row(i64::MAX));
    let nobodys = rows(
        &sql,
        "SELECT counter FROM temporary_bounces WHERE bounced_address IS NULL OR domain IS NULL",
    );
    assert_eq!(nobodys.len(), 3);
}

#[test]
fn an_address_over_the_threshold_is_suspended_at_its_next_soft_bounce_and_not_before() {
    let mut bench = Bench::new();
    written_by_the_prototype(&bench);
    let ledger = bench.open();
    assert_eq!(bench.pending(&ledger), 0);
    for (address, counted) in [
        ("seven@example.com", 8),
        ("huge@example.com", u32::MAX),
        ("set-by-hand@example.com", 4),
    ] {
        let outcome = bench.bounce(&ledger, address, Reason::MailboxFull);
        let Outcome::Acted(effects) = outcome else {
            panic!("{outcome:?}");
        };
        assert!(
            matches!(effects[0], Effect::Suspending { counted: Some(count), .. } if count == counted),
            "{address}: {effects:?}"
        );
    }
    let outcome = bench.bounce(&ledger, "One@example.com", Reason::MailboxFull);
    assert_eq!(outcome, Outcome::Acted(vec![Effect::Counted(2)]));
}

#[test]
fn under_a_window_its_counts_grow_old_from_the_takeover_on() {
    let mut bench = Bench::new();
    written_by_the_prototype(&bench);
    bench.handler.temporary_window = Some(days(30));
    let ledger = bench.open();
    bench.now = SystemTime::now() + 29 * DAY;
    let within = bench.bounce(&ledger, "one@example.com", Reason::MailboxFull);
    assert_eq!(within, Outcome::Acted(vec![Effect::Counted(2)]));
    bench.now = SystemTime::now() + 31 * DAY;
    let after = bench.bounce(&ledger, "seven@example.com", Reason::MailboxFull);
    assert_eq!(after, Outcome::Acted(vec![Effect::Counted(1)]));
}

#[test]
fn two_processes_that_start_at_once_take_over_once() {
    let bench = Bench::new();
    written_by_the_prototype(&bench);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| drop(bench.open()));
        }
    });
    let seven = rows(
        &bench.sql(),
        "SELECT sum(counter) FROM temporary_bounces WHERE bounced_address LIKE 'seven%'",
    );
    assert_eq!(seven, [[Value::Integer(8)]]);
}
