//! Where copies and exports go: a directory that does not exist yet, or is empty.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::DataDir;
use super::error::Result;
use super::staging::StagedDirectory;

/// Why nothing can be put at a place.
#[derive(Debug, thiserror::Error)]
#[error("{path} cannot hold the copy: {problem}")]
pub struct TargetError {
    /// Where it was wanted.
    path: PathBuf,
    /// What is in the way, and what was wanted.
    problem: String,
}

/// The place of a copy of what is in a data directory, as an absolute path.
///
/// # Errors
/// [`TargetError`] says what is in the way.
pub fn check_target(data: &DataDir, target: &Path) -> Result<PathBuf, TargetError> {
    let refuse = |problem: &str| TargetError { path: target.to_owned(), problem: problem.to_owned() };
    let failed = |error: io::Error| refuse(&error.to_string());
    let absolute = std::path::absolute(target).map_err(failed)?;
    let named = target.file_name().zip(absolute.parent());
    let (name, above) = named.ok_or_else(|| refuse("name the directory itself, not its place"))?;
    let unusable = |error| refuse(&format!("the directory above it cannot be used: {error}"));
    let above = above.canonicalize().map_err(unusable)?;
    if !above.is_dir() {
        return Err(refuse("what is above it is no directory"));
    }
    let target = above.join(name);
    if target.starts_with(data.root().canonicalize().map_err(failed)?) {
        return Err(refuse("it lies in the data directory"));
    }
    match target.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
        Ok(found) if !found.is_dir() => return Err(refuse("it exists and is no directory")),
        Ok(found) if is_mount_point(&found, &above) => {
            return Err(refuse("a file system is mounted there; name a directory inside it"));
        }
        Ok(_) if fs::read_dir(&target).map_err(failed)?.next().is_some() => {
            return Err(refuse("it exists and is not empty"));
        }
        Ok(_) => {}
    }
    Ok(target)
}

/// Whether a directory is the root of another file system than the directory above it: nothing can be renamed to
/// there.
#[cfg(unix)]
fn is_mount_point(found: &fs::Metadata, above: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    above.metadata().is_ok_and(|above| above.dev() != found.dev())
}

#[cfg(not(unix))]
fn is_mount_point(_: &fs::Metadata, _: &Path) -> bool {
    false
}

/// Let a staged directory appear at its checked place, which may be an empty directory. Blocks.
///
/// # Errors
/// When something came to be there meanwhile, or the disk fails.
pub fn put(staged: StagedDirectory, target: &Path) -> Result<()> {
    if target.is_dir() {
        // Fails unless it is still empty.
        fs::remove_dir(target)?;
    }
    staged.commit()
}
