//! jterator: the analysis pipeline, which finds objects and measures them, site by site.
//!
//! What the pipeline found before goes when the step begins; objects of types that were uploaded stay. A site is stored
//! whole or not at all, and one that fails does not keep the others of its batch from being done.

mod findings;
mod sources;

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Argument, ArgumentKind, Default, Step, StepError, StepResult, parse_batch, to_batch};
use crate::compute::ComputeError;
use crate::failpoint;
use crate::jterator::project::CheckedProject;
use crate::jterator::run::run as run_pipeline;
use crate::resources::alignment::queries as alignments;
use crate::resources::experiment::queries as experiments;
use crate::resources::feature::{self, merging, tables};
use crate::resources::image::pruning::Pruned;
use crate::resources::image::{correction_of, queries as images};
use crate::resources::mapobject::queries as mapobjects;
use crate::resources::segmentation::found::{self, FoundObjects, Parents};
use crate::resources::{channel, jterator as projects};
use crate::workflow::job::JobContext;
use findings::{Findings, StoredType};
use sources::{ChannelInput, SiteSources};

/// Failed sites that the collect job lists.
const SITES_LISTED: usize = 100;

/// The step.
#[derive(Debug)]
pub struct Jterator;

/// The sites of one job.
#[derive(Debug, Serialize, Deserialize)]
struct Batch {
    sites: Vec<i64>,
}

/// What a job works with at every site.
#[derive(Debug)]
struct Plan {
    project: CheckedProject,
    channels: Vec<ChannelInput>,
    types: Vec<StoredType>,
}

impl Step for Jterator {
    fn name(&self) -> &'static str {
        "jterator"
    }

    fn full_name(&self) -> &'static str {
        "Image analysis pipeline"
    }

    fn help(&self) -> &'static str {
        "Runs the modules of the experiment's pipeline at every site: finds objects and measures them."
    }

    fn batch_arguments(&self) -> &'static [Argument] {
        const ARGUMENTS: &[Argument] = &[Argument::optional(
            "batch_size",
            ArgumentKind::Integer { min: 1 },
            Default::Integer(100),
            "number of sites to analyse per job",
        )];
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

/// Remove what an earlier run found, and make the types and features that this one will fill.
async fn init(job: &JobContext) -> StepResult<Vec<Value>> {
    let (environment, experiment) = (&job.environment, job.experiment.id);
    let mut tx = job.write().await?;
    projects::queries::begin_run(&mut tx, experiment).await?;
    let project = projects::checked_run(&mut tx, experiment).await?;
    let mut pruned = Pruned::default();
    for (kind, name) in mapobjects::found_types(&mut tx, experiment).await? {
        if project.objects.iter().any(|input| input.name == name) {
            continue;
        }
        for file in feature::files_of_type(&mut tx, environment, experiment, kind).await? {
            pruned.files(file);
        }
        mapobjects::delete_type(&mut tx, experiment, kind).await?;
    }
    projects::queries::forget_failures(&mut tx, experiment).await?;
    let columns = project.columns();
    for output in &project.outputs {
        let kind =
            mapobjects::get_or_insert_found_type(&mut tx, experiment, &output.name, !output.as_polygons);
        let kind = kind.await?.ok_or_else(|| {
            StepError::Input(format!(
                "the pipeline saves \"{0}\", but there are uploaded objects of this type; delete or rename them, or \
                 save the pipeline's under another name",
                output.name
            ))
        })?;
        let names: Vec<String> =
            columns[output.name.as_str()].iter().map(|name| (*name).to_owned()).collect();
        tables::make_features(&mut tx, kind, &names).await?;
    }
    let sites = alignments::sites(&mut tx, experiment).await?;
    pruned.commit(tx, environment, experiment).await?.remove(environment).await;
    if project.is_empty() {
        job.log.info("the pipeline has no modules: there is nothing to do");
        return Ok(vec![to_batch(&Batch { sites: Vec::new() })?]);
    }
    let size = job.arguments.count("batch_size");
    sites.chunks(size).map(|sites| to_batch(&Batch { sites: sites.to_vec() })).collect()
}

async fn run(job: &JobContext, batch: &Value) -> StepResult<()> {
    let Batch { sites } = parse_batch(batch)?;
    let plan = Arc::new(plan(job).await?);
    let mut done = 0;
    for site in &sites {
        job.stop.check()?;
        match analyse(job, &plan, *site).await? {
            None => done += 1,
            Some(reason) => {
                let mut tx = job.write().await?;
                let place = alignments::place_of_site(&mut tx, *site).await?;
                projects::queries::note_failure(&mut tx, *site, &reason).await?;
                tx.commit().await?;
                job.log.warn(format!("{place}: {reason}"));
            }
        }
    }
    job.log.info(format!("{done} of {} sites done", sites.len()));
    Ok(())
}

/// Run the pipeline at a site and store what it finds; the value is why that failed, where others may succeed.
async fn analyse(job: &JobContext, plan: &Arc<Plan>, site: i64) -> StepResult<Option<String>> {
    match find(job, plan, site).await {
        Ok(found) => {
            store(job, plan, site, found).await?;
            Ok(None)
        }
        Err(StepError::Input(reason)) => Ok(Some(reason)),
        Err(StepError::Engine(error)) => Ok(Some(error.to_string())),
        Err(StepError::Run(error)) => Ok(Some(error.to_string())),
        Err(StepError::Resource(error)) if error.kind().status().is_client_error() => {
            Ok(Some(error.message().to_owned()))
        }
        Err(StepError::Compute(ComputeError::Panicked)) => Ok(Some("a module panicked".to_owned())),
        Err(error) => Err(error),
    }
}

