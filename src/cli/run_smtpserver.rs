//! `run-smtpserver`: the SMTP intake alone, and the suspender.

use super::Common;
use crate::config::{Listen, Loaded};
use std::process::ExitCode;

/// Runs the SMTP intake alone, and the suspender
#[derive(clap::Args)]
#[command(after_help = "Examples:
  bouncedemails run-smtpserver                                  as `smtp:` says, else on 0.0.0.0:2525
  bouncedemails --debug run-smtpserver --host localhost --port 2526

Port 25 without root: see resources/bouncedemails.socket.")]
pub(super) struct Args {
    /// The address or name to listen on, instead of that of smtp.listen
    #[arg(long)]
    host: Option<String>,
    /// The port, instead of that of smtp.listen
    #[arg(long)]
    port: Option<u16>,
}

pub(super) fn run(args: &Args, common: &Common) -> anyhow::Result<ExitCode> {
    let Loaded {
        mut config, file, ..
    } = common.load()?;
    let mut smtp = config.smtp.take().unwrap_or_default();
    smtp.listen = listen(smtp.listen, args);
    config.smtp = Some(smtp);
    config.amqp = None;
    super::run::serve(config, &file)
}

/// What was typed goes before what is configured.
fn listen(configured: Listen, args: &Args) -> Listen {
    if args.host.is_none() && args.port.is_none() {
        return configured;
    }
    let (host, port) = match configured {
        Listen::Tcp { host, port } => (host, port),
        Listen::Unix(_) => (Listen::HOST.to_owned(), Listen::PORT),
    };
    Listen::Tcp {
        host: args.host.clone().unwrap_or(host),
        port: args.port.unwrap_or(port),
    }
}
