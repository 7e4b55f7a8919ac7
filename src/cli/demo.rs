//! `demo`: the pipeline on embedded defaults, to see it work.

use crate::config::{Amqp, Handler};
use crate::intake::{self, Acknowledged, Intake, amqp};
use crate::mail::{Delivery, Mail, Receipt, Source};
use crate::platform_server::{self, Exchange};
use crate::service::{Ending, Service};
use crate::telemetry;
use crate::verdict::Knowledge;
use anyhow::Context;
use lapin::options::{BasicPublishOptions, QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Connection, ConnectionProperties};
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

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
    sample!(
        "Our server is on somebody's block list, which is not the address's fault",
        "blocked.eml"
    ),
    sample!(
        "A bounce for a platform that nobody configured",
        "stranger.eml"
    ),
];

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    super::runtime()?.block_on(show(args))?;
    Ok(ExitCode::SUCCESS)
}

async fn show(args: &Args) -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    let platform = platform(stop.clone()).await?;
    let mut mails = match &args.amqp {
        None => straight(),
        Some(url) => through_broker(url, stop.clone()).await?,
    };
    let shown = walk_through(&mut mails, platform).await;
    stop.cancel();
    // The queue of the demo is deleted when the broker is left.
    while mails.recv().await.is_some() {}
    shown
}

/// Takes the mails one by one, and tells what happens to each.
async fn walk_through(
    mails: &mut mpsc::Receiver<Delivery>,
    (port, mut exchanges): (u16, mpsc::UnboundedReceiver<Exchange>),
) -> anyhow::Result<()> {
    let folder = tempfile::tempdir().context("no folder for the demo's database")?;
    let handler = Arc::new(handler(folder.path(), port)?);
    let mut out = std::io::stdout();
    writeln!(
        out,
        "{} mails come back to the no-reply addresses of two platforms; learning.example is configured, with a threshold of {}.\n",
        SAMPLES.len(),
        handler.temporary_threshold
    )?;
    let mut suspended = Vec::new();
    for (number, sample) in SAMPLES.iter().enumerate() {
        let delivery = mails
            .recv()
            .await
            .context("the mails of the demo ended early")?;
        writeln!(out, "{}. {}", number + 1, sample.title)?;
        handle(&handler, delivery).await?;
        while let Ok(exchange) = exchanges.try_recv() {
            writeln!(out, "   the platform got: {exchange}")?;
            suspended.extend(exchange.address);
        }
        writeln!(out)?;
    }
    writeln!(
        out,
        "In the end the platform was told to stop mailing: {}.
Next: bouncedemails classify FILE says what it makes of a bounce of yours;
      bouncedemails --debug demo shows the log block of each mail;
      config.template.yml and README.md lead to a service of your own.",
        suspended.join(", ")
    )?;
    Ok(())
}

/// Takes one mail through the whole pipeline, until the platform has answered.
async fn handle(handler: &Arc<Handler>, delivery: Delivery) -> anyhow::Result<()> {
    let give_up = CancellationToken::new();
    let service = Service::start(handler.clone(), Knowledge::builtin(), give_up)?;
    if service.inbox().send(delivery).await.is_err() {
        anyhow::bail!("the engine has died");
    }
    service.finish(Ending::Tried).await?;
    // What is printed next is to come after it.
    tokio::task::spawn_blocking(telemetry::flush).await?;
    Ok(())
}

/// Starts the built-in platform; gives its port, and what it is asked.
async fn platform(
    stop: CancellationToken,
) -> anyhow::Result<(u16, mpsc::UnboundedReceiver<Exchange>)> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let port = listener.local_addr()?.port();
    let (sender, exchanges) = mpsc::unbounded_channel();
    let observer = Arc::new(move |exchange| {
        let _ = sender.send(exchange);
    });
    tokio::spawn(platform_server::serve(listener, observer, stop));
    Ok((port, exchanges))
}

/// The configuration of the demo.
fn handler(folder: &std::path::Path, port: u16) -> anyhow::Result<Handler> {
    let folder = folder.display();
    Ok(serde_yaml::from_str(&format!(
        "
dbfile: {folder}/bounced_emails.db
permanent_bounced_emails_path: {folder}/bounced_emails
temporary_threshold: 3
domains:
  learning.example:
    base_url: http://127.0.0.1:{port}/emails/{{address}}/suspend
"
    ))?)
}

/// The mails, one after the other.
fn straight() -> mpsc::Receiver<Delivery> {
    let (sender, mails) = mpsc::channel(SAMPLES.len());
    for sample in SAMPLES {
        let mail = Mail::new(Source::File("the demo".to_owned()), sample.mail.to_owned());
        let receipt = Receipt::new(|_| {});
        sender
            .try_send(Delivery { mail, receipt })
            .expect("there is room for every sample");
    }
    mails
}

/// The mails, after they went through a queue of their own at a broker; the queue is gone when `stop` is cancelled.
async fn through_broker(
    url: &str,
    stop: CancellationToken,
) -> anyhow::Result<mpsc::Receiver<Delivery>> {
    let queue = format!("bouncedemails-demo-{}", std::process::id());
    let amqp: Amqp = serde_yaml::from_str(&format!("{{url: '{url}', queue: {queue}}}"))
        .with_context(|| format!("--amqp {url}"))?;
    let connection =
        Connection::connect_uri(amqp.url.uri().clone(), ConnectionProperties::default())
            .await
            .with_context(|| format!("{} cannot be reached", amqp.url))?;
    let channel = connection.create_channel().await?;
    let name = || queue.as_str().into();
    // As the service wants it: one that expires by itself would be told of as one that loses mails.
    channel
        .queue_declare(
            name(),
            QueueDeclareOptions::durable(),
            FieldTable::default(),
        )
        .await?;
    for sample in SAMPLES {
        let options = BasicPublishOptions::default();
        let properties = BasicProperties::default();
        channel
            .basic_publish("".into(), name(), options, sample.mail, properties)
            .await?;
    }
    tracing::info!("The mails go through the queue {queue} of {}.", amqp.url);
    let (sender, mails) = mpsc::channel(SAMPLES.len());
    tokio::spawn(async move {
        // The demo's database is gone with it, so nothing has to be forgotten.
        let (acknowledged, _forgetting) = Acknowledged::start(Arc::new(|_| {}));
        let intake = Intake {
            inbox: sender.clone(),
            acknowledged,
            recording: watch::channel(true).1,
            memory: intake::memory(0),
            shutdown: stop,
        };
        amqp::run(&amqp, intake).await;
        let options = QueueDeleteOptions::default();
        if let Err(error) = channel
            .queue_delete(amqp.queue.as_str().into(), options)
            .await
        {
            tracing::warn!("The queue {} could not be deleted: {error}", amqp.queue);
        }
        drop(sender);
    });
    Ok(mails)
}
