//! corilla: illumination statistics of every channel, from which uneven illumination is corrected.
//!
//! Run jobs sum parts of a channel's images; the collect job puts the parts together. Sums are exact whole
//! numbers, so the statistics do not depend on how the images are shared out.

use std::path::PathBuf;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tm_engine::Engine;
use tm_engine::image::GreyPlane;
use tm_engine::kernels::illumination::IlluminationSums;

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
/// Images of one job: enough that its sums, which are stored, do not count.
const IMAGES_PER_JOB: usize = 256;
/// Images that are read and added together: the sums cross memory once for all of them.
const IMAGES_AT_ONCE: usize = 16;

/// The step.
#[derive(Debug)]
pub struct Corilla;

/// A part of the images of a channel, of those that [`choose`] takes.
#[derive(Debug, Serialize, Deserialize)]
struct Batch {
    channel: i64,
    name: String,
    part: usize,
    parts: usize,
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

    fn has_collect(&self) -> bool {
        true
    }

    fn init<'a>(&'a self, job: &'a JobContext) -> BoxFuture<'a, StepResult<Vec<Value>>> {
        init(job).boxed()
    }

    fn run<'a>(&'a self, job: &'a JobContext, batch: &'a Value) -> BoxFuture<'a, StepResult<()>> {
        run(job, batch).boxed()
    }

    fn collect<'a>(&'a self, job: &'a JobContext) -> BoxFuture<'a, StepResult<()>> {
        collect(job).boxed()
    }
}

async fn init(job: &JobContext) -> StepResult<Vec<Value>> {
    let experiment = job.experiment.id;
    let mut tx = job.write().await?;
    let left_over = queries::delete_statistics_parts(&mut tx, experiment, None).await?;
    let channels = queries::channels_of(&mut tx, experiment).await?;
    tx.commit().await?;
    remove(job, left_over).await;
    let mut batches = Vec::new();
    for channel in channels.into_iter().filter(|channel| channel.planes > 0) {
        let images = usize::try_from(channel.planes).unwrap_or(usize::MAX).min(MAX_IMAGES);
        let parts = images.div_ceil(IMAGES_PER_JOB);
        for part in 0..parts {
            let name = channel.name.clone();
            batches.push(to_batch(&Batch { channel: channel.id, name, part, parts })?);
        }
    }
    Ok(batches)
}

async fn run(job: &JobContext, batch: &Value) -> StepResult<()> {
    let environment = &job.environment;
    let experiment = job.experiment.id;
    let Batch { channel, name, part, parts } = parse_batch(batch)?;
    let planes = queries::stored_planes_of(&mut environment.db.read().await?, channel).await?;
    let mut planes = choose(planes);
    if planes.len() < FEW_IMAGES {
        job.log.warn(format!(
            "channel \"{name}\" has {} images; from {FEW_IMAGES} on the correction is free of traces of cells",
            planes.len()
        ));
    }
    let (first, end) = (part * planes.len() / parts, (part + 1) * planes.len() / parts);
    let planes: Vec<_> = planes.drain(first..end).collect();
    let images = planes.len();
    // A name of its own for every attempt: what a row names never changes.
    let file = format!("{channel}-{part}-{}-{}", job.lease.task, job.lease.epoch);
    let path = environment.data.statistics(experiment, &file);
    let (worker, stop) = (environment.clone(), job.stop.clone());
    environment
        .compute
        .batch(move |engine| -> StepResult<()> {
            let sums = gather(&worker, engine, experiment, &planes, &stop)?;
            worker.space.check()?;
            statistics::write_sums(&path, &sums)?;
            Ok(())
        })
        .await??;
    failpoint::reached("corilla written");
    let (part_stored, images_stored) = (to_i64(part), to_i64(images));
    let named = async {
        let (mut tx, now) = (job.write().await?, environment.now());
        let replaced =
            queries::replace_statistics_part(&mut tx, channel, part_stored, &file, images_stored, now)
                .await?;
        Ok((tx, replaced))
    };
    let (tx, replaced) = named_or_removed(job, &file, named).await?;
    tx.commit().await?;
    failpoint::reached("corilla committed");
    remove(job, replaced).await;
    job.log.info(format!("channel \"{name}\": part {} of {parts}, {images} images", part + 1));
    Ok(())
}

