//! `tmserver process`: directories of microscope files to a map, in one go and without HTTP.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use clap::Args;
use serde_json::Value;
use tokio::fs::File;
use tokio::io::BufReader;

use super::progress::Progress;
use super::serve::interrupted;
use super::sources::{NamedSource, Source, sources};
use crate::app::{App, PATIENCE};
use crate::config::Config;
use crate::environment::DataLock;
use crate::jterator::project::directory;
use crate::jterator::{Project, Surroundings, check};
use crate::microscopes;
use crate::resources::acquisition::queries as acquisitions;
use crate::resources::experiment::{Experiment, NewExperiment, queries as experiments};
use crate::resources::file::{self, SkipReason};
use crate::resources::jterator as projects;
use crate::resources::plate::{self, queries as plates};
use crate::resources::user::queries as users;
use crate::resources::workflow::queries;
use crate::store::{Page, StoreError};
use crate::workflow::WorkflowType;
use crate::workflow::description::WorkflowDescription;
use crate::workflow::task::{Task, tree};

/// How often a running workflow is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// What to process.
#[derive(Debug, Args)]
pub struct ProcessArgs {
    /// Microscope type, for example cellvoyager
    #[arg(long, value_name = "TYPE")]
    microscope: String,
    /// Experiment to add the plates to; made if there is none of this name
    #[arg(long, value_name = "NAME")]
    experiment: String,
    /// Plate to make, of every directory that does not name its own
    #[arg(long, value_name = "NAME")]
    plate: Option<String>,
    /// Directory with the files of one acquisition; once for each, in their order
    #[arg(long = "acquisition", value_name = "[PLATE/]NAME=DIR")]
    acquisitions: Vec<NamedSource>,
    /// What several acquisitions of a plate are, if the experiment is new: basic (time points) or multiplexing (cycles)
    #[arg(long, value_name = "MODE", default_value = "basic")]
    acquisition_mode: String,
    /// Number of wells of the plate
    #[arg(long, value_name = "WELLS", default_value_t = 384)]
    plate_format: u64,
    /// Owner of the experiment [default: the only user there is]
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Workflow description, YAML or JSON [default: all stages with their defaults]
    #[arg(long, value_name = "FILE")]
    workflow: Option<PathBuf>,
    /// Directory with the analysis pipeline: pipeline.yaml and handles/*.handles.yaml [default: the experiment's]
    #[arg(long, value_name = "DIR")]
    pipeline: Option<PathBuf>,
    /// Directory with the microscope's files, if there is one acquisition
    source_dir: Option<PathBuf>,
}

/// Import the files, run the workflow, report.
pub async fn process(config: Config, args: ProcessArgs) -> anyhow::Result<()> {
    // Everything that can be wrong with the arguments is said before anything is made.
    let microscope = microscopes::find(&args.microscope).ok_or_else(|| {
        let known: Vec<_> = microscopes::ALL.iter().map(|microscope| microscope.name()).collect();
        anyhow!("unknown microscope type {}; known are {}", args.microscope, known.join(", "))
    })?;
    let sources = sources(microscope, args.plate.as_deref(), args.source_dir.as_deref(), &args.acquisitions)?;
    let description = match &args.workflow {
        Some(path) => Some(read_description(path)?),
        None => None,
    };
    let pipeline = match &args.pipeline {
        Some(path) => Some(read_pipeline(path)?),
        None => None,
    };
    let limit = config.max_upload_bytes;
    let lock = DataLock::take(&config)?;
    let app = App::open(config, lock.last_stop()).await?;
    let owner = owner(&app, args.user.as_deref()).await?;
    let experiment = experiment(&app, owner, &args, description.as_ref()).await?;
    if let Some(project) = pipeline {
        let saved = projects::save(&app.environment, experiment.id, project).await;
        saved.map_err(|error| anyhow!("{}", error.message()))?;
    }
    let (plates, acquisitions) = add_plates(&app, &experiment, &sources).await?;
    let description = description.unwrap_or_else(|| {
        let kind = WorkflowType::find(&experiment.workflow_type).unwrap_or(&WorkflowType::ALL[0]);
        WorkflowDescription::default_of(kind)
    });
    let processed = async {
        tokio::select! {
            imported = import_all(&app, &experiment, &acquisitions, &sources, limit) => imported?,
            () = interrupted() => bail!("interrupted"),
        }
        let submission = app.workflows.submit(&experiment, owner, &description).await?;
        tokio::select! {
            watched = watch(&app, &experiment, submission) => watched.map(|()| true),
            () = interrupted() => Ok(false),
        }
    };
    let processed = processed.await;
    if let Ok(false) = processed {
        app.workflows.stop(PATIENCE).await;
        bail!("interrupted; `tmserver serve` goes on where the workflow is");
    }
    if let Err(error) = processed {
        let mut text = format!("{error:#}");
        // Without the plates the same command can run again once the cause is mended.
        for (name, plate) in &plates {
            text += &match plate::delete(&app.environment, experiment.id, *plate).await {
                Ok(()) => format!("\nplate \"{name}\" was taken back"),
                Err(refused) => format!("\nplate \"{name}\" could not be taken back: {}", refused.message()),
            };
        }
        bail!(text);
    }
    for name in plates.keys() {
        println!("experiment \"{}\" (id {}): plate \"{name}\" is processed", experiment.name, experiment.id);
    }
    app.close(lock).await?;
    Ok(())
}

