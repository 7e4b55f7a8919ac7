//! One posting process for each database: whoever holds `<dbfile>.lock`.

use fs4::fs_std::FileExt;
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

/// The right to post the suspensions of a database, until it is dropped or the process ends, however it ends.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "the lock lives as long as the file is open")] File);

/// Why the lock could not be had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process has it.
    #[error(
        "The database {} is in use by another bouncedemails{}: only one may run on it. Stop that one, or give this one another dbfile",
        file.display(), by(.pid)
    )]
    Held {
        /// The database.
        file: PathBuf,
        /// The number of that process, where it is known.
        pid: Option<u32>,
    },
    /// The lock file can't be made.
    #[error("The lock file {} cannot be made ({error}): let the service's user write its folder", file.display())]
    Unmakable {
        /// The lock file.
        file: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

fn by(pid: &Option<u32>) -> String {
    pid.map_or_else(String::new, |pid| format!(" (process {pid})"))
}

impl Lock {
    /// Takes the lock of the database `dbfile`.
    ///
    /// # Errors
    /// If another process has it, or the lock file can't be made.
    pub fn take(dbfile: &Path) -> Result<Lock, LockError> {
        let mut path: OsString = dbfile.as_os_str().to_owned();
        path.push(".lock");
        let path = PathBuf::from(path);
        let unmakable = |error| LockError::Unmakable {
            file: path.clone(),
            error,
        };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(unmakable)?;
        if !FileExt::try_lock_exclusive(&file).map_err(unmakable)? {
            let mut pid = String::new();
            let _ = (&mut file).take(16).read_to_string(&mut pid);
            return Err(LockError::Held {
                file: dbfile.to_owned(),
                pid: pid.trim().parse().ok(),
            });
        }
        // For people, and for the message above; the lock itself does not need it, so a full disk is no fault.
        let _ = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()));
        Ok(Lock(file))
    }
}
