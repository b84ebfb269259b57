//! The image-analysis project of an experiment ([`crate::jterator`]): one at most, replaced as a whole.

pub mod handlers;
pub mod queries;
pub mod schema;

use serde_json::Value;

use crate::environment::Environment;
use crate::error::{ApiError, ApiResult};
use crate::jterator::{CheckedProject, Problems, Project, Surroundings, check};
use crate::resources::channel::queries as channels;
use crate::resources::experiment::queries as experiments;
use crate::resources::mapobject::queries as mapobjects;
use crate::store::{self, Tx};

/// How many problems of a project an error names.
const NAMED_PROBLEMS: usize = 20;

/// A project as stored.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct StoredProject {
    /// The pipeline, JSON.
    pub pipeline: String,
    /// The handles of each module, JSON.
    pub handles: String,
}

impl StoredProject {
    /// The project itself.
    ///
    /// # Errors
    /// When what is stored is no project of this version of the server.
    pub fn read(&self) -> Result<Project, Problems> {
        let json = |field: &str, text: &str| {
            serde_json::from_str::<Value>(text)
                .map_err(|error| Problems::one(field, format!("is no JSON: {error}")))
        };
        Project::parse(&json("pipeline", &self.pipeline)?, &json("handles", &self.handles)?)
    }
}

/// Read a project from a client's JSON.
///
/// # Errors
/// 400 with all that is wrong with its form.
pub async fn parse(environment: &Environment, pipeline: Value, handles: Value) -> ApiResult<Project> {
    let parsed = environment.compute.interactive(move |_| Project::parse(&pipeline, &handles));
    parsed.await.map_err(ApiError::internal)?.map_err(|problems| malformed(&problems))
}

/// The project of an experiment, an empty one where there is none yet.
///
/// # Errors
/// When the database fails, or what is stored is no project.
pub async fn find(tx: &mut Tx, experiment: i64) -> ApiResult<Project> {
    let stored = queries::find(tx, experiment).await?;
    stored.map_or_else(|| Ok(Project::default()), |stored| stored.read().map_err(ApiError::internal))
}

/// Check a project and keep it in place of what the experiment has.
///
/// # Errors
/// 400 with all for which it cannot run in this experiment.
pub async fn save(environment: &Environment, experiment: i64, project: Project) -> ApiResult<()> {
    let surroundings = surroundings(&mut environment.db.read().await?, experiment).await?;
    let checked = environment.compute.interactive(move |_| match check(&project, &surroundings) {
        Ok(_) => Ok((project.pipeline_json().to_string(), project.handles_json().to_string())),
        Err(problems) => Err(problems),
    });
    let (pipeline, handles) =
        checked.await.map_err(ApiError::internal)?.map_err(|problems| malformed(&problems))?;
    let mut tx = environment.db.write().await?;
    let now = environment.now();
    experiments::touch(&mut tx, experiment, now).await?;
    queries::put(&mut tx, experiment, &pipeline, &handles, now).await?;
    tx.commit().await?;
    Ok(())
}

/// The project that the last run of an experiment began with, checked against the experiment as it is now.
///
/// # Errors
/// 400 with all for which it cannot run.
pub async fn checked_run(tx: &mut Tx, experiment: i64) -> ApiResult<CheckedProject> {
    let Some(stored) = queries::find_run(tx, experiment).await? else { return Ok(CheckedProject::default()) };
    let project = stored.read().map_err(ApiError::internal)?;
    check(&project, &surroundings(tx, experiment).await?).map_err(|problems| malformed(&problems))
}

/// What projects of an experiment may refer to.
///
/// # Errors
/// When the database fails.
pub async fn surroundings(tx: &mut Tx, experiment: i64) -> store::Result<Surroundings> {
    let channels = channels::list(tx, experiment, None).await?;
    let types = mapobjects::list_types(tx, experiment, None).await?;
    Ok(Surroundings {
        channels: channels.into_iter().map(|channel| channel.name).collect(),
        object_types: types.into_iter().map(|kind| kind.name).collect(),
    })
}

fn malformed(problems: &Problems) -> ApiError {
    ApiError::malformed(problems.first(NAMED_PROBLEMS))
}