fn read_description(path: &Path) -> anyhow::Result<WorkflowDescription> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    // JSON is YAML.
    let value: Value = serde_saphyr::from_str(&text).with_context(|| format!("{}", path.display()))?;
    WorkflowDescription::parse(&value).map_err(|message| anyhow!("{}: {message}", path.display()))
}

/// A pipeline that can run wherever its channels are.
fn read_pipeline(path: &Path) -> anyhow::Result<Project> {
    let project = directory::read(path)?;
    match check(&project, &Surroundings::default()) {
        Ok(_) => Ok(project),
        Err(problems) => bail!("{}: {problems}", path.display()),
    }
}

async fn owner(app: &App, name: Option<&str>) -> anyhow::Result<i64> {
    let all = users::list(&mut app.environment.db.read().await?).await?;
    match (name, all.as_slice()) {
        (Some(name), all) => {
            let user = all.iter().find(|user| user.name == name);
            user.map(|user| user.id).ok_or_else(|| anyhow!("there is no user \"{name}\""))
        }
        (None, [only]) => Ok(only.id),
        (None, []) => bail!("there is no user to own the experiment; add one with `tmserver user add NAME`"),
        (None, _) => bail!("there are several users; say whose experiment it is with --user NAME"),
    }
}

async fn experiment(
    app: &App,
    owner: i64,
    args: &ProcessArgs,
    description: Option<&WorkflowDescription>,
) -> anyhow::Result<Experiment> {
    let mut tx = app.environment.db.read().await?;
    let known = experiments::list(&mut tx, owner, Some(&args.experiment), Page::ALL).await?;
    drop(tx);
    if let Some(experiment) = known.into_iter().find(|experiment| experiment.user_id == owner) {
        if experiment.microscope_type != args.microscope {
            bail!(
                "experiment \"{}\" has microscope type {}, not {}",
                experiment.name,
                experiment.microscope_type,
                args.microscope
            );
        }
        return Ok(experiment);
    }
    let new = NewExperiment::check(
        owner,
        &args.experiment,
        "",
        &args.microscope,
        description.map_or(&WorkflowType::ALL[0], |description| description.kind).name(),
        args.plate_format,
        &args.acquisition_mode,
    )
    .map_err(|error| anyhow!("{}", error.message()))?;
    let mut tx = app.environment.db.write().await?;
    let id = experiments::insert(&mut tx, &new, app.environment.now()).await?;
    let made = experiments::find(&mut tx, id).await?;
    tx.commit().await?;
    made.ok_or_else(|| anyhow!("the experiment was deleted meanwhile"))
}

