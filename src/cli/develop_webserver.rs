//! `develop-webserver`: a platform to develop against.

use crate::platform_server::{self, Observer};
use crate::printable::Printable;
use anyhow::Context;
use std::net::Ipv4Addr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use tracing::info;

/// Runs a platform to develop against: takes every suspension, and shows what it got
#[derive(clap::Args)]
#[command(after_help = "Example: bouncedemails develop-webserver 7001\n\n\
    Then, with url_resolver: xikolo and base_url: http://localhost:7001/, or with\n\
    base_url: http://localhost:7001/emails/{address}/suspend, the service posts to it.\n\
    By hand: curl -X POST http://localhost:7001/emails/a%40b.example/suspend")]
pub struct Args {
    /// The port, on this machine only
    #[arg(default_value_t = 7001)]
    port: u16,
}

/// Serves until interrupted.
pub fn run(args: &Args) -> anyhow::Result<()> {
    Runtime::new()?.block_on(async {
        let address = (Ipv4Addr::LOCALHOST, args.port);
        let listener = TcpListener::bind(address).await.with_context(|| {
            format!(
                "port {} cannot be listened on; name another: bouncedemails develop-webserver {}",
                args.port,
                args.port.wrapping_add(1)
            )
        })?;
        info!("A platform listens on http://{}/", listener.local_addr()?);
        let observer: Observer = Arc::new(|exchange| {
            info!("{}", Printable(&exchange.to_string()));
        });
        let shutdown = CancellationToken::new();
        let interrupted = shutdown.clone();
        tokio::spawn(async move {
            // Without signals it serves until it is killed.
            if tokio::signal::ctrl_c().await.is_ok() {
                interrupted.cancel();
            }
        });
        platform_server::serve(listener, observer, shutdown).await?;
        Ok(())
    })
}
