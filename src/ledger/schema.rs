//! The tables, and how a database of an earlier version becomes one of this version.
//!
//! `PRAGMA user_version` says how many of [`MIGRATIONS`] were applied. A migration that was released is never changed;
//! a new one is put behind it. Each runs once, in one transaction with the others that are missing, and loses nothing.

use super::error::{ErrorKind, LedgerError};
use super::prototype;
use rusqlite::{Connection, Transaction, TransactionBehavior};
use std::path::Path;

type Migration = fn(&Transaction) -> rusqlite::Result<()>;

/// In order; a database at `user_version` N has had the first N.
const MIGRATIONS: [Migration; 4] = [first, second, third, fourth];

/// Brings a database to the newest schema in one transaction; refuses one that is newer still.
pub(super) fn migrate(connection: &mut Connection, file: &Path) -> Result<(), LedgerError> {
    let fault = |error: rusqlite::Error| LedgerError::from_sqlite(file, &error);
    if version(connection).map_err(fault)? == MIGRATIONS.len() {
        return Ok(());
    }
    migrate_to(&MIGRATIONS, connection, file)
}

/// Applies those of `migrations`, the first of [`MIGRATIONS`], that are missing.
fn migrate_to(
    migrations: &[Migration],
    connection: &mut Connection,
    file: &Path,
) -> Result<(), LedgerError> {
    let fault = |error: rusqlite::Error| LedgerError::from_sqlite(file, &error);
    let tx = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(fault)?;
    // Looked at again: another process may have migrated while this one waited for the lock.
    let found = version(&tx).map_err(fault)?;
    let Some(missing) = migrations.get(found..) else {
        let known = migrations.len();
        let detail = format!("its schema is version {found}, this program knows up to {known}");
        return Err(LedgerError::new(ErrorKind::NewerSchema, file, detail));
    };
    for migration in missing {
        migration(&tx).map_err(fault)?;
    }
    tx.pragma_update(None, "user_version", migrations.len())
        .map_err(fault)?;
    tx.commit().map_err(fault)
}

fn version(connection: &Connection) -> rusqlite::Result<usize> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

fn first(tx: &Transaction) -> rusqlite::Result<()> {
    tx.execute_batch(include_str!("schema/first.sql"))?;
    prototype::take_over(tx)?;
    tx.execute_batch(
        "CREATE UNIQUE INDEX temporary_bounces_key ON temporary_bounces (address_key, domain);",
    )
}

fn second(tx: &Transaction) -> rusqlite::Result<()> {
    tx.execute_batch(include_str!("schema/second.sql"))
}

fn third(tx: &Transaction) -> rusqlite::Result<()> {
    tx.execute_batch(include_str!("schema/third.sql"))
}

