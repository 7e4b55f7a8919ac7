//! A broker as `resources/setup_rabbitmq.sh` sets it up.

use super::{Broker, Queue, output_of};
use parking_lot::Mutex;
use std::path::{Path, PathBuf};

/// What the script makes, in a vhost of its own. Its users and their passwords are the broker's.
pub struct Setup<'a> {
    pub queue: Queue<'a>,
    /// Where the passwords are.
    pub folder: PathBuf,
    url: String,
}

impl<'a> Setup<'a> {
    pub fn run(broker: &'a Broker, vhost: &str) -> Setup<'a> {
        // Two at once would make the users of a broker twice.
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let _turn = ONE_AT_A_TIME.lock();
        let folder = broker.folder().join("etc");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("resources/setup_rabbitmq.sh");
        let mut setup = broker.command(script);
        setup
            .env("AMQP_VHOST", vhost)
            .env("AMQP_MTA_USER", "nobody")
            .env("BOUNCEDEMAILS_ETC", &folder);
        let said = output_of(&mut setup, b"");
        assert!(said.contains("amqp://bouncedemails:${file:"), "{said}");
        let password = folder.join("rabbitmq_password");
        Setup {
            queue: broker.vhost(vhost).queue("bouncedemails"),
            url: format!(
                "amqp://bouncedemails:${{file:{}}}@127.0.0.1:{}/{vhost}",
                password.display(),
                broker.port(),
            ),
            folder,
        }
    }

    /// `url` for the service, as the script told it.
    pub fn url(&self) -> String {
        format!("url: {}", self.url)
    }
}
