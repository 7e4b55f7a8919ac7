//! The raw mail behind every suspension, gzipped, one file an address: `<path>/<first two letters>/<address>.gz`.
//!
//! Whatever an address spells, its file stays within `path`, and no two addresses share one. A newer mail takes the place of
//! an older one. Nothing else reads these files; a mail that can't be kept delays nothing.

use crate::address::Address;
use anyhow::Context;
use flate2::Compression;
use flate2::write::GzEncoder;
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// The longest address that is a file name as it is. File systems take 255 bytes, temporary names and `.gz` are longer.
const LONGEST: usize = 200;

/// From so many files on, syncing the whole file system once is quicker than syncing each: by five times for 150 files on ext4.
const MANY: usize = 8;

/// Tells the temporary files of this process apart.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// The folder that the mails are kept in.
#[derive(Debug, Clone)]
pub struct Archive {
    path: PathBuf,
}

impl Archive {
    /// The archive in the folder `path`, which need not exist yet.
    pub fn new(path: impl Into<PathBuf>) -> Archive {
        Archive { path: path.into() }
    }

    /// Tries whether mails can be kept.
    ///
    /// # Errors
    /// Names the folder and what the system says.
    pub fn check(&self) -> anyhow::Result<()> {
        let path = &self.path;
        let probe = path.join(format!(".{}.tmp", std::process::id()));
        fs::create_dir_all(path)
            .and_then(|()| fs::write(&probe, ""))
            .and_then(|()| fs::remove_file(&probe))
            .with_context(|| format!("cannot write into {}", path.display()))
    }

    /// Where the mail behind the suspension of an address is kept.
    pub fn file(&self, address: &Address) -> PathBuf {
        let name = file_name(address);
        let folder: String = name.chars().take(2).collect();
        self.path.join(folder).join(format!("{name}.gz"))
    }

    /// Keeps mails, each with the address that it is about. Afterwards every file is on disk as a whole, or is what it was before. Of several
    /// mails about an address the last one is kept. Returns what could not be kept, with the file and what the system says.
    pub fn keep<'a>(&self, mails: &[(&'a Address, &[u8])]) -> Vec<(&'a Address, anyhow::Error)> {
        let last: HashMap<&Address, &[u8]> = mails.iter().copied().collect();
        let written: Vec<_> = last
            .into_par_iter()
            .map(|(address, raw)| (address, self.write(address, raw)))
            .collect();
        let synced = written.len() >= MANY && sync_all(&written);
        written
            .into_par_iter()
            .filter_map(|(address, written)| {
                let placed = written.and_then(|file| file.put_in_place(synced));
                placed.err().map(|error| (address, error))
            })
            .collect()
    }

    fn write(&self, address: &Address, raw: &[u8]) -> anyhow::Result<Unplaced> {
        let place = self.file(address);
        let folder = place.parent().unwrap_or(&self.path);
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot make the folder {}", folder.display()))?;
        // A leading dot keeps it apart from every archived file.
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let temporary = folder.join(format!(".{}-{number}.tmp", std::process::id()));
        match pack(&temporary, raw) {
            Ok(file) => Ok(Unplaced {
                file,
                temporary,
                place,
            }),
            Err(error) => {
                // Half of a file is of no use, and may fill the disk.
                let _ = fs::remove_file(&temporary);
                Err(error).with_context(|| format!("cannot write {}", place.display()))
            }
        }
    }
}

/// A file that is written, but not yet under its name.
struct Unplaced {
    file: File,
    temporary: PathBuf,
    place: PathBuf,
}

impl Unplaced {
    fn put_in_place(self, synced: bool) -> anyhow::Result<()> {
        let sync = || match synced {
            true => Ok(()),
            false => self.file.sync_all(),
        };
        let placed = sync().and_then(|()| fs::rename(&self.temporary, &self.place));
        if placed.is_err() {
            let _ = fs::remove_file(&self.temporary);
        }
        placed.with_context(|| format!("cannot write {}", self.place.display()))
    }
}

/// Brings all of these files to disk by syncing their file system once. Whether it worked; else each has to be synced by itself.
fn sync_all<E>(written: &[(&Address, Result<Unplaced, E>)]) -> bool {
    let any = written.iter().find_map(|(_, file)| file.as_ref().ok());
    any.is_some_and(|any| rustix::fs::syncfs(&any.file).is_ok())
}

fn pack(file: &Path, raw: &[u8]) -> std::io::Result<File> {
    let mut packer = GzEncoder::new(File::create(file)?, Compression::default());
    packer.write_all(raw)?;
    packer.finish()
}

/// The address itself, if it is a plain one. Of any other, what is not plain is replaced, and a hash of the address tells it from others.
fn file_name(address: &Address) -> String {
    let address = address.as_str();
    let plain = |c: char| c.is_ascii_alphanumeric() || "@.-_+=~'".contains(c);
    if address.len() <= LONGEST && address.chars().all(plain) && !address.starts_with('.') {
        return address.to_owned();
    }
    let mut name: String = address
        .chars()
        .map(|c| if plain(c) { c } else { '_' })
        .take(LONGEST / 2)
        .collect();
    if name.starts_with('.') {
        name.replace_range(..1, "_");
    }
    let hash = Sha256::digest(address);
    // A plain address has no `,`, so none can spell this name.
    name.push(',');
    for byte in &hash[..16] {
        name.push_str(&format!("{byte:02x}"));
    }
    name
}
