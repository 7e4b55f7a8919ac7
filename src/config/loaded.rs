//! A configuration that was read, and the faults that show only when its values are used.

use super::error::line_of_path;
use super::{Config, ConfigError};
use rustix::fs::{Access, access};
use std::fmt;
use std::path::{Path, PathBuf};

/// A configuration, and where it was found.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// What it says.
    pub config: Config,
    /// The file.
    pub file: PathBuf,
    /// The environment that was chosen.
    pub environment: String,
}

impl Loaded {
    /// A fault that shows only when a value is used: blames the line of its key, which is named by its path inside of the
    /// environment.
    pub fn fault(&self, keys: &[&str], message: impl fmt::Display) -> ConfigError {
        let path = [&[self.environment.as_str()], keys].concat();
        let text = std::fs::read_to_string(&self.file).unwrap_or_default();
        ConfigError::Wrong {
            file: self.file.clone(),
            line: line_of_path(&path, &text),
            message: format!("{}: {message}", path.join(".")),
        }
    }

    /// The database, for whoever opens it.
    ///
    /// # Errors
    /// When this user can neither use it nor make it.
    pub fn database(&self) -> Result<&Path, ConfigError> {
        let file = &self.config.handler.dbfile;
        match database_fault(file) {
            None => Ok(file),
            Some(fault) => Err(self.fault(&["handler", "dbfile"], fault)),
        }
    }
}

/// Why a database can't be there.
fn database_fault(file: &Path) -> Option<String> {
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    if file.is_dir() {
        let file = file.display();
        return Some(format!(
            "{file} is a folder; write the path of a file in it"
        ));
    }
    if !folder.is_dir() {
        let folder = folder.display();
        return Some(format!(
            "the folder {folder} does not exist; make it (install -d -o bouncedemails {folder}), or write another path"
        ));
    }
    // SQLite makes further files beside the database, so the folder must be writable, too.
    let (path, error) = [folder, file]
        .into_iter()
        .filter(|path| path.exists())
        .find_map(|path| {
            Some((
                path,
                access(path, Access::READ_OK | Access::WRITE_OK).err()?,
            ))
        })?;
    Some(format!(
        "{} cannot be read and written by this user ({error}); mend its owner, or write another path",
        path.display()
    ))
}
