//! SQL of what owns files: see [`crate::inventory`].

use crate::store::{Result, Tx, fetch_all};

/// The ids of all experiments.
pub async fn experiment_ids(tx: &mut Tx) -> Result<Vec<i64>> {
    Ok(fetch_all!(tx, (i64,), "select id from experiments")?.into_iter().map(|(id,)| id).collect())
}

/// The experiments with a workflow that is not over.
pub async fn unfinished_experiments(tx: &mut Tx) -> Result<Vec<i64>> {
    let rows = fetch_all!(
        tx,
        (i64,),
        "select distinct submissions.experiment_id
         from submissions
         join tasks on tasks.submission_id = submissions.id
         where tasks.parent_id is null and tasks.state <> 'TERMINATED'"
    )?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Experiment, plate and current generation of the images of all plates that have some: the number stays
/// when the last image goes, because no generation is used twice.
pub async fn plate_generations(tx: &mut Tx) -> Result<Vec<(i64, i64, i64)>> {
    fetch_all!(
        tx,
        (i64, i64, i64),
        "select experiment_id, id, image_generation
         from plates
         where image_generation > 0
             and exists (
                 select 1
                 from acquisitions
                 join channel_images on channel_images.acquisition_id = acquisitions.id
                 where acquisitions.plate_id = plates.id)"
    )
}

/// Experiment and id of all layers.
pub async fn all_layers(tx: &mut Tx) -> Result<Vec<(i64, i64)>> {
    fetch_all!(
        tx,
        (i64, i64),
        "select channels.experiment_id, channel_layers.id
         from channel_layers
         join channels on channels.id = channel_layers.channel_id"
    )
}

/// Experiment and name of the files of all statistics.
pub async fn all_statistics(tx: &mut Tx) -> Result<Vec<(i64, String)>> {
    fetch_all!(
        tx,
        (i64, String),
        "select channels.experiment_id, illumination_statistics.file
         from illumination_statistics
         join channels on channels.id = illumination_statistics.channel_id"
    )
}

/// A plane with the plate and the field image it lies in.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct PlaneOfPlate {
    /// Row id of the experiment.
    pub experiment_id: i64,
    /// Row id of the plate.
    pub plate_id: i64,
    /// Path of the field image inside the plate's images.
    pub field: String,
    /// Position in the field image's array.
    pub t_index: i64,
    /// Position in the field image's array.
    pub c_index: i64,
    /// Position in the field image's array.
    pub z_index: i64,
    /// Whether its pixels are there.
    pub stored: bool,
}

/// All planes there are.
pub async fn all_planes(tx: &mut Tx) -> Result<Vec<PlaneOfPlate>> {
    fetch_all!(
        tx,
        PlaneOfPlate,
        "select plates.experiment_id, plates.id as plate_id, field, t_index, c_index, z_index, stored
         from channel_images
         join acquisitions on acquisitions.id = channel_images.acquisition_id
         join plates on plates.id = acquisitions.plate_id"
    )
}

/// An uploaded file.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct StoredFile {
    /// Row id of the experiment.
    pub experiment_id: i64,
    /// Row id of the acquisition.
    pub acquisition_id: i64,
    /// Secured name.
    pub name: String,
    /// Length in bytes, if known.
    pub size: Option<i64>,
}

/// All uploaded files that are complete; one that is image and metadata may come twice. Those of linked
/// directories are nobody's here.
pub async fn complete_files(tx: &mut Tx) -> Result<Vec<StoredFile>> {
    fetch_all!(
        tx,
        StoredFile,
        "select plates.experiment_id, acquisition_id, microscope_files.name, size
         from microscope_files
         join acquisitions on acquisitions.id = microscope_files.acquisition_id
         join plates on plates.id = acquisitions.plate_id
         where status = 'COMPLETE' and acquisitions.directory is null"
    )
}

/// A file of a linked directory.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct LinkedFile {
    /// Row id of the experiment.
    pub experiment_id: i64,
    /// The directory.
    pub directory: String,
    /// Name in it.
    pub name: String,
    /// Length in bytes, if known.
    pub size: Option<i64>,
}

/// All files of linked directories; one that is image and metadata may come twice.
pub async fn linked_files(tx: &mut Tx) -> Result<Vec<LinkedFile>> {
    fetch_all!(
        tx,
        LinkedFile,
        "select plates.experiment_id, acquisitions.directory, microscope_files.name, size
         from microscope_files
         join acquisitions on acquisitions.id = microscope_files.acquisition_id
         join plates on plates.id = acquisitions.plate_id
         where acquisitions.directory is not null"
    )
}

/// Experiment and id of all jobs.
pub async fn all_jobs(tx: &mut Tx) -> Result<Vec<(i64, i64)>> {
    fetch_all!(
        tx,
        (i64, i64),
        "select submissions.experiment_id, tasks.id
         from tasks
         join submissions on submissions.id = tasks.submission_id
         where tasks.job is not null"
    )
}
