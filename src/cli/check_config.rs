//! `check-config`: whether the configuration can be used, and what would run with it.

use super::Common;
use crate::config::{Amqp, Complaints, Config};
use anyhow::Context;
use bytesize::ByteSize;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;

/// Checks the configuration, and shows what would run with it; starts nothing
#[derive(clap::Args)]
#[command(
    after_help = "Example: bouncedemails --config /etc/bouncedemails/config.yml check-config"
)]
pub(super) struct Args {}

pub(super) fn run(_: &Args, common: &Common) -> anyhow::Result<ExitCode> {
    let loaded = common.load()?;
    super::rules(&loaded.config.handler)?;
    if let Some(smtp) = &loaded.config.smtp {
        super::run::smtp_settings(smtp, &loaded.file)?;
    }
    let file = loaded.file.display();
    let mut text = format!("{file}, environment {}: fine\n", loaded.environment);
    describe(&loaded.config, &mut text).context("cannot describe the configuration")?;
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// What will run, one aligned line for each thing; no secret is among them.
fn describe(config: &Config, text: &mut String) -> std::fmt::Result {
    let mut line = |name: &str, value: String| writeln!(text, "  {name:<12}{value}");
    let handler = &config.handler;
    match &config.amqp {
        Some(Amqp {
            url,
            queue,
            prefetch,
        }) => line(
            "takes from",
            format!("queue {queue} of {url}, at most {prefetch} mails at a time"),
        )?,
        None => line("takes from", "no message broker (no `amqp:`)".to_owned())?,
    }
    match &config.smtp {
        Some(smtp) => line(
            "listens on",
            format!(
                "{} ({}{}), for {} networks, {} clients, mails of {}",
                smtp.listen,
                smtp.protocol,
                match (&smtp.tls, smtp.require_tls) {
                    (None, _) => "",
                    (Some(_), false) => ", STARTTLS offered",
                    (Some(_), true) => ", STARTTLS required",
                },
                smtp.allow.len(),
                smtp.max_connections,
                ByteSize(smtp.max_message_size as u64).display().si(),
            ),
        )?,
        None => line("listens on", "nothing (no `smtp:`)".to_owned())?,
    }
    line("database", handler.dbfile.display().to_string())?;
    line(
        "archive",
        match &handler.permanent_bounced_emails_path {
            Some(path) => path.display().to_string(),
            None => "none: the mails behind suspensions are not kept".to_owned(),
        },
    )?;
    line(
        "threshold",
        format!(
            "{} soft bounces are allowed, the next one suspends; {}",
            handler.temporary_threshold,
            match handler.count_sender_faults {
                true => "our own faults count, too",
                false => "our own faults are not counted",
            }
        ),
    )?;
    if let Some(rules) = &handler.rules {
        line("rules", format!("those of {} go first", rules.display()))?;
    }
    line(
        "complaints",
        match handler.complaints {
            Complaints::Ignore => "are logged".to_owned(),
            Complaints::Suspend => "suspend the address".to_owned(),
        },
    )?;
    line(
        "retries",
        format!(
            "a platform that does not answer is tried for {}",
            handler.suspension_max_age
        ),
    )?;
    for (domain, platform) in &handler.domains {
        line("platform", format!("{domain}: {platform}"))?;
    }
    Ok(())
}
