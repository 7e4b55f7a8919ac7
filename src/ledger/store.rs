//! The connections: opening them, transactions, and getting over faults.
//!
//! One connection writes, another one only reads: so no look at the whole history holds up a commit, and no commit that waits for a slow
//! disk or a locked file holds up a reader. Each has a thread of its own for callers that must not block.

use super::error::{ErrorKind, LedgerError};
use super::thread::Thread;
use super::{handled, schema};
use crate::mail::Ticket;
use parking_lot::Mutex;
use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};
use std::collections::VecDeque;
use std::fs::OpenOptions;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// How long another process may hold the database before it counts as locked.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long all transactions together may still wait for another process once this one is to end.
const PATIENCE_AT_THE_END: Duration = Duration::from_secs(2);

/// How long SQLite waits for a lock in one try. Between two tries it is seen whether this process is to end.
const ONE_TRY: Duration = Duration::from_millis(50);

/// The database. Clones share its connections. Its verbs block: a commit waits for the disk, and for other processes. Async code calls
/// them by [`Ledger::on_writer`] and [`Ledger::on_reader`].
#[derive(Clone)]
pub struct Ledger(Arc<Shared>);

struct Shared {
    file: PathBuf,
    writer: Mutex<Database>,
    reader: Mutex<Database>,
    writer_thread: Thread,
    reader_thread: Thread,
    /// Tickets whose rows are no longer needed: deleted with the next transaction that writes anyway.
    forgotten: Mutex<VecDeque<Ticket>>,
    /// That the history is full was said.
    history_said: AtomicBool,
    /// Until when a locked database is waited for, once this process is to end.
    end: OnceLock<Instant>,
}

/// One connection to the file, opened anew when the file is another one.
struct Database {
    file: PathBuf,
    open: fn(&Path) -> Result<Opened, LedgerError>,
    /// None before it is needed, and after a fault that only opening the file anew can mend.
    connection: Option<Opened>,
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
        // SQLite would make it readable for everybody, and takes over its mode for the log. What is wrong, SQLite says better.
        let _ = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o640)
            .open(file);
        let opened = open(file, OpenFlags::SQLITE_OPEN_CREATE)?;
        let thread = |name| {
            Thread::start(name)
                .map_err(|error| LedgerError::new(ErrorKind::Other, file, error.to_string()))
        };
        Ok(Ledger(Arc::new(Shared {
            file: file.to_owned(),
            writer: Mutex::new(Database {
                file: file.to_owned(),
                // Not made anew: where there was a database there has to be one.
                open: |file| open(file, OpenFlags::empty()),
                connection: Some(opened),
            }),
            reader: Mutex::new(Database {
                file: file.to_owned(),
                open: open_to_read,
                connection: None,
            }),
            writer_thread: thread("ledger writer")?,
            reader_thread: thread("ledger reader")?,
            forgotten: Mutex::default(),
            history_said: AtomicBool::new(false),
            end: OnceLock::new(),
        })))
    }

    /// To be called when this process is to end: from now on, whoever waits or will wait for another process that holds the database
    /// locked gets [`ErrorKind::Busy`] 2 s from now at the latest, instead of 5 s after each began to wait.
    pub fn hurry(&self) {
        let _ = self.0.end.set(Instant::now() + PATIENCE_AT_THE_END);
    }

    /// Calls a verb that writes, for whoever must not block: `ledger.on_writer(move |ledger| ledger.settle(…)).await`.
    ///
    /// # Errors
    /// Those of the verb; or that it panicked.
    pub async fn on_writer<T: Send + 'static>(
        &self,
        verb: impl FnOnce(&Ledger) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        self.on(&self.0.writer_thread, verb).await
    }

    /// Calls a verb that only reads, for whoever must not block: `ledger.on_reader(move |ledger| ledger.mails(…)).await`.
    ///
    /// # Errors
    /// Those of the verb; or that it panicked.
    pub async fn on_reader<T: Send + 'static>(
        &self,
        verb: impl FnOnce(&Ledger) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        self.on(&self.0.reader_thread, verb).await
    }

    async fn on<T: Send + 'static>(
        &self,
        thread: &Thread,
        verb: impl FnOnce(&Ledger) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let ledger = self.clone();
        let answer = thread.run(move || verb(&ledger)).await;
        answer.unwrap_or_else(|| {
            let detail = "the program panicked while it used it";
            Err(LedgerError::new(ErrorKind::Other, &self.0.file, detail))
        })
    }

    /// Notes that whoever handed these mails in knows that they are recorded: they won't be handed in again. Never waits
    /// for the database: the rows are deleted with the next batch of mails, or by [`Ledger::write_forgotten`]. Should a
    /// note get lost, that matters only for mails that are equal to the byte.
    pub fn forget(&self, tickets: &[Ticket]) {
        self.0.forgotten.lock().extend(tickets);
    }

    /// Writes to disk what [`Ledger::forget`] was told.
    ///
    /// # Errors
    /// As for every transaction. Then nothing is lost: it is written with the next one.
    pub fn write_forgotten(&self) -> Result<(), LedgerError> {
        self.0.write_forgotten()
    }

    /// Runs `work` in one transaction that is on disk when this returns, or undone. Along with it go the rows of tickets that were
    /// forgotten, as many as one transaction takes.
    pub(super) fn write_and_forget<T>(
        &self,
        work: impl FnOnce(&Transaction) -> rusqlite::Result<T>,
    ) -> Result<T, LedgerError> {
        self.0.write_and_forget(work)
    }

    /// Runs `work` in one transaction that is on disk when this returns, or undone.
    pub(super) fn write<T>(
        &self,
        work: impl FnOnce(&Transaction) -> rusqlite::Result<T>,
    ) -> Result<T, LedgerError> {
        self.0.write(work)
    }

    /// Runs `work`, which only reads.
    pub(super) fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, LedgerError> {
        self.0.reader.lock().using(|connection| work(connection))
    }

    /// Whether it was said that the history is full.
    pub(super) fn history_said(&self) -> &AtomicBool {
        &self.0.history_said
    }
}

