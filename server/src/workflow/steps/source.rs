//! The uploaded files of an acquisition, as the conversion steps read them.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::environment::Environment;
use crate::microscopes::{self, HeaderFacts, ImageFile, MetadataFile, MicroscopeType, PageSize};
use crate::resources::workflow::queries::{self, AcquisitionFile, AcquisitionOfPlate};
use crate::storage::StorageError;
use crate::storage::readers::{PageInfo, ReadError};
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
/// [`StepError::Input`] when one is missing or too large.
pub async fn metadata_files(
    environment: &Environment,
    experiment: i64,
    acquisition: &AcquisitionOfPlate,
) -> StepResult<Vec<MetadataFile>> {
    let files = queries::files_of(&mut environment.db.read().await?, acquisition.id, "metadata").await?;
    let directory = directory(environment, experiment, acquisition);
    let mut contents = Vec::new();
    for file in files {
        let path = directory.join(&file.name);
        let unreadable = |error: std::io::Error| {
            StepError::Input(format!("metadata file \"{}\" cannot be read: {error}", file.name))
        };
        let length = tokio::fs::metadata(&path).await.map_err(unreadable)?.len();
        if length > MAX_METADATA_BYTES {
            return Err(StepError::Input(format!(
                "metadata file \"{}\" has {length} bytes, more than the {MAX_METADATA_BYTES} that are read",
                file.name
            )));
        }
        let bytes = tokio::fs::read(&path).await.map_err(unreadable)?;
        contents.push(MetadataFile { name: file.name, bytes });
    }
    Ok(contents)
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

/// Where the files of an acquisition lie: with the uploads, or where it is linked to.
pub fn directory(environment: &Environment, experiment: i64, acquisition: &AcquisitionOfPlate) -> PathBuf {
    match &acquisition.directory {
        Some(directory) => PathBuf::from(directory),
        None => environment.data.uploads(experiment, acquisition.id),
    }
}

/// Where the files of all acquisitions of an experiment lie, by row id.
pub async fn directories(environment: &Environment, experiment: i64) -> StepResult<HashMap<i64, PathBuf>> {
    let acquisitions = queries::acquisitions_of(&mut environment.db.read().await?, experiment).await?;
    let place = |acquisition: &AcquisitionOfPlate| directory(environment, experiment, acquisition);
    Ok(acquisitions.iter().map(|acquisition| (acquisition.id, place(acquisition))).collect())
}

/// The directory of one of these acquisitions.
pub fn directory_of(directories: &HashMap<i64, PathBuf>, acquisition: i64) -> StepResult<&PathBuf> {
    directories
        .get(&acquisition)
        .ok_or_else(|| StepError::Input(format!("acquisition {acquisition} was deleted meanwhile")))
}
