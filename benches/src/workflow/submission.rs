//! Workflows on the measured server: plates to link, workflows to submit and wait for.
//!
//! Nothing is deleted before the end: a file system that still remembers thousands of files makes new ones slowly.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::json;
use tm_engine::image::Size;
use tm_server::app::App;
use tm_server::cli::demo::set_argument;
use tm_server::resources::experiment;
use tm_server::resources::file::linking;
use tm_server::resources::layer::{LayerFilter, queries as layers};
use tm_server::resources::workflow::queries;
use tm_server::resources::{acquisition, plate};
use tm_server::workflow::WorkflowType;
use tm_server::workflow::description::WorkflowDescription;
use tm_server::workflow::task::Task;

use super::source::{self, Images};
use crate::client::{self, Requests};
use crate::made_up_plate::bytes_below;
use crate::server::{MICROSCOPE, PLATE, Server};
use crate::tiles::tile_at;

/// How often a running workflow is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// An experiment whose files are linked.
pub struct Experiment {
    id: i64,
    name: String,
}

/// A workflow that runs.
pub struct Submission<'a> {
    app: &'a App,
    experiment: i64,
    id: i64,
}

impl Server {
    /// A new experiment with the files of a plate of `sites` sites.
    ///
    /// # Errors
    /// When the disk or the database fails.
    pub async fn link_plate(&self, sites: usize, size: Size) -> Result<(Experiment, Images)> {
        let environment = &self.app.environment;
        let name = format!("plate-{}", environment.now());
        let files = self.import_root().join(&name);
        let directory = files.clone();
        let images = tokio::task::spawn_blocking(move || source::write(&directory, sites, size)).await??;
        let mut tx = environment.db.write().await?;
        let id = self.insert_experiment(&mut tx, &name).await?;
        plate::queries::insert(&mut tx, id, PLATE, "", 0).await?;
        let acquisition = acquisition::queries::insert(&mut tx, id, PLATE, "a", "", 0).await?;
        let acquisition = acquisition.context("the plate that was just added is not there")?;
        tx.commit().await?;
        let microscope = tm_server::microscopes::find(MICROSCOPE).context("no such microscope type")?;
        linking::link(environment, (id, acquisition), microscope, files).await?;
        Ok((Experiment { id, name }, images))
    }

    /// Begin the workflow of an experiment: every step with its defaults, illumination corrected.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn submit(&self, experiment: &Experiment) -> Result<Submission<'_>> {
        let app = &self.app;
        let found = experiment::queries::find(&mut app.environment.db.read().await?, experiment.id).await?;
        let found = found.with_context(|| format!("experiment {} is gone", experiment.name))?;
        let id = app.workflows.submit(&found, self.owner, &corrected_description()?).await?;
        Ok(Submission { app, experiment: experiment.id, id })
    }

    /// Bytes of an experiment's files.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub fn bytes_stored(&self, experiment: &Experiment) -> Result<u64> {
        bytes_below(&self.app.environment.data.experiment(experiment.id))
    }

    /// Requests for tiles of an experiment: all layers and zoom levels in turn, far from one another, none of
    /// them in the cache.
    ///
    /// # Errors
    /// When the experiment has no map.
    pub async fn tile_requests(&self, experiment: &Experiment) -> Result<Requests> {
        let environment = &self.app.environment;
        let layout = environment.maps.layout(environment, experiment.id).await?;
        let mut tx = environment.db.read().await?;
        let layers = layers::list(&mut tx, experiment.id, LayerFilter::default()).await?;
        if layers.is_empty() {
            bail!("experiment {} has no layer", experiment.name);
        }
        let ids: Vec<i64> = layers.iter().map(|layer| layer.id).collect();
        let (id, token, depth) = (experiment.id, self.token.clone(), layout.depth());
        Ok(Arc::new(move |number, out: &mut Vec<u8>| {
            let layer = ids[number % ids.len()];
            let z = number / ids.len() % depth;
            let size = layout.reduced_size(depth - 1 - z);
            let (y, x) = tile_at(size, number);
            client::write_get(
                out,
                &token,
                format_args!(
                    "/api/experiments/{id}/channel_layers/{layer}/tiles?x={x}&y={y}&z={z}&min={}&max=7000",
                    number % 3000
                ),
            );
        }))
    }
}

impl Submission<'_> {
    /// Wait for the end; the value is every task of the workflow.
    ///
    /// # Errors
    /// When it failed, with what the first failed job said.
    pub async fn finish(self) -> Result<Vec<Task>> {
        loop {
            let tasks = queries::tasks_of(&mut self.app.environment.db.read().await?, self.id).await?;
            match tasks.first().and_then(|root| root.exitcode) {
                Some(0) => return Ok(tasks),
                Some(_) => {
                    let failed = tasks
                        .iter()
                        .find(|task| task.is_job() && task.exitcode.is_some_and(|code| code != 0))
                        .context("the workflow failed without a failed job")?;
                    let log = self.app.workflows.log_of(self.experiment, failed.id).await;
                    bail!("{} failed: {}", failed.name, log.map(|(_, stderr)| stderr).unwrap_or_default());
                }
                None => tokio::time::sleep(LOOK_EVERY).await,
            }
        }
    }
}

/// The defaults, but illumination corrected.
fn corrected_description() -> Result<WorkflowDescription> {
    let mut description = WorkflowDescription::default_of(&WorkflowType::ALL[0]).to_json();
    set_argument(&mut description, "illuminati", "illumcorr", json!(true))?;
    WorkflowDescription::parse(&description).map_err(anyhow::Error::msg)
}
