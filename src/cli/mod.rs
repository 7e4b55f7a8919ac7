//! The command line: what was typed → one file a command → exit status.

mod check_config;
mod classify;
mod demo;
mod develop_webserver;
mod find_address;
mod import;
mod quarantine;
mod reset;
mod retry;
mod run;
mod run_smtpserver;
mod set_permanent;
mod stdin;
mod table;
mod token;

use crate::config::{self, ConfigError, Handler, Loaded, Platform};
use crate::diagnosis::Rules;
use crate::intake::feed::Tally;
use crate::mail::Mail;
use crate::service;
use crate::telemetry::{self, Stream};
use crate::verdict::Knowledge;
use anyhow::Context;
use clap::{Parser, Subcommand};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use tokio::runtime::Runtime;

/// The arguments can't be followed: what clap says, too.
const EX_USAGE: u8 = 2;

/// The configuration can't be used (sysexits.h).
const EX_CONFIG: u8 = 78;

#[derive(Parser)]
#[command(
    name = "bouncedemails",
    version,
    about,
    after_help = "Try it without any set-up: bouncedemails demo"
)]
struct Args {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

/// What holds for every command.
#[derive(clap::Args)]
struct Common {
    /// The configuration; without it ./config.yml, then /etc/bouncedemails/config.yml
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The environment to take from the configuration
    #[arg(long, global = true, value_name = "NAME", default_value = "production")]
    env: String,
    /// Log the whole block of every mail, not only one line for each outcome
    #[arg(long, global = true)]
    debug: bool,
}

impl Common {
    /// The configuration, for a command that opens the database.
    fn load(&self) -> Result<Loaded, ConfigError> {
        let loaded = self.read()?;
        loaded.database()?;
        Ok(loaded)
    }

    /// The configuration, for a command that only looks into it: whoever types that may be no user of the database.
    fn read(&self) -> Result<Loaded, ConfigError> {
        config::load(self.config.as_deref(), &self.env)
    }
}

#[derive(Subcommand)]
enum Command {
    Run(run::Args),
    #[command(alias = "run_smtpserver")]
    RunSmtpserver(run_smtpserver::Args),
    Stdin(stdin::Args),
    Import(import::Args),
    Classify(classify::Args),
    #[command(alias = "find_address")]
    FindAddress(find_address::Args),
    #[command(alias = "set_permanent_bounced_address")]
    SetPermanentBouncedAddress(set_permanent::Args),
    Reset(reset::Args),
    Retry(retry::Args),
    Token(token::Args),
    Quarantine(quarantine::Args),
    #[command(alias = "check_config")]
    CheckConfig(check_config::Args),
    Demo(demo::Args),
    #[command(alias = "develop_webserver")]
    DevelopWebserver(develop_webserver::Args),
}

/// Runs the program with the arguments of this process.
pub fn main() -> ExitCode {
    let Args { common, command } = Args::parse();
    let stream = match command {
        Command::Demo(_) => Stream::Stdout,
        _ => Stream::Stderr,
    };
    let result = telemetry::init(common.debug, stream).and_then(|()| match command {
        Command::Run(args) => run::run(&args, &common),
        Command::RunSmtpserver(args) => run_smtpserver::run(&args, &common),
        Command::Stdin(args) => stdin::run(&args, &common),
        Command::Import(args) => import::run(&args, &common),
        Command::Classify(args) => classify::run(&args, &common),
        Command::FindAddress(args) => find_address::run(&args, &common),
        Command::SetPermanentBouncedAddress(args) => set_permanent::run(&args, &common),
        Command::Reset(args) => reset::run(&args, &common),
        Command::Retry(args) => retry::run(&args, &common),
        Command::Token(args) => token::run(&args, &common),
        Command::Quarantine(args) => quarantine::run(&args, &common),
        Command::CheckConfig(args) => check_config::run(&args, &common),
        Command::Demo(args) => demo::run(&args),
        Command::DevelopWebserver(args) => {
            develop_webserver::run(&args).map(|()| ExitCode::SUCCESS)
        }
    });
    // Also before an error is said, which comes after all that led to it.
    let is_read = telemetry::flush();
    result.unwrap_or_else(|error| {
        if is_broken_pipe(&error) {
            return ExitCode::SUCCESS;
        }
        if is_read {
            eprintln!("bouncedemails: {error:#}");
        }
        match error.is::<ConfigError>() {
            true => ExitCode::from(EX_CONFIG),
            false => ExitCode::FAILURE,
        }
    })
}

fn runtime() -> anyhow::Result<Runtime> {
    Runtime::new().context("the system gives no threads to run on")
}

/// Takes mails through the whole pipeline.
fn take_all(
    handler: Handler,
    mails: impl Iterator<Item = anyhow::Result<Mail>>,
) -> anyhow::Result<Arc<Tally>> {
    let knowledge = knowledge(&handler)?;
    runtime()?.block_on(service::take_all(handler, knowledge, mails))
}

/// The platform that a domain belongs to, by its configured domain.
fn platform<'a>(handler: &'a Handler, domain: &str) -> anyhow::Result<(&'a str, &'a Platform)> {
    let platforms = handler.policy().platforms;
    let closest = platforms.closest(domain);
    let found = closest.and_then(|domain| handler.domains.get_key_value(domain));
    let (domain, platform) = found.with_context(|| {
        let configured: Vec<&str> = handler.domains.keys().map(String::as_str).collect();
        let configured = configured.join(", ");
        format!("{domain} is no configured platform; take one of: {configured}")
    })?;
    Ok((domain, platform))
}

/// What is known of mail systems and their words, with the user's own rules in front.
fn knowledge(handler: &Handler) -> Result<Knowledge, ConfigError> {
    let rules = match &handler.rules {
        Some(file) => rules(file)?,
        None => Rules::builtin(),
    };
    Ok(Knowledge {
        rules,
        secrets: handler.secrets(),
    })
}

/// A user's own rules, with those of the program behind.
fn rules(file: &Path) -> Result<Rules, ConfigError> {
    let file = file.to_owned();
    let text = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) => return Err(ConfigError::Unreadable { file, error }),
    };
    Rules::with_user_rules(&text).map_err(|fault| ConfigError::Wrong {
        file,
        line: Some(fault.line),
        message: fault.message,
    })
}

/// Whether whoever read our output has seen enough (`bouncedemails classify … | head`).
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .root_cause()
        .downcast_ref::<std::io::Error>()
        .is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}
