//! A private RabbitMQ on free ports, with its own folders, cookie and name service.

use super::{Guarded, PATIENCE, eventually, free_port, output_of, temp_dir};
use lapin::options::{
    BasicGetOptions, BasicNackOptions, BasicPublishOptions, ConfirmSelectOptions,
    QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use parking_lot::Mutex;
use rustix::process::Signal;
use std::ffi::OsStr;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// The scripts themselves: Debian's wrappers in /usr/sbin change to another user and home.
const SCRIPTS: &str = "/usr/lib/rabbitmq/bin";

/// A message broker of one test binary.
pub struct Broker {
    port: u16,
    epmd_port: u16,
    dist_port: u16,
    home: Home,
    server: Mutex<Option<Guarded>>,
    _epmd: Guarded,
}

/// Where the broker keeps its data.
enum Home {
    /// Removed when the broker is dropped.
    Own(TempDir),
    /// Removed by the guard of its processes: the broker is a static, and those are never dropped.
    Shared(PathBuf),
}

impl Home {
    fn path(&self) -> &Path {
        match self {
            Home::Own(folder) => folder.path(),
            Home::Shared(folder) => folder,
        }
    }

    fn left_to_the_guard(&self) -> Option<&Path> {
        match self {
            Home::Own(_) => None,
            Home::Shared(folder) => Some(folder),
        }
    }
}

impl Broker {
    /// The one that the tests of this binary share: each makes itself a [`Vhost`]. Not to be killed.
    pub fn shared() -> &'static Broker {
        static SHARED: LazyLock<Broker> =
            LazyLock::new(|| Broker::start_in(Home::Shared(temp_dir().keep())));
        &SHARED
    }

    /// One of its own, for a test that kills it.
    pub fn start() -> Broker {
        Broker::start_with("")
    }

    /// One of its own with these lines in rabbitmq.conf.
    pub fn start_with(settings: &str) -> Broker {
        let home = temp_dir();
        std::fs::write(home.path().join("rabbitmq.conf"), settings).expect("the folder is ours");
        Broker::start_in(Home::Own(home))
    }

    fn start_in(home: Home) -> Broker {
        let cookie = home.path().join(".erlang.cookie");
        std::fs::write(&cookie, format!("bouncedemails{}", std::process::id()))
            .expect("the folder is ours");
        std::fs::set_permissions(&cookie, PermissionsExt::from_mode(0o400))
            .expect("the file is ours");
        // Erlang's name service would start itself as a daemon that outlives us: this one is ours.
        let epmd_port = free_port();
        let epmd = Guarded::spawn_in(
            Command::new("epmd")
                .args(["-port", &epmd_port.to_string()])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null()),
            home.left_to_the_guard(),
        );
        let broker = Broker {
            port: free_port(),
            epmd_port,
            dist_port: free_port(),
            home,
            server: Mutex::new(None),
            _epmd: epmd,
        };
        broker.start_again();
        broker
    }

    /// Starts it on the data it had, and waits until it answers.
    pub fn start_again(&self) {
        let mut server = self.server.lock();
        assert!(server.is_none(), "the broker runs already");
        let log =
            std::fs::File::create(self.home.path().join("output")).expect("the folder is ours");
        let mut script = self.script("rabbitmq-server");
        script
            // Makes the script become the server, instead of waiting for it as a parent.
            .env("RUNNING_UNDER_SYSTEMD", "true")
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file can be cloned"))
            .stderr(log);
        *server = Some(Guarded::spawn_in(
            &mut script,
            self.home.left_to_the_guard(),
        ));
        let running = server.as_mut().expect("it was just put there").child();
        eventually("the broker to answer", || {
            if let Ok(Some(status)) = running.try_wait() {
                panic!("the broker ended with {status}:\n{}", self.log());
            }
            self.answers().then_some(())
        });
    }

    /// Whether it speaks AMQP: it names the version that it wants when it is offered another.
    fn answers(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) else {
            return false;
        };
        let mut answer = [0; 4];
        stream.set_read_timeout(Some(PATIENCE)).is_ok()
            && stream.write_all(b"AMQP\x00\x00\x00\x00").is_ok()
            && stream.read_exact(&mut answer).is_ok()
            && &answer == b"AMQP"
    }

    /// Ends it as a power cut would.
    pub fn kill(&self) {
        self.server.lock().take().expect("the broker runs").kill();
    }

    /// It does nothing any more, as behind a network that swallows everything; its connections stay open.
    pub fn freeze(&self) {
        let server = self.server.lock();
        server
            .as_ref()
            .expect("the broker runs")
            .signal(Signal::STOP);
    }

    /// It goes on.
    pub fn thaw(&self) {
        let server = self.server.lock();
        server
            .as_ref()
            .expect("the broker runs")
            .signal(Signal::CONT);
    }

    /// Ends it in good order.
    pub fn stop(&self) {
        self.rabbitmqctl(&["stop"]);
        let mut server = self.server.lock().take().expect("the broker runs");
        server.child().wait().expect("a child can be waited for");
    }

    /// Runs `rabbitmqctl` and returns what it prints.
    pub fn rabbitmqctl(&self, arguments: &[&str]) -> String {
        output_of(self.script("rabbitmqctl").args(arguments), b"")
    }

    fn script(&self, name: &str) -> Command {
        self.command(Path::new(SCRIPTS).join(name))
    }

    /// What the server printed since it was started.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.home.path().join("output")).unwrap_or_default()
    }

    /// A folder for what belongs to it, removed with it.
    pub fn folder(&self) -> &Path {
        self.home.path()
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A new virtual host, where `guest` may do everything.
    pub fn vhost(&self, name: &str) -> Vhost<'_> {
        // One call instead of two: each starts an Erlang of its own.
        self.rabbitmqctl(&[
            "eval",
            &format!(
                r#"rabbit_vhost:add(<<"{name}">>, <<"test">>),
                   rabbit_auth_backend_internal:set_permissions(<<"guest">>, <<"{name}">>, <<".*">>, <<".*">>, <<".*">>, <<"test">>)."#
            ),
        ]);
        Vhost {
            broker: self,
            name: name.to_owned(),
        }
    }

    /// A command with the environment in which `rabbitmqctl` means this broker.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let home = self.home.path();
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", format!("{SCRIPTS}:/usr/sbin:/usr/bin:/sbin:/bin"))
            .env("LANG", "C.UTF-8")
            .env("HOME", home)
            .env("ERL_EPMD_PORT", self.epmd_port.to_string())
            .env("RABBITMQ_NODENAME", format!("test{}@localhost", self.port))
            .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODE_PORT", self.port.to_string())
            .env("RABBITMQ_DIST_PORT", self.dist_port.to_string())
            .env("RABBITMQ_MNESIA_BASE", home.join("data"))
            .env("RABBITMQ_LOG_BASE", home.join("log"))
            .env("RABBITMQ_LOGS", "-")
            .env("RABBITMQ_CONF_ENV_FILE", home.join("rabbitmq-env.conf"))
            .env("RABBITMQ_CONFIG_FILE", home.join("rabbitmq"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", home.join("plugins"));
        command
    }
}