/// Put the parts of every channel together.
async fn collect(job: &JobContext) -> StepResult<()> {
    let environment = &job.environment;
    let experiment = job.experiment.id;
    let channels = queries::channels_of(&mut environment.db.read().await?, experiment).await?;
    for channel in channels.into_iter().filter(|channel| channel.planes > 0) {
        job.stop.check()?;
        let mut tx = environment.db.read().await?;
        let parts = queries::statistics_parts(&mut tx, channel.id).await?;
        let merged = queries::images_of_statistics(&mut tx, channel.id).await?;
        drop(tx);
        let report = |images| {
            job.log.info(format!("channel \"{}\": statistics over {images} images", channel.name));
        };
        if let (true, Some(images)) = (parts.is_empty(), merged) {
            // An earlier attempt of this job put the parts together.
            report(images);
            continue;
        }
        let paths: Vec<_> = parts.iter().map(|file| environment.data.statistics(experiment, file)).collect();
        let file = format!("{}-{}-{}", channel.id, job.lease.task, job.lease.epoch);
        let path = environment.data.statistics(experiment, &file);
        let worker = environment.clone();
        let images = environment
            .compute
            .batch(move |_| -> StepResult<u64> {
                let statistics = merge(&paths)?.finish();
                worker.space.check()?;
                statistics::write(&path, &statistics)?;
                Ok(statistics.images)
            })
            .await??;
        failpoint::reached("corilla merged");
        let images_stored = i64::try_from(images).unwrap_or(i64::MAX);
        let named = async {
            let mut tx = job.write().await?;
            queries::insert_statistics(&mut tx, channel.id, &file, images_stored, environment.now()).await?;
            let mut unused = queries::delete_statistics_parts(&mut tx, experiment, Some(channel.id)).await?;
            unused.extend(queries::delete_unused_statistics(&mut tx, experiment).await?);
            Ok((tx, unused))
        };
        let (tx, unused) = named_or_removed(job, &file, named).await?;
        tx.commit().await?;
        failpoint::reached("corilla collected");
        remove(job, unused).await;
        report(images_stored);
    }
    Ok(())
}

/// Sums over all parts; exact, so that the number of parts changes nothing.
fn merge(paths: &[PathBuf]) -> StepResult<IlluminationSums> {
    let (first, others) =
        paths.split_first().ok_or_else(|| StepError::Internal("no parts to merge".to_owned()))?;
    let mut sums = statistics::read_sums(first)?;
    for path in others {
        sums.merge(&statistics::read_sums(path)?)?;
    }
    Ok(sums)
}

/// Do what is to name a file of this attempt in the database; the file goes if that fails, because nothing names it
/// then: the job was killed, for example.
async fn named_or_removed<T>(
    job: &JobContext,
    file: &str,
    naming: impl Future<Output = StepResult<T>>,
) -> StepResult<T> {
    let named = naming.await;
    if named.is_err() {
        remove(job, [file.to_owned()]).await;
    }
    named
}

/// Remove files that no row names.
async fn remove(job: &JobContext, files: impl IntoIterator<Item = String>) {
    for file in files {
        job.environment.remove_files(job.environment.data.statistics(job.experiment.id, &file)).await;
    }
}

fn to_i64(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// At most [`MAX_IMAGES`] planes, spread evenly over all: the same ones in every run.
fn choose(planes: Vec<StoredPlane>) -> Vec<StoredPlane> {
    let count = planes.len();
    if count <= MAX_IMAGES {
        return planes;
    }
    (0..MAX_IMAGES).map(|index| planes[index * count / MAX_IMAGES].clone()).collect()
}

/// Sums over the planes; the result does not depend on their order or number of threads.
fn gather(
    environment: &Environment,
    engine: &Engine,
    experiment: i64,
    planes: &[StoredPlane],
    stop: &JobStop,
) -> StepResult<IlluminationSums> {
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
    sums.ok_or_else(|| StepError::Input("the channel has no stored images".to_owned()))
}

fn read(environment: &Environment, experiment: i64, plane: &StoredPlane) -> StepResult<GreyPlane> {
    let plate = environment.data.plate_images(experiment, plane.plate_id, plane.image_generation);
    let at = plane.index().ok_or_else(|| StepError::Internal(format!("channel image {}", plane.id)))?;
    environment.images.get_field(&plate, &plane.field)?.read_plane(at)?.ok_or_else(|| {
        StepError::Input(format!("{}: the pixels are missing, run imextract again", plane.place()))
    })
}
