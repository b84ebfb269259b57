//! What can go wrong with stored files, sorted by what the caller can do about it.

use std::io;
use std::path::Path;

use tm_engine::EngineError;

/// An error of the file storage.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// There is no such plate, field, layer or group: it was never made, or was deleted.
    #[error("{what} does not exist")]
    NotFound {
        /// What was looked for.
        what: String,
    },
    /// Stored bytes do not make sense: they have to be made again from their source.
    #[error("{what}")]
    Corrupt {
        /// What is wrong with which file.
        what: String,
    },
    /// The file system failed. [`StorageError::is_storage_full`] tells whether room has to be made; a target
    /// that must not be replaced is [`io::ErrorKind::AlreadyExists`].
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The disk has less room than is kept in reserve: make room, then try again.
    #[error("no space left: {} MB are free and {} MB are kept in reserve", free / 1_000_000, reserve / 1_000_000)]
    Reserve {
        /// Free bytes.
        free: u64,
        /// Bytes that stay free.
        reserve: u64,
    },
    /// The disk has less room than is needed: make room, then try again.
    #[error(
        "no space left: about {} MB are needed, {} MB are free and {} MB are kept in reserve",
        bytes / 1_000_000, free / 1_000_000, reserve / 1_000_000
    )]
    Room {
        /// Bytes that are needed, about.
        bytes: u64,
        /// Free bytes.
        free: u64,
        /// Bytes that stay free.
        reserve: u64,
    },
    /// The pixels or parameters given do not fit: fix the call.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// Result of a storage operation.
pub type Result<T, E = StorageError> = std::result::Result<T, E>;

impl StorageError {
    /// Whether the disk or the quota is full: nothing half-written is left, and a retry may help later.
    pub fn is_storage_full(&self) -> bool {
        match self {
            Self::Reserve { .. } | Self::Room { .. } => true,
            Self::Io(error) => is_full(error),
            Self::NotFound { .. } | Self::Corrupt { .. } | Self::Engine(_) => false,
        }
    }

    /// The same as an input/output error that [`is_full`] tells from others.
    pub(super) fn into_io(self) -> io::Error {
        match self {
            Self::Io(error) => error,
            full if full.is_storage_full() => io::Error::new(io::ErrorKind::StorageFull, full),
            other => io::Error::other(other),
        }
    }

    pub(super) fn corrupt(path: &Path, problem: impl std::fmt::Display) -> Self {
        Self::Corrupt { what: format!("{problem} ({})", path.display()) }
    }

    /// An input/output error at `path`, where a missing file is [`StorageError::NotFound`].
    pub(super) fn at(path: &Path, error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::NotFound {
            Self::NotFound { what: path.display().to_string() }
        } else {
            Self::Io(error)
        }
    }
}

/// Whether the disk or the quota is full.
pub fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
