//! `run`: every intake that the configuration names, and the suspender.

use super::Common;
use crate::config::{ConfigError, Loaded};
use crate::intake;
use crate::memory::MemoryBudget;
use crate::service::{Ending, Intakes, Service};
use crate::smtp::{self, Listen, Listener, TlsError};
use anyhow::anyhow;
use sd_notify::NotifyState;
use std::process::ExitCode;
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::info;

/// Runs the service: every intake that the configuration names, and the suspender
#[derive(clap::Args)]
#[command(after_help = "Examples:
  bouncedemails --config /etc/bouncedemails/config.yml run
  bouncedemails --env development --debug run      log the whole block of each mail")]
pub(super) struct Args {}

pub(super) fn run(_: &Args, common: &Common) -> anyhow::Result<ExitCode> {
    let loaded = common.load()?;
    names_an_intake(&loaded)?;
    serve(loaded, ListenBy::Configuration)
}

/// Whether `run` would refuse to start with this configuration.
pub(super) fn check(loaded: &Loaded) -> Result<(), ConfigError> {
    names_an_intake(loaded)?;
    smtp_settings(loaded, &memory(loaded))?;
    super::knowledge(&loaded.config.handler)?;
    Ok(())
}

fn names_an_intake(loaded: &Loaded) -> Result<(), ConfigError> {
    if loaded.config.amqp.is_some() || loaded.config.smtp.is_some() {
        return Ok(());
    }
    Err(loaded.fault(
        &[],
        "there is no place to take mails from; add `amqp:` or `smtp:`, see config.template.yml",
    ))
}

/// Who said where the SMTP server is to listen.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ListenBy {
    /// `smtp.listen`, or what holds without it. Sockets that systemd hands over go before.
    Configuration,
    /// `--host` or `--port`: sockets that systemd hands over contradict them.
    Arguments,
}

/// Runs what the configuration names until told to stop by SIGTERM or SIGINT.
pub(super) fn serve(loaded: Loaded, listen_by: ListenBy) -> anyhow::Result<ExitCode> {
    let memory = memory(&loaded);
    let smtp = smtp_settings(&loaded, &memory)?;
    super::runtime()?.block_on(run_service(loaded, smtp, memory, listen_by))
}

async fn run_service(
    loaded: Loaded,
    smtp: Option<(Listen, smtp::Settings)>,
    memory: MemoryBudget,
    listen_by: ListenBy,
) -> anyhow::Result<ExitCode> {
    let shutdown = cancelled_by_signal()?;
    let handed_over = Listener::from_systemd()?;
    if let (Some(sockets), ListenBy::Arguments) = (&handed_over, listen_by) {
        eprintln!(
            "bouncedemails: --host and --port contradict {sockets}, which systemd hands over; leave them out, or stop the socket unit"
        );
        return Ok(ExitCode::from(super::EX_USAGE));
    }
    let handler = Arc::new(loaded.config.handler.clone());
    let knowledge = super::knowledge(&handler)?;
    // Listens first: a port that is taken is said before anything runs.
    let smtp = match (smtp, handed_over) {
        (Some((_, settings)), Some(sockets)) => Some((sockets, settings)),
        (Some((listen, settings)), None) => {
            Some((bind(&listen, listen_by, &loaded).await?, settings))
        }
        // Clients would wait for a greeting that nobody says.
        (None, Some(sockets)) => Err(loaded.fault(
            &[],
            format_args!("systemd hands over {sockets}, but there is no `smtp:` to take mail with; add it, or stop the socket unit"),
        ))?,
        (None, None) => None,
    };
    let service = Service::start(handler, knowledge, shutdown.clone())?;
    let amqp = loaded.config.amqp;
    tell_systemd(NotifyState::Ready);
    let intakes = Intakes { amqp, smtp };
    service.run(intakes, memory, shutdown).await?;
    tell_systemd(NotifyState::Stopping);
    service.finish(Ending::Soon).await?;
    info!("Stopped; what was not finished is kept.");
    Ok(ExitCode::SUCCESS)
}

/// What the mails of all intakes may take.
fn memory(loaded: &Loaded) -> MemoryBudget {
    let smtp = loaded.config.smtp.as_ref();
    intake::memory(smtp.map_or(0, |smtp| smtp.max_message_size))
}

/// Where to serve SMTP and how, if that is configured. A certificate that can't be used is a fault of the configuration.
fn smtp_settings(
    loaded: &Loaded,
    memory: &MemoryBudget,
) -> Result<Option<(Listen, smtp::Settings)>, ConfigError> {
    let Some(smtp) = &loaded.config.smtp else {
        return Ok(None);
    };
    let settings = intake::smtp::settings(smtp, memory.clone());
    let settings = settings.map_err(|error| loaded.fault(&keys(&error), error))?;
    Ok(Some((smtp.listen.clone(), settings)))
}

/// Which key of the configuration is to blame, by its path.
fn keys(error: &TlsError) -> Vec<&'static str> {
    let key = match error {
        TlsError::File { key, .. } | TlsError::Empty { key, .. } => Some(*key),
        TlsError::Unusable { .. } => None,
    };
    ["smtp", "tls"].into_iter().chain(key).collect()
}

/// Listens on `listen`. A fault may pass, so systemd is to try again: it is no [`ConfigError`], whose exit status would keep it from that.
async fn bind(listen: &Listen, listen_by: ListenBy, loaded: &Loaded) -> anyhow::Result<Listener> {
    Listener::bind(listen)
        .await
        .map_err(|error| match listen_by {
            ListenBy::Configuration => anyhow!("{}", loaded.fault(&["smtp", "listen"], error)),
            ListenBy::Arguments => error.into(),
        })
}

/// A token that SIGTERM and SIGINT cancel. A second signal ends the process at once.
fn cancelled_by_signal() -> anyhow::Result<CancellationToken> {
    let token = CancellationToken::new();
    let cancel = token.clone();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        let mut either = async || {
            tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
            }
        };
        let name = either().await;
        info!("{name}: finishing what is in hand.");
        cancel.cancel();
        either().await;
        std::process::exit(1);
    });
    Ok(token)
}

/// Does nothing when systemd did not start us.
fn tell_systemd(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!("systemd cannot be told how far we are: {error}");
    }
}
