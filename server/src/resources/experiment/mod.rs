//! Experiments: the plates of one study, how they were imaged and how they are processed.

pub mod handlers;
pub mod queries;
pub mod sharing;

use crate::app::App;
use crate::auth::permission::{Access, Right};
use crate::environment::Environment;
use crate::error::{ApiError, ApiResult};
use crate::http::{AuthUser, parse_id, to_its_end};
use crate::microscopes;
use crate::microscopes::PlateFormat;
use crate::resources::image::pruning::Pruned;
use crate::resources::workflow::queries as workflows;
use crate::store::{StoreError, Tx};
use crate::workflow::WorkflowType;

/// Gap between neighbouring wells on the map, in pixels; plates are twice as far apart.
pub const WELL_SPACER_PX: i64 = 500;

/// Most characters of a name.
pub const NAME_CHARS: usize = 256;
/// How acquisitions of a plate relate to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AcquisitionMode {
    /// Further acquisitions are further time points.
    Basic,
    /// Every acquisition and time point is a cycle of staining with channels of its own.
    Multiplexing,
}

impl AcquisitionMode {
    /// All modes.
    pub const ALL: &[Self] = &[Self::Basic, Self::Multiplexing];

    /// Name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Basic => "basic",
            Self::Multiplexing => "multiplexing",
        }
    }
}

/// An experiment as stored.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Experiment {
    /// Row id.
    pub id: i64,
    /// Id of the owner.
    pub user_id: i64,
    /// Name of the owner.
    pub user_name: String,
    /// Name, unique per owner.
    pub name: String,
    /// Free text.
    pub description: String,
    /// One of [`microscopes::ALL`].
    pub microscope_type: String,
    /// One of [`WorkflowType::ALL`].
    pub workflow_type: String,
    /// Number of wells of a plate.
    pub plate_format: i64,
    /// One of [`AcquisitionMode::ALL`].
    pub plate_acquisition_mode: String,
    /// Height of the map in pixels; null until the pyramid step has run.
    pub pyramid_height: Option<i64>,
    /// Width of the map in pixels; null until the pyramid step has run.
    pub pyramid_width: Option<i64>,
    /// Number of zoom levels; null until the pyramid step has run.
    pub pyramid_depth: Option<i64>,
    /// Gap between sites of a well, in pixels; negative where they overlap.
    pub vertical_site_displacement: i64,
    /// Gap between sites of a well, in pixels; negative where they overlap.
    pub horizontal_site_displacement: i64,
    /// Gap between wells, in pixels.
    pub well_spacer_size: i64,
    /// The stored workflow description as JSON, if a client stored one.
    pub workflow_description: Option<String>,
}

impl Experiment {
    /// How its acquisitions relate.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] for a mode that this version does not know.
    pub fn acquisition_mode(&self) -> Result<AcquisitionMode, StoreError> {
        let mode = AcquisitionMode::ALL.iter().find(|mode| mode.name() == self.plate_acquisition_mode);
        let unknown = || StoreError::Corrupt(format!("acquisition mode {:?}", self.plate_acquisition_mode));
        mode.copied().ok_or_else(unknown)
    }
}

/// An experiment to create, all values checked.
#[derive(Debug, Clone)]
pub struct NewExperiment {
    /// Id of the owner.
    pub user_id: i64,
    /// Name, unique per owner.
    pub name: String,
    /// Free text.
    pub description: String,
    /// One of [`microscopes::ALL`].
    pub microscope_type: String,
    /// One of [`WorkflowType::ALL`].
    pub workflow_type: String,
    /// Number of wells of a plate.
    pub plate_format: PlateFormat,
    /// How acquisitions of a plate relate.
    pub plate_acquisition_mode: AcquisitionMode,
}

