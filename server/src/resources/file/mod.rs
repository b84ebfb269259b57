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

pub mod folders;
pub mod handlers;
pub mod linking;
pub mod queries;
mod upload;

use std::collections::{HashMap, HashSet};
use std::io;

use self::linking::LinkError;
use crate::environment::Environment;
use crate::microscopes::{MicroscopeType, secure_filename};
use crate::resources::acquisition::queries as acquisitions;
use crate::storage::StorageError;
use crate::storage::uploads::{self, ReceiveError, Swept};
use crate::store::StoreError;

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
    /// A directory was not linked, or the acquisition is linked to one and takes no other files.
    #[error(transparent)]
    Link(#[from] LinkError),
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
    let linked = acquisitions::directory(&mut tx, experiment, acquisition).await?;
    if linked.ok_or(FileError::UnknownAcquisition(acquisition))?.is_some() {
        let message = "the acquisition is linked to a directory of the server; its files are not uploaded";
        return Err(LinkError::Occupied(message.to_owned()).into());
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
pub use upload::{STALE_AFTER, import};
