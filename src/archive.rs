//! The raw mail behind every suspension, gzipped, one file an address: `<path>/<first two letters>/<address>.gz`.
//!
//! Whatever an address spells, its file stays within `path`, and no two addresses share a name. A mail that names many addresses is
//! stored once: their files are hard links to each other. A newer mail takes the place of an older one. Nothing else reads these
//! files.

use crate::address::Address;
use anyhow::Context;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The longest address that is a file name as it is. File systems take 255 bytes, temporary names and `.gz` are longer.
const LONGEST: usize = 200;

/// For so many addresses one mail is kept: ext4 takes 65,000 links to a file, and a person looks at one.
pub const MOST_FILES: usize = 1_000;

/// Whatever the umask says: the files hold mails of people, which the service's group may read and nobody else.
const FILE_MODE: u32 = 0o640;
const FOLDER_MODE: u32 = 0o750;

/// How old a temporary file is that nobody will finish.
const ABANDONED: Duration = Duration::from_secs(3600);

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

    /// Tries whether mails can be kept, and removes what a killed service had begun to write.
    ///
    /// # Errors
    /// Names the folder and what the system says.
    pub fn check(&self) -> anyhow::Result<()> {
        let path = &self.path;
        make_folder(path)
            .and_then(|()| create_temporary(path))
            .and_then(|(_, probe)| fs::remove_file(probe))
            .and_then(|()| remove_abandoned(path))
            .with_context(|| format!("cannot write into {}", path.display()))
    }

    /// Where the mail behind the suspension of an address is kept.
    pub fn file(&self, address: &Address) -> PathBuf {
        let name = file_name(address);
        let folder: String = name.chars().take(2).collect();
        self.path.join(folder).join(format!("{name}.gz"))
    }

    /// Keeps mails, each with the addresses that it is about, of which at most [`MOST_FILES`] get a file. Afterwards every file is on
    /// disk as a whole, or is what it was before. Of several mails about an address the last one is kept. Returns what could not be
    /// kept, with the file and what the system says.
    pub fn keep<'a>(&self, mails: &[(&[u8], &'a [Address])]) -> Vec<(&'a Address, anyhow::Error)> {
        let mut failed = Vec::new();
        let mut written = Vec::with_capacity(mails.len());
        for (raw, addresses) in mails {
            let addresses = &addresses[..addresses.len().min(MOST_FILES)];
            match self.write(raw) {
                Ok(temporary) => written.push((temporary, addresses)),
                Err(error) => {
                    let why = format!("{error:#}");
                    failed.extend(addresses.iter().map(|a| (a, anyhow::anyhow!(why.clone()))));
                }
            }
        }
        // Many are on disk sooner by one call for the whole file system: by five times for 150 files on ext4.
        let synced = written.len() >= 8
            && written
                .first()
                .is_some_and(|(any, _)| rustix::fs::syncfs(&any.file).is_ok());
        let mut folders = BTreeSet::new();
        for (temporary, addresses) in &written {
            let on_disk = if synced {
                Ok(())
            } else {
                temporary.file.sync_all()
            };
            for address in *addresses {
                let place = self.file(address);
                let placed = match &on_disk {
                    Ok(()) => self.put(temporary, &place, &mut folders),
                    Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
                };
                if let Err(error) = placed {
                    let why = format!("cannot write {}", place.display());
                    failed.push((address, anyhow::Error::new(error).context(why)));
                }
            }
        }
        drop(written);
        // A new name is safe when its folder is.
        for folder in folders {
            if let Err(error) = File::open(&folder).and_then(|folder| folder.sync_all()) {
                tracing::warn!(
                    "The archive's folder {} cannot be synced to disk: {error}",
                    folder.display()
                );
            }
        }
        failed
    }

    /// Writes a mail, not yet under the name of an address.
    fn write(&self, raw: &[u8]) -> anyhow::Result<Temporary> {
        let path = &self.path;
        make_folder(path).with_context(|| format!("cannot make the folder {}", path.display()))?;
        let written = create_temporary(path).and_then(|(file, path)| {
            // Removed with the value, also half written.
            let mut temporary = Temporary { file, path };
            let mut packer = GzEncoder::new(&mut temporary.file, Compression::default());
            packer.write_all(raw)?;
            packer.finish()?;
            Ok(temporary)
        });
        written.with_context(|| format!("cannot write into {}", path.display()))
    }

    /// Gives a written mail the name of an address, in place of an older mail. Notes whose content changed.
    fn put(
        &self,
        temporary: &Temporary,
        place: &Path,
        folders: &mut BTreeSet<PathBuf>,
    ) -> io::Result<()> {
        let folder = place.parent().unwrap_or(&self.path);
        if !folder.is_dir() {
            make_folder(folder)?;
            folders.insert(self.path.clone());
        }
        // A link can't take the place of a file, a rename can.
        let link = unique(folder);
        fs::hard_link(&temporary.path, &link)?;
        let renamed = fs::rename(&link, place);
        if renamed.is_err() {
            let _ = fs::remove_file(&link);
        }
        folders.insert(folder.to_owned());
        renamed
    }
}

/// A written mail without a name of its own; removed when dropped.
struct Temporary {
    file: File,
    path: PathBuf,
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Removes temporary files that nobody has written to for long: their service was killed. A running one needs its files for seconds.
fn remove_abandoned(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let abandoned = |file: &Metadata| {
            let age = file.modified().map(|at| at.elapsed().unwrap_or_default());
            file.is_file() && age.is_ok_and(|age| age > ABANDONED)
        };
        // One that is gone meanwhile was removed by another process.
        if name.starts_with('.')
            && name.ends_with(".tmp")
            && entry.metadata().is_ok_and(|file| abandoned(&file))
        {
            let _ = fs::remove_file(entry.path());
        }
    }
    Ok(())
}

/// A name that nobody can guess. Its leading dot keeps it apart from every archived file.
fn unique(folder: &Path) -> PathBuf {
    folder.join(format!(".{:016x}.tmp", fastrand::u64(..)))
}

/// Makes a file that was not there, not even as a link to somewhere else.
fn create_temporary(folder: &Path) -> io::Result<(File, PathBuf)> {
    let path = unique(folder);
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(FILE_MODE)
        .open(&path)?;
    file.set_permissions(Permissions::from_mode(FILE_MODE))?;
    Ok((file, path))
}

/// Makes a folder, and those above it, if it is not there. What is there keeps its permissions.
fn make_folder(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(above) = path.parent().filter(|above| !above.as_os_str().is_empty()) {
        make_folder(above)?;
    }
    match DirBuilder::new().mode(FOLDER_MODE).create(path) {
        Ok(()) => fs::set_permissions(path, Permissions::from_mode(FOLDER_MODE)),
        // Another process was quicker.
        Err(_) if path.is_dir() => Ok(()),
        Err(error) => Err(error),
    }
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
