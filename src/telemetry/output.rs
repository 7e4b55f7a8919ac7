//! Where log lines go: journald when systemd started us, else stderr.

use parking_lot::ReentrantMutex;
use std::fmt;
use std::io::Write;
use std::os::linux::fs::MetadataExt;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_journald::{Priority, PriorityMappings};
use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

/// The name under which operators know the program's lines, in journald and at the head of each line on stderr.
const IDENTIFIER: &str = "bouncedemails";

/// Whoever holds it writes lines that no other line comes between.
static TOGETHER: ReentrantMutex<()> = ReentrantMutex::new(());

/// Where lines go that do not go to journald.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// As for every service and command.
    Stderr,
    /// Where the log is what a person came to see.
    Stdout,
}

/// Starts logging, once for the process. With `debug` on `stream`, and in journald always (with the priority to filter by), the block
/// of each mail is logged, too.
///
/// # Errors
/// When logging was started before.
pub fn init(debug: bool, stream: Stream) -> anyhow::Result<()> {
    let journal = is_stderr_the_journal()
        .then(tracing_journald::layer)
        .transpose();
    let journal = match journal {
        Ok(journal) => journal,
        Err(error) => {
            eprintln!("{IDENTIFIER} - journald cannot be reached ({error}); logging to stderr");
            None
        }
    };
    let level = match debug || journal.is_some() {
        true => LevelFilter::DEBUG,
        false => LevelFilter::INFO,
    };
    let lines = journal.is_none().then_some(Lines(stream));
    let journal = journal.map(|layer| {
        Together(
            layer
                .with_syslog_identifier(IDENTIFIER.to_owned())
                .with_field_prefix(Some("BOUNCE".to_owned()))
                .with_priority_mappings(PriorityMappings {
                    info: Priority::Informational,
                    debug: Priority::Debug,
                    ..PriorityMappings::new()
                }),
        )
    });
    // What the libraries below log is either said by us in plain words or is of no use to an operator.
    let ours = filter_fn(|metadata: &Metadata<'_>| metadata.target().starts_with(IDENTIFIER));
    tracing_subscriber::registry()
        .with(level)
        .with(lines.with_filter(ours.clone()))
        .with(journal.with_filter(ours))
        .try_init()?;
    Ok(())
}

/// Writes the lines that `write` logs without any other line between them.
pub(super) fn together(write: impl FnOnce()) {
    let _held = TOGETHER.lock();
    write();
}

/// Whether stderr is connected to journald, as systemd says in `JOURNAL_STREAM` (systemd.exec(5)).
fn is_stderr_the_journal() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else {
        return false;
    };
    std::fs::metadata("/proc/self/fd/2")
        .is_ok_and(|stderr| stream == format!("{}:{}", stderr.st_dev(), stderr.st_ino()))
}

/// One line for each event.
struct Lines(Stream);

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let mut message = Message(String::new());
        event.record(&mut message);
        let severity = match *event.metadata().level() {
            Level::ERROR => "error: ",
            Level::WARN => "warning: ",
            _ => "",
        };
        let line = format!("{IDENTIFIER} - {severity}{}\n", message.0);
        let _held = TOGETHER.lock();
        // A closed stream is no reason to stop handling mail.
        let _ = match self.0 {
            Stream::Stderr => std::io::stderr().write_all(line.as_bytes()),
            Stream::Stdout => std::io::stdout().write_all(line.as_bytes()),
        };
    }
}

/// The `message` field of an event; the others are for journald.
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

/// A layer whose events respect [`together`].
struct Together<L>(L);

impl<S, L> Layer<S> for Together<L>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    L: Layer<S>,
{
    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let _held = TOGETHER.lock();
        self.0.on_event(event, context);
    }
}
