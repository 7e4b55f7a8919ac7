//! Mails from files, mboxes, Maildirs and standard input, one after the other; a large mbox is never held in memory as
//! a whole.

use anyhow::Context;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// A mail and the name of the file that it is from, or why it can't be read.
pub type Result = anyhow::Result<(String, Vec<u8>)>;

/// What of one mail is kept, in bytes: far more than is ever read of it.
const MOST_KEPT: usize = 64 * 1024 * 1024;

/// Longer lines are taken in pieces.
const LINE: u64 = 64 * 1024;

/// The mails in a file, an mbox, a Maildir, or a folder with all that is below it, in the order of their names.
///
/// A file that begins with a `From ` line is an mbox, any other is one mail. Of a Maildir (a folder with `new` and
/// `cur`) the mails that are delivered are taken. Names that begin with a dot are left out, but for the folders of a
/// Maildir.
pub fn mails(path: &Path) -> impl Iterator<Item = Result> + use<> {
    let mut found = Vec::new();
    find(path, &mut found);
    found
        .into_iter()
        .flat_map(|file| match file.and_then(open) {
            Ok(mails) => Either::Mails(mails),
            Err(error) => Either::Fault(Some(error)),
        })
}

fn open(file: PathBuf) -> anyhow::Result<Mails<BufReader<File>>> {
    let name = file.display().to_string();
    let file = File::open(&file).with_context(|| format!("{name} cannot be read"))?;
    Ok(Mails::of(BufReader::new(file), name))
}

/// The mails that a reader gives: an mbox where it begins with a `From ` line, else one mail. `name` is what they are
/// called.
pub fn read(reader: impl BufRead, name: &str) -> impl Iterator<Item = Result> {
    Mails::of(reader, name.to_owned())
}

/// Finds the files, each of which holds mails.
fn find(path: &Path, found: &mut Vec<anyhow::Result<PathBuf>>) {
    let looked = look(path).with_context(|| format!("{} cannot be read", path.display()));
    match looked {
        Ok(None) => found.push(Ok(path.to_owned())),
        Ok(Some(entries)) => entries.iter().for_each(|entry| find(entry, found)),
        Err(error) => found.push(Err(error)),
    }
}

/// What of a folder is to be looked at; none for a file.
fn look(path: &Path) -> io::Result<Option<Vec<PathBuf>>> {
    if !fs::metadata(path)?.is_dir() {
        return Ok(None);
    }
    let is_maildir = path.join("new").is_dir() && path.join("cur").is_dir();
    let mut wanted = Vec::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let name = entry.file_name();
        let kind = entry.file_type()?;
        let is_hidden = name.as_encoded_bytes().starts_with(b".");
        let is_wanted = match (is_maildir, kind.is_dir()) {
            (true, true) => name != "tmp",
            (true, false) => false,
            (false, _) => !is_hidden,
        };
        // A link to a folder is not followed: one to a parent would never end.
        if is_wanted && !(kind.is_symlink() && entry.path().is_dir()) {
            wanted.push(entry.path());
        }
    }
    wanted.sort();
    Ok(Some(wanted))
}

/// The mails of one file, or why there are none.
enum Either {
    Mails(Mails<BufReader<File>>),
    Fault(Option<anyhow::Error>),
}

impl Iterator for Either {
    type Item = Result;

    fn next(&mut self) -> Option<Result> {
        match self {
            Either::Mails(mails) => mails.next(),
            Either::Fault(error) => error.take().map(Err),
        }
    }
}

/// Splits an mbox, or takes the whole as one mail.
struct Mails<R> {
    reader: R,
    name: String,
    /// Whether it is an mbox (RFC 4155); not known before the first line.
    mbox: Option<bool>,
    /// The line in hand, with its end; empty at the end of the input.
    line: Vec<u8>,
    ended: bool,
}

impl<R: BufRead> Mails<R> {
    fn of(reader: R, name: String) -> Self {
        Mails {
            reader,
            name,
            mbox: None,
            line: Vec::new(),
            ended: false,
        }
    }

    fn next_line(&mut self) -> io::Result<()> {
        self.line.clear();
        (&mut self.reader)
            .take(LINE)
            .read_until(b'\n', &mut self.line)?;
        Ok(())
    }

    /// The next mail; at the end none. A file without any mail gives one empty mail, for somebody to look at.
    fn mail(&mut self) -> io::Result<Option<Vec<u8>>> {
        if self.mbox.is_none() {
            self.next_line()?;
            self.mbox = Some(self.line.starts_with(b"From "));
        } else if self.line.is_empty() {
            return Ok(None);
        }
        let is_mbox = self.mbox == Some(true);
        if is_mbox {
            self.next_line()?;
        }
        let mut mail = Vec::new();
        // A piece of a long line is no line.
        let (mut at_start, mut after_blank) = (true, true);
        while !self.line.is_empty() {
            if is_mbox && at_start && after_blank && is_separator(&self.line) {
                break;
            }
            let quoted = is_mbox && at_start && is_quoted_separator(&self.line);
            let line = &self.line[usize::from(quoted)..];
            let room = MOST_KEPT - mail.len();
            mail.extend_from_slice(&line[..line.len().min(room)]);
            after_blank = at_start && matches!(self.line.as_slice(), b"\n" | b"\r\n");
            at_start = self.line.ends_with(b"\n");
            self.next_line()?;
        }
        if is_mbox {
            without_separating_line(&mut mail);
        }
        Ok(Some(mail))
    }
}