/// What the pipeline finds at a site: time point after time point, so that one is in memory at once.
async fn find(
    job: &JobContext,
    plan: &Arc<Plan>,
    site: i64,
) -> StepResult<(Vec<FoundObjects>, Vec<Parents>)> {
    let environment = job.environment.clone();
    let plan = Arc::clone(plan);
    let Plan { project, channels, .. } = &*plan;
    let sources =
        SiteSources::find(&environment, job.experiment.id, site, channels, &project.objects).await?;
    let compute = environment.compute.clone();
    let stop = job.stop.clone();
    compute
        .batch(move |engine| -> StepResult<_> {
            let Plan { project, types, .. } = &*plan;
            let mut findings = Findings::new(engine, project, types, sources.shown);
            for tpoint in sources.tpoints() {
                let inputs = sources.read(&environment, engine, tpoint)?;
                findings.add(run_pipeline(project, inputs, || Ok::<_, StepError>(stop.check()?))?)?;
            }
            Ok(findings.finish())
        })
        .await?
}

async fn store(
    job: &JobContext,
    plan: &Plan,
    site: i64,
    (objects, parents): (Vec<FoundObjects>, Vec<Parents>),
) -> StepResult<()> {
    let (environment, experiment) = (&job.environment, job.experiment.id);
    environment.space.check()?;
    for kind in &plan.types {
        merging::make_room(environment, experiment, kind.id).await?;
    }
    let mut tx = job.write().await?;
    // In turn with uploads of feature values, whose files are numbered like these.
    experiments::touch(&mut tx, experiment, environment.now()).await?;
    found::replace(environment, &mut tx, experiment, site, objects, &parents).await?;
    projects::queries::forget_failure(&mut tx, site).await?;
    failpoint::reached("jterator stored");
    tx.commit().await?;
    failpoint::reached("jterator committed");
    for kind in &plan.types {
        merging::begin(environment, experiment, kind.id);
    }
    Ok(())
}

/// Put the files of feature values together, and say at which sites the pipeline failed.
async fn collect(job: &JobContext) -> StepResult<()> {
    let (environment, experiment) = (&job.environment, job.experiment.id);
    let mut tx = environment.db.read().await?;
    let types = mapobjects::found_types(&mut tx, experiment).await?;
    let failed = projects::queries::failures(&mut tx, experiment).await?;
    let sites = alignments::sites(&mut tx, experiment).await?.len();
    let mut listed = Vec::new();
    for (site, reason) in failed.iter().take(SITES_LISTED) {
        listed.push(format!("{}: {reason}", alignments::place_of_site(&mut tx, *site).await?));
    }
    drop(tx);
    for (kind, _) in types {
        job.stop.check()?;
        merging::merge_all(environment, experiment, kind).await?;
    }
    if failed.is_empty() {
        return Ok(());
    }
    listed.iter().for_each(|line| job.log.warn(line));
    let summary = format!("the pipeline failed at {} of {sites} sites", failed.len());
    if failed.len() == sites {
        return Err(StepError::Input(format!("{summary}; {}", listed[0])));
    }
    job.log.warn(summary);
    Ok(())
}

/// The project that this run began with, checked against the experiment as it is now.
async fn plan(job: &JobContext) -> StepResult<Plan> {
    let (environment, experiment) = (&job.environment, job.experiment.id);
    let mut tx = environment.db.read().await?;
    let project = projects::checked_run(&mut tx, experiment).await?;
    let mut channels = Vec::with_capacity(project.channels.len());
    for input in &project.channels {
        let found = channel::queries::list(&mut tx, experiment, Some(&input.name)).await?;
        let found = found.first().ok_or_else(|| gone("channel", &input.name))?;
        let statistics = match input.correct {
            true => Some(images::current_statistics(&mut tx, found.id).await?.ok_or_else(|| {
                StepError::Input(format!(
                    "channel \"{}\" has no illumination statistics to correct its images with: run corilla before, or \
                     set `correct` to false",
                    input.name
                ))
            })?),
            false => None,
        };
        channels.push((input.name.clone(), found.id, statistics));
    }
    let columns = project.columns();
    let mut types = Vec::with_capacity(project.outputs.len());
    for output in &project.outputs {
        let found = mapobjects::find_type_by_name(&mut tx, experiment, &output.name).await?;
        let found = found.ok_or_else(|| gone("object type", &output.name))?;
        let known = feature::queries::all_of_type(&mut tx, found.id).await?;
        // Those that someone deleted meanwhile are not measured again.
        let stored = |name: &&str| {
            known.iter().find(|(_, known)| known == name).map(|(id, _)| (name.to_string(), *id))
        };
        let features = columns[output.name.as_str()].iter().filter_map(stored).collect();
        types.push(StoredType {
            name: output.name.clone(),
            id: found.id,
            outlines: output.as_polygons,
            features,
        });
    }
    drop(tx);
    let mut corrected = Vec::with_capacity(channels.len());
    for (name, id, statistics) in channels {
        let correction = correction_of(environment, experiment, statistics.as_ref()).await?;
        corrected.push(ChannelInput { name, id, correction });
    }
    Ok(Plan { project, channels: corrected, types })
}

fn gone(what: &str, name: &str) -> StepError {
    StepError::Input(format!("{what} \"{name}\" of the pipeline is gone"))
}
