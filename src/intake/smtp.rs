//! Takes mail in over SMTP and LMTP, by the server in [`crate::smtp`].

mod backend;
mod concurrent;

use super::Intake;
use crate::config::{self, Handler};
use crate::memory::MemoryBudget;
use crate::smtp::{self, Listener, Settings, Timeouts, Tls, TlsError};
use backend::EngineBackend;
use std::time::Duration;

/// For how long a client waits for its 250, should the engine be slow or find just now that it can't record, before it
/// is asked to come again. Clients wait for 10 minutes (RFC 5321, 4.5.3.2.6); a place on the server should not be taken
/// for so long.
const SETTLED_WITHIN: Duration = Duration::from_secs(60);

/// Hands mails of SMTP clients in until it is told to stop; then it ends in good order, as [`smtp::serve`] does.
pub async fn run(listener: Listener, settings: Settings, handler: &Handler, intake: Intake) {
    smtp::provide_descriptors(settings.max_connections);
    tracing::info!("Mail is taken at {listener}.");
    let shutdown = intake.shutdown.clone();
    let backend = EngineBackend::new(handler.policy().platforms, intake, SETTLED_WITHIN);
    smtp::serve(listener, settings, backend, shutdown).await;
}

/// What the configuration says, and RFC 5321 for the rest.
///
/// # Errors
/// When the certificate can't be used.
pub fn settings(config: &config::Smtp, memory: MemoryBudget) -> Result<Settings, TlsError> {
    let hostname = rustix::system::uname();
    Ok(Settings {
        hostname: hostname.nodename().to_string_lossy().into_owned(),
        software: "bouncedemails",
        protocol: config.protocol,
        allow: config.allow.clone(),
        max_connections: config.max_connections,
        max_message_size: config.max_message_size,
        memory,
        max_recipients: 100,
        max_errors: 20,
        max_idle_commands: 20,
        tls: config.tls.as_ref().map(Tls::load).transpose()?,
        require_tls: config.require_tls,
        timeouts: Timeouts::default(),
    })
}
