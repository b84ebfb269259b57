//! The server that is measured: in this process and in a temporary directory, with one user.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tempfile::TempDir;
use tm_engine::BackendChoice;
use tm_server::app::App;
use tm_server::config::Settings;
use tm_server::environment::LastStop;
use tm_server::microscopes::PlateFormat;
use tm_server::resources::experiment::{self, AcquisitionMode, NewExperiment};
use tm_server::resources::user;
use tm_server::store::Tx;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Microscope type of all experiments.
pub const MICROSCOPE: &str = "cellvoyager";
/// Name of every plate.
pub const PLATE: &str = "plate";
/// Wells of a plate.
pub const WELLS: u32 = 384;

/// The application and its files.
pub struct Server {
    /// The application.
    pub app: App,
    /// Row id of the user.
    pub owner: i64,
    /// Token of the user.
    pub token: String,
    directory: TempDir,
}

/// A server that answers requests.
pub struct Listening {
    /// Where it listens.
    pub address: SocketAddr,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<bool>,
}

impl Server {
    /// Make it; directories may be linked from [`import_root`](Self::import_root).
    ///
    /// # Errors
    /// When the backend is not there, or the disk or the database fails.
    pub async fn open(backend: BackendChoice) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let settings = Settings {
            data_dir: Some(directory.path().join("data")),
            import_roots: Some(vec![import_root(directory.path())]),
            backend: Some(backend.to_string()),
            ..Settings::default()
        };
        let app = App::open(settings.finish()?, LastStop::Clean).await?;
        let mut tx = app.environment.db.write().await?;
        let owner = user::queries::insert(&mut tx, "owner", "owner@example.org", "-", 0).await?;
        tx.commit().await?;
        let token = app.tokens.issue(owner, "owner", 0, app.environment.now()).map_err(anyhow::Error::msg)?;
        Ok(Self { app, owner, token, directory })
    }

    /// Where directories to link may lie.
    pub fn import_root(&self) -> PathBuf {
        import_root(self.directory.path())
    }

    /// Add an experiment; the value is its row id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn insert_experiment(&self, tx: &mut Tx, name: &str) -> Result<i64> {
        let new = NewExperiment {
            user_id: self.owner,
            name: name.to_owned(),
            description: String::new(),
            microscope_type: MICROSCOPE.to_owned(),
            workflow_type: "canonical".to_owned(),
            plate_format: PlateFormat::from_wells(WELLS).context("no plates of this many wells")?,
            plate_acquisition_mode: AcquisitionMode::Basic,
        };
        Ok(experiment::queries::insert(tx, &new, 0).await?)
    }

    /// Answer requests, on a port of its own.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn listen(&self) -> Result<Listening> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel();
        let app = self.app.clone();
        let serving = tokio::spawn(async move {
            app.serve(listener, async {
                // A dropped sender stops it as well.
                let _ = stopped.await;
            })
            .await
        });
        Ok(Listening { address, stop, serving })
    }
}

impl Listening {
    /// End.
    ///
    /// # Errors
    /// When serving panicked.
    pub async fn stop(self) -> Result<()> {
        // It is gone already if this fails, and says why below.
        let _ = self.stop.send(());
        self.serving.await?;
        Ok(())
    }
}

fn import_root(directory: &Path) -> PathBuf {
    directory.join("plates")
}
