//! Taking over the prototype's two tables (DESIGN 9).
//!
//! Its table of counters has no key, so that every occurrence added a row, with counters 1, 2, 2, 2, …: the true count is the
//! larger of the number of rows and the highest counter. Permanent bounces are kept row by row.

use rusqlite::types::{Value, ValueRef};
use rusqlite::{Row, Transaction, params};
use std::collections::HashMap;

/// The rows of one address and platform, made into one.
struct Merged {
    /// The row that stays: the last, for its spelling of the address.
    rowid: i64,
    rows: i64,
    highest: i64,
}

/// Fills our columns and leaves one row for each (address, domain).
pub(super) fn take_over(tx: &Transaction) -> rusqlite::Result<()> {
    key_permanent_bounces(tx)?;
    merge_temporary_bounces(tx)
}

fn key_permanent_bounces(tx: &Transaction) -> rusqlite::Result<()> {
    let mut keys = tx.prepare("SELECT rowid, bounced_address FROM permanent_bounces")?;
    let mut set = tx.prepare("UPDATE permanent_bounces SET address_key = ? WHERE rowid = ?")?;
    let mut rows = keys.query([])?;
    while let Some(row) = rows.next()? {
        set.execute(params![folded(row, 1)?, row.get::<_, i64>(0)?])?;
    }
    Ok(())
}

fn merge_temporary_bounces(tx: &Transaction) -> rusqlite::Result<()> {
    let mut merged: HashMap<(String, String), Merged> = HashMap::new();
    let mut superseded = Vec::new();
    let mut select = tx.prepare(
        "SELECT rowid, bounced_address, domain, counter FROM temporary_bounces ORDER BY rowid",
    )?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        // A row without address or domain counts for nobody; it stays as it is.
        let (Some(address), Some(domain)) = (folded(row, 1)?, folded(row, 2)?) else {
            continue;
        };
        let rowid = row.get(0)?;
        let counter = match row.get(3)? {
            Value::Integer(counter) => counter,
            _ => 0,
        };
        let merged = merged.entry((address, domain)).or_insert(Merged {
            rowid,
            rows: 0,
            highest: 0,
        });
        if merged.rowid != rowid {
            superseded.push(std::mem::replace(&mut merged.rowid, rowid));
        }
        merged.rows += 1;
        merged.highest = merged.highest.max(counter);
    }
    let mut delete = tx.prepare("DELETE FROM temporary_bounces WHERE rowid = ?")?;
    for rowid in superseded {
        delete.execute([rowid])?;
    }
    // When they happened was not noted: they grow old from now on (see `counters`).
    let mut update = tx.prepare(
        "UPDATE temporary_bounces
         SET address_key = ?, domain = ?, counter = ?, times = json_array(unixepoch() * 1000)
         WHERE rowid = ?",
    )?;
    for ((address, domain), merged) in merged {
        let count = merged.rows.max(merged.highest);
        update.execute(params![address, domain, count, merged.rowid])?;
    }
    Ok(())
}

/// A column as text with upper and lower case folded, whatever type it was stored as; none for NULL.
fn folded(row: &Row, column: usize) -> rusqlite::Result<Option<String>> {
    Ok(match row.get_ref(column)? {
        ValueRef::Null => None,
        ValueRef::Integer(number) => Some(number.to_string()),
        ValueRef::Real(number) => Some(number.to_string()),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
            Some(String::from_utf8_lossy(bytes).to_lowercase())
        }
    })
}