impl NewExperiment {
    /// Check the values of a request.
    ///
    /// # Errors
    /// 400 naming the field, what was wanted and what is on offer.
    pub fn check(
        user_id: i64,
        name: &str,
        description: &str,
        microscope_type: &str,
        workflow_type: &str,
        plate_format: u64,
        plate_acquisition_mode: &str,
    ) -> ApiResult<Self> {
        let name = check_name("name", name)?.to_owned();
        let choice = |field: &str, value: &str, offered: Vec<String>| {
            ApiError::malformed(format!("`{field}` must be one of {}, got \"{value}\"", offered.join(", ")))
        };
        if microscopes::find(microscope_type).is_none() {
            let offered = microscopes::ALL.iter().map(|kind| kind.name().to_owned()).collect();
            return Err(choice("microscope_type", microscope_type, offered));
        }
        if WorkflowType::find(workflow_type).is_none() {
            let offered = WorkflowType::ALL.iter().map(|kind| kind.name().to_owned()).collect();
            return Err(choice("workflow_type", workflow_type, offered));
        }
        let format = u32::try_from(plate_format).ok().and_then(PlateFormat::from_wells).ok_or_else(|| {
            let offered = PlateFormat::ALL.iter().map(|format| format.wells().to_string()).collect();
            choice("plate_format", &plate_format.to_string(), offered)
        })?;
        let mode = AcquisitionMode::ALL
            .iter()
            .copied()
            .find(|mode| mode.name() == plate_acquisition_mode)
            .ok_or_else(|| {
                let offered = AcquisitionMode::ALL.iter().map(|mode| mode.name().to_owned()).collect();
                choice("plate_acquisition_mode", plate_acquisition_mode, offered)
            })?;
        Ok(Self {
            user_id,
            name,
            description: description.to_owned(),
            microscope_type: microscope_type.to_owned(),
            workflow_type: workflow_type.to_owned(),
            plate_format: format,
            plate_acquisition_mode: mode,
        })
    }
}

/// Check the name of an experiment, plate, acquisition, channel or feature. It is kept as it is, with spaces at its
/// ends: clients look for what they sent.
///
/// # Errors
/// 400 when it is blank, longer than [`NAME_CHARS`] characters or holds control characters.
pub fn check_name<'a>(field: &str, name: &'a str) -> ApiResult<&'a str> {
    check_short_name(field, name, NAME_CHARS)
}

/// Check a name of at most so many characters, as [`check_name`] does.
///
/// # Errors
/// 400 when it is blank, longer than that or holds control characters.
pub fn check_short_name<'a>(field: &str, name: &'a str, most: usize) -> ApiResult<&'a str> {
    if name.trim().is_empty() || name.chars().count() > most || name.chars().any(char::is_control) {
        return Err(ApiError::malformed(format!("`{field}` must have 1 to {most} printable characters")));
    }
    Ok(name)
}

/// The id of the experiment in a path, once the user is known to have the right.
///
/// # Errors
/// 404 for an unknown experiment, 403 without the right.
pub async fn authorize(app: &App, user: &AuthUser, id: &str, access: Access) -> ApiResult<i64> {
    let experiment = parse_id("experiment", id)?;
    let right = app.environment.permissions.right(&app.environment.db, user.id, experiment).await?;
    match right {
        Right::Unknown => Err(ApiError::not_found(format!("experiment {experiment}"))),
        right if right.covers(access) => Ok(experiment),
        _ => Err(ApiError::forbidden(match access {
            Access::Read => format!("you may not read experiment {experiment}"),
            Access::Write => format!("you may not change experiment {experiment}"),
            Access::Own => format!("only its owner may do this to experiment {experiment}"),
        })),
    }
}

/// Let no workflow of the experiment begin before the transaction ends; 409 if one runs.
///
/// # Errors
/// 409, or when the database fails.
pub async fn keep_workflows_out(tx: &mut Tx, experiment: i64, now: i64) -> ApiResult<()> {
    // Changing the row makes whoever submits a workflow wait for this transaction.
    queries::touch(tx, experiment, now).await?;
    refuse_while_running(tx, experiment).await
}

/// Refuse with 409 while a workflow of the experiment runs.
///
/// # Errors
/// 409, or when the database fails.
pub async fn refuse_while_running(tx: &mut Tx, experiment: i64) -> ApiResult<()> {
    if workflows::has_unfinished(tx, experiment).await? {
        return Err(ApiError::conflict("a workflow of this experiment is running; kill it first"));
    }
    Ok(())
}

/// Delete an experiment: its rows in one transaction, then its files.
///
/// # Errors
/// When the database fails, or 409 while a workflow runs.
pub async fn delete(environment: &Environment, experiment: i64) -> ApiResult<()> {
    let environment = environment.clone();
    to_its_end(async move {
        // Looked at again where it counts; here so that a refusal need not wait for a chance to write.
        refuse_while_running(&mut environment.db.read().await?, experiment).await?;
        let mut tx = environment.db.write().await?;
        keep_workflows_out(&mut tx, experiment, environment.now()).await?;
        queries::delete(&mut tx, experiment).await?;
        let mut pruned = Pruned::default();
        pruned.files(environment.data.experiment(experiment));
        let obsolete = pruned.commit(tx, &environment, experiment).await?;
        environment.permissions.forget();
        obsolete.remove(&environment).await;
        Ok(())
    })
    .await
}
