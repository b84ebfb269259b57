//! Directories of microscope files, each an acquisition of a plate.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, anyhow, bail};

use crate::microscopes::MicroscopeType;
use crate::resources::file::folders::files_of;

/// Name of the acquisition that a directory without one becomes.
const ONLY: &str = "acquisition";

/// `[PLATE/]NAME=DIR` on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedSource {
    plate: Option<String>,
    acquisition: String,
    directory: PathBuf,
}

impl FromStr for NamedSource {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wanted = || format!("`{text}` must be [PLATE/]NAME=DIR, such as cycle1=/data/cycle1");
        let (name, directory) = text.split_once('=').ok_or_else(wanted)?;
        let (plate, acquisition) = match name.split_once('/') {
            Some((plate, acquisition)) => (Some(plate.to_owned()), acquisition),
            None => (None, name),
        };
        if acquisition.is_empty() || directory.is_empty() || plate.as_deref() == Some("") {
            return Err(wanted());
        }
        Ok(Self { plate, acquisition: acquisition.to_owned(), directory: directory.into() })
    }
}

/// A directory to import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Name of the plate.
    pub plate: String,
    /// Name of the acquisition.
    pub acquisition: String,
    /// Where its files lie.
    pub directory: PathBuf,
    /// Their names, with the folders of the microscope's own.
    pub names: Vec<String>,
}

/// What the command line asks to import, in the order given: the order of acquisitions is that of cycles.
///
/// # Errors
/// When a plate or every directory is missing, two have one name, or a directory cannot be read or holds no files.
pub fn sources(
    microscope: &dyn MicroscopeType,
    plate: Option<&str>,
    directory: Option<&Path>,
    named: &[NamedSource],
) -> anyhow::Result<Vec<Source>> {
    let only = directory.map(|directory| NamedSource {
        plate: None,
        acquisition: ONLY.to_owned(),
        directory: directory.to_owned(),
    });
    let mut sources: Vec<Source> = Vec::new();
    for NamedSource { plate: own, acquisition, directory } in only.iter().chain(named) {
        let plate = own.as_deref().or(plate).ok_or_else(|| {
            anyhow!("say which plate {} belongs to, with --plate NAME", directory.display())
        })?;
        if sources.iter().any(|known| known.plate == plate && known.acquisition == *acquisition) {
            bail!("plate \"{plate}\" has two acquisitions named \"{acquisition}\"");
        }
        sources.push(Source {
            plate: plate.to_owned(),
            acquisition: acquisition.clone(),
            directory: directory.clone(),
            names: file_names(directory, microscope)?,
        });
    }
    if sources.is_empty() {
        bail!("say what to import: SOURCE_DIR, or --acquisition [PLATE/]NAME=DIR once or more");
    }
    Ok(sources)
}

/// The names of the files in a directory, and in the folders that the microscope makes in it.
fn file_names(directory: &Path, microscope: &dyn MicroscopeType) -> anyhow::Result<Vec<String>> {
    let found = files_of(directory, microscope, |_| true)
        .with_context(|| format!("cannot read {}", directory.display()))?;
    if found.is_empty() {
        bail!("there are no files in {}", directory.display());
    }
    Ok(found.into_iter().map(|file| file.name).collect())
}
