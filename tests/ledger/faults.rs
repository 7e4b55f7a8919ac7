//! Disks that run full, files that are locked, damaged or gone: what is said, and that nothing is lost or overwritten.

use super::*;
use crate::small_disk::SmallDisk;
use bouncedemails::ledger::{ErrorKind, LedgerError};
use std::time::Instant;

fn failure(bench: &Bench) -> LedgerError {
    match Ledger::open(&bench.file()) {
        Ok(_) => panic!("it opened"),
        Err(error) => error,
    }
}

#[test]
fn a_full_disk_loses_nothing_and_the_same_batch_goes_in_once_it_is_freed() {
    let Some(disk) = SmallDisk::mount("size=2m") else {
        eprintln!("skipped: no right to mount a small file system");
        return;
    };
    let mut bench = Bench::new();
    bench.handler.dbfile = disk.path().join("bounced_emails.db");
    let ledger = bench.open();
    bench.bounce(&ledger, "before@example.com", Reason::UserUnknown);
    let filler = disk.fill();
    let batch: Vec<Entry> = (0..500)
        .map(|number| bench.entry(&format!("{number}@example.com"), Reason::UserUnknown))
        .collect();
    for _ in 0..3 {
        let error = ledger
            .record(&batch, &bench.handler, bench.now)
            .expect_err("it is full");
        assert_eq!(error.kind, ErrorKind::Full, "{error}");
        assert!(error.to_string().contains("the disk is full"), "{error}");
    }
    std::fs::remove_file(&filler).expect("freed");
    assert_eq!(bench.record(&ledger, &batch).len(), 500);
    assert_eq!(
        due(&ledger, PLATFORM, bench.now, 1_000).expect("due").len(),
        501
    );
}

#[test]
fn a_read_only_file_system_is_named_and_it_goes_on_when_it_is_writable() {
    let Some(disk) = SmallDisk::mount("size=2m") else {
        eprintln!("skipped: no right to mount a small file system");
        return;
    };
    let mut bench = Bench::new();
    bench.handler.dbfile = disk.path().join("bounced_emails.db");
    drop(bench.open());
    disk.remount("ro");
    let error = failure(&bench);
    assert_eq!(error.kind, ErrorKind::ReadOnly, "{error}");
    assert!(error.to_string().contains("read-write"), "{error}");
    disk.remount("rw");
    let ledger = bench.open();
    bench.bounce(&ledger, "dead@example.com", Reason::UserUnknown);
}

#[test]
fn a_database_that_another_process_locks_is_busy() {
    let mut bench = Bench::new();
    let ledger = bench.open();
    let other = bench.sql();
    other.execute_batch("BEGIN IMMEDIATE").expect("locked");
    let entry = bench.entry("dead@example.com", Reason::UserUnknown);
    let error = ledger
        .record(&[entry], &bench.handler, bench.now)
        .expect_err("it is locked");
    assert_eq!(error.kind, ErrorKind::Busy, "{error}");
    other.execute_batch("ROLLBACK").expect("freed");
    bench.bounce(&ledger, "dead@example.com", Reason::UserUnknown);
}

#[test]
fn a_locked_database_holds_up_the_end_of_the_process_for_two_seconds_in_all() {
    let mut bench = Bench::new();
    let ledger = bench.open();
    let other = bench.sql();
    other.execute_batch("BEGIN IMMEDIATE").expect("locked");
    let batches: Vec<Entry> = (0..4)
        .map(|number| bench.entry(&format!("{number}@example.com"), Reason::UserUnknown))
        .collect();
    let began = Instant::now();
    std::thread::scope(|scope| {
        let waiting: Vec<_> = batches
            .iter()
            .map(|entry| {
                let batch = std::slice::from_ref(entry);
                scope.spawn(|| ledger.record(batch, &bench.handler, bench.now))
            })
            .collect();
        ledger.hurry();
        for waiting in waiting {
            let error = waiting.join().expect("no panic").expect_err("it is locked");
            assert_eq!(error.kind, ErrorKind::Busy, "{error}");
        }
    });
    assert!(
        began.elapsed() < Duration::from_secs(4),
        "{:?}",
        began.elapsed()
    );
    other.execute_batch("ROLLBACK").expect("freed");
    bench.record(&ledger, &batches);
}

#[test]
fn a_damaged_file_is_left_as_it_is() {
    let bench = Bench::new();
    for damage in [
        b"this is no database, but text of some length, longer than a header".repeat(40),
        vec![0xA5; 8_192],
    ] {
        std::fs::write(bench.file(), &damage).expect("written");
        let error = failure(&bench);
        assert_eq!(error.kind, ErrorKind::Damaged, "{error}");
        assert!(error.to_string().contains("it is left as it is"), "{error}");
        assert_eq!(std::fs::read(bench.file()).expect("still there"), damage);
    }
}

