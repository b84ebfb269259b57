//! Uploaded files: streamed to disk, whole or absent.
//!
//! A file is written under a temporary name in its final directory and synced ([`receive`]), then renamed
//! ([`Received::keep`]). Whoever gives up on the way, also by dropping the future, leaves nothing behind;
//! what a crash leaves is removed by [`sweep`].

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};

use super::DataDir;
use super::atomic::{TEMPORARY_SUFFIX, Temporary, sync_directory};
use crate::failpoint;

/// How much is gathered before it is written, in bytes.
const BUFFER_BYTES: usize = 512 * 1024;
/// A sender that is silent for this long is taken to be gone.
const SILENCE: Duration = Duration::from_secs(120);

/// Why a file was not stored; nothing of it is left.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// The sender failed or went away.
    #[error("the file ended early: {0}")]
    Source(#[source] io::Error),
    /// There is more than `limit` bytes.
    #[error("the file is larger than {limit} bytes")]
    TooLarge {
        /// Most that is accepted.
        limit: u64,
    },
    /// It could not be written.
    #[error("cannot write the file: {0}")]
    Write(#[source] io::Error),
}

/// A file that is on disk, synced, but has not got its name yet. Dropped, it is removed.
#[derive(Debug)]
pub struct Received {
    temporary: Temporary,
    target: PathBuf,
    /// Its size in bytes.
    pub size: u64,
}

impl Received {
    /// Give it its name, durably; an older file of the name is replaced.
    ///
    /// # Errors
    /// [`ReceiveError::Write`] when the disk fails.
    pub async fn keep(self) -> Result<(), ReceiveError> {
        blocking(move || {
            fs::rename(self.temporary.path(), &self.target)?;
            failpoint::reached("upload renamed");
            sync_directory(self.target.parent().unwrap_or(Path::new(".")))
        })
        .await
        .map_err(ReceiveError::Write)
    }
}

/// Write what `source` holds, at most `limit` bytes, to disk, to become `target` later.
///
/// The file and the directories above it are synced when this returns.
///
/// # Errors
/// [`ReceiveError`]; nothing of the file is left then.
pub async fn receive(
    target: &Path,
    mut source: impl AsyncRead + Unpin,
    limit: u64,
) -> Result<Received, ReceiveError> {
    let directory = target.parent().unwrap_or(Path::new(".")).to_owned();
    blocking({
        let directory = directory.clone();
        move || create_directory(&directory)
    })
    .await
    .map_err(ReceiveError::Write)?;
    // Not named after the target: its name may be as long as a name can be.
    let temporary = Temporary::beside(&directory.join("upload"));
    let mut file = tokio::fs::File::create_new(temporary.path()).await.map_err(ReceiveError::Write)?;
    let mut size: u64 = 0;
    let mut buffer = Vec::with_capacity(BUFFER_BYTES);
    loop {
        let read = tokio::time::timeout(SILENCE, source.read_buf(&mut buffer))
            .await
            .unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "the sender fell silent")))
            .map_err(ReceiveError::Source)?;
        size = size.saturating_add(read as u64);
        if size > limit {
            return Err(ReceiveError::TooLarge { limit });
        }
        if read == 0 || buffer.len() == buffer.capacity() {
            file.write_all(&buffer).await.map_err(ReceiveError::Write)?;
            buffer.clear();
            failpoint::reached("upload written");
        }
        if read == 0 {
            break;
        }
    }
    file.flush().await.map_err(ReceiveError::Write)?;
    let file = file.into_std().await;
    blocking(move || file.sync_all()).await.map_err(ReceiveError::Write)?;
    failpoint::reached("upload synced");
    Ok(Received { temporary, target: target.to_owned(), size })
}

/// Create a directory and what is missing above it, all entries synced.
fn create_directory(directory: &Path) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    let parents: Vec<_> = directory
        .ancestors()
        .take_while(|path| !path.is_dir())
        .filter_map(|path| path.parent().filter(|parent| !parent.as_os_str().is_empty()))
        .collect();
    fs::create_dir_all(directory)?;
    parents.into_iter().try_for_each(sync_directory)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

/// What [`sweep`] removed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Swept {
    /// Temporary files.
    pub temporary: usize,
    /// Directories of acquisitions that do not exist.
    pub directories: usize,
}

/// Remove what a crash left behind: temporary files, and the uploads of acquisitions that are not in
/// `existing` (experiment, acquisition). Blocks; only for a time when nobody uploads.
///
/// # Errors
/// The first thing that could not be listed or removed.
pub fn sweep(data: &DataDir, existing: &HashSet<(i64, i64)>) -> io::Result<Swept> {
    let mut swept = Swept::default();
    for (experiment, _) in numbered(&data.experiments())? {
        for (acquisition, path) in numbered(&data.experiment(experiment).join("uploads"))? {
            if !existing.contains(&(experiment, acquisition)) {
                fs::remove_dir_all(&path)?;
                swept.directories += 1;
                continue;
            }
            for entry in fs::read_dir(&path)? {
                let entry = entry?;
                let name = entry.file_name();
                let name = name.to_string_lossy();
                // Secured names never begin with a dot, so this is none of a client's files.
                if name.starts_with('.') && name.ends_with(TEMPORARY_SUFFIX) {
                    fs::remove_file(entry.path())?;
                    swept.temporary += 1;
                }
            }
        }
    }
    Ok(swept)
}

/// The directories below `path` that are named by an id; none when there is no `path`.
fn numbered(path: &Path) -> io::Result<Vec<(i64, PathBuf)>> {
    let entries = match fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        let id = entry.file_name().to_str().and_then(|name| name.parse().ok());
        if let Some(id) = id
            && entry.file_type()?.is_dir()
        {
            found.push((id, entry.path()));
        }
    }
    found.sort();
    Ok(found)
}
