//! Rows of text in aligned columns, safe for a terminal.

use crate::printable::Printable;
use std::fmt;

/// A table with a heading. Nothing is shown of one without rows.
pub(super) struct Table<const COLUMNS: usize> {
    heading: &'static str,
    rows: Vec<[String; COLUMNS]>,
}

impl<const COLUMNS: usize> Table<COLUMNS> {
    /// A table; whatever the texts hold, each row stays one line.
    pub(super) fn new(
        heading: &'static str,
        columns: [&str; COLUMNS],
        rows: impl IntoIterator<Item = [String; COLUMNS]>,
    ) -> Self {
        let escaped = |row: [String; COLUMNS]| row.map(|cell| Printable(&cell).to_string());
        let mut rows: Vec<_> = rows.into_iter().map(escaped).collect();
        if !rows.is_empty() {
            rows.insert(0, columns.map(str::to_owned));
        }
        Table { heading, rows }
    }
}

impl<const COLUMNS: usize> fmt::Display for Table<COLUMNS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.rows.is_empty() {
            return Ok(());
        }
        writeln!(f, "{}", self.heading)?;
        let width = |column: usize| {
            let cells = self.rows.iter().map(|row| row[column].chars().count());
            cells.max().unwrap_or(0)
        };
        let widths: [usize; COLUMNS] = std::array::from_fn(width);
        for row in &self.rows {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(widths) {
                line.push_str(&format!("  {cell:width$}"));
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        writeln!(f)
    }
}