/// Make the plates with their acquisitions; the values are the ids of the plates by name, and those of the
/// acquisitions in the order of the sources.
async fn add_plates(
    app: &App,
    experiment: &Experiment,
    sources: &[Source],
) -> anyhow::Result<(BTreeMap<String, i64>, Vec<i64>)> {
    let now = app.environment.now();
    let mut tx = app.environment.db.write().await?;
    let mut made = BTreeMap::new();
    let mut ids = Vec::new();
    for Source { plate: name, acquisition, .. } in sources {
        if !made.contains_key(name) {
            let plate = plates::insert(&mut tx, experiment.id, name, "", now).await;
            let plate = plate.map_err(|error| match error {
                StoreError::Conflict(_) => {
                    anyhow!("experiment \"{}\" has a plate named \"{name}\" already", experiment.name)
                }
                error => error.into(),
            })?;
            made.insert(name.clone(), plate);
        }
        let id = acquisitions::insert(&mut tx, experiment.id, name, acquisition, "", now).await?;
        ids.push(id.ok_or_else(|| anyhow!("plate \"{name}\" was deleted meanwhile"))?);
    }
    tx.commit().await?;
    Ok((made, ids))
}

async fn import_all(
    app: &App,
    experiment: &Experiment,
    acquisitions: &[i64],
    sources: &[Source],
    limit: u64,
) -> anyhow::Result<()> {
    for (acquisition, source) in acquisitions.iter().zip(sources) {
        import(app, experiment, *acquisition, &source.directory, &source.names, limit).await?;
    }
    Ok(())
}

async fn import(
    app: &App,
    experiment: &Experiment,
    acquisition: i64,
    directory: &Path,
    names: &[String],
    limit: u64,
) -> anyhow::Result<()> {
    let microscope = microscopes::find(&experiment.microscope_type)
        .ok_or_else(|| anyhow!("unknown microscope type {}", experiment.microscope_type))?;
    let report = file::register(&app.environment, experiment.id, acquisition, microscope, names).await?;
    if let Some(clash) = report.skipped.iter().find(|skipped| skipped.reason != SkipReason::OtherKind) {
        bail!("cannot import {}: {}", clash.name, clash.reason);
    }
    let mut progress = Progress::start("import");
    let mut imported = 0;
    for (index, name) in names.iter().enumerate() {
        progress.update(100.0 * index as f64 / names.len() as f64, "", name);
        if !microscope.classify(name).is_valid() {
            continue;
        }
        let source = BufReader::new(File::open(directory.join(name)).await.with_context(|| name.clone())?);
        file::import(&app.environment, experiment.id, acquisition, name, source, limit)
            .await
            .with_context(|| format!("cannot import {name}"))?;
        imported += 1;
    }
    progress.finish(&format!("{imported} files, {} of other kinds left out", report.skipped.len()));
    Ok(())
}

/// Show how far a submission is until it is over.
///
/// # Errors
/// When it failed, with what its failed jobs said.
async fn watch(app: &App, experiment: &Experiment, submission: i64) -> anyhow::Result<()> {
    let mut progress = Progress::start("workflow");
    loop {
        let tasks = queries::tasks_of(&mut app.environment.db.read().await?, submission).await?;
        let step =
            tasks.iter().rev().find(|task| task.task_type == "WorkflowStep" && task.state == "RUNNING");
        let percent = tree(&tasks, 0).map_or(0.0, |tree| tree.percent_done);
        progress.update(percent, step.map_or("", |step| step.name.as_str()), "");
        match tasks.first().and_then(|root| root.exitcode) {
            Some(0) => {
                progress.finish("done");
                return Ok(());
            }
            Some(_) => bail!(
                "the workflow failed{}\n{}",
                where_it_failed(&tasks),
                failures(app, experiment.id, &tasks).await
            ),
            None => {}
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// The stage and step at which a workflow ended.
fn where_it_failed(tasks: &[Task]) -> String {
    let failed = tasks.iter().filter(|task| task.exitcode.is_some_and(|code| code != 0));
    let name = |kind: &str| failed.clone().find(|task| task.task_type.ends_with(kind)).map(|task| &task.name);
    match (name("WorkflowStage"), name("WorkflowStep")) {
        (Some(stage), Some(step)) => format!(" in stage {stage}, step {step}"),
        _ => String::new(),
    }
}

/// What the failed jobs said, the first few of them.
async fn failures(app: &App, experiment: i64, tasks: &[Task]) -> String {
    let mut text = String::new();
    let failed = tasks.iter().filter(|task| task.is_job() && task.exitcode.is_some_and(|code| code != 0));
    for task in failed.take(5) {
        let stderr = app.workflows.log_of(experiment, task.id).await.map(|(_, stderr)| stderr);
        text += &format!("{}: {}\n", task.name, stderr.unwrap_or_default().trim_end());
    }
    text
}
