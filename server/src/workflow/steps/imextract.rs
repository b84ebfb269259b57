//! imextract: copies the pixels from the uploaded files into the plates' channel images.

use std::collections::HashMap;
use std::path::PathBuf;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tm_engine::Engine;
use tm_engine::image::GreyPlane;

use super::{Argument, ArgumentKind, Default, Step, StepError, StepResult, parse_batch, source, to_batch};
use crate::environment::Environment;
use crate::failpoint;
use crate::resources::workflow::queries::{self, StoredPlane};
use crate::storage::images::PlaneIndex;
use crate::storage::readers::{ReadLimits, read_plane};
use crate::workflow::job::JobContext;

use super::source::SourceDirectory;

/// How many broken files a message names.
const NAMED_FILES: usize = 10;
/// How many planes that could not be stored a log names.
const LOGGED_PLANES: usize = 20;

/// The step.
#[derive(Debug)]
pub struct Imextract;

/// A page of an uploaded file that a plane is made of.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Source {
    /// Secured file name.
    pub file: String,
    /// Zero-based page.
    pub page: usize,
}

#[derive(Debug, Serialize, Deserialize)]
struct Batch {
    /// Row ids.
    planes: Vec<i64>,
}

/// A plane to copy, everything looked up.
struct Copy {
    plane: StoredPlane,
    at: PlaneIndex,
    plate: PathBuf,
    directory: SourceDirectory,
    sources: Vec<Source>,
}

impl Step for Imextract {
    fn name(&self) -> &'static str {
        "imextract"
    }

    fn full_name(&self) -> &'static str {
        "Extraction of image pixels"
    }

    fn help(&self) -> &'static str {
        "Copies the pixels of the image files into the channel images, projected along z if asked for."
    }

    fn batch_arguments(&self) -> &'static [Argument] {
        const ARGUMENTS: &[Argument] = &[
            Argument::optional(
                "batch_size",
                ArgumentKind::Integer { min: 1 },
                Default::Integer(100),
                "number of channel images per job",
            ),
            Argument::optional(
                "delete",
                ArgumentKind::Flag,
                Default::Flag(false),
                "delete the uploaded image files afterwards; the conversion cannot run again then",
            ),
        ];
        ARGUMENTS
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
    let mut tx = job.write().await?;
    queries::unstore_planes(&mut tx, job.experiment.id).await?;
    let planes = queries::plane_ids(&mut tx, job.experiment.id).await?;
    tx.commit().await?;
    planes
        .chunks(job.arguments.count("batch_size"))
        .map(|chunk| to_batch(&Batch { planes: chunk.to_vec() }))
        .collect()
}

async fn run(job: &JobContext, batch: &Value) -> StepResult<()> {
    let environment = &job.environment;
    let Batch { planes } = parse_batch(batch)?;
    let directories = source::directories(environment, job.experiment.id).await?;
    let mut copies = Vec::with_capacity(planes.len());
    let mut tx = environment.db.read().await?;
    for id in &planes {
        copies.push(prepare(job, &directories, queries::plane(&mut tx, *id).await?)?);
    }
    drop(tx);
    let places: Vec<String> = copies.iter().map(|copy| copy.plane.place()).collect();
    let (worker, stop) = (environment.clone(), job.stop.clone());
    let outcomes: Vec<StepResult<()>> = environment
        .compute
        .each_file(copies, move |engine, copy| {
            stop.check()?;
            extract(&worker, engine, &copy)
        })
        .await?;
    failpoint::reached("imextract written");
    let mut stored = 0;
    let mut broken = Vec::new();
    let mut tx = job.write().await?;
    // A broken file is no reason to lose the others.
    for ((id, place), outcome) in planes.iter().zip(&places).zip(outcomes) {
        match outcome {
            Ok(()) => {
                queries::set_stored(&mut tx, *id).await?;
                stored += 1;
            }
            Err(error) => {
                if broken.len() < LOGGED_PLANES {
                    job.log.warn(format!("{place}: not stored, {error}"));
                }
                broken.push(error);
            }
        }
    }
    tx.commit().await?;
    failpoint::reached("imextract committed");
    if broken.len() > LOGGED_PLANES {
        job.log.warn(format!("and {} more channel images are not stored", broken.len() - LOGGED_PLANES));
    }
    job.log.info(format!("stored {stored} of {} channel images", planes.len()));
    failure_of(broken).map_or(Ok(()), Err)
}

/// What to say about the planes that could not be copied; `None` without any.
fn failure_of(mut broken: Vec<StepError>) -> Option<StepError> {
    // What is not about a file is about this machine: that comes first.
    if let Some(other) = broken.iter().position(|error| !matches!(error, StepError::Input(_))) {
        return Some(broken.swap_remove(other));
    }
    let mut messages: Vec<String> = broken.iter().map(ToString::to_string).collect();
    messages.dedup();
    messages.truncate(NAMED_FILES);
    (!broken.is_empty()).then(|| {
        StepError::Input(format!("{} channel image(s) cannot be made: {}", broken.len(), messages.join("; ")))
    })
}

fn prepare(
    job: &JobContext,
    directories: &HashMap<i64, SourceDirectory>,
    plane: StoredPlane,
) -> StepResult<Copy> {
    let environment = &job.environment;
    let experiment = job.experiment.id;
    let sources: Vec<Source> = serde_json::from_str(&plane.sources)
        .map_err(|error| StepError::Internal(format!("sources of channel image {}: {error}", plane.id)))?;
    let directory = source::directory_of(directories, plane.acquisition_id)?.clone();
    let plate = environment.data.plate_images(experiment, plane.plate_id, plane.image_generation);
    let at = plane.index().ok_or_else(|| StepError::Internal(format!("channel image {}", plane.id)))?;
    Ok(Copy { plane, at, plate, directory, sources })
}

fn extract(environment: &Environment, engine: &Engine, copy: &Copy) -> StepResult<()> {
    environment.space.check()?;
    let limits = ReadLimits::default();
    // Planes are projected as they are read, so that a deep stack takes no more memory than two planes.
    let mut projection: Option<GreyPlane> = None;
    for Source { file, page } in &copy.sources {
        let plane = read_plane(&copy.directory.file(file)?, *page, &limits).map_err(source::unreadable)?;
        projection = Some(match projection {
            None => plane,
            Some(so_far) => engine.project_max(&[so_far, plane])?,
        });
    }
    let pixels = projection
        .ok_or_else(|| StepError::Internal(format!("channel image {} is made of nothing", copy.plane.id)))?;
    let field = environment.images.get_field(&copy.plate, &copy.plane.field)?;
    field.write_plane(copy.at, &pixels)?;
    Ok(())
}

async fn collect(job: &JobContext) -> StepResult<()> {
    if !job.arguments.flag("delete") {
        return Ok(());
    }
    let environment = &job.environment;
    let experiment = job.experiment.id;
    let acquisitions = queries::acquisitions_of(&mut environment.db.read().await?, experiment).await?;
    for acquisition in acquisitions {
        if let Some(directory) = &acquisition.directory {
            job.log.warn(format!(
                "the image files of acquisition \"{}\" lie in {directory}, which is only linked: not deleted",
                acquisition.name
            ));
            continue;
        }
        let mut tx = job.write().await?;
        let names = queries::delete_image_files(&mut tx, acquisition.id).await?;
        tx.commit().await?;
        failpoint::reached("imextract files deleted");
        for name in &names {
            environment.remove_files(environment.data.uploads(experiment, acquisition.id).join(name)).await;
        }
        job.log.info(format!("the image files of acquisition \"{}\" are deleted", acquisition.name));
    }
    Ok(())
}
