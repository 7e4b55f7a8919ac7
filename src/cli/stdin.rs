//! `stdin`: one mail (or an mbox) from standard input, through the whole pipeline, as the pipe of a mail server.

use super::Common;
use crate::config::Handler;
use crate::intake::feed::{self, Tally};
use crate::intake::{self, files};
use crate::mail::{Mail, Source};
use crate::service::{Ending, Service};
use crate::telemetry;
use std::process::ExitCode;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

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
        Ok(loaded) => through(loaded.config.handler, mails),
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

/// Takes mails through the whole pipeline, and tries every suspension that is due once. A storage fault is not waited out.
pub(super) fn through(
    handler: Handler,
    mails: impl Iterator<Item = anyhow::Result<Mail>>,
) -> anyhow::Result<Arc<Tally>> {
    let runtime = super::runtime()?;
    let knowledge = super::knowledge(&handler)?;
    let give_up = CancellationToken::new();
    give_up.cancel();
    let service = {
        let _in_runtime = runtime.enter();
        Service::start(Arc::new(handler), knowledge, give_up)?
    };
    let intake = service.intake(intake::memory(0), CancellationToken::new());
    let tally = Arc::new(Tally::default());
    let fed = runtime.block_on(feed::run(intake, &tally, mails));
    // What was handed in before a mail could not be read is worth as much as ever.
    runtime.block_on(service.finish(Ending::Tried))?;
    fed.map(|()| tally)
}
