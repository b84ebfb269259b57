//! SQL of what the conversion steps read: acquisitions and their files.

use crate::store::{Result, Tx, execute, fetch_all};

/// An acquisition with the plate it belongs to.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct AcquisitionOfPlate {
    /// Row id.
    pub id: i64,
    /// Name.
    pub name: String,
    /// Row id of the plate.
    pub plate_id: i64,
    /// Name of the plate.
    pub plate_name: String,
    /// Current generation of the plate's channel images.
    pub image_generation: i64,
    /// The directory of the server that it is linked to; null when its files are uploaded.
    pub directory: Option<String>,
}

/// The acquisitions of an experiment, plate by plate, in the order in which they were made.
pub async fn acquisitions_of(tx: &mut Tx, experiment: i64) -> Result<Vec<AcquisitionOfPlate>> {
    fetch_all!(
        tx,
        AcquisitionOfPlate,
        "select acquisitions.id, acquisitions.name, plates.id as plate_id, plates.name as plate_name,
             plates.image_generation, acquisitions.directory
         from acquisitions
         join plates on plates.id = acquisitions.plate_id
         where plates.experiment_id = $1
         order by plates.id, acquisitions.created_at, acquisitions.id",
        experiment
    )
}

/// A microscope file.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct AcquisitionFile {
    /// Row id.
    pub id: i64,
    /// Secured name.
    pub name: String,
    /// Upload status.
    pub status: String,
    /// What metaextract read from its header, as JSON.
    pub header: Option<String>,
}

/// The files of one kind (`image` or `metadata`) of an acquisition, by name.
pub async fn files_of(tx: &mut Tx, acquisition: i64, kind: &str) -> Result<Vec<AcquisitionFile>> {
    let mut files = fetch_all!(
        tx,
        AcquisitionFile,
        "select id, name, status, header
         from microscope_files
         where acquisition_id = $1 and kind = $2",
        acquisition,
        kind
    )?;
    // Sorted here because PostgreSQL would order text by the rules of its locale.
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}

/// Forget what metaextract read from the files of an experiment.
pub async fn clear_headers(tx: &mut Tx, experiment: i64) -> Result<()> {
    execute!(
        tx,
        "update microscope_files
         set header = null
         where acquisition_id in (
             select acquisitions.id from acquisitions
             join plates on plates.id = acquisitions.plate_id
             where plates.experiment_id = $1)",
        experiment
    )?;
    Ok(())
}

/// Keep what metaextract read from a file.
pub async fn set_header(tx: &mut Tx, file: i64, header: &str, now: i64) -> Result<()> {
    execute!(
        tx,
        "update microscope_files set header = $1, updated_at = $2 where id = $3",
        header,
        now,
        file
    )?;
    Ok(())
}

/// Remove the image files of an acquisition from the database; the value is their names.
pub async fn delete_image_files(tx: &mut Tx, acquisition: i64) -> Result<Vec<String>> {
    // A file that is metadata too stays on disk for its other row.
    let names = fetch_all!(
        tx,
        (String,),
        "select name from microscope_files
         where acquisition_id = $1 and kind = 'image' and name not in (
             select name from microscope_files where acquisition_id = $1 and kind = 'metadata')",
        acquisition
    )?;
    execute!(tx, "delete from microscope_files where acquisition_id = $1 and kind = 'image'", acquisition)?;
    Ok(names.into_iter().map(|(name,)| name).collect())
}
