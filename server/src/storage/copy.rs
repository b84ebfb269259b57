//! Copies of files that others may replace or remove meanwhile.
//!
//! A copy has the mode and the time of change of its source. The time tells the next round what did not change
//! since. Files are copied and never linked: logs are written in place, and damage to the disk must not
//! reach both.

use std::fs::{self, File, FileTimes, Metadata};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use rayon::prelude::*;

use super::atomic::is_temporary;
use crate::tally::Tally;

/// Counts what was copied.
#[derive(Debug, Default)]
pub struct Copied {
    /// Number of files.
    pub files: AtomicUsize,
    /// Their lengths together.
    pub bytes: AtomicU64,
}

/// Copy a file, unless the one at `target` is a copy of it already; false when there is none (any more). Blocks.
///
/// # Errors
/// When one cannot be read or the other not be written.
pub fn copy_file(source: &Path, target: &Path, copied: &Copied) -> io::Result<bool> {
    let mut from = match File::open(source) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        from => from?,
    };
    let found = from.metadata()?;
    if target.symlink_metadata().is_ok_and(|known| is_copy(&known, &found)) {
        return Ok(true);
    }
    match fs::remove_file(target) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut to = File::create_new(target)?;
    // Before there is anything to read.
    to.set_permissions(found.permissions())?;
    let bytes = io::copy(&mut from, &mut to)?;
    to.set_times(FileTimes::new().set_modified(found.modified()?))?;
    copied.files.fetch_add(1, Ordering::Relaxed);
    copied.bytes.fetch_add(bytes, Ordering::Relaxed);
    Ok(true)
}

fn is_copy(known: &Metadata, found: &Metadata) -> bool {
    known.is_file() && known.len() == found.len() && known.modified().ok() == found.modified().ok()
}

/// Copy a directory with all that is below it, without temporary files; false when something went away
/// meanwhile. Blocks.
///
/// What is in a directory is listed before anything of it is copied: a file that says that its neighbours are
/// complete is copied only if they were complete before they are listed.
///
/// # Errors
/// When something cannot be read or written, or `tally` is stopped.
pub fn copy_tree(source: &Path, target: &Path, copied: &Copied, tally: &Tally) -> io::Result<bool> {
    if tally.is_stopped() {
        return Err(io::Error::other("stopped"));
    }
    let entries = match fs::read_dir(source) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        entries => entries?.collect::<io::Result<Vec<_>>>()?,
    };
    if !copy_directory(source, target)? {
        return Ok(false);
    }
    entries
        .par_iter()
        .filter(|entry| !is_temporary(&entry.file_name().to_string_lossy()))
        .map(|entry| {
            let target = target.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                return copy_tree(&entry.path(), &target, copied, tally);
            }
            let there = copy_file(&entry.path(), &target, copied)?;
            tally.add(1);
            Ok(there)
        })
        .try_reduce(|| true, |one, other| Ok(one && other))
}

/// Make a directory like another one, without what is in it; false when that one is not there (any more).
///
/// # Errors
/// When it cannot be made.
pub fn copy_directory(source: &Path, target: &Path) -> io::Result<bool> {
    let found = match fs::metadata(source) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        found => found?,
    };
    match fs::create_dir(target) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && target.is_dir() => {}
        made => made?,
    }
    fs::set_permissions(target, usable(found.permissions()))?;
    Ok(true)
}

/// The owner must be able to fill a copy, whatever the mode of its source.
fn usable(permissions: fs::Permissions) -> fs::Permissions {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::Permissions::from_mode(permissions.mode() | 0o700)
    }
    #[cfg(not(unix))]
    permissions
}
