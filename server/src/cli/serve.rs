//! `tmserver serve`: the API on an address, until told to stop.

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::signal;

use crate::app::App;
use crate::config::Config;
use crate::environment::DataLock;

/// Serve until interrupted.
pub async fn serve(config: Config) -> anyhow::Result<()> {
    let (listen, base_path) = (config.listen, config.base_path.clone());
    let lock = DataLock::take(&config)?;
    let app = App::open(config, lock.last_stop()).await?;
    let listener = TcpListener::bind(listen).await.with_context(|| format!("cannot listen on {listen}"))?;
    let resumed = app.workflows.resume().await?;
    if resumed > 0 {
        println!("going on with {resumed} interrupted workflow(s)");
    }
    println!("tmserver serves on http://{}{base_path}", listener.local_addr()?);
    // What was cut off may still hold connections; closing would wait for it.
    if app.serve(listener, interrupted()).await {
        app.close(lock).await?;
    }
    Ok(())
}

/// Resolves when the process is asked to stop: Ctrl-C or SIGTERM.
pub async fn interrupted() {
    #[cfg(unix)]
    let terminated = async {
        match signal::unix::signal(signal::unix::SignalKind::terminate()) {
            Ok(mut terminate) => {
                terminate.recv().await;
            }
            Err(error) => {
                tracing::warn!(%error, "SIGTERM will not end the server in an orderly way");
                std::future::pending::<()>().await;
            }
        }
    };
    #[cfg(not(unix))]
    let terminated = std::future::pending::<()>();
    tokio::select! {
        _ = signal::ctrl_c() => {}
        () = terminated => {}
    }
}