#[test]
fn a_damaged_page_is_noticed_and_a_backup_in_its_place_mends_it() {
    let mut bench = Bench::new();
    let ledger = bench.open();
    bench.bounce(&ledger, "dead@example.com", Reason::UserUnknown);
    drop(ledger);
    let sound = std::fs::read(bench.file()).expect("the file");
    let root = count(
        &bench,
        "SELECT rootpage FROM sqlite_schema WHERE name = 'bounces'",
    ) as usize;
    let page = (root - 1) * 4_096..root * 4_096;
    let mut damaged = sound.clone();
    damaged[page.clone()].fill(0xA5);
    std::fs::write(bench.file(), &damaged).expect("damaged");
    let ledger = bench.open();
    let entry = bench.entry("more@example.com", Reason::UserUnknown);
    let error = ledger
        .record(&[entry], &bench.handler, bench.now)
        .expect_err("it is damaged");
    assert_eq!(error.kind, ErrorKind::Damaged, "{error}");
    assert_eq!(
        std::fs::read(bench.file()).expect("still there")[page.clone()],
        damaged[page]
    );
    let backup = bench.folder.path().join("backup");
    std::fs::write(&backup, &sound).expect("a backup");
    for beside in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{beside}", bench.file().display()));
    }
    std::fs::rename(&backup, bench.file()).expect("put in place");
    bench.bounce(&ledger, "more@example.com", Reason::UserUnknown);
    assert_eq!(due(&ledger, PLATFORM, bench.now, 10).expect("due").len(), 2);
}

#[test]
fn a_file_that_is_gone_is_missed_and_not_made_anew() {
    let mut bench = Bench::new();
    let folder = bench.folder.path().join("data");
    let away = bench.folder.path().join("away");
    std::fs::create_dir(&folder).expect("a folder");
    bench.handler.dbfile = folder.join("bounced_emails.db");
    let ledger = bench.open();
    bench.bounce(&ledger, "dead@example.com", Reason::UserUnknown);
    std::fs::rename(&folder, &away).expect("moved away");
    let entry = bench.entry("more@example.com", Reason::UserUnknown);
    for _ in 0..2 {
        let batch = std::slice::from_ref(&entry);
        let error = ledger
            .record(batch, &bench.handler, bench.now)
            .expect_err("it is gone");
        assert_eq!(error.kind, ErrorKind::Missing, "{error}");
        std::fs::create_dir_all(&folder).expect("an empty folder in its place");
    }
    assert!(!bench.file().exists());
    std::fs::remove_dir(&folder).expect("the empty folder");
    std::fs::rename(&away, &folder).expect("moved back");
    bench.record(&ledger, &[entry]);
    assert_eq!(due(&ledger, PLATFORM, bench.now, 10).expect("due").len(), 2);
}

#[test]
fn a_missing_folder_is_named() {
    let mut bench = Bench::new();
    bench.handler.dbfile = bench.folder.path().join("nowhere/bounced_emails.db");
    let error = failure(&bench);
    assert_eq!(error.kind, ErrorKind::Missing, "{error}");
    assert!(
        error.to_string().contains("nowhere/bounced_emails.db"),
        "{error}"
    );
}

#[test]
fn a_newer_schema_is_refused_and_left_alone() {
    let bench = Bench::new();
    drop(bench.open());
    bench
        .sql()
        .pragma_update(None, "user_version", 99)
        .expect("set");
    let error = failure(&bench);
    assert_eq!(error.kind, ErrorKind::NewerSchema, "{error}");
    assert!(error.to_string().contains("version 99"), "{error}");
    let version: u32 = bench
        .sql()
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .expect("the version");
    assert_eq!(version, 99);
}

#[test]
fn a_database_that_is_put_in_the_place_of_another_is_the_one_that_is_used() {
    let mut bench = Bench::new();
    let ledger = bench.open();
    bench.bounce(&ledger, "before@example.com", Reason::UserUnknown);
    drop(ledger);
    let backup = bench.folder.path().join("backup");
    std::fs::copy(bench.file(), &backup).expect("a backup");
    let ledger = bench.open();
    bench.bounce(&ledger, "lost@example.com", Reason::UserUnknown);
    for beside in ["-wal", "-shm"] {
        std::fs::remove_file(format!("{}{beside}", bench.file().display())).expect("removed");
    }
    std::fs::rename(&backup, bench.file()).expect("put in place");
    bench.bounce(&ledger, "after@example.com", Reason::UserUnknown);
    let due = due(&bench.open(), PLATFORM, bench.now, 10).expect("due");
    let due: Vec<&str> = due.iter().map(|s| s.address.as_str()).collect();
    assert_eq!(due, ["before@example.com", "after@example.com"]);
}
