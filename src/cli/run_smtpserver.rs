//! `run-smtpserver`: the SMTP intake alone, and the suspender.

use super::Common;
use super::run::ListenBy;
use crate::smtp::Listen;
use std::process::ExitCode;

/// Runs the SMTP intake alone, and the suspender
#[derive(clap::Args)]
#[command(after_help = "Examples:
  bouncedemails run-smtpserver                                  as `smtp:` says, else on 0.0.0.0:2525
  bouncedemails --debug run-smtpserver --host localhost --port 2526

Port 25 without root: see resources/bouncedemails.socket.")]
pub(super) struct Args {
    /// The address or name to listen on, instead of that of smtp.listen
    #[arg(long, value_parser = Listen::host)]
    host: Option<String>,
    /// The port, instead of that of smtp.listen
    #[arg(long)]
    port: Option<u16>,
}

pub(super) fn run(args: &Args, common: &Common) -> anyhow::Result<ExitCode> {
    let mut loaded = common.load()?;
    let config = &mut loaded.config;
    config.amqp = None;
    let smtp = config.smtp.get_or_insert_default();
    let listen_by = match (&args.host, args.port) {
        (None, None) => ListenBy::Configuration,
        (host, port) => {
            smtp.listen = instead_of(&smtp.listen, host.clone(), port);
            ListenBy::Arguments
        }
    };
    super::run::serve(loaded, listen_by)
}

/// What was typed goes before what is configured.
fn instead_of(configured: &Listen, host: Option<String>, port: Option<u16>) -> Listen {
    let (configured_host, configured_port) = match configured {
        Listen::Tcp { host, port } => (host.as_str(), *port),
        Listen::Unix(_) => (Listen::HOST, Listen::PORT),
    };
    Listen::Tcp {
        host: host.unwrap_or_else(|| configured_host.to_owned()),
        port: port.unwrap_or(configured_port),
    }
}
