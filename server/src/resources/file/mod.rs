//! Microscope files: what a client registers by name and then uploads, one request per file.
//!
//! ```text
//! WAITING ──claim──▶ UPLOADING ──stored──▶ COMPLETE     never overwritten; delete the acquisition instead
//!    ▲                 │    ▲
//!    │                 ▼    │
//!  register           FAILED                             also at start, for whoever was UPLOADING
//! ```
//!
//! An upload that gives no sign of life for [`STALE_AFTER`] can be taken over by another.
//!
//! A name that is both image and metadata has a row of each kind and one file; both rows change together.

pub mod handlers;
pub mod queries;

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::AsyncRead;

use self::queries::Claimed;
use crate::environment::Environment;
use crate::failpoint;
use crate::microscopes::{MicroscopeType, secure_filename};
use crate::resources::acquisition::queries as acquisitions;
use crate::storage::StorageError;
use crate::storage::uploads::{self, ReceiveError, Received, Swept};
use crate::store::{Result as StoreResult, StoreError};

/// Longest name a file can be stored under, in bytes (secured names are ASCII).
const MAX_NAME_BYTES: usize = 255;
/// How often an upload gives a sign of life.
const HEARTBEAT: Duration = Duration::from_secs(30);
/// An upload that gave no sign for this long does not have its file any more. A sender may be silent for two
/// minutes before it is given up.
pub const STALE_AFTER: Duration = Duration::from_secs(180);
/// How often it is tried to give back the file of an upload that failed together with the database.
const RELEASE_EVERY: Duration = Duration::from_secs(5);

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
    /// What was not registered, in the order of the request.
    pub skipped: Vec<SkippedName>,
}

/// A name that was not registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkippedName {
    /// The name as it was sent.
    pub name: String,
    /// Why.
    pub reason: SkipReason,
}

/// Why a name was not registered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SkipReason {
    /// The microscope type knows no such files.
    #[error("neither an image nor metadata of the microscope type")]
    OtherKind,
    /// Another name came first that is stored as the same one.
    #[error("would be stored as \"{stored}\", as \"{first}\" is; give it another name")]
    SameStoredName {
        /// The name both would be stored under.
        stored: String,
        /// The name that came first.
        first: String,
    },
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
    let SortedNames { wanted, skipped } = sort_out(microscope, names)?;
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
    if !skipped.is_empty() {
        tracing::info!(acquisition, skipped = skipped.len(), "names were not registered");
    }
    let mut seen = HashSet::new();
    pending.retain(|name| seen.insert(name.clone()));
    Ok(RegisterReport { pending, added, skipped })
}

/// The names of a request.
#[derive(Debug, Default)]
struct SortedNames {
    /// What to register, under the names that files are stored under.
    wanted: Vec<(FileKind, String)>,
    /// What to leave out.
    skipped: Vec<SkippedName>,
}

