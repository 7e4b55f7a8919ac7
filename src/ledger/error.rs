//! What can be wrong with a database, and what a person can do about it.

use rusqlite::ErrorCode;
use std::path::{Path, PathBuf};
use std::{fmt, io};

/// Why the database could not be used. Nothing of the transaction that failed was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerError {
    /// What kind of fault it is.
    pub kind: ErrorKind,
    /// The database.
    pub file: PathBuf,
    /// What SQLite or the system says.
    pub detail: String,
}

/// The kinds of faults that ask for different help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// Another process holds it locked.
    Busy,
    /// The disk is full.
    Full,
    /// It, its folder or its file system can't be written.
    ReadOnly,
    /// It, or its folder, is gone or can't be opened.
    Missing,
    /// It is no database, or a damaged one.
    Damaged,
    /// A newer version of this program wrote it.
    NewerSchema,
    /// Anything else.
    Other,
}

impl LedgerError {
    pub(super) fn new(kind: ErrorKind, file: &Path, detail: impl Into<String>) -> LedgerError {
        LedgerError {
            kind,
            file: file.to_owned(),
            detail: detail.into(),
        }
    }

    pub(super) fn from_sqlite(file: &Path, error: &rusqlite::Error) -> LedgerError {
        LedgerError::new(kind(error), file, error.to_string())
    }

    /// A fault of a file that lies beside the database.
    pub(crate) fn from_io(file: &Path, error: &io::Error) -> LedgerError {
        let kind = match error.kind() {
            io::ErrorKind::StorageFull => ErrorKind::Full,
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                ErrorKind::ReadOnly
            }
            _ => ErrorKind::Other,
        };
        LedgerError::new(kind, file, error.to_string())
    }

    /// Whether waiting can help, because someone else may free the database or the disk.
    pub fn is_passing(&self) -> bool {
        matches!(self.kind, ErrorKind::Busy | ErrorKind::Full)
    }
}

fn kind(error: &rusqlite::Error) -> ErrorKind {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => ErrorKind::Busy,
        Some(ErrorCode::DiskFull) => ErrorKind::Full,
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => ErrorKind::ReadOnly,
        Some(ErrorCode::CannotOpen) => ErrorKind::Missing,
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => ErrorKind::Damaged,
        _ => ErrorKind::Other,
    }
}

impl std::error::Error for LedgerError {}

impl fmt::Display for LedgerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LedgerError { kind, file, detail } = self;
        let file = file.display();
        let (what, help) = match kind {
            ErrorKind::Busy => (
                "is locked by another process",
                format!("end that process; fuser -v {file} shows it"),
            ),
            ErrorKind::Full => (
                "cannot grow: the disk is full",
                format!("free some space; df -h {file} shows how much there is"),
            ),
            ErrorKind::ReadOnly => (
                "cannot be written",
                "let the service's user write the file and its folder, and see that the file system is mounted read-write"
                    .to_owned(),
            ),
            ErrorKind::Missing => (
                "cannot be opened",
                "see that its folder exists, is mounted, and that the service's user may enter it".to_owned(),
            ),
            ErrorKind::Damaged => (
                "is damaged, or no database; it is left as it is",
                format!(
                    "put a backup in its place, or save what can be read: sqlite3 {file} .recover | sqlite3 mended.db"
                ),
            ),
            ErrorKind::NewerSchema => (
                "was written by a newer version of this program",
                "install that version again, or use another dbfile".to_owned(),
            ),
            ErrorKind::Other => ("cannot be used", "see what SQLite says".to_owned()),
        };
        write!(f, "The database {file} {what} ({detail}): {help}")
    }
}
