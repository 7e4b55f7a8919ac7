//! What the program says by `tracing`, on its way to the log.

use super::blocks::Line;
use super::queue::{Queue, queue};
use super::sink::{Form, IDENTIFIER, Said, Sink, Stream};
use super::writer::Writer;
use crate::ledger::SuspensionId;
use crate::printable::Printable;
use anyhow::Context as _;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::fmt;
use std::os::linux::fs::MetadataExt;
use std::panic::PanicHookInfo;
use std::sync::OnceLock;
use std::time::Duration;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

/// How long the last lines may take to be written when the program ends. Whoever does not read the log by then does without its end.
const LAST_LINES: Duration = Duration::from_secs(1);

/// Of the process, as its subscriber of `tracing` is. Without it (in tests of the library) nothing is logged.
static LOG: OnceLock<Queue> = OnceLock::new();

/// Starts logging, once for the process. With `debug` on `stream`, and in journald always (with the priority to filter by), the block
/// of each mail is logged, too.
///
/// # Errors
/// When logging was started before, or the system gives no thread for it.
pub fn init(debug: bool, stream: Stream) -> anyhow::Result<()> {
    let journald = is_stderr_the_journal().then(Sink::journald);
    let sink = match journald {
        Some(Ok(journald)) => journald,
        Some(Err(error)) => {
            eprintln!("{IDENTIFIER} - journald cannot be reached ({error}); logging to stderr");
            Sink::Stream(stream)
        }
        None => Sink::Stream(stream),
    };
    let form = sink.form();
    let level = match debug || form == Form::Fields {
        true => LevelFilter::DEBUG,
        false => LevelFilter::INFO,
    };
    let (queue, queued) = queue();
    let thread = std::thread::Builder::new().name("log".to_owned());
    thread
        .spawn(|| Writer::new(queued, sink).run())
        .context("the system gives no thread to write the log on")?;
    let lines = Lines {
        queue: queue.clone(),
        form,
    };
    // What the libraries below log is either said by us in plain words or is of no use to an operator.
    let ours = filter_fn(|metadata: &Metadata<'_>| metadata.target().starts_with(IDENTIFIER));
    tracing_subscriber::registry()
        .with(level)
        .with(lines.with_filter(ours))
        .try_init()?;
    // The one that `tracing` has taken a moment ago was the first.
    let _ = LOG.set(queue);
    std::panic::set_hook(Box::new(panicked));
    Ok(())
}

/// Waits until all that was said is written, for a second at most. False if it is not: then nobody reads the log, and whoever writes to
/// stderr himself may wait for ever.
pub fn flush() -> bool {
    LOG.get().is_none_or(|queue| queue.flush(LAST_LINES))
}

/// Whether anybody wants to see the blocks of mails.
pub(super) fn shows_blocks() -> bool {
    LOG.get().is_some() && tracing::enabled!(Level::DEBUG)
}

/// Logs a block as soon as its answers are there.
pub(super) fn block(lines: Vec<Line>) {
    if let Some(queue) = LOG.get() {
        queue.block(lines);
    }
}

/// Takes the platform's answer about a suspension, such as `200 / {"processd_email": "a@b"}`, into the block that waits for it,
/// or will: the platform may answer before the block of the mail is there.
pub fn answered(id: SuspensionId, response: &str) {
    if shows_blocks()
        && let Some(queue) = LOG.get()
    {
        queue.answer(id, response.to_owned());
    }
}

/// Whether stderr is connected to journald, as systemd says in `JOURNAL_STREAM` (systemd.exec(5)).
fn is_stderr_the_journal() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else {
        return false;
    };
    std::fs::metadata("/proc/self/fd/2")
        .is_ok_and(|stderr| stream == format!("{}:{}", stderr.st_dev(), stderr.st_ino()))
}

/// Says by the log that a thread panicked, which the standard library would write to stderr and may wait for ever to do. What a panic
/// says may be from a mail.
fn panicked(panic: &PanicHookInfo<'_>) {
    let thread = std::thread::current();
    let thread = thread.name().unwrap_or("unnamed");
    let place = panic.location().map(ToString::to_string);
    let place = place.unwrap_or_default();
    let message = Printable(panic.payload_as_str().unwrap_or("no text"));
    tracing::error!("The thread '{thread}' panicked at {place}: {message}");
    let backtrace = Backtrace::capture();
    if backtrace.status() == BacktraceStatus::Captured {
        tracing::error!("{backtrace}");
    }
    // The end of this thread is that of the program.
    if thread == "main" {
        flush();
    }
}

/// Hands over a line for each event.
struct Lines {
    queue: Queue,
    form: Form,
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let place = event.metadata();
        let mut said = Said::plain(*place.level(), String::new());
        said.place = Some(place);
        event.record(&mut said);
        let for_debugging = *place.level() > Level::INFO;
        self.queue.line(said.line(self.form), for_debugging);
    }
}

impl Visit for Said {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let value = format!("{value:?}");
        match field.name() {
            "message" => self.message = value,
            name => self.fields.push((name, value)),
        }
    }
}