impl<R: BufRead> Iterator for Mails<R> {
    type Item = Result;

    fn next(&mut self) -> Option<Result> {
        if self.ended {
            return None;
        }
        let mail = self
            .mail()
            .with_context(|| format!("{} cannot be read on", self.name));
        self.ended = !matches!(mail, Ok(Some(_)));
        Some(mail.transpose()?.map(|mail| (self.name.clone(), mail)))
    }
}

/// `From sender Mon Nov  2 09:14:07 2026`: text that only begins with "From " has no time in it.
fn is_separator(line: &[u8]) -> bool {
    line.strip_prefix(b"From ").is_some_and(|rest| {
        rest.windows(5)
            .any(|time| time[2] == b':' && [0, 1, 3, 4].iter().all(|at| time[*at].is_ascii_digit()))
    })
}

/// `>From `, as mboxes write a line of the mail that could be taken for a separator.
fn is_quoted_separator(line: &[u8]) -> bool {
    let unquoted = line.iter().position(|byte| *byte != b'>').unwrap_or(0);
    unquoted > 0 && line[unquoted..].starts_with(b"From ")
}

/// The blank line before the next separator is not part of the mail.
fn without_separating_line(mail: &mut Vec<u8>) {
    for (end, kept) in [(&b"\r\n\r\n"[..], 2), (b"\n\n", 1)] {
        if mail.ends_with(end) {
            mail.truncate(mail.len() - kept);
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Vec<String> {
        read(text.as_bytes(), "x")
            .map(|mail| String::from_utf8(mail.unwrap().1).unwrap())
            .collect()
    }

    #[test]
    fn a_file_without_a_from_line_is_one_mail_to_the_byte() {
        let mail = "Subject: a\r\n\r\n>From quoted\n\nFrom b Mon Nov  2 09:14:07 2026\n";
        assert_eq!(split(mail), [mail]);
    }

    #[test]
    fn an_mbox_is_split_at_its_from_lines() {
        let mbox = "From a Mon Nov  2 09:14:07 2026\nSubject: a\n\nbody\n\n\
                    From b Mon Nov  2 09:14:08 2026\nSubject: b\n\n";
        assert_eq!(split(mbox), ["Subject: a\n\nbody\n", "Subject: b\n"]);
    }

    #[test]
    fn a_mail_with_a_from_line_in_front_is_one_mail_without_it() {
        let mbox = "From MAILER-DAEMON  Mon Nov  2 09:14:07 2026\r\nSubject: a\r\n\r\nbody\r\n";
        assert_eq!(split(mbox), ["Subject: a\r\n\r\nbody\r\n"]);
    }

    #[test]
    fn text_that_begins_with_from_is_no_separator_and_a_quoted_one_is_unquoted() {
        let mbox =
            "From a Mon Nov  2 09:14:07 2026\nSubject: a\n\nFrom now on\n>From you\n>>From me\n";
        assert_eq!(
            split(mbox),
            ["Subject: a\n\nFrom now on\nFrom you\n>From me\n"]
        );
    }

    #[test]
    fn nothing_is_one_empty_mail() {
        assert_eq!(split(""), [""]);
    }

    #[test]
    fn a_line_of_many_pieces_is_kept_whole() {
        let long = "x".repeat(3 * LINE as usize) + "\n";
        let mbox = format!("From a Mon Nov  2 09:14:07 2026\nSubject: a\n\n{long}");
        assert_eq!(split(&mbox), [format!("Subject: a\n\n{long}")]);
    }

    #[test]
    fn a_folder_is_read_in_order_and_a_maildir_without_what_is_under_way() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path();
        for folder in [
            "box/new",
            "box/cur",
            "box/tmp",
            "box/.Sub/new",
            "box/.Sub/cur",
        ] {
            fs::create_dir_all(path.join(folder)).unwrap();
        }
        for (file, text) in [
            ("b.eml", "b"),
            ("a.eml", "a"),
            (".hidden", "h"),
            ("box/new/1", "n1"),
            ("box/cur/2:2,S", "c2"),
            ("box/tmp/3", "t3"),
            ("box/dovecot-uidlist", "d"),
            ("box/.Sub/new/4", "s4"),
        ] {
            fs::write(path.join(file), text).unwrap();
        }
        let found: Vec<String> = mails(path)
            .map(|mail| String::from_utf8(mail.unwrap().1).unwrap())
            .collect();
        assert_eq!(found, ["a", "b", "s4", "c2", "n1"]);
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named_and_the_others_are_read() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a"), "a").unwrap();
        std::os::unix::fs::symlink("nowhere", dir.path().join("b")).unwrap();
        fs::write(dir.path().join("c"), "c").unwrap();
        let (good, bad): (Vec<_>, Vec<_>) = mails(dir.path()).partition(std::result::Result::is_ok);
        assert_eq!(good.len(), 2);
        assert!(
            bad[0]
                .as_ref()
                .unwrap_err()
                .to_string()
                .contains("/b cannot be read")
        );
    }
}
