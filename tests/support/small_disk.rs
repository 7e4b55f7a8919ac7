//! A disk that runs full soon.

use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// A small file system of its own, unmounted when dropped.
pub struct SmallDisk {
    folder: TempDir,
}

impl SmallDisk {
    /// None where mounting is not allowed.
    pub fn mount(options: &str) -> Option<SmallDisk> {
        let folder = TempDir::new().expect("a folder");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "tmpfs"])
            .arg(folder.path())
            .output()
            .is_ok_and(|output| output.status.success());
        mounted.then_some(SmallDisk { folder })
    }

    /// Takes all of the space that is left; gives it back when the file is removed.
    pub fn fill(&self) -> PathBuf {
        let filler = self.path().join("filler");
        let full = std::fs::File::create(&filler)
            .and_then(|mut file| std::io::copy(&mut std::io::repeat(b'x'), &mut file))
            .expect_err("a disk without end");
        assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
        filler
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Changes how it is mounted: `ro`, `rw`.
    pub fn remount(&self, options: &str) {
        let status = Command::new("mount")
            .args(["-o", &format!("remount,{options}")])
            .arg(self.path())
            .status();
        assert!(status.expect("mount").success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount")
            .arg("--lazy")
            .arg(self.path())
            .status();
    }
}
