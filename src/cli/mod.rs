//! The command line: what was typed → one file a command → exit status.

mod classify;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "bouncedemails", version, about)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Says of each mail what it is, who failed and why; no configuration, no side effect
    Classify(classify::Args),
}

/// Runs the program with the arguments of this process.
pub fn main() -> ExitCode {
    let args = Args::parse();
    let result = match args.command {
        Command::Classify(args) => classify::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bouncedemails: {error:#}");
            ExitCode::FAILURE
        }
    }
}
