//! The raw mail behind a suspension, under every name that an address can spell.

use super::*;
use bouncedemails::archive::{Archive, MOST_FILES};
use flate2::read::GzDecoder;
use std::collections::HashSet;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

fn unpacked(file: &Path) -> Vec<u8> {
    let mut raw = Vec::new();
    let packed = std::fs::File::open(file).expect("the archived mail");
    GzDecoder::new(packed).read_to_end(&mut raw).expect("gzip");
    raw
}

#[track_caller]
fn keep(archive: &Archive, address: &Address, raw: &[u8]) {
    let failed = archive.keep(&[(raw, std::slice::from_ref(address))]);
    assert!(failed.is_empty(), "{failed:?}");
}

fn address(text: &str) -> Address {
    text.parse().expect(text)
}

#[test]
fn a_plain_address_has_the_prototypes_file_name() {
    let archive = Archive::new("/var/archive");
    for (text, file) in [
        (
            "evil-address@some-provider.com",
            "ev/evil-address@some-provider.com.gz",
        ),
        (
            "O'Brien+news=x@Example.COM",
            "O'/O'Brien+news=x@example.com.gz",
        ),
        ("a@example.com", "a@/a@example.com.gz"),
    ] {
        assert_eq!(
            archive.file(&address(text)),
            Path::new("/var/archive").join(file)
        );
    }
}

#[test]
fn a_mail_is_kept_byte_for_byte_and_a_newer_one_takes_its_place() {
    let folder = TempDir::new().expect("a folder");
    let archive = Archive::new(folder.path().join("not/there/yet"));
    let dead = address("dead@example.com");
    let raw: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    keep(&archive, &dead, &raw);
    assert_eq!(unpacked(&archive.file(&dead)), raw);
    keep(&archive, &dead, b"newer");
    assert_eq!(unpacked(&archive.file(&dead)), b"newer");
    let left = std::fs::read_dir(archive.file(&dead).parent().expect("a folder"));
    assert_eq!(
        left.expect("the folder").count(),
        1,
        "a temporary file was left behind"
    );
}

#[test]
fn no_address_leaves_the_archive_or_shares_a_file() {
    let folder = TempDir::new().expect("a folder");
    let root = folder.path().join("archive");
    let archive = Archive::new(&root);
    let long = "x".repeat(900);
    let hostile = [
        "../../etc/passwd@example.com".to_owned(),
        "..@example.com".to_owned(),
        ".@example.com".to_owned(),
        ".hidden@example.com".to_owned(),
        "_hidden@example.com".to_owned(),
        "/etc/passwd@example.com".to_owned(),
        "_etc_passwd@example.com".to_owned(),
        "a/../../b@example.com".to_owned(),
        r#""../../../tmp/x"@example.com"#.to_owned(),
        "müller@example.com".to_owned(),
        "m_ller@example.com".to_owned(),
        "日本@example.com".to_owned(),
        "%2e%2e%2f@example.com".to_owned(),
        r#""a\\b"@example.com"#.to_owned(),
        r#""$(reboot)`x`"@example.com"#.to_owned(),
        r#""*?[a]|&!"@example.com"#.to_owned(),
        "dead@example.com".to_owned(),
        "Dead@example.com".to_owned(),
        format!("{long}1@example.com"),
        format!("{long}2@example.com"),
    ];
    let mut files = HashSet::new();
    for text in &hostile {
        let address = address(text);
        keep(&archive, &address, text.as_bytes());
        let file = archive.file(&address).canonicalize().expect(text);
        assert!(
            file.starts_with(root.canonicalize().expect("the archive")),
            "{text}: {file:?}"
        );
        assert!(files.insert(file), "{text} shares a file");
    }
    for text in &hostile {
        assert_eq!(unpacked(&archive.file(&address(text))), text.as_bytes());
    }
    let beside = std::fs::read_dir(folder.path())
        .expect("the folder")
        .count();
    assert_eq!(beside, 1, "something was written beside the archive");
}

#[test]
fn a_mail_that_cannot_be_kept_is_an_error_that_names_the_file() {
    let folder = TempDir::new().expect("a folder");
    let blocked = folder.path().join("archive");
    assert!(Archive::new(&blocked).check().is_ok());
    std::fs::remove_dir(&blocked).expect("nothing is left in it");
    std::fs::write(&blocked, "a file, no folder").expect("written");
    let unusable = Archive::new(&blocked).check().expect_err("no folder");
    assert!(
        format!("{unusable:#}").contains("archive: "),
        "{unusable:#}"
    );
    let dead = address("dead@example.com");
    let failed = Archive::new(&blocked);
    let failed = failed.keep(&[(b"raw", std::slice::from_ref(&dead))]);
    assert_eq!(failed.len(), 1);
    let error = format!("{:#}", failed[0].1);
    assert!(error.contains("archive"), "{error}");
}

