//! metaconfig: works out wells, sites, channels, time points and focal planes from names and metadata.
//!
//! Run jobs check one acquisition each. The collect job puts the acquisitions together: it makes the
//! plates' images at their final shape under a new generation, brings the experiment's wells, sites, channels
//! and cycles up to date ([`rows`]) and replaces its planes, in one transaction. What later steps made of the
//! old planes goes with them; objects stay on the sites that stay.

mod assembly;
mod rows;

use std::path::PathBuf;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::assembly::{ExperimentAssembly, SharedRows};
use self::rows::{KnownPlaces, Renamed};
use super::{Argument, ArgumentKind, Default, Step, StepError, StepResult, parse_batch, source, to_batch};
use crate::failpoint;
use crate::microscopes::{AcquisitionPlan, PlanOptions, PlateFormat, StitchLayout, plan_acquisition};
use crate::resources::feature;
use crate::resources::workflow::queries::{self, AcquisitionOfPlate};
use crate::storage::images::create_plate;
use crate::store::Tx;
use crate::workflow::job::JobContext;
use crate::workflow::stop::Interruption;

/// The step.
#[derive(Debug)]
pub struct Metaconfig;

#[derive(Debug, Serialize, Deserialize)]
struct Batch {
    acquisition: i64,
}

impl Step for Metaconfig {
    fn name(&self) -> &'static str {
        "metaconfig"
    }

    fn full_name(&self) -> &'static str {
        "Configuration of image metadata"
    }

    fn help(&self) -> &'static str {
        "Works out wells, sites, channels, time points and focal planes from file names and metadata."
    }

    fn batch_arguments(&self) -> &'static [Argument] {
        const ARGUMENTS: &[Argument] = &[
            Argument::optional(
                "regex",
                ArgumentKind::Text { choices: &[] },
                Default::Null,
                "regular expression with named groups w, t, s, z, c to read file names with; \
                 without one the microscope type's own is used",
            ),
            Argument::optional(
                "stitch_layout",
                ArgumentKind::Text {
                    choices: &["horizontal", "zigzag_horizontal", "vertical", "zigzag_vertical"],
                },
                Default::Text("horizontal"),
                "order in which the sites of a well were taken; not used where stage positions are known",
            ),
            Argument::optional(
                "n_vertical",
                ArgumentKind::Integer { min: 1 },
                Default::Null,
                "rows of sites in a well; needed only without stage positions",
            ),
            Argument::optional(
                "n_horizontal",
                ArgumentKind::Integer { min: 1 },
                Default::Null,
                "columns of sites in a well; needed only without stage positions",
            ),
            Argument::optional(
                "mip",
                ArgumentKind::Flag,
                Default::Flag(false),
                "store the maximum intensity projection along z instead of every focal plane",
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
    let mut tx = job.environment.db.read().await?;
    let acquisitions = queries::acquisitions_of(&mut tx, job.experiment.id).await?;
    acquisitions.iter().map(|acquisition| to_batch(&Batch { acquisition: acquisition.id })).collect()
}

async fn run(job: &JobContext, batch: &Value) -> StepResult<()> {
    let Batch { acquisition } = parse_batch(batch)?;
    let acquisitions =
        queries::acquisitions_of(&mut job.environment.db.read().await?, job.experiment.id).await?;
    let acquisition = acquisitions
        .iter()
        .find(|candidate| candidate.id == acquisition)
        .ok_or_else(|| StepError::Input(format!("acquisition {acquisition} was deleted meanwhile")))?;
    let plan = plan_of(job, acquisition).await?;
    for warning in &plan.warnings {
        job.log.warn(warning);
    }
    job.log.info(format!(
        "acquisition \"{}\": {} wells, {} sites, {} channels, {} time points, {} focal planes, \
         {} planes of {}×{} pixels, {} bit; sites placed by {:?}",
        acquisition.name,
        plan.wells.len(),
        plan.wells.iter().map(|well| well.sites.len()).sum::<usize>(),
        plan.channels.len(),
        plan.time_points,
        plan.z_planes,
        plan.planes.len(),
        plan.size.height,
        plan.size.width,
        plan.bit_depth,
        plan.grid,
    ));
    Ok(())
}

/// What an acquisition's files say, by the job's arguments.
async fn plan_of(job: &JobContext, acquisition: &AcquisitionOfPlate) -> StepResult<AcquisitionPlan> {
    let environment = &job.environment;
    let microscope = source::microscope(job)?;
    let files = source::image_files(environment, acquisition.id, &acquisition.name).await?;
    let metadata = source::metadata_files(environment, job.experiment.id, acquisition).await?;
    let options = options(job)?;
    let name = acquisition.name.clone();
    environment
        .compute
        .batch(move |_| {
            let images = files.iter().map(source::with_header).collect::<StepResult<Vec<_>>>()?;
            plan_acquisition(microscope, &images, &metadata, &options)
                .map_err(|error| StepError::Input(format!("acquisition \"{name}\": {error}")))
        })
        .await?
}

fn options(job: &JobContext) -> StepResult<PlanOptions> {
    let format = u32::try_from(job.experiment.plate_format).ok().and_then(PlateFormat::from_wells);
    let format = format.ok_or_else(|| {
        StepError::Internal(format!("unknown plate format {}", job.experiment.plate_format))
    })?;
    let size = |name| job.arguments.integer(name).and_then(|value| usize::try_from(value).ok());
    let layout = job.arguments.text("stitch_layout").unwrap_or("horizontal");
    Ok(PlanOptions {
        regex: job.arguments.text("regex").map(str::to_owned),
        stitch_layout: layout.parse::<StitchLayout>().map_err(StepError::Input)?,
        n_vertical: size("n_vertical"),
        n_horizontal: size("n_horizontal"),
        mip: job.arguments.flag("mip"),
        plate_format: format,
    })
}

async fn collect(job: &JobContext) -> StepResult<()> {
    let environment = &job.environment;
    let experiment = job.experiment.id;
    let acquisitions = queries::acquisitions_of(&mut environment.db.read().await?, experiment).await?;
    let mut planned = Vec::new();
    for acquisition in acquisitions {
        job.stop.check()?;
        let plan = plan_of(job, &acquisition).await?;
        planned.push((acquisition, plan));
    }
    let assembly = ExperimentAssembly::of(job.experiment.acquisition_mode()?, planned)?;
    let replaced = async {
        make_plates(job, &assembly).await?;
        failpoint::reached("metaconfig plates made");
        replace_rows(job, &assembly).await
    };
    let (tx, Replaced { obsolete, renamed }) = match replaced.await {
        Ok(replaced) => replaced,
        Err(error) => {
            take_back(job, &assembly, &error).await;
            return Err(error);
        }
    };
    tx.commit().await?;
    failpoint::reached("metaconfig committed");
    environment.maps.forget(experiment).await;
    for path in obsolete {
        environment.remove_files(path).await;
    }
    for Renamed { from, to, .. } in renamed {
        job.log.warn(format!(
            "channel \"{from}\" is called \"{to}\" again: the files have another channel named \"{from}\" now"
        ));
    }
    job.log.info(format!(
        "{} plates, {} channels, {} cycles",
        assembly.plates.len(),
        assembly.channels.len(),
        assembly.cycles
    ));
    Ok(())
}

/// Make the plates' images under a new generation, which no row names yet.
async fn make_plates(job: &JobContext, assembly: &ExperimentAssembly) -> StepResult<()> {
    let environment = &job.environment;
    for plate in &assembly.plates {
        job.stop.check()?;
        let spec = plate.spec(assembly);
        let path = environment.data.plate_images(job.experiment.id, plate.id, plate.generation);
        // A generation that no row names was left behind by a crash.
        environment.remove_files(path.clone()).await;
        environment.compute.batch(move |_| create_plate(&path, &spec)).await??;
    }
    Ok(())
}

/// Remove the plates' images that were made in vain, unless another worker may be making the same ones.
async fn take_back(job: &JobContext, assembly: &ExperimentAssembly, error: &StepError) {
    let environment = &job.environment;
    let is_killed = job.stop.check() == Err(Interruption::Killed);
    if matches!(error, StepError::LeaseLost) && !is_killed {
        environment.leftovers.add();
        return;
    }
    for plate in &assembly.plates {
        let path = environment.data.plate_images(job.experiment.id, plate.id, plate.generation);
        environment.remove_files(path).await;
    }
}

/// What [`replace_rows`] did beside replacing rows.
struct Replaced {
    /// Files that no row names any more.
    obsolete: Vec<PathBuf>,
    renamed: Vec<Renamed>,
}

/// Replace the experiment's planes in one transaction, and bring up to date what they belong to; to be committed.
async fn replace_rows(job: &JobContext, assembly: &ExperimentAssembly) -> StepResult<(Tx, Replaced)> {
    let environment = &job.environment;
    let experiment = job.experiment.id;
    let data = &environment.data;
    let mut tx = job.write().await?;
    let mut obsolete = Vec::new();
    let layers = queries::delete_layers(&mut tx, experiment).await?;
    obsolete.extend(layers.into_iter().map(|layer| data.layer(experiment, layer)));
    let statistics = queries::delete_statistics(&mut tx, experiment).await?;
    obsolete.extend(statistics.iter().map(|file| data.statistics(experiment, file)));
    queries::clear_pyramid(&mut tx, experiment).await?;
    queries::delete_planes(&mut tx, experiment).await?;
    let cycles = rows::cycles(&mut tx, experiment, assembly.cycles).await?;
    let channels = rows::channels(&mut tx, experiment, &assembly.channels, assembly.bits).await?;
    let shared = SharedRows { channels: channels.ids, cycles };
    let mut places = KnownPlaces::read(&mut tx, experiment).await?;
    for plate in &assembly.plates {
        plate.insert(&mut tx, assembly, &shared, &mut places).await?;
        queries::set_image_generation(&mut tx, plate.id, plate.generation, environment.now()).await?;
        obsolete.push(data.plate_images(experiment, plate.id, plate.generation - 1));
    }
    places.delete_rest(&mut tx).await?;
    obsolete.extend(feature::forget_empty_files(&mut tx, environment, experiment).await?);
    Ok((tx, Replaced { obsolete, renamed: channels.renamed }))
}
