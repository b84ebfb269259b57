//! What every part of the server works with: database, files, engine, clock. Knows nothing of HTTP.

use std::fs::File;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;

use tm_engine::{Engine, EngineError};

use crate::auth::permission::Permissions;
use crate::compute::Compute;
use crate::config::Config;
use crate::resources::layer::Maps;
use crate::storage::images::OpenImages;
use crate::storage::{DataDir, Space};
use crate::store::{Clock, Db, StoreError, SystemClock};

/// Handles to everything a request or a job needs; cheap to clone.
#[derive(Debug, Clone)]
pub struct Environment {
    /// The database.
    pub db: Db,
    /// The files.
    pub data: DataDir,
    /// The room for more of them.
    pub space: Space,
    /// Where pixels are computed.
    pub compute: Compute,
    /// Opened images, kept for the next reader.
    pub images: Arc<OpenImages>,
    /// Layouts, layers and corrections, kept for the next tile.
    pub maps: Maps,
    /// Rights on experiments and generations of tokens, kept for the next request.
    pub permissions: Permissions,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// Why the application did not start.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process uses the data directory.
    #[error("the data directory {0} is in use by another tmserver")]
    InUse(PathBuf),
    /// The data directory cannot be used.
    #[error("the data directory {path} cannot be used: {source}")]
    DataDir {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The database cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The asked-for backend cannot be had.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// Keeps other processes from serving or processing the same data directory for as long as it lives.
#[derive(Debug)]
pub struct DataLock {
    _file: File,
}

impl DataLock {
    /// Lock the data directory; to be done before the application is opened, because that ends tasks
    /// that look left behind.
    ///
    /// # Errors
    /// [`OpenError::InUse`] when another process has it.
    pub fn take(config: &Config) -> Result<Self, OpenError> {
        let unusable = |source| OpenError::DataDir { path: config.data_dir.clone(), source };
        std::fs::create_dir_all(&config.data_dir).map_err(unusable)?;
        let file = File::create(DataDir::new(&config.data_dir).lock()).map_err(unusable)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(std::fs::TryLockError::WouldBlock) => Err(OpenError::InUse(config.data_dir.clone())),
            Err(std::fs::TryLockError::Error(source)) => Err(unusable(source)),
        }
    }
}

impl Environment {
    /// Open the data directory, the database and the engine.
    ///
    /// # Errors
    /// [`OpenError`] says what cannot be used.
    pub async fn open(config: &Config) -> Result<Self, OpenError> {
        let unusable = |source| OpenError::DataDir { path: config.data_dir.clone(), source };
        let data = DataDir::new(&config.data_dir);
        std::fs::create_dir_all(data.experiments()).map_err(unusable)?;
        let db = match &config.database_url {
            Some(url) => Db::open_postgres(url).await?,
            None => Db::open_sqlite(&data.database()).await?,
        };
        let engine = Engine::new(config.backend)?;
        Ok(Self {
            db,
            data,
            space: Space::new(&config.data_dir, config.reserve_bytes),
            compute: Compute::new(engine, config.cores),
            images: Arc::default(),
            maps: Maps::default(),
            permissions: Permissions::default(),
            clock: Arc::new(SystemClock),
        })
    }

    /// Microseconds since 1970 (UTC).
    pub fn now(&self) -> i64 {
        self.clock.now_us()
    }

    /// Remove a file or directory whose rows are gone. What cannot be removed now is removed by the
    /// sweep at the next start.
    pub async fn remove_files(&self, path: PathBuf) {
        self.images.forget(&path);
        let removed = tokio::task::spawn_blocking(move || {
            let result = if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
            match result {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    tracing::warn!(path = %path.display(), %error, "cannot remove; left to the sweep at start");
                }
                _ => {}
            }
        })
        .await;
        if let Err(error) = removed {
            tracing::error!(%error, "removing files panicked");
        }
    }
}
