//! Microscope files: what a client registers by name and then uploads, one request per file.
//!
//! ```text
//! WAITING ──claim──▶ UPLOADING ──stored──▶ COMPLETE     never overwritten; delete the acquisition instead
//!    ▲                 │    ▲
//!    │                 ▼    │
//!  register           FAILED                             also at start, for whoever was UPLOADING
//! ```
//!
//! A name that is both image and metadata has a row of each kind and one file; both rows change together.

pub mod handlers;
pub mod queries;

use std::collections::HashSet;
use std::io;

use tokio::io::AsyncRead;

use crate::environment::Environment;
use crate::microscopes::{MicroscopeType, secure_filename};
use crate::resources::acquisition::queries as acquisitions;
use crate::storage::StorageError;
use crate::storage::uploads::{self, ReceiveError, Swept};
use crate::store::{Result as StoreResult, StoreError, once_there_is_room};

/// Longest name a file can be stored under, in bytes (secured names are ASCII).
const MAX_NAME_BYTES: usize = 255;

/// How far an upload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UploadStatus {
    /// Registered, not stored.
    Waiting,
    /// Being uploaded.
    Uploading,
    /// Stored.
    Complete,
    /// The last upload did not succeed; only files are, acquisitions and plates wait instead.
    Failed,
}

impl UploadStatus {
    /// Name on the wire and in the database.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "WAITING",
            Self::Uploading => "UPLOADING",
            Self::Complete => "COMPLETE",
            Self::Failed => "FAILED",
        }
    }

    /// The status of the whole: uploading if any part is, complete if there are parts and all are, else
    /// waiting.
    pub fn of_all(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut parts = parts.into_iter().peekable();
        let mut whole = if parts.peek().is_some() { Self::Complete } else { Self::Waiting };
        for part in parts {
            match part {
                Self::Uploading => return Self::Uploading,
                Self::Complete => {}
                Self::Waiting | Self::Failed => whole = Self::Waiting,
            }
        }
        whole
    }
}

/// What a file is to an acquisition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// It holds pixels.
    Image,
    /// It says what images show.
    Metadata,
}

impl FileKind {
    /// Name in the database.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Metadata => "metadata",
        }
    }
}

/// A registered file as stored.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct MicroscopeFile {
    /// Row id.
    pub id: i64,
    /// Secured name.
    pub name: String,
    /// Name of an [`UploadStatus`].
    pub status: String,
}

/// Why files could not be registered or stored.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The experiment has no such acquisition (any more).
    #[error("acquisition {0} not found")]
    UnknownAcquisition(i64),
    /// A name cannot be used.
    #[error("{0}")]
    Name(String),
    /// The sender failed or went away, or the file is too large; nothing of it is stored.
    #[error(transparent)]
    Receive(#[from] ReceiveError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is too little room for more files.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// What [`register`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisterReport {
    /// Secured names still to be uploaded, images first, in the order they were registered.
    pub pending: Vec<String>,
    /// How many rows were added.
    pub added: usize,
    /// How many names are neither image nor metadata of this microscope.
    pub ignored: usize,
}

/// What became of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UploadOutcome {
    /// All files of the acquisition are there.
    AcquisitionComplete,
    /// Nobody registered this name; the file was skipped.
    NotRegistered,
    /// The file is there already.
    AlreadyUploaded,
    /// Another upload of this file is under way.
    InProgress,
    /// The file is stored.
    Stored,
}

impl UploadOutcome {
    /// What the client is told; clients compare it.
    pub const fn message(self) -> &'static str {
        match self {
            Self::AcquisitionComplete => "Acquisition complete",
            Self::NotRegistered => "non-registered file: skipped",
            Self::AlreadyUploaded => "File already uploaded",
            Self::InProgress => "File upload already in progress",
            Self::Stored => "ok",
        }
    }
}

/// The name a file is stored under.
///
/// # Errors
/// [`FileError::Name`] when nothing is left of it or it is too long.
pub fn stored_name(raw: &str) -> Result<String, FileError> {
    let name = secure_filename(raw);
    if name.is_empty() {
        return Err(FileError::Name(format!("file name \"{raw}\" has no letters, digits or hyphens")));
    }
    if name.len() > MAX_NAME_BYTES {
        return Err(FileError::Name(format!(
            "file names have at most {MAX_NAME_BYTES} characters, not {}",
            name.len()
        )));
    }
    Ok(name)
}

/// Register files of an acquisition by name, as clients call them. Names known already are left as they
/// are, names that the microscope does not know are left out.
///
/// # Errors
/// [`FileError::Name`] when one cannot be used (none is registered then), or [`FileError::UnknownAcquisition`].
pub async fn register(
    environment: &Environment,
    experiment: i64,
    acquisition: i64,
    microscope: &dyn MicroscopeType,
    names: &[String],
) -> Result<RegisterReport, FileError> {
    environment.space.check()?;
    let mut wanted = Vec::new();
    let mut ignored = 0;
    for raw in names {
        let name = stored_name(raw)?;
        let kinds = microscope.classify(raw);
        ignored += usize::from(!kinds.image && !kinds.metadata);
        wanted.extend(kinds.image.then(|| (FileKind::Image, name.clone())));
        wanted.extend(kinds.metadata.then_some((FileKind::Metadata, name)));
    }
    let mut tx = environment.db.write().await?;
    if !acquisitions::exists(&mut tx, experiment, acquisition).await? {
        return Err(FileError::UnknownAcquisition(acquisition));
    }
    let mut added = 0;
    let now = environment.now();
    for (kind, name) in wanted {
        added += usize::from(queries::insert(&mut tx, acquisition, kind, &name, now).await?);
    }
    let mut pending = queries::pending(&mut tx, acquisition).await?;
    tx.commit().await?;
    let mut seen = HashSet::new();
    pending.retain(|name| seen.insert(name.clone()));
    Ok(RegisterReport { pending, added, ignored })
}

