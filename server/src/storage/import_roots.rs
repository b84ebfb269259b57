//! The directories of the server below which files may be read that nobody uploaded: the setting `import_roots`.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The directories of the setting; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct ImportRoots(Arc<[PathBuf]>);

/// The same without links in their names, as they are at a moment.
#[derive(Debug)]
pub struct RealRoots(Vec<PathBuf>);

/// Why something is not to be read.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// It lies elsewhere, or a link leads elsewhere; or it cannot be told, because elsewhere nothing is looked at.
    #[error("{path} is not below an import root of this server (setting `import_roots`{})", names_none(.any))]
    Outside {
        /// As it was asked for.
        path: PathBuf,
        /// Whether there are import roots.
        any: bool,
    },
    /// It lies below an import root and cannot be read.
    #[error("{path} cannot be read: {source}")]
    Unreadable {
        /// As it was asked for.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

fn names_none(any: &bool) -> &'static str {
    if *any { "" } else { ", which names none" }
}

impl ImportRoots {
    /// The directories of the setting.
    pub fn new(roots: &[PathBuf]) -> Self {
        Self(roots.into())
    }

    /// Where they are now. Blocks.
    pub fn real(&self) -> RealRoots {
        RealRoots(self.0.iter().filter_map(|root| root.canonicalize().ok()).collect())
    }

    /// `path` without links in it, if that is below an import root. Blocks.
    ///
    /// # Errors
    /// [`ImportError`].
    pub fn resolve(&self, path: &Path) -> Result<PathBuf, ImportError> {
        let roots = self.real();
        let outside = || ImportError::Outside { path: path.to_owned(), any: !self.0.is_empty() };
        match path.canonicalize() {
            Ok(real) if roots.hold(&real) => Ok(real),
            // Whether something exists elsewhere is none of the caller's business.
            Err(error) if roots.hold(path) || self.0.iter().any(|root| path.starts_with(root)) => {
                Err(ImportError::Unreadable { path: path.to_owned(), source: error })
            }
            _ => Err(outside()),
        }
    }
}

impl RealRoots {
    /// Whether a path that has no links in it is below one of them.
    pub fn hold(&self, real: &Path) -> bool {
        self.0.iter().any(|root| real.starts_with(root))
    }
}