/// A virtual host: what keeps tests apart that share a broker.
pub struct Vhost<'a> {
    broker: &'a Broker,
    name: String,
}

impl<'a> Vhost<'a> {
    /// `amqp://guest:guest@127.0.0.1:PORT/NAME`
    pub fn url(&self) -> String {
        self.url_of("guest", "guest")
    }

    /// The URL for another user.
    pub fn url_of(&self, user: &str, password: &str) -> String {
        let vhost = self.name.replace('/', "%2f");
        format!(
            "amqp://{user}:{password}@127.0.0.1:{}/{vhost}",
            self.broker.port
        )
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// A durable queue of this name, declared.
    pub fn durable_queue(&self, name: &str) -> Queue<'a> {
        let queue = self.queue(name);
        let durable = QueueDeclareOptions {
            durable: true,
            ..QueueDeclareOptions::default()
        };
        queue.declare(durable, &[]);
        if let Home::Own(_) = self.broker.home {
            // It may be killed, and RabbitMQ writes down which queues there are only after some seconds; it is not that which is tested.
            let synced = self.broker.rabbitmqctl(&["eval", "mnesia:sync_log()."]);
            assert_eq!(synced.trim(), "ok");
        }
        queue
    }

    /// A queue of this name, whether it exists or not.
    pub fn queue(&self, name: &str) -> Queue<'a> {
        Queue {
            broker: self.broker,
            vhost: self.name.clone(),
            url: self.url(),
            name: name.to_owned(),
        }
    }
}

/// A queue and what goes through it.
#[derive(Clone)]
pub struct Queue<'a> {
    broker: &'a Broker,
    vhost: String,
    url: String,
    name: String,
}