/// Store an uploaded file of at most `limit` bytes, if it is registered and nobody else stored it or is
/// about to.
///
/// May be dropped at any time: the file is then gone and its row is `FAILED`, ready for another try.
///
/// # Errors
/// [`FileError`]; the row is `FAILED` then.
pub async fn import(
    environment: &Environment,
    experiment: i64,
    acquisition: i64,
    raw_name: &str,
    source: impl AsyncRead + Unpin,
    limit: u64,
) -> Result<UploadOutcome, FileError> {
    let name = stored_name(raw_name)?;
    if let Some(outcome) = settled(environment, experiment, acquisition, &name).await? {
        return Ok(outcome);
    }
    environment.space.check()?;
    let Some(claim) = Claim::take(environment, acquisition, &name).await? else {
        return Ok(UploadOutcome::InProgress);
    };
    let target = environment.data.uploads(experiment, acquisition).join(&name);
    match uploads::receive(&target, environment.space.watch(source), limit).await {
        Ok(_) => {
            if claim.complete().await? {
                return Ok(UploadOutcome::Stored);
            }
            // The acquisition was deleted meanwhile, and its directory made anew for this file.
            environment.remove_files(environment.data.uploads(experiment, acquisition)).await;
            Err(FileError::UnknownAcquisition(acquisition))
        }
        Err(error) => {
            claim.fail().await?;
            Err(error.into())
        }
    }
}

/// The outcome of an upload that has nothing to store.
async fn settled(
    environment: &Environment,
    experiment: i64,
    acquisition: i64,
    name: &str,
) -> Result<Option<UploadOutcome>, FileError> {
    let mut tx = environment.db.read().await?;
    if !acquisitions::exists(&mut tx, experiment, acquisition).await? {
        return Err(FileError::UnknownAcquisition(acquisition));
    }
    let statuses = queries::statuses(&mut tx, acquisition, name).await?;
    let all_complete = statuses.iter().all(|status| status == UploadStatus::Complete.name());
    if all_complete && queries::all_complete(&mut tx, acquisition).await? {
        return Ok(Some(UploadOutcome::AcquisitionComplete));
    }
    if statuses.is_empty() {
        return Ok(Some(UploadOutcome::NotRegistered));
    }
    if all_complete {
        return Ok(Some(UploadOutcome::AlreadyUploaded));
    }
    let uploading = statuses.iter().any(|status| status == UploadStatus::Uploading.name());
    Ok(uploading.then_some(UploadOutcome::InProgress))
}

/// The right to upload one file. Dropped before [`Claim::complete`], the file is `FAILED`.
#[derive(Debug)]
struct Claim {
    environment: Environment,
    acquisition: i64,
    name: String,
    settled: bool,
}

impl Claim {
    /// Take the file, committed; `None` when somebody else was faster.
    async fn take(environment: &Environment, acquisition: i64, name: &str) -> StoreResult<Option<Self>> {
        let mut tx = environment.db.write().await?;
        let taken = queries::claim(&mut tx, acquisition, name, environment.now()).await?;
        if !taken {
            return Ok(None);
        }
        // Before the commit, so that the file is given back if this future is dropped meanwhile.
        let claim =
            Self { environment: environment.clone(), acquisition, name: name.to_owned(), settled: false };
        tx.commit().await?;
        Ok(Some(claim))
    }

    /// The file is stored; false when its rows are gone.
    async fn complete(mut self) -> StoreResult<bool> {
        let mut tx = self.environment.db.write().await?;
        let now = self.environment.now();
        let stored = queries::complete(&mut tx, self.acquisition, &self.name, now).await?;
        tx.commit().await?;
        self.settled = true;
        Ok(stored)
    }

    /// The file could not be stored.
    async fn fail(mut self) -> StoreResult<()> {
        release(&self.environment, self.acquisition, &self.name).await?;
        self.settled = true;
        Ok(())
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if self.settled {
            return;
        }
        // Without a runtime the program is ending; the next start resets the row.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let (environment, acquisition) = (self.environment.clone(), self.acquisition);
        let name = std::mem::take(&mut self.name);
        runtime.spawn(async move {
            let released = once_there_is_room(|| release(&environment, acquisition, &name)).await;
            if let Err(error) = released {
                tracing::error!(%error, acquisition, name, "cannot give back an upload");
            }
        });
    }
}

async fn release(environment: &Environment, acquisition: i64, name: &str) -> StoreResult<()> {
    let mut tx = environment.db.write().await?;
    queries::fail(&mut tx, acquisition, name, environment.now()).await?;
    tx.commit().await
}

/// Remove what a crash left behind in the upload directories. Only for a time when nobody uploads.
///
/// # Errors
/// When the database or the file system fails.
pub async fn sweep(environment: &Environment) -> io::Result<Swept> {
    let mut tx = environment.db.read().await.map_err(io::Error::other)?;
    let existing = acquisitions::all(&mut tx).await.map_err(io::Error::other)?;
    drop(tx);
    let data = environment.data.clone();
    let existing = existing.into_iter().collect();
    tokio::task::spawn_blocking(move || uploads::sweep(&data, &existing)).await.map_err(io::Error::other)?
}

pub use queries::reset_stale;
