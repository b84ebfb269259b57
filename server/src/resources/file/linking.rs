//! Files that lie on the server already: an acquisition is linked to their directory instead of having them
//! uploaded. Nothing is copied, and nothing there is ever changed or deleted.
//!
//! Only directories below the configured import roots can be linked, whatever links lead out of them; jobs ask again
//! when they read. Files in folders of the microscope's own ([`folders`](super::folders)) are named with the folder,
//! as `TimePoint_1/ZStep_2/x.tif`.

use std::path::{Path, PathBuf};

use super::folders::{self, Found};
use super::{FileError, FileKind, queries};
use crate::environment::Environment;
use crate::microscopes::MicroscopeType;
use crate::resources::acquisition::queries as acquisitions;
use crate::storage::{ImportError, ImportRoots};
use crate::store::StoreError;

/// Why a directory was not linked.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// It cannot be used; the message names what was wanted.
    #[error("{0}")]
    Directory(String),
    /// It lies outside the import roots, or there are none.
    #[error("{0}")]
    Outside(String),
    /// The acquisition has files from elsewhere.
    #[error("{0}")]
    Occupied(String),
}

impl From<ImportError> for LinkError {
    fn from(error: ImportError) -> Self {
        match error {
            ImportError::Outside { .. } => Self::Outside(error.to_string()),
            ImportError::Unreadable { .. } => Self::Directory(error.to_string()),
        }
    }
}

/// What [`link`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkReport {
    /// How many files of the directory belong to the acquisition.
    pub files: usize,
    /// How many others lie there.
    pub ignored: usize,
}

/// The directory that a client names.
///
/// # Errors
/// [`LinkError::Directory`] when it is not absolute.
pub fn absolute(path: &str) -> Result<PathBuf, LinkError> {
    let path = PathBuf::from(path);
    if path.is_absolute() {
        return Ok(path);
    }
    let message = format!("`path` must be an absolute directory of the server, got \"{}\"", path.display());
    Err(LinkError::Directory(message))
}

/// Link an acquisition to a directory of the server, given as an absolute path: all its files that the microscope knows become the
/// acquisition's, complete. Linking the same directory again adds what is new in it.
///
/// # Errors
/// [`FileError::Link`] says what is wrong with the directory, [`FileError::UnknownAcquisition`].
pub async fn link(
    environment: &Environment,
    (experiment, acquisition): (i64, i64),
    microscope: &'static dyn MicroscopeType,
    path: PathBuf,
) -> Result<LinkReport, FileError> {
    let roots = environment.import_roots.clone();
    let (directory, found) = tokio::task::spawn_blocking(move || list(&roots, &path, microscope))
        .await
        .map_err(|panic| StoreError::Corrupt(format!("listing a directory failed: {panic}")))??;
    let mut tx = environment.db.write().await?;
    let linked = acquisitions::directory(&mut tx, experiment, acquisition).await?;
    match linked.ok_or(FileError::UnknownAcquisition(acquisition))? {
        Some(other) if other != directory => {
            let message =
                format!("the acquisition is linked to {other} already; delete it to link another directory");
            return Err(LinkError::Occupied(message).into());
        }
        None if queries::any(&mut tx, acquisition).await? => {
            let message = "the acquisition has registered files; link the directory to one that has none";
            return Err(LinkError::Occupied(message.to_owned()).into());
        }
        _ => {}
    }
    let now = environment.now();
    acquisitions::set_directory(&mut tx, acquisition, &directory, now).await?;
    let mut report = LinkReport { files: 0, ignored: 0 };
    for Found { name, size } in &found {
        let kinds = microscope.classify(name);
        let size = i64::try_from(*size).unwrap_or(i64::MAX);
        for (kind, fits) in [(FileKind::Image, kinds.image), (FileKind::Metadata, kinds.metadata)] {
            if fits {
                queries::insert_linked(&mut tx, acquisition, kind, name, size, now).await?;
            }
        }
        match kinds.is_valid() {
            true => report.files += 1,
            false => report.ignored += 1,
        }
    }
    if report.files == 0 {
        let message = format!("no file in {directory} is one of microscope type {}", microscope.name());
        return Err(LinkError::Directory(message).into());
    }
    tx.commit().await?;
    tracing::info!(acquisition, directory, report.files, report.ignored, "directory linked");
    Ok(report)
}

/// The directory at `path` without links in its name, and its files: nothing that a link takes from outside the
/// import roots.
fn list(
    import_roots: &ImportRoots,
    path: &Path,
    microscope: &dyn MicroscopeType,
) -> Result<(String, Vec<Found>), LinkError> {
    let directory = import_roots.resolve(path)?;
    let name = directory.to_str().ok_or_else(|| {
        LinkError::Directory(format!("the name of {} is not valid UTF-8", directory.display()))
    })?;
    let roots = import_roots.real();
    let found = folders::files_of(&directory, microscope, |real| roots.hold(real))
        .map_err(|source| ImportError::Unreadable { path: path.to_owned(), source })?;
    Ok((name.to_owned(), found))
}
