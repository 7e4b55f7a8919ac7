//! The connection: opening it, transactions on it, and getting over faults.

use super::error::{ErrorKind, LedgerError};
use super::{handled, schema};
use crate::mail::Ticket;
use parking_lot::Mutex;
use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};
use std::collections::VecDeque;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// How long another process may hold the database before it counts as locked.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long all transactions together may still wait for another process once this one is to end.
const PATIENCE_AT_THE_END: Duration = Duration::from_secs(2);

/// How long SQLite waits for a lock in one try. Between two tries it is seen whether this process is to end.
const ONE_TRY: Duration = Duration::from_millis(50);

/// The database. Clones share one connection; every call blocks, so async code goes through `spawn_blocking`.
#[derive(Clone)]
pub struct Ledger {
    store: Arc<Mutex<Store>>,
    /// Until when a locked database is waited for, once this process is to end.
    end: Arc<OnceLock<Instant>>,
}

pub(super) struct Store {
    file: PathBuf,
    /// None after a fault that only opening the file anew can mend.
    connection: Option<Opened>,
    /// Tickets whose rows are no longer needed: deleted with the next transaction that writes anyway.
    pub forgotten: VecDeque<Ticket>,
    /// That the history is full was said.
    pub history_said: bool,
    /// As in [`Ledger`].
    end: Arc<OnceLock<Instant>>,
}

struct Opened {
    connection: Connection,
    /// Device and inode of the file, to notice when another file has taken its place.
    identity: (u64, u64),
}

impl Ledger {
    /// Opens a database, or makes one, and brings it to the newest schema. A damaged file is left as it is.
    ///
    /// # Errors
    /// Says what is wrong with the file or its folder, and what to do.
    pub fn open(file: &Path) -> Result<Ledger, LedgerError> {
        let opened = open(file, OpenFlags::SQLITE_OPEN_CREATE)?;
        let end = Arc::new(OnceLock::new());
        let store = Store {
            file: file.to_owned(),
            connection: Some(opened),
            forgotten: VecDeque::new(),
            history_said: false,
            end: end.clone(),
        };
        let store = Arc::new(Mutex::new(store));
        Ok(Ledger { store, end })
    }

    /// To be called when this process is to end: from now on, whoever waits or will wait for another process that holds the database
    /// locked gets [`ErrorKind::Busy`] 2 s from now at the latest, instead of 5 s after each began to wait.
    pub fn hurry(&self) {
        let _ = self.end.set(Instant::now() + PATIENCE_AT_THE_END);
    }

    /// Notes that the givers of these mails know that they are recorded: they won't be handed in again. Written to disk with the next
    /// batch of mails, or by [`Ledger::write_forgotten`]; should it get lost, that matters only for mails that are equal to the byte.
    pub fn forget(&self, tickets: &[Ticket]) {
        self.store.lock().forgotten.extend(tickets);
    }

    /// Writes to disk what [`Ledger::forget`] was told.
    ///
    /// # Errors
    /// As for every transaction. Then nothing is lost: it is written with the next one.
    pub fn write_forgotten(&self) -> Result<(), LedgerError> {
        // Locked anew for each part, so that mails need not wait for all of them.
        while !self.store.lock().write_forgotten()? {}
        Ok(())
    }

    /// Runs `work` in one transaction that is on disk when this returns, or undone.
    pub(super) fn write<T>(
        &self,
        work: impl FnOnce(&Transaction) -> rusqlite::Result<T>,
    ) -> Result<T, LedgerError> {
        self.store.lock().write(work)
    }

    /// Runs `work`, which only reads.
    pub(super) fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, LedgerError> {
        self.store.lock().using(|connection| work(connection))
    }

    /// The store itself, for what needs more than a transaction.
    pub(super) fn store(&self) -> parking_lot::MutexGuard<'_, Store> {
        self.store.lock()
    }
}