impl Shared {
    fn write<T>(
        &self,
        work: impl FnOnce(&Transaction) -> rusqlite::Result<T>,
    ) -> Result<T, LedgerError> {
        self.writer.lock().using(|connection| {
            let tx = begin(connection, &self.end)?;
            let result = work(&tx)?;
            tx.commit()?;
            Ok(result)
        })
    }

    fn write_and_forget<T>(
        &self,
        work: impl FnOnce(&Transaction) -> rusqlite::Result<T>,
    ) -> Result<T, LedgerError> {
        let mut writer = self.writer.lock();
        // Taken and given back with the writer locked: else another batch could pass in between, find the row of a mail
        // whose peer knows, and take the next equal mail for its repeat.
        let going: Vec<Ticket> = {
            let mut forgotten = self.forgotten.lock();
            let count = forgotten.len().min(handled::AT_ONCE);
            forgotten.drain(..count).collect()
        };
        let result = writer.using(|connection| {
            let tx = begin(connection, &self.end)?;
            handled::forget(&tx, going.iter().copied())?;
            let result = work(&tx)?;
            tx.commit()?;
            Ok(result)
        });
        if result.is_err() {
            self.forgotten.lock().extend(going);
        }
        result
    }

    fn write_forgotten(&self) -> Result<(), LedgerError> {
        // A part at a time, so that mails need not wait for all of them.
        while !self.forgotten.lock().is_empty() {
            self.write_and_forget(|_| Ok(()))?;
        }
        Ok(())
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // Nothing hangs on it: see `Ledger::forget`.
        let _ = self.write_forgotten();
        // Before the other: the connection that is closed last removes the log beside the file, and this one may not write.
        self.reader.get_mut().connection = None;
    }
}

impl Database {
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
            self.connection = Some((self.open)(file)?);
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

fn open_to_read(file: &Path) -> Result<Opened, LedgerError> {
    let fault = |error: rusqlite::Error| LedgerError::from_sqlite(file, &error);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags).map_err(fault)?;
    // Readers wait for nobody, but while another process mends the log that a crash left.
    connection.busy_timeout(PATIENCE).map_err(fault)?;
    connection.set_prepared_statement_cache_capacity(64);
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
