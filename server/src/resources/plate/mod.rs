//! Plates: what was imaged, and where its wells lie.

pub mod handlers;
pub mod queries;

use std::collections::BTreeSet;

use crate::environment::Environment;
use crate::error::{ApiError, ApiResult};
use crate::http::to_its_end;
use crate::resources::acquisition::{Acquisition, queries as acquisitions};
use crate::resources::experiment::{keep_workflows_out, refuse_while_running};
use crate::resources::file::UploadStatus;
use crate::resources::image::pruning::Pruned;
use crate::resources::image::queries as images;
use crate::store::{Result, Tx};

/// A plate as stored.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Plate {
    /// Row id.
    pub id: i64,
    /// Name, unique in the experiment.
    pub name: String,
    /// Free text.
    pub description: String,
    /// Which generation of the channel images is current; 0 while there is none.
    pub image_generation: i64,
}

/// A plate with its acquisitions.
#[derive(Debug, Clone)]
pub struct PlateWithAcquisitions {
    /// The plate.
    pub plate: Plate,
    /// Its acquisitions, by id.
    pub acquisitions: Vec<Acquisition>,
}

impl PlateWithAcquisitions {
    /// How far the uploads of all its acquisitions are.
    pub fn status(&self) -> UploadStatus {
        UploadStatus::of_all(self.acquisitions.iter().map(Acquisition::status))
    }
}

/// The plates of an experiment by id, only the one with this name if one is given.
///
/// # Errors
/// When the database fails.
pub async fn list(tx: &mut Tx, experiment: i64, name: Option<&str>) -> Result<Vec<PlateWithAcquisitions>> {
    let plates = queries::list(tx, experiment, name).await?;
    let mut all = acquisitions::list(tx, experiment, None, None).await?;
    let with_acquisitions = |plate: Plate| {
        let acquisitions = all.extract_if(.., |acquisition| acquisition.plate_id == plate.id).collect();
        PlateWithAcquisitions { plate, acquisitions }
    };
    Ok(plates.into_iter().map(with_acquisitions).collect())
}

/// One plate of an experiment.
///
/// # Errors
/// 404 when the experiment has none of this id.
pub async fn get(tx: &mut Tx, experiment: i64, id: i64) -> ApiResult<PlateWithAcquisitions> {
    let plate = queries::find(tx, experiment, id).await?.ok_or_else(|| unknown(id))?;
    let acquisitions = acquisitions::list_of_plate(tx, experiment, id).await?;
    Ok(PlateWithAcquisitions { plate, acquisitions })
}

/// 404 for a plate.
pub fn unknown(id: i64) -> ApiError {
    ApiError::not_found(format!("plate {id}"))
}

/// Delete a plate with its acquisitions, wells, sites and channel images, and what is nothing without those (see
/// [`Pruned`]): rows in one transaction, then files.
///
/// # Errors
/// 404 for an unknown plate, 409 while a workflow runs.
pub async fn delete(environment: &Environment, experiment: i64, id: i64) -> ApiResult<()> {
    let environment = environment.clone();
    to_its_end(async move {
        // Looked at again where it counts; here so that a refusal need not wait for a chance to write.
        refuse_while_running(&mut environment.db.read().await?, experiment).await?;
        let mut tx = environment.db.write().await?;
        keep_workflows_out(&mut tx, experiment, environment.now()).await?;
        let PlateWithAcquisitions { plate, acquisitions } = get(&mut tx, experiment, id).await?;
        let mut planes = BTreeSet::new();
        for acquisition in &acquisitions {
            planes.extend(images::planes_of_acquisition(&mut tx, acquisition.id).await?);
        }
        queries::delete(&mut tx, experiment, id).await?;
        let mut pruned = Pruned::default();
        if !planes.is_empty() {
            Pruned::empty_layers(&mut tx, experiment, &planes).await?;
            pruned.layers_and_channels(&mut tx, &environment, experiment).await?;
        }
        for acquisition in acquisitions {
            pruned.files(environment.data.uploads(experiment, acquisition.id));
        }
        if plate.image_generation > 0 {
            pruned.files(environment.data.plate_images(experiment, id, plate.image_generation));
        }
        pruned.feature_files(&mut tx, &environment, experiment).await?;
        pruned.commit(tx, &environment, experiment).await?.remove(&environment).await;
        Ok(())
    })
    .await
}
