//! Files that are either whole or absent.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::failpoint;

/// What temporary files are called; the sweep at start removes those a crash left behind.
pub const TEMPORARY_SUFFIX: &str = ".part";

/// A name beside `path` that nobody else uses, for writing before the rename.
pub fn temporary_path(path: &Path) -> PathBuf {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}-{number}{TEMPORARY_SUFFIX}", std::process::id()))
}

/// A file under a name of [`temporary_path`], removed when dropped.
#[derive(Debug)]
pub struct Temporary(PathBuf);

impl Temporary {
    /// A name beside `path`; nothing is created yet.
    pub fn beside(path: &Path) -> Self {
        Self(temporary_path(path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // It is absent after the rename; what cannot be removed is left to the sweep at start.
        let _ = fs::remove_file(&self.0);
    }
}

/// Whether a name is that of a file or directory that is being written, or was when a crash came. Secured names
/// of uploads never begin with a dot.
pub fn is_temporary(name: &str) -> bool {
    name.starts_with('.') && name.ends_with(TEMPORARY_SUFFIX)
}

/// Write `bytes` to `path` so that a crash leaves the old file or the new one, never a part.
///
/// Creates missing parent directories. The file and its directory are synced before returning.
///
/// # Errors
/// Whatever the file system reports; the temporary file is removed then.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let parent = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(parent)?;
    let temporary = temporary_path(path);
    let written = File::create_new(&temporary)
        .and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        })
        .inspect(|()| failpoint::reached("file synced"))
        .and_then(|()| fs::rename(&temporary, path));
    if let Err(error) = written {
        // The write failed already; a leftover is removed by the sweep at start.
        let _ = fs::remove_file(&temporary);
        return Err(error);
    }
    failpoint::reached("file renamed");
    sync_directory(parent)
}

/// Make a directory's entries durable.
///
/// # Errors
/// Whatever the file system reports.
pub fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}
