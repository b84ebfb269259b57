//! What every part of the server works with: database, files, engine, clock. Knows nothing of HTTP.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tm_engine::{Engine, EngineError};

use crate::auth::permission::Permissions;
use crate::compute::Compute;
use crate::config::Config;
use crate::resources::experiment::queries as experiments;
use crate::resources::feature::merging::Merging;
use crate::resources::layer::Maps;
use crate::storage::images::{OpenImages, keep_fields};
use crate::storage::{DataDir, ImportRoots, Space, atomic};
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
    /// Where else files may be read.
    pub import_roots: ImportRoots,
    /// Where pixels are computed.
    pub compute: Compute,
    /// Opened images, kept for the next reader.
    pub images: Arc<OpenImages>,
    /// Layouts, layers and corrections, kept for the next tile.
    pub maps: Maps,
    /// Who merges files of feature values.
    pub merging: Merging,
    /// Rights on experiments and generations of tokens, kept for the next request.
    pub permissions: Permissions,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What the next start has to remove.
    pub leftovers: Leftovers,
}

/// Counts files whose rows are gone and that are still there. While there are any, the data directory is not
/// to be released as clean.
#[derive(Debug, Clone, Default)]
pub struct Leftovers(Arc<AtomicUsize>);

/// A removal under way; dropped before [`Removal::done`], it counts for ever.
#[derive(Debug)]
#[must_use]
pub struct Removal(Leftovers);

impl Leftovers {
    /// There is one that cannot be removed now.
    pub fn add(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    /// Rows are about to go, and files after them.
    pub fn begin(&self) -> Removal {
        self.add();
        Removal(self.clone())
    }

    /// Whether there are any.
    pub fn any(&self) -> bool {
        self.0.load(Ordering::SeqCst) > 0
    }
}

impl Removal {
    /// All files were tried; what could not be removed counts by itself.
    pub fn done(self) {
        self.0.0.fetch_sub(1, Ordering::SeqCst);
    }
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
    /// The files belong to another database; with this one they would all be without an owner.
    #[error(
        "the data directory {0} belongs to another database: name that one with `database_url` (leave it out for \
         the embedded one), or use another data directory"
    )]
    OtherDatabase(PathBuf),
    /// The database cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The asked-for backend cannot be had.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The operating system gives no threads for pixel work.
    #[error("cannot start the threads that work on files: {0}")]
    Threads(#[from] rayon::ThreadPoolBuildError),
}

/// How the last process that held a data directory ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastStop {
    /// In an orderly way, with nothing left to tidy up.
    Clean,
    /// In the middle of something, or nothing is known of it.
    Unclean,
}

/// Keeps other processes from serving or processing the same data directory for as long as it lives.
///
/// The file says whether its holder stopped in an orderly way: it is empty from [`DataLock::take`] to
/// [`DataLock::release`].
#[derive(Debug)]
pub struct DataLock {
    file: File,
    last_stop: LastStop,
}

/// What the lock file holds while nobody uses the data directory and nothing is left to tidy up.
const CLEAN: &str = "stopped in an orderly way\n";

impl DataLock {
    /// Lock the data directory; to be done before the application is opened, because that ends tasks
    /// that look left behind.
    ///
    /// # Errors
    /// [`OpenError::InUse`] when another process has it.
    pub fn take(config: &Config) -> Result<Self, OpenError> {
        let unusable = |source| OpenError::DataDir { path: config.data_dir.clone(), source };
        std::fs::create_dir_all(&config.data_dir).map_err(unusable)?;
        let path = DataDir::new(&config.data_dir).lock();
        // Not truncated on opening: the file may be another's.
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        let mut file = file.map_err(unusable)?;
        while let Err(refused) = file.try_lock() {
            // Who only asks shares the lock for a moment; who has it does not.
            match (refused, file.try_lock_shared()) {
                (TryLockError::WouldBlock, Ok(())) => file.unlock().map_err(unusable)?,
                (TryLockError::WouldBlock, Err(TryLockError::WouldBlock)) => {
                    return Err(OpenError::InUse(config.data_dir.clone()));
                }
                (TryLockError::Error(source), _) | (_, Err(TryLockError::Error(source))) => {
                    return Err(unusable(source));
                }
            }
        }
        let mut found = Vec::new();
        file.read_to_end(&mut found).map_err(unusable)?;
        let last_stop = if found == CLEAN.as_bytes() { LastStop::Clean } else { LastStop::Unclean };
        file.set_len(0).and_then(|()| file.sync_all()).map_err(unusable)?;
        Ok(Self { file, last_stop })
    }

