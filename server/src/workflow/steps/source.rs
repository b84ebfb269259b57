//! The uploaded files of an acquisition, as the conversion steps read them.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::environment::Environment;
use crate::microscopes::{self, HeaderFacts, ImageFile, MetadataFile, MicroscopeType, PageSize};
use crate::resources::workflow::queries::{self, AcquisitionFile, AcquisitionOfPlate};
use crate::storage::readers::{PageInfo, ReadError};
use crate::storage::{ImportError, ImportRoots, StorageError};
use crate::workflow::job::JobContext;

use super::{StepError, StepResult};

/// Larger metadata files are refused: a record takes about 500 bytes, so this is over a million planes.
const MAX_METADATA_BYTES: u64 = 1 << 30;

/// The microscope type of the job's experiment.
pub fn microscope(job: &JobContext) -> StepResult<&'static dyn MicroscopeType> {
    let name = &job.experiment.microscope_type;
    microscopes::find(name).ok_or_else(|| StepError::Internal(format!("unknown microscope type `{name}`")))
}

/// The complete image files of an acquisition.
///
/// # Errors
/// [`StepError::Input`] when there is none, or one is registered but not uploaded.
pub async fn image_files(
    environment: &Environment,
    acquisition: i64,
    acquisition_name: &str,
) -> StepResult<Vec<AcquisitionFile>> {
    let mut tx = environment.db.read().await?;
    let images = queries::files_of(&mut tx, acquisition, "image").await?;
    let metadata = queries::files_of(&mut tx, acquisition, "metadata").await?;
    drop(tx);
    if images.is_empty() {
        return Err(StepError::Input(format!("acquisition \"{acquisition_name}\" has no image files")));
    }
    let incomplete: Vec<_> = images
        .iter()
        .chain(&metadata)
        .filter(|file| file.status != "COMPLETE")
        .map(|file| &file.name)
        .collect();
    if !incomplete.is_empty() {
        let shown: Vec<_> = incomplete.iter().take(10).map(|name| name.as_str()).collect();
        return Err(StepError::Input(format!(
            "acquisition \"{acquisition_name}\": {} registered file(s) are not uploaded yet: {}{}",
            incomplete.len(),
            shown.join(", "),
            if incomplete.len() > shown.len() { ", …" } else { "" }
        )));
    }
    Ok(images)
}

/// The contents of an acquisition's metadata files.
///
/// # Errors
/// [`StepError::Input`] when one is missing, out of reach or too large.
pub async fn metadata_files(
    environment: &Environment,
    experiment: i64,
    acquisition: &AcquisitionOfPlate,
) -> StepResult<Vec<MetadataFile>> {
    let files = queries::files_of(&mut environment.db.read().await?, acquisition.id, "metadata").await?;
    let directory = SourceDirectory::of(environment, experiment, acquisition);
    environment
        .compute
        .batch(move |_| {
            let read = |file: AcquisitionFile| {
                Ok(MetadataFile { bytes: read_metadata(&directory, &file.name)?, name: file.name })
            };
            files.into_iter().map(read).collect()
        })
        .await?
}

fn read_metadata(directory: &SourceDirectory, name: &str) -> StepResult<Vec<u8>> {
    let path = directory.file(name)?;
    let unreadable =
        |error: io::Error| StepError::Input(format!("metadata file \"{name}\" cannot be read: {error}"));
    let length = fs::metadata(&path).map_err(unreadable)?.len();
    if length > MAX_METADATA_BYTES {
        return Err(StepError::Input(format!(
            "metadata file \"{name}\" has {length} bytes, more than the {MAX_METADATA_BYTES} that are read"
        )));
    }
    fs::read(&path).map_err(unreadable)
}

/// What metaextract keeps of an image file's header: of its description only what is about this file, because the
/// files of a set may each carry the description of all.
#[derive(Debug, Serialize, Deserialize)]
pub struct StoredHeader {
    /// The pages, in order.
    pub pages: Vec<PageInfo>,
    /// What the description says about them.
    #[serde(default)]
    pub facts: HeaderFacts,
}

/// An image file with what metaextract found in its header.
///
/// # Errors
/// [`StepError::Input`] when metaextract has not run.
pub fn with_header(file: &AcquisitionFile) -> StepResult<ImageFile> {
    let header = file.header.as_deref().ok_or_else(|| {
        StepError::Input(format!("the header of \"{}\" was not read yet: run metaextract first", file.name))
    })?;
    let header: StoredHeader = serde_json::from_str(header)
        .map_err(|error| StepError::Internal(format!("stored header of \"{}\": {error}", file.name)))?;
    let pages = header
        .pages
        .iter()
        .map(|page| PageSize { height: page.height, width: page.width, bit_depth: page.bit_depth })
        .collect();
    Ok(ImageFile { name: file.name.clone(), pages, header: header.facts })
}

/// Why an image file cannot be read: a failure of its disk may pass, everything else is for a person to mend.
pub fn unreadable(error: ReadError) -> StepError {
    match error {
        ReadError::Io { file, source } if source.kind() != io::ErrorKind::NotFound => {
            StorageError::Io(io::Error::new(source.kind(), format!("{file}: {source}"))).into()
        }
        other => StepError::Input(other.to_string()),
    }
}

/// Where the files of an acquisition lie: with the uploads, or in a directory of the server that it is linked to.
#[derive(Debug, Clone)]
pub struct SourceDirectory {
    path: PathBuf,
    /// Where the files of a linked directory must really be.
    roots: Option<ImportRoots>,
}

impl SourceDirectory {
    fn of(environment: &Environment, experiment: i64, acquisition: &AcquisitionOfPlate) -> Self {
        match &acquisition.directory {
            Some(directory) => {
                Self { path: PathBuf::from(directory), roots: Some(environment.import_roots.clone()) }
            }
            None => Self { path: environment.data.uploads(experiment, acquisition.id), roots: None },
        }
    }

    /// The path of a file. A linked one is looked for as it is now: import roots and links may have changed since it
    /// was linked. Blocks.
    ///
    /// # Errors
    /// [`StepError::Input`] when it is not below an import root (any more).
    pub fn file(&self, name: &str) -> StepResult<PathBuf> {
        let path = self.path.join(name);
        match &self.roots {
            None => Ok(path),
            Some(roots) => roots.resolve(&path).map_err(|error| match error {
                ImportError::Unreadable { source, .. } => {
                    unreadable(ReadError::Io { file: name.to_owned(), source })
                }
                outside @ ImportError::Outside { .. } => StepError::Input(outside.to_string()),
            }),
        }
    }
}

/// Where the files of all acquisitions of an experiment lie, by row id.
pub async fn directories(
    environment: &Environment,
    experiment: i64,
) -> StepResult<HashMap<i64, SourceDirectory>> {
    let acquisitions = queries::acquisitions_of(&mut environment.db.read().await?, experiment).await?;
    let place = |acquisition: &AcquisitionOfPlate| SourceDirectory::of(environment, experiment, acquisition);
    Ok(acquisitions.iter().map(|acquisition| (acquisition.id, place(acquisition))).collect())
}

/// The directory of one of these acquisitions.
pub fn directory_of(
    directories: &HashMap<i64, SourceDirectory>,
    acquisition: i64,
) -> StepResult<&SourceDirectory> {
    directories
        .get(&acquisition)
        .ok_or_else(|| StepError::Input(format!("acquisition {acquisition} was deleted meanwhile")))
}
