//! `run`: every intake that the configuration names, and the suspender.

use super::Common;
use crate::config::{Config, ConfigError, Listen, Loaded, Smtp};
use crate::intake::amqp;
use crate::intake::smtp::{self, Listener};
use crate::ledger::Lock;
use crate::service::{Ending, Service};
use sd_notify::NotifyState;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::info;

/// Runs the service: every intake that the configuration names, and the suspender
#[derive(clap::Args)]
#[command(after_help = "Examples:
  bouncedemails --config /etc/bouncedemails/config.yml run
  bouncedemails --env development --debug run      log the whole block of each mail")]
pub(super) struct Args {}

pub(super) fn run(_: &Args, common: &Common) -> anyhow::Result<ExitCode> {
    let Loaded { config, file, .. } = common.load()?;
    if config.amqp.is_none() && config.smtp.is_none() {
        return Err(ConfigError::Wrong {
            file,
            line: None,
            message: format!(
                "{} names no place to take mails from; add `amqp:` or `smtp:`, see config.template.yml",
                common.env
            ),
        }
        .into());
    }
    serve(config, &file)
}

/// Runs what `config` (from `file`) names until told to stop by SIGTERM or SIGINT.
pub(super) fn serve(config: Config, file: &Path) -> anyhow::Result<ExitCode> {
    let smtp = match &config.smtp {
        Some(smtp) => Some((smtp.listen.clone(), smtp_settings(smtp, file)?)),
        None => None,
    };
    super::runtime()?.block_on(run_intakes(config, smtp))
}

async fn run_intakes(
    config: Config,
    smtp: Option<(Listen, smtp::Settings)>,
) -> anyhow::Result<ExitCode> {
    let shutdown = cancelled_by_signal()?;
    let handler = Arc::new(config.handler);
    let lock = Lock::take(&handler.dbfile)?;
    let rules = super::rules(&handler)?;
    // Listens first: a port that is taken is said before anything runs.
    let smtp = match smtp {
        Some((listen, settings)) => match Listener::from_systemd()? {
            Some(handed_over) => Some((handed_over, settings)),
            None => Some((Listener::bind(&listen).await?, settings)),
        },
        None => None,
    };
    let service = Service::start(handler.clone(), rules, Some(lock), shutdown.clone())?;
    let forget = service.forget();
    let mut intakes = JoinSet::new();
    if let Some(amqp) = config.amqp {
        let (forget, inbox, shutdown) = (forget.clone(), service.inbox(), shutdown.clone());
        intakes.spawn(async move { amqp::run(&amqp, forget, inbox, shutdown).await });
    }
    if let Some((listener, settings)) = smtp {
        let (inbox, shutdown, handler) = (service.inbox(), shutdown.clone(), handler.clone());
        intakes.spawn(async move {
            smtp::run(listener, settings, &handler, forget, inbox, shutdown).await;
        });
    }
    tell_systemd(NotifyState::Ready);
    // An intake ends when told to, or by a bug, which ends the service for systemd to start it again.
    while let Some(ended) = intakes.join_next().await {
        ended?;
    }
    tell_systemd(NotifyState::Stopping);
    service.finish(Ending::Soon).await?;
    info!("Stopped; what was not finished is kept.");
    Ok(ExitCode::SUCCESS)
}

/// A certificate that can't be used is a fault of the configuration.
pub(super) fn smtp_settings(smtp: &Smtp, file: &Path) -> Result<smtp::Settings, ConfigError> {
    smtp::Settings::new(smtp).map_err(|error| ConfigError::Wrong {
        file: file.to_owned(),
        line: None,
        message: error.to_string(),
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
