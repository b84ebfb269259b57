//! Files that lie on the server already: an acquisition is linked to their directory instead of having them
//! uploaded. Nothing is copied, and nothing there is ever changed or deleted.
//!
//! Only directories below the configured import roots can be linked, whatever links lead out of them. Folders that the
//! microscope type makes itself ([`MicroscopeType::is_folder`]) are entered, two deep at most; their files are named
//! with the folder, as `TimePoint_1/ZStep_2/x.tif`. Other folders are left alone.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{FileError, FileKind, queries};
use crate::environment::Environment;
use crate::microscopes::MicroscopeType;
use crate::resources::acquisition::queries as acquisitions;
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

/// What [`link`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkReport {
    /// How many files of the directory belong to the acquisition.
    pub files: usize,
    /// How many others lie there.
    pub ignored: usize,
}

/// How deep folders of a microscope type lie in each other.
const MAX_DEPTH: usize = 2;

/// A file of the directory.
struct Found {
    /// Path within the directory.
    name: String,
    size: u64,
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
    import_roots: &[PathBuf],
    (experiment, acquisition): (i64, i64),
    microscope: &'static dyn MicroscopeType,
    path: PathBuf,
) -> Result<LinkReport, FileError> {
    let roots = import_roots.to_vec();
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

/// The directory at `path` without links in its name, and the files in it and in the microscope's folders: no hidden
/// ones, nothing that a link takes from outside the import roots.
fn list(
    import_roots: &[PathBuf],
    path: &Path,
    microscope: &dyn MicroscopeType,
) -> Result<(String, Vec<Found>), LinkError> {
    let outside = || {
        LinkError::Outside(match import_roots {
            [] => "no directory can be linked: the setting `import_roots` names none".to_owned(),
            _ => format!("{} is not below an import root of this server", path.display()),
        })
    };
    let roots: Vec<PathBuf> = import_roots.iter().filter_map(|root| root.canonicalize().ok()).collect();
    let below = |path: &Path| roots.iter().any(|root| path.starts_with(root));
    let unreadable = |error: io::Error| {
        // Whether something exists elsewhere is none of the caller's business.
        if import_roots.iter().chain(&roots).any(|root| path.starts_with(root)) {
            LinkError::Directory(format!("{} cannot be read: {error}", path.display()))
        } else {
            outside()
        }
    };
    let directory = path.canonicalize().map_err(unreadable)?;
    if !below(&directory) {
        return Err(outside());
    }
    let name = directory.to_str().ok_or_else(|| {
        LinkError::Directory(format!("the name of {} is not valid UTF-8", directory.display()))
    })?;
    let mut found = Vec::new();
    let mut folders = vec![(directory.clone(), String::new(), 0)];
    while let Some((folder, prefix, depth)) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            // A link that leads nowhere, or out of the import roots, is no file.
            let Ok(real) = entry.path().canonicalize() else { continue };
            let Ok(metadata) = real.metadata() else { continue };
            if name.starts_with('.') || !below(&real) {
                continue;
            }
            if metadata.is_file() {
                found.push(Found { name: format!("{prefix}{name}"), size: metadata.len() });
            } else if metadata.is_dir() && depth < MAX_DEPTH && microscope.is_folder(&name) {
                folders.push((entry.path(), format!("{prefix}{name}/"), depth + 1));
            }
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok((name.to_owned(), found))
}