#[test]
fn of_many_at_once_each_is_kept_and_the_last_of_an_address_wins() {
    let folder = TempDir::new().expect("a folder");
    let archive = Archive::new(folder.path());
    std::fs::write(folder.path().join("xx"), "no folder").expect("written");
    let addresses: Vec<Address> = (0..100)
        .map(|number| address(&format!("{}@example.com", 10_000 + number)))
        .collect();
    let raws: Vec<String> = (0..200).map(|number| format!("mail {number}")).collect();
    let blocked = address("xx@example.com");
    let one = std::slice::from_ref::<Address>;
    let mut mails: Vec<(&[u8], &[Address])> = raws
        .iter()
        .enumerate()
        .map(|(number, raw)| (raw.as_bytes(), one(&addresses[number % 100])))
        .collect();
    mails.push((b"raw", one(&blocked)));
    let failed = archive.keep(&mails);
    let failed: Vec<&Address> = failed.iter().map(|(address, _)| *address).collect();
    assert_eq!(failed, [&blocked]);
    for (address, raw) in addresses.iter().zip(&raws[100..]) {
        assert_eq!(unpacked(&archive.file(address)), raw.as_bytes());
    }
    let names = std::fs::read_dir(folder.path().join("10")).expect("the folder");
    assert_eq!(names.count(), 100, "temporary files were left behind");
}

#[test]
fn a_mail_about_many_is_stored_once_and_a_newer_one_parts_from_it() {
    let folder = TempDir::new().expect("a folder");
    let archive = Archive::new(folder.path());
    let addresses: Vec<Address> = (0..MOST_FILES + 5)
        .map(|number| address(&format!("{number}@example.com")))
        .collect();
    // Random bytes do not become less by packing.
    let raw: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..))
        .take(100_000)
        .collect();
    let failed = archive.keep(&[(&raw, &addresses)]);
    assert!(failed.is_empty(), "{failed:?}");
    let file = |number: usize| std::fs::metadata(archive.file(&addresses[number]));
    let stored = file(0).expect("the first is kept");
    assert_eq!(stored.nlink(), MOST_FILES as u64);
    assert_eq!(
        file(MOST_FILES - 1).expect("the last is kept").ino(),
        stored.ino()
    );
    assert!(file(MOST_FILES).is_err(), "so many files were enough");
    keep(&archive, &addresses[0], b"newer");
    assert_eq!(unpacked(&archive.file(&addresses[0])), b"newer");
    assert_eq!(unpacked(&archive.file(&addresses[1])), raw);
}

#[test]
fn who_may_read_it_is_not_left_to_the_umask_and_no_link_is_followed() {
    let folder = TempDir::new().expect("a folder");
    let archive = Archive::new(folder.path().join("archive"));
    let dead = address("dead@example.com");
    let earlier = rustix::process::umask(rustix::fs::Mode::empty());
    keep(&archive, &dead, b"raw");
    rustix::process::umask(earlier);
    let file = archive.file(&dead);
    let mode = |path: &Path| std::fs::metadata(path).expect("it is there").mode() & 0o7777;
    assert_eq!(mode(&file), 0o640);
    assert_eq!(mode(file.parent().expect("a folder")), 0o750);
    assert_eq!(mode(&folder.path().join("archive")), 0o750);
    // A link in the place of a kept mail is replaced, not written through.
    let elsewhere = folder.path().join("elsewhere");
    std::fs::write(&elsewhere, "ours").expect("written");
    std::fs::remove_file(&file).expect("it was kept");
    std::os::unix::fs::symlink(&elsewhere, &file).expect("a link");
    keep(&archive, &dead, b"raw");
    assert_eq!(std::fs::read(&elsewhere).expect("it is there"), b"ours");
    assert_eq!(unpacked(&file), b"raw");
}

#[test]
fn what_a_killed_service_had_begun_to_write_is_removed_once_it_is_old() {
    let folder = TempDir::new().expect("a folder");
    let long_ago = SystemTime::now() - Duration::from_secs(2 * 3600);
    for (name, written) in [
        (".00000000000000aa.tmp", long_ago),
        (".00000000000000bb.tmp", SystemTime::now()),
        ("notes.tmp", long_ago),
        (".profile", long_ago),
    ] {
        let file = std::fs::File::create(folder.path().join(name)).expect("a file");
        file.set_modified(written).expect("a time");
    }
    Archive::new(folder.path()).check().expect("an archive");
    let left = std::fs::read_dir(folder.path()).expect("a folder");
    let mut left: Vec<_> = left
        .map(|entry| entry.expect("a file").file_name())
        .collect();
    left.sort();
    assert_eq!(left, [".00000000000000bb.tmp", ".profile", "notes.tmp"]);
}
