//! `stdin`: one mail (or an mbox) from standard input, through the whole pipeline, as the pipe of a mail server.

use super::Common;
use crate::intake::files;
use crate::mail::{Mail, Source};
use crate::telemetry;
use std::process::ExitCode;

/// A passing fault: the mail server keeps the mail and tries again (sysexits.h).
const EX_TEMPFAIL: u8 = 75;

/// Takes one mail, or an mbox, from standard input through the whole pipeline
#[derive(clap::Args)]
#[command(after_help = "\
Exits 0 when the mail is recorded, and 75 (EX_TEMPFAIL) when it could not be, so that a mail server keeps it; also when the
configuration is at fault, until somebody mends it. A platform that does not answer is no fault: it is told by the running service,
or by the next command that takes mails.

Examples:
  bouncedemails --debug stdin < bounce.eml
  master.cf of Postfix:  flags=DO user=bouncedemails argv=/usr/local/bin/bouncedemails stdin")]
pub(super) struct Args {}

pub(super) fn run(_: &Args, common: &Common) -> anyhow::Result<ExitCode> {
    let name = |mail: files::Result| mail.map(|(_, raw)| Mail::new(Source::Stdin, raw));
    let mails = files::read(std::io::stdin().lock(), "standard input").map(name);
    let taken = match common.load() {
        Ok(loaded) => super::take_all(loaded.config.handler, mails),
        // To a mail server 78 (EX_CONFIG) would mean that the mail can never be taken: it would drop it.
        Err(error) => Err(error.into()),
    };
    match taken {
        Ok(tally) if tally.returned() == 0 => Ok(ExitCode::SUCCESS),
        Ok(_) => Ok(ExitCode::from(EX_TEMPFAIL)),
        Err(error) => {
            if telemetry::flush() {
                eprintln!("bouncedemails: {error:#}");
            }
            Ok(ExitCode::from(EX_TEMPFAIL))
        }
    }
}
