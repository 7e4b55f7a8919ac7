//! A disk that is slow to say that data is safe.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// Makes the processes that it is given to wait whenever they sync to disk.
pub struct SlowDisk {
    folder: TempDir,
    delay: Duration,
}

impl SlowDisk {
    /// One that is quick until [`SlowDisk::slow_down`]; then it takes `delay` for each sync.
    pub fn new(delay: Duration) -> SlowDisk {
        let folder = super::temp_dir();
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/slow_disk.c");
        let mut compile = Command::new("cc");
        compile.args(["-shared", "-fPIC", "-O1", "-o"]);
        compile.arg(folder.path().join("slow_disk.so"));
        super::output_of(compile.arg(source).arg("-ldl"), b"");
        SlowDisk { folder, delay }
    }

    /// Gives this disk to a process that is to be started.
    pub fn give_to<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env("LD_PRELOAD", self.folder.path().join("slow_disk.so"))
            .env("SLOW_DISK_MS", self.delay.as_millis().to_string())
            .env("SLOW_DISK_WHILE", self.switch())
    }

    /// From now on it is slow.
    pub fn slow_down(&self) {
        std::fs::write(self.switch(), "").expect("the folder is ours");
    }

    /// It is quick again.
    pub fn recover(&self) {
        std::fs::remove_file(self.switch()).expect("it was slow");
    }

    fn switch(&self) -> PathBuf {
        self.folder.path().join("slow")
    }
}