impl Queue<'_> {
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it is: the URL of its virtual host.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Declares it with these arguments (`x-queue-type` and the like).
    pub fn declare(&self, options: QueueDeclareOptions, arguments: &[(&str, &str)]) {
        let mut table = FieldTable::default();
        for (name, value) in arguments {
            let value = match value.parse() {
                Ok(number) => AMQPValue::LongInt(number),
                Err(_) => AMQPValue::LongString((*value).into()),
            };
            table.insert((*name).into(), value);
        }
        self.on_a_channel(async |channel| {
            channel
                .queue_declare(self.name.as_str().into(), options, table)
                .await
                .expect("the queue can be declared");
        });
    }

    /// Publishes one mail with `amqp-publish`, as Postfix' pipe does.
    pub fn amqp_publish(&self, mail: &[u8]) {
        output_of(
            Command::new("amqp-publish")
                .args(["--persistent", "--url", &self.url])
                .args(["--routing-key", &self.name]),
            mail,
        );
    }

    /// Publishes many mails at once, and waits until the broker has them on disk.
    pub fn publish<M: AsRef<[u8]>>(&self, mails: impl IntoIterator<Item = M>) {
        self.publish_with(mails, |_| BasicProperties::default());
    }

    /// The same with a `message-id` header for each, as `send_message_to_rabbitmq.sh` gives it.
    pub fn publish_named<M: AsRef<[u8]>>(&self, mails: impl IntoIterator<Item = M>) {
        self.publish_with(mails, |number| {
            let name = format!("{number} of {:x}", fastrand::u128(..));
            let mut headers = FieldTable::default();
            headers.insert("message-id".into(), AMQPValue::LongString(name.into()));
            BasicProperties::default().with_headers(headers)
        });
    }

    fn publish_with<M: AsRef<[u8]>>(
        &self,
        mails: impl IntoIterator<Item = M>,
        properties: impl Fn(usize) -> BasicProperties,
    ) {
        self.on_a_channel(async |channel| {
            channel
                .confirm_select(ConfirmSelectOptions::default())
                .await
                .expect("the broker confirms");
            for (number, mail) in mails.into_iter().enumerate() {
                channel
                    .basic_publish(
                        "".into(),
                        self.name.as_str().into(),
                        BasicPublishOptions::default(),
                        mail.as_ref(),
                        properties(number).with_delivery_mode(2),
                    )
                    .await
                    .expect("the broker takes mails");
            }
            channel
                .wait_for_confirms()
                .await
                .expect("the broker confirms");
        });
    }

    /// Takes a message and gives it back, so many times.
    pub fn return_times(&self, times: usize) {
        self.on_a_channel(async |channel| {
            for _ in 0..times {
                let options = BasicGetOptions::default();
                let message = channel.basic_get(self.name.as_str().into(), options).await;
                let message = message.expect("the queue exists").expect("a message");
                let back = BasicNackOptions {
                    multiple: false,
                    requeue: true,
                };
                message.nack(back).await.expect("the broker takes it back");
            }
        });
    }

    /// How many messages are ready: not delivered, or given back.
    pub fn ready(&self) -> u32 {
        self.on_a_channel(async |channel| {
            let passive = QueueDeclareOptions {
                passive: true,
                ..QueueDeclareOptions::default()
            };
            channel
                .queue_declare(self.name.as_str().into(), passive, FieldTable::default())
                .await
                .expect("the queue exists")
                .message_count()
        })
    }

    /// How many messages it holds in all: ready, and delivered but not acknowledged.
    pub fn messages(&self) -> u32 {
        let query = [
            "list_queues",
            "--quiet",
            "-p",
            &self.vhost,
            "name",
            "messages",
        ];
        let listing = self.broker.rabbitmqctl(&query);
        listing
            .lines()
            .filter_map(|line| line.split_once('\t'))
            .find(|(name, _)| *name == self.name)
            .and_then(|(_, messages)| messages.trim().parse().ok())
            .unwrap_or_else(|| panic!("no queue {} in:\n{listing}", self.name))
    }

    /// Waits until every message was delivered and acknowledged.
    pub fn wait_until_empty(&self) {
        eventually("the queue to be empty", || {
            (self.messages() == 0).then_some(())
        });
    }

    fn on_a_channel<T>(&self, act: impl AsyncFnOnce(&Channel) -> T) -> T {
        runtime().block_on(async {
            let connection = Connection::connect(&self.url, ConnectionProperties::default())
                .await
                .unwrap_or_else(|error| panic!("{}: {error}", self.url));
            let channel = connection.create_channel().await.expect("a channel");
            let result = act(&channel).await;
            connection
                .close(200, "done".into())
                .await
                .expect("the connection closes");
            result
        })
    }
}

/// For what the tests do in async code.
pub fn runtime() -> &'static Runtime {
    static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime")
    });
    &RUNTIME
}
