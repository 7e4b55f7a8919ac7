//! `import`: mails from files, mboxes and Maildirs through the whole pipeline.

use super::{Common, take_all};
use crate::intake::files;
use crate::mail::{Mail, Source};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// Takes mails from files, mboxes and Maildirs through the whole pipeline
#[derive(clap::Args)]
#[command(after_help = "\
A folder is read with all that is below it; a folder with new/ and cur/ is a Maildir. Nothing is deleted or moved: the same files
imported again count again.

Examples:
  bouncedemails import /var/mail/no-reply
  bouncedemails import ~no-reply/Maildir bounce-1.eml bounce-2.eml")]
pub(super) struct Args {
    /// Files, mboxes, Maildirs, or folders of them
    #[arg(value_name = "FILE|DIR", required = true)]
    paths: Vec<PathBuf>,
}

pub(super) fn run(args: &Args, common: &Common) -> anyhow::Result<ExitCode> {
    let handler = common.load()?.config.handler;
    let named = |mail: files::Result| mail.map(|(name, raw)| Mail::new(Source::File(name), raw));
    let mails = args
        .paths
        .iter()
        .flat_map(|path| files::mails(path))
        .map(named);
    let tally = take_all(handler, mails)?;
    let (recorded, returned) = (tally.recorded(), tally.returned());
    writeln!(std::io::stdout(), "{recorded} mails recorded.")?;
    if returned > 0 {
        anyhow::bail!("{returned} mails could not be recorded; see above, and import them again");
    }
    Ok(ExitCode::SUCCESS)
}