fn fourth(tx: &Transaction) -> rusqlite::Result<()> {
    tx.execute_batch(include_str!("schema/fourth.sql"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::types::Value;
    use sha2::{Digest, Sha256};

    /// What a database of version 1 held, table by table; some of it written by hand, into columns that were not strict.
    const OF_VERSION_1: &str = "
        INSERT INTO temporary_bounces (bounced_address, domain, counter, address_key, times)
        VALUES ('Full@example.com', 'openhpi.de', 2, 'full@example.com', '[1,2]');
        INSERT INTO permanent_bounces (ts, bounced_address, domain, status_code, address_key, reason, suspension)
        VALUES ('2026-01-01 00:00:00', 'dead@example.com', 'openhpi.de', 200, 'dead@example.com', 'userunknown', 2);
        INSERT INTO suspensions
            (id, bounced_address, address_key, domain, state, created, due, attempts, settled, status_code, answer,
             type, reason, status, diagnostic, message_id)
        VALUES
            (2, 'dead@example.com', 'dead@example.com', 'openhpi.de', 'delivered', 1, 2, 3, 4, 200, 'ok',
             'hard', 'userunknown', '5.1.1', '550 no', '<1@openhpi.de>'),
            (3, 'odd@example.com', 'odd@example.com', 'openhpi.de', 'pending', 1, 'soon', 0, NULL, NULL, x'6f6b',
             'hard', 'userunknown', NULL, NULL, NULL),
            (9, 'gone@example.com', 'gone@example.com', 'openhpi.de', 'failed', 1, 2, 3, 4, 403, 'no',
             'hard', 'userunknown', NULL, NULL, NULL);
        DELETE FROM suspensions WHERE id = 9;
        INSERT INTO bounces
            (id, at, bounced_address, address_key, domain, type, reason, status, reply_code, diagnostic, message_id,
             evidence, source, action, counter, suspension)
        VALUES
            (5, 10, 'dead@example.com', 'dead@example.com', 'openhpi.de', 'hard', 'userunknown', '5.1.1', 550, '550 no',
             '<1@openhpi.de>', 'why', 'queue q', 'suspend', NULL, 2),
            (6, 11, 'Full@example.com', 'full@example.com', 'openhpi.de', 'soft', 'mailboxfull', NULL, NULL, NULL,
             NULL, 'why', 'queue q', 'count', 2, NULL);
        INSERT INTO quarantine (id, at, why, source, mail_from, subject, envelope_recipients, size, raw)
        VALUES (1, 12, 'why', 'queue q', 'a', 'b', 'c@openhpi.de', 4, x'00ff0102'), (2, 13, 'why', 'queue q', NULL, NULL, '', 3, 'raw');
        INSERT INTO handled (ticket, fingerprint, session, at) VALUES (7, x'0102', 8, 14);
        INSERT INTO attempts (fingerprint, attempts, at) VALUES (x'0304', 2, 15);
    ";

    /// Each table of version 1, with the columns that it had then.
    const TABLES: [&str; 7] = [
        "SELECT * FROM temporary_bounces",
        "SELECT * FROM permanent_bounces",
        "SELECT id, bounced_address, address_key, domain, state, created, CAST(due AS INTEGER), attempts, settled, status_code,
            CAST(answer AS TEXT), type, reason, status, diagnostic, message_id FROM suspensions ORDER BY id",
        "SELECT id, at, bounced_address, address_key, domain, type, reason, status, reply_code, diagnostic, message_id,
            evidence, source, action, counter, suspension FROM bounces ORDER BY id",
        "SELECT id, at, why, source, mail_from, subject, envelope_recipients, size, CAST(raw AS BLOB) FROM quarantine ORDER BY id",
        "SELECT ticket, fingerprint, session, at FROM handled",
        "SELECT fingerprint, attempts, at FROM attempts",
    ];

    fn rows(connection: &Connection, query: &str) -> Vec<Vec<Value>> {
        let mut select = connection.prepare(query).unwrap();
        let columns = select.column_count();
        let rows = select.query_map([], |row| (0..columns).map(|at| row.get(at)).collect());
        rows.and_then(Iterator::collect).unwrap()
    }

    #[test]
    fn a_database_of_version_1_goes_on_with_everything_that_it_held() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("bounced_emails.db");
        let mut connection = Connection::open(&file).unwrap();
        migrate_to(&MIGRATIONS[..1], &mut connection, &file).unwrap();
        connection.execute_batch(OF_VERSION_1).unwrap();
        let before = TABLES.map(|table| rows(&connection, table));
        assert!(before.iter().all(|rows| !rows.is_empty()));
        migrate(&mut connection, &file).unwrap();
        assert_eq!(version(&connection).unwrap(), MIGRATIONS.len());
        for (table, before) in TABLES.iter().zip(before) {
            assert_eq!(rows(&connection, table), before, "{table}");
        }
        // A number that was given once names nothing else, even if its row is gone.
        let number = "INSERT INTO suspensions (bounced_address, address_key, domain, created, due, type, reason)
            VALUES ('new@example.com', 'new@example.com', 'openhpi.de', 1, 2, 'hard', 'userunknown') RETURNING id";
        assert_eq!(rows(&connection, number), [[Value::Integer(10)]]);
        let total = rows(&connection, "SELECT mails, size FROM quarantine_total");
        assert_eq!(total, [[Value::Integer(2), Value::Integer(7)]]);
        let positions = rows(&connection, "SELECT position FROM bounces ORDER BY id");
        assert_eq!(
            positions,
            [[Value::Integer(162)], [Value::Integer(304)]],
            "100 for each row, and its texts"
        );
    }

    #[test]
    fn an_old_database_and_a_new_one_have_the_same_schema() {
        let schema = |at: usize| {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("bounced_emails.db");
            let mut connection = Connection::open(&file).unwrap();
            migrate_to(&MIGRATIONS[..at], &mut connection, &file).unwrap();
            migrate(&mut connection, &file).unwrap();
            let schema = "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name";
            rows(&connection, schema)
        };
        let new = schema(MIGRATIONS.len());
        for old in 1..MIGRATIONS.len() {
            assert_eq!(schema(old), new);
        }
    }

    /// A database that has had a migration gets no second look at it: what is added there would be missing in it for ever.
    #[test]
    fn what_was_released_is_never_changed() {
        let released = [
            (
                include_str!("schema/first.sql"),
                "0e0c074f3860bf8183cea1d9ee8f2a539eb539b97966dd8257c21dd225809161",
            ),
            (
                include_str!("schema/second.sql"),
                "5406f9cc6a5fee8407f232c4f87a6cacca783c074689499942d9488e2e6fd7ed",
            ),
            (
                include_str!("schema/third.sql"),
                "05da768e8aff962ca5c0d82c753c0a84457516b52e2af6aee225b6edb7f34e45",
            ),
        ];
        for (sql, digest) in released {
            assert_eq!(format!("{:x}", Sha256::digest(sql)), digest, "{sql}");
        }
    }

    #[test]
    fn every_table_of_ours_is_strict() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, Path::new("memory")).unwrap();
        let lax = rows(
            &connection,
            "SELECT name FROM pragma_table_list WHERE schema = 'main' AND strict = 0 AND name NOT LIKE 'sqlite_%'",
        );
        let prototypes = ["permanent_bounces", "temporary_bounces"];
        let mut lax: Vec<Value> = lax.into_iter().flatten().collect();
        lax.sort_by_key(|name| format!("{name:?}"));
        assert_eq!(lax, prototypes.map(|name| Value::Text(name.to_owned())));
    }
}
