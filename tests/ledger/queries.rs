//! No statement of the ledger reads a whole table that grows, and none relies on the order of columns.
//!
//! The statements are taken from the source, so that none can be forgotten: every text in it that begins like one.

use super::*;
use std::path::Path;

/// The tables that grow with the mails that come, or with what was decided on them.
const GROWING: [&str; 8] = [
    "mails",
    "bounces",
    "suspensions",
    "handled",
    "quarantine",
    "temporary_bounces",
    "permanent_bounces",
    "spent",
];

/// What reads a whole table because a person asks for it: by their beginnings.
const ASKED_FOR: [(&str, &str); 7] = [
    (
        "SELECT min(bounced_address), diagnostic, coalesce(status, ''), reply_code, count(*) FROM bounces WHERE",
        "classify --unknown --ledger",
    ),
    (
        "SELECT bounced_address, domain, counter FROM temporary_bounces WHERE instr(",
        "find-address by a part of it",
    ),
    (
        "SELECT ts, bounced_address, domain, status_code, reason FROM permanent_bounces WHERE instr(",
        "find-address by a part of it",
    ),
    (
        "SELECT created, bounced_address, domain, state, attempts, due, answer FROM suspensions WHERE instr(",
        "find-address by a part of it",
    ),
    (
        "SELECT at, bounced_address, final_recipient, domain, action, counter, evidence, diagnostic, message_id, source, proof, proof_by, proof_sentence FROM bounces WHERE instr(",
        "find-address by a part of it",
    ),
    (
        "SELECT id, at, why, source, mail_from, subject, envelope_recipients, size FROM quarantine ORDER BY id",
        "the list of the quarantine",
    ),
    (
        "SELECT domain, count(*) FROM suspensions WHERE state = 'pending' GROUP BY domain",
        "at the start, of what is pending",
    ),
];

/// Files whose statements run once for a database, at its migration.
const ONCE: [&str; 2] = ["schema.rs", "prototype.rs"];

/// Every SQL statement in the source of the ledger, with its blanks made single ones.
fn statements() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ledger");
    let mut statements = Vec::new();
    for file in std::fs::read_dir(folder).expect("the source") {
        let file = file.expect("a file").path();
        let name = file
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or("");
        if !name.ends_with(".rs") || ONCE.contains(&name) {
            continue;
        }
        let source = std::fs::read_to_string(&file).expect("the source");
        for text in texts(&source) {
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            let verb = text.split(' ').next().unwrap_or("");
            if ["SELECT", "INSERT", "UPDATE", "DELETE", "REPLACE", "WITH"].contains(&verb) {
                statements.push(text);
            }
        }
    }
    statements
}

/// The string literals of a source file.
fn texts(source: &str) -> Vec<String> {
    let mut texts = Vec::new();
    let mut rest = source.chars().peekable();
    while let Some(char) = rest.next() {
        match char {
            '/' if rest.peek() == Some(&'/') => {
                rest.by_ref().find(|char| *char == '\n');
            }
            '\'' if rest.peek() == Some(&'"') => {
                rest.next();
            }
            '"' => {
                let mut text = String::new();
                while let Some(char) = rest.next().filter(|char| *char != '"') {
                    match char {
                        '\\' => text.extend(rest.next().filter(|char| *char != '\n')),
                        char => text.push(char),
                    }
                }
                texts.push(text);
            }
            _ => {}
        }
    }
    texts
}

/// The steps of the plan of a statement.
fn plan(sql: &Connection, statement: &str) -> Vec<String> {
    let mut explain = sql
        .prepare(&format!("EXPLAIN QUERY PLAN {statement}"))
        .unwrap_or_else(|error| panic!("{error}: {statement}"));
    let parameters = vec![rusqlite::types::Null; explain.parameter_count()];
    explain
        .query_map(rusqlite::params_from_iter(parameters), |row| {
            row.get("detail")
        })
        .and_then(Iterator::collect)
        .expect(statement)
}

/// The table that a plan reads from one end to the other, if it grows.
fn scanned(plan: &[String]) -> Option<&'static str> {
    GROWING.into_iter().find(|table| {
        plan.iter().any(|step| {
            let mut words = step.split(' ');
            words.next() == Some("SCAN") && words.next() == Some(table)
        })
    })
}

#[test]
fn no_statement_reads_a_whole_table_that_grows_unless_a_person_asks_for_it() {
    let mut bench = Bench::new();
    let ledger = bench.open();
    for number in 0..50 {
        for reason in [Reason::UserUnknown, Reason::MailboxFull] {
            bench.bounce(&ledger, &format!("{number}@example.com"), reason);
        }
        let stray = bench.stray(Unhandled::Unreadable, b"odd");
        bench.record(&ledger, &[stray]);
    }
    let sql = bench.sql();
    let statements = statements();
    assert!(statements.len() > 30, "{} statements", statements.len());
    let mut asked_for = ASKED_FOR.to_vec();
    for statement in &statements {
        let plan = plan(&sql, statement);
        let known = asked_for
            .iter()
            .position(|(begin, _)| statement.starts_with(begin));
        match (scanned(&plan), known) {
            (Some(_), Some(known)) => {
                asked_for.remove(known);
            }
            (Some(table), None) => panic!("all of {table} is read by: {statement}\n{plan:#?}"),
            (None, Some(_)) => panic!("needs no exception any more: {statement}"),
            (None, None) => {}
        }
    }
    assert_eq!(asked_for, [], "exceptions that nothing needs");
}

#[test]
fn a_statement_without_an_index_would_be_found() {
    let bench = Bench::new();
    drop(bench.open());
    let plan = plan(&bench.sql(), "SELECT id FROM bounces WHERE domain = ?");
    assert_eq!(scanned(&plan), Some("bounces"), "{plan:?}");
}

#[test]
fn every_statement_names_its_columns() {
    for statement in statements() {
        assert!(!statement.contains("SELECT *"), "{statement}");
        assert!(!statement.contains(".*"), "{statement}");
        if let Some(insert) = statement.strip_prefix("INSERT INTO ") {
            let columns = insert.split(' ').nth(1).unwrap_or("");
            assert!(columns.starts_with('('), "{statement}");
        }
    }
}
