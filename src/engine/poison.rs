//! Which mails are being read at this moment, in a small file beside the database, so that a mail that ends the process is known by name
//! when the next one starts. One that did it twice is not read again.
//!
//! Every process has a file of its own, `<dbfile>.reading.<number>`, and holds a lock on it; a file that is not locked was left by
//! a process that died.

use crate::ledger::{Ledger, LedgerError};
use crate::mail::Fingerprint;
use fs4::fs_std::FileExt;
use parking_lot::Mutex;
use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A mail that ended so many processes is not read again.
const TOO_OFTEN: u32 = 2;

/// The bytes of a fingerprint in the file. Free slots are zero.
const SLOT: usize = 32;
const FREE: [u8; SLOT] = [0; SLOT];

/// The mails that this process is reading.
pub struct InFlight {
    file: File,
    path: PathBuf,
    /// Which slots are taken.
    slots: Mutex<Vec<bool>>,
    poison: HashSet<Fingerprint>,
}

/// Held while a mail is being read.
pub struct Mark<'a> {
    in_flight: &'a InFlight,
    slot: usize,
}

impl InFlight {
    /// Notes what dead processes were reading, and begins a file for this one beside the database `dbfile`.
    ///
    /// # Errors
    /// If the folder or the database can't be written.
    pub fn open(ledger: &Ledger, dbfile: &Path, now: SystemTime) -> Result<InFlight, LedgerError> {
        let fault = |error: io::Error| LedgerError::from_io(dbfile, &error);
        for left in left_behind(dbfile).map_err(fault)? {
            let unfinished = fingerprints(&left.file).map_err(fault)?;
            ledger.blame(&unfinished, now)?;
            std::fs::remove_file(&left.path).map_err(fault)?;
        }
        let poison = ledger.blamed(TOO_OFTEN)?.into_iter().collect();
        let (path, file) = create_locked(dbfile).map_err(fault)?;
        Ok(InFlight {
            file,
            path,
            slots: Mutex::new(Vec::new()),
            poison,
        })
    }

    /// Whether reading this mail ended the process too often.
    pub fn is_poison(&self, fingerprint: &Fingerprint) -> bool {
        self.poison.contains(fingerprint)
    }

    /// Notes that a mail is being read, until the mark is dropped. Survives the death of the process, not of the machine.
    pub fn mark(&self, fingerprint: &Fingerprint) -> Mark<'_> {
        let slot = {
            let mut slots = self.slots.lock();
            let free = slots.iter().position(|taken| !taken);
            let slot = free.unwrap_or(slots.len());
            match free {
                Some(slot) => slots[slot] = true,
                None => slots.push(true),
            }
            slot
        };
        self.write(slot, &fingerprint.0);
        Mark {
            in_flight: self,
            slot,
        }
    }

    fn write(&self, slot: usize, content: &[u8; SLOT]) {
        // On a full disk nothing is noted: a mail that ends the process would be read once more.
        let _ = self.file.write_all_at(content, (slot * SLOT) as u64);
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        // Left behind, it is deleted by the next process.
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Drop for Mark<'_> {
    fn drop(&mut self) {
        self.in_flight.write(self.slot, &FREE);
        if let Some(taken) = self.in_flight.slots.lock().get_mut(self.slot) {
            *taken = false;
        }
    }
}

/// A file of a process that died, locked by us now.
struct Left {
    path: PathBuf,
    file: File,
}

fn left_behind(dbfile: &Path) -> io::Result<Vec<Left>> {
    let folder = match dbfile.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut prefix = dbfile.file_name().unwrap_or_default().to_owned();
    prefix.push(".reading.");
    let mut left = Vec::new();
    for found in std::fs::read_dir(folder)? {
        let found = found?;
        let name = found.file_name();
        if !name
            .as_encoded_bytes()
            .starts_with(prefix.as_encoded_bytes())
        {
            continue;
        }
        let path = found.path();
        let file = match no_link().open(&path) {
            Ok(file) => file,
            // Its process ended just now.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            // Whoever may write the folder may not lead us to another file.
            Err(error) if is_link(&error) => continue,
            Err(error) => return Err(error),
        };
        if FileExt::try_lock_exclusive(&file)? {
            left.push(Left { path, file });
        }
    }
    Ok(left)
}

fn fingerprints(file: &File) -> io::Result<Vec<Fingerprint>> {
    let slots = file.metadata()?.len() / SLOT as u64;
    let mut found = Vec::new();
    for slot in 0..slots.min(4_096) {
        let mut content = FREE;
        file.read_exact_at(&mut content, slot * SLOT as u64)?;
        if content != FREE {
            found.push(Fingerprint(content));
        }
    }
    Ok(found)
}

/// To read and write a file that is no symbolic link.
fn no_link() -> OpenOptions {
    let mut options = OpenOptions::new();
    options
        .read(true)
        .write(true)
        .custom_flags(libc::O_NOFOLLOW);
    options
}

fn is_link(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ELOOP)
}

/// Makes a file that is locked, and still there: between making and locking it, another process may take it for left behind.
fn create_locked(dbfile: &Path) -> io::Result<(PathBuf, File)> {
    // The process's own number is rarely taken: only where another container numbers its processes alike.
    let mut number = std::process::id();
    loop {
        let mut path: OsString = dbfile.as_os_str().to_owned();
        path.push(format!(".reading.{number}"));
        let path = PathBuf::from(path);
        match no_link().create(true).mode(0o640).open(&path) {
            Ok(file) => {
                if FileExt::try_lock_exclusive(&file)? && file.metadata()?.nlink() > 0 {
                    file.set_len(0)?;
                    return Ok((path, file));
                }
            }
            Err(error) if is_link(&error) => {}
            Err(error) => return Err(error),
        }
        number = number.wrapping_add(1);
    }
}
