//! Mails that ended the process while they were read. `hardship.rs` of the service ends real processes.

use super::*;
use bouncedemails::engine::InFlight;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// The file of a process that died while it read this mail.
fn left_behind(dbfile: &Path, pid: u32, fingerprint: &Fingerprint) {
    let mut content = vec![0; 32];
    content.extend(fingerprint.0);
    let mut path = dbfile.as_os_str().to_owned();
    path.push(format!(".reading.{pid}"));
    std::fs::write(path, content).expect("written");
}

fn files_beside(bench: &Bench) -> usize {
    let files = std::fs::read_dir(bench.folder.path()).expect("the folder");
    let names = files.map(|file| file.expect("a file").file_name());
    names
        .filter(|name| name.to_string_lossy().contains(".reading."))
        .count()
}

#[test]
fn a_mail_that_ended_two_processes_is_poison() {
    let mut bench = Bench::new();
    let ledger = bench.open();
    let poison = bench
        .entry("x@example.com", Reason::UserUnknown)
        .mail
        .fingerprint();
    let other = bench
        .entry("x@example.com", Reason::UserUnknown)
        .mail
        .fingerprint();
    let open = || InFlight::open(&ledger, &bench.file(), bench.now).expect("opened");
    left_behind(&bench.file(), 4_000_001, &poison);
    assert!(!open().is_poison(&poison));
    left_behind(&bench.file(), 4_000_002, &poison);
    let in_flight = open();
    assert!(in_flight.is_poison(&poison));
    assert!(!in_flight.is_poison(&other));
    drop(in_flight);
    assert_eq!(files_beside(&bench), 0);
}

#[test]
fn a_mail_that_was_read_well_after_all_is_no_longer_suspected() {
    let mut bench = Bench::new();
    let ledger = bench.open();
    let innocent = bench.entry("x@example.com", Reason::UserUnknown);
    let fingerprint = innocent.mail.fingerprint();
    left_behind(&bench.file(), 4_000_001, &fingerprint);
    drop(InFlight::open(&ledger, &bench.file(), bench.now).expect("opened"));
    bench.record(&ledger, &[innocent]);
    left_behind(&bench.file(), 4_000_002, &fingerprint);
    let in_flight = InFlight::open(&ledger, &bench.file(), bench.now).expect("opened");
    assert!(!in_flight.is_poison(&fingerprint));
}

#[test]
fn what_a_living_process_reads_is_not_held_against_it() {
    let mut bench = Bench::new();
    let ledger = bench.open();
    let fingerprint = bench
        .entry("x@example.com", Reason::UserUnknown)
        .mail
        .fingerprint();
    let living = InFlight::open(&ledger, &bench.file(), bench.now).expect("opened");
    let _mark = living.mark(&fingerprint);
    // As another process would see it: this one's file is locked.
    let mut copy = bench.file().into_os_string();
    copy.push(".reading.1");
    let own = format!("{}.reading.{}", bench.file().display(), std::process::id());
    std::fs::hard_link(own, copy).expect("linked");
    let other = InFlight::open(&ledger, &bench.file(), bench.now);
    drop(other);
    let suspected: u32 = bench
        .sql()
        .query_row("SELECT count(*) FROM attempts", [], |row| row.get(0))
        .expect("the table");
    assert_eq!(suspected, 0);
}

#[test]
fn marks_are_gone_when_the_mails_are_read() {
    let mut bench = Bench::new();
    let ledger = bench.open();
    let in_flight = InFlight::open(&ledger, &bench.file(), bench.now).expect("opened");
    let mails: Vec<Fingerprint> = (0..8)
        .map(|_| {
            bench
                .entry("x@example.com", Reason::UserUnknown)
                .mail
                .fingerprint()
        })
        .collect();
    let own = format!("{}.reading.{}", bench.file().display(), std::process::id());
    let marked = || {
        std::fs::read(&own)
            .expect("the file")
            .iter()
            .any(|byte| *byte != 0)
    };
    {
        let _marks: Vec<_> = mails.iter().map(|mail| in_flight.mark(mail)).collect();
        assert!(marked());
    }
    assert!(!marked());
    drop(in_flight);
    assert_eq!(files_beside(&bench), 0);
}

#[test]
fn links_beside_the_database_are_not_followed() {
    let mut bench = Bench::new();
    let ledger = bench.open();
    let fingerprint = bench
        .entry("x@example.com", Reason::UserUnknown)
        .mail
        .fingerprint();
    let elsewhere = bench.folder.path().join("elsewhere");
    let content = [fingerprint.0, fingerprint.0].concat();
    std::fs::write(&elsewhere, &content).expect("written");
    for number in [1, std::process::id()] {
        let link = format!("{}.reading.{number}", bench.file().display());
        std::os::unix::fs::symlink(&elsewhere, link).expect("linked");
    }
    let in_flight = InFlight::open(&ledger, &bench.file(), bench.now).expect("opened");
    let _mark = in_flight.mark(&fingerprint);
    assert_eq!(std::fs::read(&elsewhere).expect("still there"), content);
    assert_eq!(count(&bench, "SELECT count(*) FROM attempts"), 0);
}

#[test]
fn what_is_made_is_not_for_everybody_to_read() {
    let mut bench = Bench::new();
    let ledger = bench.open();
    bench.bounce(&ledger, "x@example.com", Reason::UserUnknown);
    let _in_flight = InFlight::open(&ledger, &bench.file(), bench.now).expect("opened");
    let mut files = 0;
    for file in std::fs::read_dir(bench.folder.path()).expect("the folder") {
        let file = file.expect("a file");
        if file.file_name().to_string_lossy().contains(".db") {
            let mode = file.metadata().expect("its mode").permissions().mode();
            assert_eq!(mode & 0o137, 0, "{mode:o} {:?}", file.path());
            files += 1;
        }
    }
    assert_eq!(
        files, 4,
        "database, log, shared memory, mails that are being read"
    );
}