impl Store {
    pub fn write<T>(
        &mut self,
        work: impl FnOnce(&Transaction) -> rusqlite::Result<T>,
    ) -> Result<T, LedgerError> {
        let end = self.end.clone();
        self.using(|connection| {
            let tx = begin(connection, &end)?;
            let result = work(&tx)?;
            tx.commit()?;
            Ok(result)
        })
    }

    /// The tickets whose rows the next transaction is to delete.
    pub fn going(&self) -> Vec<Ticket> {
        let going = self.forgotten.iter().take(handled::AT_ONCE);
        going.copied().collect()
    }

    /// Deletes the rows of as many forgotten tickets as one transaction takes. Whether these were all.
    fn write_forgotten(&mut self) -> Result<bool, LedgerError> {
        let going = self.going();
        if !going.is_empty() {
            self.write(|tx| handled::forget(tx, going.iter().copied()))?;
            self.forgotten.drain(..going.len());
        }
        Ok(self.forgotten.is_empty())
    }

    fn using<T>(
        &mut self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T>,
    ) -> Result<T, LedgerError> {
        let file = self.file.as_path();
        // SQLite would go on writing into a file that was deleted or replaced.
        let identity = identity(file)?;
        if self
            .connection
            .as_ref()
            .is_none_or(|opened| opened.identity != identity)
        {
            self.connection = None;
            // Not made anew: where there was a database there has to be one.
            self.connection = Some(open(file, OpenFlags::empty())?);
        }
        let Some(opened) = &mut self.connection else {
            return Err(LedgerError::new(ErrorKind::Other, file, "it is not open"));
        };
        work(&mut opened.connection).map_err(|error| {
            let error = LedgerError::from_sqlite(file, &error);
            // Once mended, by a person, the file may be another one.
            if !error.is_passing() {
                self.connection = None;
            }
            error
        })
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // Nothing hangs on it: see `Ledger::forget`.
        while self.write_forgotten().is_ok_and(|all| !all) {}
    }
}

/// Begins a transaction that may write, once no other process does.
fn begin<'a>(
    connection: &'a Connection,
    end: &OnceLock<Instant>,
) -> rusqlite::Result<Transaction<'a>> {
    let begun = Instant::now();
    loop {
        // "Unchecked" by the borrow checker alone: no other transaction is open on the connection.
        let tx = Transaction::new_unchecked(connection, TransactionBehavior::Immediate);
        let is_busy = tx
            .as_ref()
            .is_err_and(|error| error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy));
        let patience = begun + PATIENCE;
        let until = end.get().map_or(patience, |end| patience.min(*end));
        if !is_busy || Instant::now() >= until {
            return tx;
        }
    }
}

fn open(file: &Path, create: OpenFlags) -> Result<Opened, LedgerError> {
    let fault = |error: rusqlite::Error| LedgerError::from_sqlite(file, &error);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | create;
    let mut connection = Connection::open_with_flags(file, flags).map_err(fault)?;
    connection.busy_timeout(PATIENCE).map_err(fault)?;
    connection.set_prepared_statement_cache_capacity(64);
    if connection.is_readonly("main").map_err(fault)? {
        let detail = "the system only lets it be read";
        return Err(LedgerError::new(ErrorKind::ReadOnly, file, detail));
    }
    // What is confirmed is on disk: FULL syncs the log at each commit.
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
             PRAGMA journal_size_limit = 67108864;",
        )
        .map_err(fault)?;
    schema::migrate(&mut connection, file)?;
    connection.busy_timeout(ONE_TRY).map_err(fault)?;
    let identity = identity(file)?;
    Ok(Opened {
        connection,
        identity,
    })
}

fn identity(file: &Path) -> Result<(u64, u64), LedgerError> {
    match std::fs::metadata(file) {
        Ok(metadata) => Ok((metadata.dev(), metadata.ino())),
        Err(error) => Err(LedgerError::new(
            ErrorKind::Missing,
            file,
            error.to_string(),
        )),
    }
}
