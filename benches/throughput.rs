//! How many mails a second the service takes from a queue, beside a bare consumer that only acknowledges, in one run and on one broker.
//!
//! `cargo bench --bench throughput [MAILS]`. It starts a RabbitMQ of its own. The service's time includes its start; its log goes nowhere.

#[path = "../tests/support/mod.rs"]
mod support;

use futures_util::StreamExt;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use lapin::{Connection, ConnectionProperties};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};
use support::*;

const ROUNDS: usize = 3;
const PREFETCH: u16 = 500;
const AT_ONCE: usize = 100;

fn main() {
    let mails = std::env::args()
        .skip(1)
        .find_map(|argument| argument.parse().ok())
        .unwrap_or(20_000);
    let load = Load::new("throughput", mails, 1);
    // Deleted at the end: right after thousands of deletions some file systems are slow to make new files.
    let folders = temp_dir();
    let broker = Broker::start();
    let vhost = broker.vhost("throughput");
    for round in 1..=ROUNDS {
        let bare = consumed(&vhost.durable_queue(&format!("bare-{round}")), &load);
        print("bare consumer", mails, bare, bare);
        for (name, archive) in [("service", false), ("with archive", true)] {
            let queue = vhost.durable_queue(&format!("{name}-{round}"));
            let folder = folders.path().join(format!("{name}-{round}"));
            std::fs::create_dir(&folder).unwrap();
            let taken = taken(&queue, &load, &folder, archive);
            print(name, mails, taken, bare);
        }
    }
}

fn print(name: &str, mails: usize, time: Duration, bare: Duration) {
    println!(
        "{name:<14} {:>7.0} mails a second  {:>5.2} of the bare consumer",
        mails as f64 / time.as_secs_f64(),
        bare.as_secs_f64() / time.as_secs_f64()
    );
}

/// How long a consumer takes that does nothing but acknowledge in batches.
fn consumed(queue: &Queue, load: &Load) -> Duration {
    queue.publish(load.mails());
    runtime().block_on(async {
        let start = Instant::now();
        let options = ConnectionProperties::default();
        let connection = Connection::connect(queue.url(), options).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        let qos = BasicQosOptions::default();
        channel.basic_qos(PREFETCH, qos).await.unwrap();
        let mut consumer = channel
            .basic_consume(
                queue.name().into(),
                "bare".into(),
                BasicConsumeOptions::default(),
                FieldTable::default(),
            )
            .await
            .unwrap();
        for number in 1..=load.mails().len() {
            let delivery = consumer.next().await.unwrap().unwrap();
            if number % AT_ONCE == 0 || number == load.mails().len() {
                let multiple = BasicAckOptions { multiple: true };
                delivery.acker.ack(multiple).await.unwrap();
            }
        }
        let time = start.elapsed();
        connection.close(200, "done".into()).await.unwrap();
        time
    })
}

/// How long the service takes, with everything that it does: a third are hard, and posted to a platform that takes them.
fn taken(queue: &Queue, load: &Load, folder: &Path, archive: bool) -> Duration {
    queue.publish(load.mails());
    let platform = Platform::start();
    let configuration = Configuration::in_folder(folder)
        .platform("mydomain.de", &platform)
        .amqp(queue);
    let file = configuration.write();
    if !archive {
        let text = std::fs::read_to_string(&file).unwrap();
        let without = |line: &&str| !line.contains("permanent_bounced_emails_path");
        let text: Vec<&str> = text.lines().filter(without).collect();
        std::fs::write(&file, text.join("\n")).unwrap();
    }
    let start = Instant::now();
    let mut service = bouncedemails()
        .arg("--config")
        .arg(&file)
        .arg("run")
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    queue.wait_until_empty();
    let time = start.elapsed();
    service.kill().unwrap();
    service.wait().unwrap();
    time
}
