//! Free space: below a reserve nothing new is begun, so that what is under way, the database and whoever tidies
//! up still have room.

use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, ReadBuf};

use super::error::{Result, StorageError};

/// How much a [`Watched`] source gives before the file system is asked again, in bytes.
const WATCHED_BYTES: u64 = 64 << 20;

/// The free space of the data directory's file system. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Space {
    directory: Arc<PathBuf>,
    reserve: u64,
}

impl Space {
    /// The space of the file system that `directory` lies on, of which `reserve` bytes stay free. A reserve of
    /// 0 is none: then only the file system itself says when it is full.
    pub fn new(directory: impl Into<PathBuf>, reserve: u64) -> Self {
        Self { directory: Arc::new(directory.into()), reserve }
    }

    /// Check that no less is free than the reserve. Asks the file system every time, which takes microseconds: what
    /// is written in between can be more than the reserve.
    ///
    /// # Errors
    /// [`StorageError::Reserve`] when less is free, [`StorageError::Io`] when the file system does not say.
    pub fn check(&self) -> Result<()> {
        if self.reserve == 0 {
            return Ok(());
        }
        let free = free_bytes(&self.directory)?;
        if free < self.reserve { Err(StorageError::Reserve { free, reserve: self.reserve }) } else { Ok(()) }
    }

    /// Check that `bytes` can be written without touching the reserve.
    ///
    /// # Errors
    /// [`StorageError::Room`] when less is free, [`StorageError::Io`] when the file system does not say.
    pub fn check_room(&self, bytes: u64) -> Result<()> {
        let (free, reserve) = (free_bytes(&self.directory)?, self.reserve);
        if free.saturating_sub(reserve) < bytes {
            return Err(StorageError::Room { bytes, free, reserve });
        }
        Ok(())
    }

    /// A source that fails once there is less free than the reserve; looked at every 64 MB.
    pub fn watch<S>(&self, source: S) -> Watched<S> {
        Watched { source, space: self.clone(), unchecked: 0 }
    }
}

/// What [`Space::watch`] makes of a source.
#[derive(Debug)]
pub struct Watched<S> {
    source: S,
    space: Space,
    /// Bytes given since the file system was asked.
    unchecked: u64,
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.unchecked >= WATCHED_BYTES {
            self.space.check().map_err(StorageError::into_io)?;
            self.unchecked = 0;
        }
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.source).poll_read(context, buffer);
        self.unchecked += (buffer.filled().len() - before) as u64;
        polled
    }
}

/// Bytes that this process may still write to the file system that `path` lies on.
#[cfg(unix)]
fn free_bytes(path: &Path) -> io::Result<u64> {
    let file_system = rustix::fs::statvfs(path)?;
    Ok(file_system.f_bavail.saturating_mul(file_system.f_frsize))
}

/// Where nobody says how much is free, a full disk is noticed when it is full.
#[cfg(not(unix))]
fn free_bytes(_: &Path) -> io::Result<u64> {
    Ok(u64::MAX)
}
