//! Acquisitions: the files one run of a microscope over a plate left behind.

pub mod handlers;
pub mod queries;

use serde::Serialize;
use utoipa::ToSchema;

use crate::environment::Environment;
use crate::error::{ApiError, ApiResult};
use crate::http::{emit_id, to_its_end};
use crate::resources::experiment::{keep_workflows_out, refuse_while_running};
use crate::resources::file::UploadStatus;
use crate::resources::image::pruning::Pruned;
use crate::resources::image::queries as images;
use crate::resources::segmentation::queries as segmentations;
use crate::store::Tx;

/// An acquisition as stored, with how many of its files are where.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Acquisition {
    /// Row id.
    pub id: i64,
    /// The plate it belongs to.
    pub plate_id: i64,
    /// Name of that plate.
    pub plate_name: String,
    /// Name, unique in the plate.
    pub name: String,
    /// Free text.
    pub description: String,
    /// Number of its registered files.
    pub files: i64,
    /// How many of them are being uploaded.
    pub uploading: i64,
    /// How many of them are stored.
    pub complete: i64,
}

impl Acquisition {
    /// How far the uploads are.
    pub fn status(&self) -> UploadStatus {
        if self.uploading > 0 {
            UploadStatus::Uploading
        } else if self.files > 0 && self.complete == self.files {
            UploadStatus::Complete
        } else {
            UploadStatus::Waiting
        }
    }
}

/// An acquisition on the wire; plates list theirs.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Acquisition)]
pub struct AcquisitionBody {
    /// Id.
    #[schema(example = "17")]
    id: String,
    /// Name, unique in the plate.
    #[schema(example = "day1")]
    name: String,
    /// Free text.
    #[schema(example = "as imaged on Monday")]
    description: String,
    /// `WAITING`, `UPLOADING` or `COMPLETE`.
    #[schema(example = "COMPLETE")]
    status: &'static str,
    /// Name of the plate.
    #[schema(example = "plate01")]
    plate_name: String,
}

impl From<Acquisition> for AcquisitionBody {
    fn from(acquisition: Acquisition) -> Self {
        let status = acquisition.status().name();
        Self {
            id: emit_id(acquisition.id),
            name: acquisition.name,
            description: acquisition.description,
            status,
            plate_name: acquisition.plate_name,
        }
    }
}

/// One acquisition of an experiment.
///
/// # Errors
/// 404 when the experiment has none of this id.
pub async fn get(tx: &mut Tx, experiment: i64, id: i64) -> ApiResult<Acquisition> {
    queries::find(tx, experiment, id).await?.ok_or_else(|| unknown(id))
}

/// 404 for an acquisition.
pub fn unknown(id: i64) -> ApiError {
    ApiError::not_found(format!("acquisition {id}"))
}

/// Delete an acquisition with its files, the channel images made of them, the objects that only those show, and what
/// is nothing without those (see [`Pruned`]): rows in one transaction, then files.
///
/// # Errors
/// 404 for an unknown acquisition, 409 while a workflow runs.
pub async fn delete(environment: &Environment, experiment: i64, id: i64) -> ApiResult<()> {
    let environment = environment.clone();
    to_its_end(async move {
        // Looked at again where it counts; here so that a refusal need not wait for a chance to write.
        refuse_while_running(&mut environment.db.read().await?, experiment).await?;
        let mut tx = environment.db.write().await?;
        keep_workflows_out(&mut tx, experiment, environment.now()).await?;
        let acquisition = get(&mut tx, experiment, id).await?;
        let planes = images::planes_of_acquisition(&mut tx, id).await?;
        segmentations::delete_of_acquisition(&mut tx, experiment, id).await?;
        queries::delete(&mut tx, experiment, id).await?;
        let mut pruned = Pruned::default();
        if !planes.is_empty() {
            Pruned::empty_layers(&mut tx, experiment, &planes).await?;
            pruned.layers_and_channels(&mut tx, &environment, experiment).await?;
            pruned.plate(&mut tx, &environment, experiment, acquisition.plate_id).await?;
        }
        pruned.files(environment.data.uploads(experiment, id));
        pruned.feature_files(&mut tx, &environment, experiment).await?;
        pruned.commit(tx, &environment, experiment).await?.remove(&environment).await;
        Ok(())
    })
    .await
}
