//! A consistent copy of a data directory that is in use.
//!
//! The database first, as of one moment, then the files that its rows name. Files are written before the rows that
//! name them and removed after them, so what is there suffices, unless something was removed meanwhile: then the
//! database is copied again, and the files that changed. The copy is a data directory.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use rayon::prelude::*;

use crate::check::{self, Problem};
use crate::inventory::{Inventory, Scope};
use crate::storage::copy::{Copied, copy_directory, copy_file, copy_tree};
use crate::storage::staging::StagedDirectory;
use crate::storage::target::{TargetError, check_target, put};
use crate::storage::{DataDir, StorageError};
use crate::store::{Db, StoreError};
use crate::sweep;
use crate::tally::Tally;

/// How often the database is copied at most.
const ROUNDS: usize = 10;

/// What was copied.
#[derive(Debug)]
pub struct Report {
    /// Number of files that rows name.
    pub files: usize,
    /// Their lengths together.
    pub bytes: u64,
    /// What is wrong with the copy: what was wrong with the data directory.
    pub problems: Vec<Problem>,
}

/// Why there is no copy; nothing of it is left.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The copy cannot be where it was wanted.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// A file could not be read or written.
    #[error("the copy failed: {0}")]
    Copy(#[from] io::Error),
    /// The copy could not be put at its place.
    #[error("the copy failed: {0}")]
    Storage(#[from] StorageError),
    /// The database could not be read, or its copy not be written.
    #[error("the copy failed: {0}")]
    Store(#[from] StoreError),
    /// Rows and files changed faster than they could be copied.
    #[error("the data changed {ROUNDS} times while they were copied; try again when less is going on")]
    Unsteady,
    /// Somebody stopped it.
    #[error("stopped")]
    Stopped,
}

/// Copy the database and all files that rows name to `target`, which must not exist or be empty; it
/// appears whole or not at all.
///
/// # Errors
/// [`BackupError`]; nothing of the copy is left then.
pub async fn run(db: &Db, data: &DataDir, target: &Path, tally: &Arc<Tally>) -> Result<Report, BackupError> {
    let target = check_target(data, target)?;
    let staged = StagedDirectory::new(&target)?;
    let copy = DataDir::new(staged.path());
    keep_private(copy.root())?;
    copy_directory(&data.experiments(), &copy.experiments())?;
    let copied = Arc::new(Copied::default());
    let inventory = copy_all(db, data, &copy, &copied, tally).await?;
    let uncounted = Copied::default();
    copy_file(&data.identity(), &copy.identity(), &uncounted)?;
    if data.secret().exists() {
        copy_file(&data.secret(), &copy.secret(), &uncounted)?;
        restrict(&copy.secret(), None)?;
    }
    let tidy = copy.clone();
    blocking(move || Ok(sweep::tidy(&tidy, &inventory))).await?;
    let copied_db = Db::open_sqlite(&copy.database()).await?;
    let checked = check::run(&copied_db, &copy, false, tally).await;
    copied_db.close().await;
    let problems = checked?.problems;
    if tally.is_stopped() {
        return Err(BackupError::Stopped);
    }
    let root = data.root().to_owned();
    blocking(move || {
        copy_directory(&root, staged.path())?;
        Ok(put(staged, &target)?)
    })
    .await?;
    let (files, bytes) = (copied.files.load(Ordering::Relaxed), copied.bytes.load(Ordering::Relaxed));
    Ok(Report { files, bytes, problems })
}

/// Copy database and files until they agree; the value is what the rows of the copy name.
async fn copy_all(
    db: &Db,
    data: &DataDir,
    copy: &DataDir,
    copied: &Arc<Copied>,
    tally: &Arc<Tally>,
) -> Result<Inventory, BackupError> {
    let mut missing_before = BTreeSet::new();
    for _ in 0..ROUNDS {
        if copy.database().exists() {
            fs::remove_file(copy.database())?;
        }
        db.snapshot(&copy.database()).await?;
        let mode = data.database().metadata().map(|file| file.permissions());
        restrict(&copy.database(), mode.ok())?;
        let copied_db = Db::open_sqlite(&copy.database()).await?;
        let inventory = Inventory::read(&mut copied_db.read().await?, Scope::Everything).await;
        copied_db.close().await;
        let inventory = Arc::new(inventory?);
        let missing = {
            let (data, copy, inventory) = (data.clone(), copy.clone(), Arc::clone(&inventory));
            let (copied, tally) = (Arc::clone(copied), Arc::clone(tally));
            blocking(move || copy_files(&data, &copy, &inventory, &copied, &tally)).await?
        };
        // Looked at after the files: what was on its way out meanwhile may have been copied in part.
        let now = Inventory::read(&mut db.read().await?, Scope::Everything).await?;
        // What is missing twice in a row though rows name it is not on its way in: it is missing.
        if inventory.lasts_until(&now) && missing.is_subset(&missing_before) {
            return Ok(Arc::unwrap_or_clone(inventory));
        }
        missing_before = missing;
    }
    Err(BackupError::Unsteady)
}

/// Let nobody else look at a directory while files are put into it.
fn keep_private(directory: &Path) -> io::Result<()> {
    #[cfg(unix)]
    fs::set_permissions(directory, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
    let _ = directory;
    Ok(())
}

/// Give a copy this mode; without one only the owner may read it.
fn restrict(file: &Path, mode: Option<fs::Permissions>) -> io::Result<()> {
    #[cfg(unix)]
    let mode = mode.or_else(|| Some(std::os::unix::fs::PermissionsExt::from_mode(0o600)));
    mode.map_or(Ok(()), |mode| fs::set_permissions(file, mode))
}

/// Copy what rows own, what is a copy already left out; the value is what was not there, in full or in part.
fn copy_files(
    data: &DataDir,
    copy: &DataDir,
    inventory: &Inventory,
    copied: &Copied,
    tally: &Tally,
) -> Result<BTreeSet<PathBuf>, BackupError> {
    tally.begin(inventory.experiments.values().map(|owned| owned.files()).sum());
    let mut missing = BTreeSet::new();
    for (experiment, owned) in &inventory.experiments {
        copy_directory(&data.experiment(*experiment), &copy.experiment(*experiment))?;
        for kind in ["uploads", "plates", "layers", "statistics", "features", "logs"] {
            let path = Path::new(kind);
            copy_directory(
                &data.experiment(*experiment).join(path),
                &copy.experiment(*experiment).join(path),
            )?;
        }
        for (acquisition, files) in &owned.uploads {
            let (from, to) =
                (data.uploads(*experiment, *acquisition), copy.uploads(*experiment, *acquisition));
            if !copy_directory(&from, &to)? {
                missing.extend(files.keys().map(|name| from.join(name)));
                continue;
            }
            let gone: Vec<PathBuf> = files
                .par_iter()
                .map(|(name, _)| {
                    if tally.is_stopped() {
                        return Err(BackupError::Stopped);
                    }
                    let there = copy_file(&from.join(name), &to.join(name), copied)?;
                    tally.add(1);
                    Ok((!there).then(|| from.join(name)))
                })
                .filter_map(Result::transpose)
                .collect::<Result<_, _>>()?;
            missing.extend(gone);
        }
        let targets = owned.zarr_directories(copy, *experiment);
        for (from, to) in owned.zarr_directories(data, *experiment).zip(targets) {
            let there = copy_tree(&from, &to, copied, tally);
            if tally.is_stopped() {
                return Err(BackupError::Stopped);
            }
            if !there? {
                missing.insert(from);
            }
        }
        let targets = owned.feature_files(copy, *experiment);
        for (from, to) in owned.feature_files(data, *experiment).zip(targets) {
            if !copy_file(&from, &to, copied)? {
                missing.insert(from);
            }
            tally.add(1);
        }
        for job in &owned.jobs {
            for stream in ["out", "err"] {
                // A job that did not run has none.
                copy_file(
                    &data.log(*experiment, *job, stream),
                    &copy.log(*experiment, *job, stream),
                    copied,
                )?;
            }
        }
    }
    Ok(missing)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BackupError> + Send + 'static,
) -> Result<T, BackupError> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}
