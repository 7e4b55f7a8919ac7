//! `check-config`: whether the configuration can be used, and what would run with it.

use super::Common;
use crate::config::{Amqp, Config, Demand, Dns, Proving, Smtp};
use crate::policy::Complaints;
use crate::smtp::Listen;
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
    super::run::check(&loaded)?;
    let file = loaded.file.display();
    let mut text = format!("{file}, environment {}: fine\n", loaded.environment);
    describe(&loaded.config, &mut text).context("cannot describe the configuration")?;
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// Where the SMTP server listens, for whom, and for what.
fn listening(smtp: &Smtp) -> String {
    let tls = match (&smtp.tls, smtp.require_tls) {
        (None, _) => "",
        (Some(_), false) => ", STARTTLS offered",
        (Some(_), true) => ", STARTTLS required",
    };
    let networks = match &smtp.listen {
        // Whoever may open it may come.
        Listen::Unix(_) => String::new(),
        Listen::Tcp { .. } if smtp.allow == Smtp::default().allow => {
            "loopback and private networks, ".to_owned()
        }
        Listen::Tcp { .. } => smtp.allow.iter().map(|net| format!("{net}, ")).collect(),
    };
    format!(
        "{} ({}{tls}), for {networks}{} clients at a time, mails of {} at most",
        smtp.listen,
        smtp.protocol,
        smtp.max_connections,
        ByteSize(smtp.max_message_size as u64).display().si(),
    )
}

/// What has to be proven, and by what.
fn proving(proving: &Proving, dns: Dns) -> String {
    let count = |count: usize, what: &str| match count {
        0 => None,
        1 => Some(format!("1 {what}")),
        _ => Some(format!("{count} {what}s")),
    };
    let keys_in_dns = match dns {
        Dns::Off => None,
        Dns::System => Some("DKIM keys in DNS".to_owned()),
        Dns::At(server) => Some(format!("DKIM keys in DNS (asked of {server})")),
    };
    let means = [
        keys_in_dns,
        count(proving.keys.len(), "DKIM key"),
        count(proving.tokens.len(), "token secret"),
    ];
    let means: Vec<String> = means.into_iter().flatten().collect();
    let means = match means.is_empty() {
        true => "nothing".to_owned(),
        false => means.join(", "),
    };
    match proving.demand {
        Demand::Note => format!(
            "noted, as far as {means} can prove it; bounces that are not proven are acted on, too (proof: note)"
        ),
        Demand::Require => format!(
            "bounces that are not proven by {means} neither suspend nor count (proof: require)"
        ),
    }
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
        Some(smtp) => line("listens on", listening(smtp))?,
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
            Complaints::Suspend => {
                "suspend the address if a token of ours proves them; others are held in quarantine"
                    .to_owned()
            }
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
        // As the mails have it, and the log; and as people know it.
        let (name, _) = idna::domain_to_unicode(domain);
        let name = match name == *domain {
            true => name,
            false => format!("{domain} ({name})"),
        };
        line("platform", format!("{name}: {platform}"))?;
        line(
            "proof",
            format!("{name}: {}", proving(&platform.proving, handler.dns)),
        )?;
    }
    Ok(())
}
