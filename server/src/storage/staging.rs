//! Directories that are either whole or absent.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::atomic;
use super::error::Result;
use crate::failpoint;

/// A directory that is filled under a temporary name and appears at its place by one rename.
///
/// Dropped without [`Self::commit`], it is removed; what a crash leaves carries the temporary suffix
/// that the sweep at start looks for.
#[derive(Debug)]
pub struct StagedDirectory {
    temporary: PathBuf,
    target: PathBuf,
    committed: bool,
}

impl StagedDirectory {
    /// Begin a directory that will be at `target`.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new(target: &Path) -> Result<Self> {
        let temporary = atomic::temporary_path(target);
        fs::create_dir_all(&temporary)?;
        Ok(Self { temporary, target: target.to_owned(), committed: false })
    }

    /// Where the directory is while it is being filled.
    pub fn path(&self) -> &Path {
        &self.temporary
    }

    /// Add a JSON file, and the directories above it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_json(&self, relative: &str, value: &serde_json::Value) -> Result<()> {
        let path = self.temporary.join(relative);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, format!("{value:#}\n"))?;
        Ok(())
    }

    /// Sync everything and move it to its place.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`] when there is something at the target already.
    pub fn commit(mut self) -> Result<()> {
        if self.target.exists() {
            return Err(already_exists(&self.target).into());
        }
        sync_tree(&self.temporary)?;
        failpoint::reached("directory synced");
        fs::rename(&self.temporary, &self.target)?;
        failpoint::reached("directory renamed");
        self.committed = true;
        Ok(atomic::sync_directory(self.target.parent().unwrap_or(Path::new(".")))?)
    }
}

impl Drop for StagedDirectory {
    fn drop(&mut self) {
        if !self.committed {
            // Something failed already; the sweep at start removes what cannot be removed now.
            let _ = fs::remove_dir_all(&self.temporary);
        }
    }
}

fn already_exists(target: &Path) -> io::Error {
    io::Error::new(io::ErrorKind::AlreadyExists, format!("{} exists already", target.display()))
}

/// Sync all files and directories below `directory`, and itself. In parallel, because every sync waits
/// for the disk and a plate has thousands of small files.
fn sync_tree(directory: &Path) -> io::Result<()> {
    let entries = fs::read_dir(directory)?.collect::<io::Result<Vec<_>>>()?;
    entries.par_iter().try_for_each(|entry| {
        if entry.file_type()?.is_dir() {
            sync_tree(&entry.path())
        } else {
            File::open(entry.path())?.sync_all()
        }
    })?;
    atomic::sync_directory(directory)
}
