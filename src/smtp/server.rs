//! The accept loop: clients in, a session each, and a stop in good order.

use super::Settings;
use super::admission::Admission;
use super::backend::Backend;
use super::listener::{Accepted, Listener};
use super::reply::{self, Reply};
use super::session::{Session, Stop};
use super::wire::{Io, Wire};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UnixStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Serves until `shutdown`. Then idle clients and new ones are sent off with 421, mails under way may end, and
/// after [`super::Timeouts::drain`] what is left is cut off.
pub async fn serve<B: Backend>(
    listener: Listener,
    settings: Settings,
    backend: B,
    shutdown: CancellationToken,
) {
    let server = Arc::new(Server {
        admission: Arc::new(Admission::new(&settings.allow, settings.max_connections)),
        settings,
        backend,
        stop: Stop::default(),
        sessions: TaskTracker::new(),
    });
    let mut failing = false;
    loop {
        tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok(accepted) => {
                    if std::mem::take(&mut failing) {
                        tracing::info!("SMTP clients can be accepted again.");
                    }
                    server.admit(accepted);
                }
                Err(error) => {
                    if !std::mem::replace(&mut failing, true) {
                        tracing::error!("No SMTP client can be accepted: {error}. They wait until it works again.");
                    }
                    // Mostly there are no file descriptors left: the clients that are there must go first.
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    server.drain(&listener).await;
}

/// Talks with one client that is connected already, without asking whether it may.
pub async fn converse<B: Backend>(settings: &Settings, backend: &B, stream: UnixStream) {
    let Accepted { io, client } = Accepted::new(stream, None);
    let transactions = backend.connected(client);
    Session::new(settings, transactions, Stop::default(), client, io)
        .run()
        .await;
}

const ACCEPT_PAUSE: Duration = Duration::from_millis(250);

struct Server<B> {
    admission: Arc<Admission>,
    settings: Settings,
    backend: B,
    stop: Stop,
    sessions: TaskTracker,
}

impl<B: Backend> Server<B> {
    fn admit(self: &Arc<Self>, accepted: Accepted) {
        let Accepted { io, client } = accepted;
        match self.admission.admit(client.ip()) {
            Ok(slot) => {
                let server = self.clone();
                self.sessions.spawn(async move {
                    let Server {
                        settings, backend, ..
                    } = &*server;
                    let transactions = backend.connected(client);
                    Session::new(settings, transactions, server.stop.clone(), client, io)
                        .run()
                        .await;
                    drop(slot);
                });
            }
            Err(reply) => {
                tracing::info!("SMTP client {client} was sent off: {reply}.");
                turn_away(io, &reply);
            }
        }
    }

    async fn drain(self: Arc<Self>, listener: &Listener) {
        self.stop.asked.cancel();
        self.sessions.close();
        let cut = async {
            tokio::time::sleep(self.settings.timeouts.drain).await;
            self.stop.now.cancel();
            std::future::pending().await
        };
        let turn_away = async {
            loop {
                match listener.accept().await {
                    Ok(accepted) => turn_away(accepted.io, &reply::STOPPING),
                    Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
                }
            }
        };
        tokio::select! {
            () = self.sessions.wait() => {}
            () = cut => {}
            () = turn_away => {}
        }
    }
}

/// Says one thing and hangs up. It must not wait: whoever is turned away has no slot.
fn turn_away(io: Box<dyn Io>, reply: &Reply) {
    let mut wire = Wire::new(io);
    wire.say(reply);
    wire.flush_now();
}