    /// How the last holder stopped.
    pub fn last_stop(&self) -> LastStop {
        self.last_stop
    }

    /// Whether a process holds the data directory now.
    ///
    /// # Errors
    /// When that cannot be found out.
    pub fn is_held(data: &DataDir) -> io::Result<bool> {
        let file = match File::open(data.lock()) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            file => file?,
        };
        // Shared, so that two who ask do not see each other.
        match file.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Give the data directory back at the very end of an orderly stop: nothing was abandoned, everything is
    /// closed. Dropped without this, the next start looks for what was left behind.
    pub fn release(mut self) {
        let written = self.file.rewind().and_then(|()| self.file.write_all(CLEAN.as_bytes()));
        if let Err(error) = written.and_then(|()| self.file.sync_all()) {
            tracing::warn!(%error, "cannot note that this was an orderly stop; the next start takes longer");
        }
    }
}

/// Whether the files are those of the database, by the identity that both hold; a data directory without files
/// becomes the database's.
async fn belong_together(db: &Db, data: &DataDir) -> Result<bool, OpenError> {
    let unusable = |source| OpenError::DataDir { path: data.root().to_owned(), source };
    let identity = db.identity().await?;
    match std::fs::read_to_string(data.identity()) {
        Ok(found) => return Ok(found.trim() == identity),
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(unusable(error)),
        Err(_) => {}
    }
    let has_files = std::fs::read_dir(data.experiments()).map_err(unusable)?.next().is_some();
    if has_files && experiments::none_exists(&mut db.read().await?).await? {
        return Ok(false);
    }
    atomic::write(&data.identity(), format!("{identity}\n").as_bytes()).map_err(unusable)?;
    Ok(true)
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
        if !belong_together(&db, &data).await? {
            return Err(OpenError::OtherDatabase(config.data_dir.clone()));
        }
        let engine = Engine::new(config.backend)?;
        Ok(Self {
            db,
            data,
            space: Space::new(&config.data_dir, config.reserve_bytes),
            import_roots: ImportRoots::new(&config.import_roots),
            compute: Compute::new(engine, config.cores)?,
            images: Arc::default(),
            maps: Maps::default(),
            merging: Merging::default(),
            permissions: Permissions::default(),
            clock: Arc::new(SystemClock),
            leftovers: Leftovers::default(),
        })
    }

    /// Microseconds since 1970 (UTC).
    pub fn now(&self) -> i64 {
        self.clock.now_us()
    }

    /// Remove a file or directory whose rows are gone. What cannot be removed now is removed by the
    /// sweep at the next start.
    pub async fn remove_files(&self, path: PathBuf) {
        let forgotten = path.clone();
        self.change_files(move || {
            let result = if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
            match result {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    tracing::warn!(path = %path.display(), %error, "cannot remove; left to the sweep at start");
                    false
                }
                _ => true,
            }
        })
        .await;
        self.images.forget(&forgotten);
    }

    /// Remove the field images of a plate whose rows are gone: all but `fields`. What cannot be removed now is
    /// removed by the sweep at the next start.
    pub async fn keep_fields(&self, plate: PathBuf, fields: BTreeSet<String>) {
        let forgotten = plate.clone();
        self.change_files(move || match keep_fields(&plate, &fields) {
            Ok(_) => true,
            Err(error) => {
                tracing::warn!(path = %plate.display(), %error, "cannot remove field images; left to the sweep");
                false
            }
        })
        .await;
        self.images.forget(&forgotten);
    }

    /// Run work that removes files; false when it left some.
    async fn change_files(&self, work: impl FnOnce() -> bool + Send + 'static) {
        let removal = self.leftovers.begin();
        match tokio::task::spawn_blocking(work).await {
            Ok(true) => removal.done(),
            Ok(false) => {}
            Err(error) => tracing::error!(%error, "removing files panicked"),
        }
    }
}