fn sort_out(microscope: &dyn MicroscopeType, names: &[String]) -> Result<SortedNames, FileError> {
    let mut sorted = SortedNames::default();
    let mut first_of: HashMap<String, &str> = HashMap::new();
    for raw in names {
        let name = stored_name(raw)?;
        let kinds = microscope.classify(raw);
        if !kinds.is_valid() {
            sorted.skipped.push(SkippedName { name: raw.clone(), reason: SkipReason::OtherKind });
            continue;
        }
        let first = *first_of.entry(name.clone()).or_insert(raw);
        if first != raw {
            let reason = SkipReason::SameStoredName { stored: name, first: first.to_owned() };
            sorted.skipped.push(SkippedName { name: raw.clone(), reason });
            continue;
        }
        sorted.wanted.extend(kinds.image.then(|| (FileKind::Image, name.clone())));
        sorted.wanted.extend(kinds.metadata.then_some((FileKind::Metadata, name)));
    }
    Ok(sorted)
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
        // Somebody was faster, and may be through by now.
        let outcome = settled(environment, experiment, acquisition, &name).await?;
        return Ok(outcome.unwrap_or(UploadOutcome::InProgress));
    };
    failpoint::reached("upload claimed");
    let target = environment.data.uploads(experiment, acquisition).join(&name);
    let received = tokio::select! {
        biased;
        received = uploads::receive(&target, environment.space.watch(source), limit) => received,
        () = claim.keep() => return claim.lost(experiment).await,
    };
    match received {
        // In a task of its own: what is received whole is stored, whether or not the client waits for it.
        Ok(received) => tokio::spawn(claim.finish(received, experiment)).await.unwrap_or_else(|panic| {
            Err(StoreError::Corrupt(format!("storing an upload failed: {panic}")).into())
        }),
        Err(error) => {
            claim.fail().await;
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
    Ok(all_complete.then_some(UploadOutcome::AlreadyUploaded))
}

/// The right to upload one file. Dropped before it is settled, the file is `FAILED`.
#[derive(Debug)]
struct Claim {
    environment: Environment,
    acquisition: i64,
    name: String,
    epoch: i64,
    settled: AtomicBool,
}

impl Claim {
    /// Take the file, committed; `None` when somebody else has it or it is stored.
    async fn take(environment: &Environment, acquisition: i64, name: &str) -> StoreResult<Option<Self>> {
        let now = environment.now();
        let mut tx = environment.db.write().await?;
        let stale_since = now.saturating_sub(micros(STALE_AFTER));
        let Some(epoch) = queries::claim(&mut tx, acquisition, name, stale_since, now).await? else {
            return Ok(None);
        };
        // Before the commit, so that the file is given back if this future is dropped meanwhile.
        let claim = Self {
            environment: environment.clone(),
            acquisition,
            name: name.to_owned(),
            epoch,
            settled: AtomicBool::new(false),
        };
        tx.commit().await?;
        Ok(Some(claim))
    }

    fn claimed(&self) -> Claimed<'_> {
        Claimed { acquisition: self.acquisition, name: &self.name, epoch: self.epoch }
    }

    fn settle(&self) {
        self.settled.store(true, Ordering::Relaxed);
    }

    /// Give signs of life again and again; returns when somebody else has the file.
    async fn keep(&self) {
        loop {
            tokio::time::sleep(HEARTBEAT).await;
            match self.touch().await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => tracing::warn!(%error, name = self.name, "cannot renew the claim on an upload"),
            }
        }
    }

    async fn touch(&self) -> StoreResult<bool> {
        let mut tx = self.environment.db.write().await?;
        let ours = queries::touch(&mut tx, self.claimed(), self.environment.now()).await?;
        tx.commit().await?;
        Ok(ours)
    }

    async fn finish(self, received: Received, experiment: i64) -> Result<UploadOutcome, FileError> {
        match self.complete(received).await {
            Ok(true) => Ok(UploadOutcome::Stored),
            Ok(false) => self.lost(experiment).await,
            Err(error) => {
                self.fail().await;
                Err(error)
            }
        }
    }

    /// Give the file its name and commit that it is stored; false when it was taken over or its rows are gone.
    ///
    /// The name is given within the transaction, which locks the rows: nobody else can store the file
    /// meanwhile, and a file that is stored is never replaced.
    async fn complete(&self, received: Received) -> Result<bool, FileError> {
        let size = i64::try_from(received.size).unwrap_or(i64::MAX);
        let mut tx = self.environment.db.write().await?;
        if !queries::complete(&mut tx, self.claimed(), size, self.environment.now()).await? {
            return Ok(false);
        }
        received.keep().await?;
        tx.commit().await?;
        self.settle();
        failpoint::reached("upload committed");
        Ok(true)
    }

    /// The file could not be stored.
    async fn fail(self) {
        if release(&self.environment, self.claimed()).await.is_ok() {
            self.settle();
        }
        // Otherwise dropping it tries again.
    }

    /// Somebody else has the file, or the acquisition was deleted and its directory made anew for this file.
    async fn lost(self, experiment: i64) -> Result<UploadOutcome, FileError> {
        self.settle();
        let environment = &self.environment;
        match settled(environment, experiment, self.acquisition, &self.name).await {
            Err(FileError::UnknownAcquisition(id)) => {
                environment.remove_files(environment.data.uploads(experiment, id)).await;
                Err(FileError::UnknownAcquisition(id))
            }
            outcome => Ok(outcome?.unwrap_or(UploadOutcome::InProgress)),
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if self.settled.load(Ordering::Relaxed) {
            return;
        }
        // Without a runtime the program is ending; the next start resets the row.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let (environment, acquisition, epoch) = (self.environment.clone(), self.acquisition, self.epoch);
        let name = std::mem::take(&mut self.name);
        runtime.spawn(async move {
            let claimed = Claimed { acquisition, name: &name, epoch };
            // The database may fail for the same reason as the upload: a full disk. Once this is given up
            // the claim is stale anyway.
            for _ in 0..STALE_AFTER.as_secs() / RELEASE_EVERY.as_secs() {
                match release(&environment, claimed).await {
                    Ok(()) => return,
                    Err(error) => tracing::warn!(%error, acquisition, name, "cannot give back an upload yet"),
                }
                tokio::time::sleep(RELEASE_EVERY).await;
            }
        });
    }
}

async fn release(environment: &Environment, claimed: Claimed<'_>) -> StoreResult<()> {
    let mut tx = environment.db.write().await?;
    queries::fail(&mut tx, claimed, environment.now()).await?;
    tx.commit().await
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
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
