//! corilla: illumination statistics of every channel, from which uneven illumination is corrected.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tm_engine::Engine;
use tm_engine::image::GreyPlane;
use tm_engine::kernels::illumination::{IlluminationStatistics, IlluminationSums};

use super::{Argument, Step, StepError, StepResult, parse_batch, to_batch};
use crate::environment::Environment;
use crate::failpoint;
use crate::resources::workflow::queries::{self, StoredPlane};
use crate::storage::statistics;
use crate::workflow::job::JobContext;
use crate::workflow::stop::JobStop;

/// More images than this do not make the statistics better; a fixed choice of them is taken.
const MAX_IMAGES: usize = 20_000;
/// Fewer images than this leave traces of their cells in the correction.
const FEW_IMAGES: usize = 100;
/// Images that are read and added together: the sums cross memory once for all of them.
const IMAGES_AT_ONCE: usize = 16;

/// The step.
#[derive(Debug)]
pub struct Corilla;

#[derive(Debug, Serialize, Deserialize)]
struct Batch {
    channel: i64,
    name: String,
}

impl Step for Corilla {
    fn name(&self) -> &'static str {
        "corilla"
    }

    fn full_name(&self) -> &'static str {
        "Calculation of illumination statistics"
    }

    fn help(&self) -> &'static str {
        "Gathers per-pixel mean and spread over all images of a channel, to correct uneven illumination with."
    }

    fn batch_arguments(&self) -> &'static [Argument] {
        &[]
    }

    fn init<'a>(&'a self, job: &'a JobContext) -> BoxFuture<'a, StepResult<Vec<Value>>> {
        init(job).boxed()
    }

    fn run<'a>(&'a self, job: &'a JobContext, batch: &'a Value) -> BoxFuture<'a, StepResult<()>> {
        run(job, batch).boxed()
    }
}

async fn init(job: &JobContext) -> StepResult<Vec<Value>> {
    let channels = queries::channels_of(&mut job.environment.db.read().await?, job.experiment.id).await?;
    channels
        .into_iter()
        .filter(|channel| channel.planes > 0)
        .map(|channel| to_batch(&Batch { channel: channel.id, name: channel.name }))
        .collect()
}

async fn run(job: &JobContext, batch: &Value) -> StepResult<()> {
    let environment = &job.environment;
    let experiment = job.experiment.id;
    let Batch { channel, name } = parse_batch(batch)?;
    let planes = queries::stored_planes_of(&mut environment.db.read().await?, channel).await?;
    let planes = choose(planes);
    if planes.len() < FEW_IMAGES {
        job.log.warn(format!(
            "channel \"{name}\" has {} images; from {FEW_IMAGES} on the correction is free of traces of cells",
            planes.len()
        ));
    }
    let images = planes.len();
    // A name of its own for every attempt: what a row names never changes.
    let file = format!("{channel}-{}-{}", job.lease.task, job.lease.epoch);
    let path = environment.data.statistics(experiment, &file);
    let (worker, stop) = (environment.clone(), job.stop.clone());
    environment
        .compute
        .batch(move |engine| -> StepResult<()> {
            let statistics = gather(&worker, engine, experiment, &planes, &stop)?;
            worker.space.check()?;
            statistics::write(&path, &statistics)?;
            Ok(())
        })
        .await??;
    failpoint::reached("corilla written");
    let mut tx = job.write().await?;
    let now = environment.now();
    let images_stored = i64::try_from(images).unwrap_or(i64::MAX);
    queries::insert_statistics(&mut tx, channel, &file, images_stored, now).await?;
    let unused = queries::delete_unused_statistics(&mut tx, experiment).await?;
    tx.commit().await?;
    failpoint::reached("corilla committed");
    for file in unused {
        environment.remove_files(environment.data.statistics(experiment, &file)).await;
    }
    job.log.info(format!("channel \"{name}\": statistics over {images} images"));
    Ok(())
}

/// At most [`MAX_IMAGES`] planes, spread evenly over all: the same ones in every run.
fn choose(planes: Vec<StoredPlane>) -> Vec<StoredPlane> {
    let count = planes.len();
    if count <= MAX_IMAGES {
        return planes;
    }
    (0..MAX_IMAGES).map(|index| planes[index * count / MAX_IMAGES].clone()).collect()
}

/// Statistics over the planes; the result does not depend on their order or number of threads.
fn gather(
    environment: &Environment,
    engine: &Engine,
    experiment: i64,
    planes: &[StoredPlane],
    stop: &JobStop,
) -> StepResult<IlluminationStatistics> {
    let mut sums: Option<IlluminationSums> = None;
    for group in planes.chunks(IMAGES_AT_ONCE) {
        stop.check()?;
        let images = group
            .par_iter()
            .map(|plane| read(environment, experiment, plane))
            .collect::<StepResult<Vec<_>>>()?;
        let images: Vec<&GreyPlane> = images.iter().collect();
        let sums = sums.get_or_insert_with(|| IlluminationSums::new(images[0].size(), images[0].depth()));
        engine.add_to_statistics(sums, &images)?;
    }
    let sums = sums.ok_or_else(|| StepError::Input("the channel has no stored images".to_owned()))?;
    Ok(sums.finish())
}

fn read(environment: &Environment, experiment: i64, plane: &StoredPlane) -> StepResult<GreyPlane> {
    let plate = environment.data.plate_images(experiment, plane.plate_id, plane.image_generation);
    let at = plane.index().ok_or_else(|| StepError::Internal(format!("channel image {}", plane.id)))?;
    environment.images.get_field(&plate, &plane.field)?.read_plane(at)?.ok_or_else(|| {
        StepError::Input(format!(
            "the pixels of channel image {} ({}) are missing: run imextract again",
            plane.id, plane.field
        ))
    })
}
