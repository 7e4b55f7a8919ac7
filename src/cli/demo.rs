//! `demo`: the pipeline on embedded defaults, to see it work.

use std::process::ExitCode;

/// Shows the service at work on a handful of bounces; needs nothing installed
#[derive(clap::Args)]
#[command(after_help = "Examples:
  bouncedemails demo
  bouncedemails --debug demo                                          the whole block of each mail
  bouncedemails demo --amqp amqp://guest:guest@localhost/%2f          through a real broker")]
pub(super) struct Args {
    /// Send the mails through this broker, by a queue of the demo's own
    #[arg(long, value_name = "URL")]
    amqp: Option<String>,
}

/// A mail of the demo, and what it shows.
struct Sample {
    title: &'static str,
    mail: &'static [u8],
}

macro_rules! sample {
    ($title:literal, $file:literal) => {
        Sample {
            title: $title,
            mail: include_bytes!(concat!("../../resources/demo/", $file)),
        }
    };
}

const SAMPLES: &[Sample] = &[
    sample!("A mailbox that does not exist", "hard.eml"),
    sample!("A full mailbox", "full-1.eml"),
    sample!("It is still full", "full-2.eml"),
    sample!("And still", "full-3.eml"),
    sample!("And once more, which is once too often", "full-4.eml"),
    sample!("A vacation reply", "vacation.eml"),
    sample!("Our server is on somebody's block list, which is not the address's fault", "blocked.eml"),
    sample!("A bounce for a platform that nobody configured", "stranger.eml"),
];
