//! The steps of workflows: one file each.

pub mod align;
pub mod corilla;
pub mod illuminati;
pub mod imextract;
pub mod jterator;
pub mod metaconfig;
pub mod metaextract;
mod source;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::arguments::{Argument, ArgumentKind, Default};
use super::job::JobContext;
use super::stop::Interruption;
use crate::compute::ComputeError;
use crate::error::{ApiError, ErrorKind};
use crate::jterator::run::RunError;
use crate::resources::layer::MapError;
use crate::storage::StorageError;
use crate::store::StoreError;

/// All steps.
pub const ALL: &[&dyn Step] = &[
    &metaextract::Metaextract,
    &metaconfig::Metaconfig,
    &imextract::Imextract,
    &corilla::Corilla,
    &align::Align,
    &illuminati::Illuminati,
    &jterator::Jterator,
];

/// The step of this name.
pub fn find(name: &str) -> Option<&'static dyn Step> {
    ALL.iter().copied().find(|step| step.name() == name)
}

/// What every step's run jobs may use.
pub const SUBMISSION_ARGUMENTS: &[Argument] = &[
    Argument::optional(
        "duration",
        ArgumentKind::Duration,
        Default::Text("06:00:00"),
        "time that a job may take; one that takes longer is stopped and fails",
    ),
    Argument::optional(
        "memory",
        ArgumentKind::Integer { min: 1 },
        Default::MemoryPerCore,
        "memory that a job may use, in megabytes; as many jobs run at once as fit in the machine's",
    ),
    Argument::optional(
        "cores",
        ArgumentKind::Integer { min: 1 },
        Default::Integer(1),
        "cores that a job may use; as many jobs run at once as there are cores for",
    ),
];

/// A step of a workflow. Every job of it can run again: it replaces what it made before.
pub trait Step: Sync + std::fmt::Debug {
    /// Name on the wire.
    fn name(&self) -> &'static str;

    /// What it does, in a few words.
    fn full_name(&self) -> &'static str;

    /// What it does, in a sentence.
    fn help(&self) -> &'static str;

    /// How its work can be split and done.
    fn batch_arguments(&self) -> &'static [Argument];

    /// Whether it has a collect phase.
    fn has_collect(&self) -> bool {
        false
    }

    /// Whether its run phase is a sequence of phases.
    fn runs_in_rounds(&self) -> bool {
        false
    }

    /// Remove what an earlier run made, and split the work into batches.
    fn init<'a>(&'a self, job: &'a JobContext) -> BoxFuture<'a, StepResult<Vec<Value>>>;

    /// Do one batch.
    fn run<'a>(&'a self, job: &'a JobContext, batch: &'a Value) -> BoxFuture<'a, StepResult<()>>;

    /// Put the results of all batches together.
    fn collect<'a>(&'a self, job: &'a JobContext) -> BoxFuture<'a, StepResult<()>> {
        let _ = job;
        async { Ok(()) }.boxed()
    }
}

/// Result of a part of a step.
pub type StepResult<T> = Result<T, StepError>;

/// Why a job failed, in words for the person who reads its log.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// The files, metadata or arguments do not allow it: a person has to change something.
    #[error("{0}")]
    Input(String),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A stored file failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The engine failed.
    #[error(transparent)]
    Engine(#[from] tm_engine::EngineError),
    /// Pixel work ended without a result.
    #[error(transparent)]
    Compute(#[from] ComputeError),
    /// A map cannot be laid out or built.
    #[error(transparent)]
    Map(#[from] MapError),
    /// The analysis pipeline gave up at a site.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A resource of the API refused or failed.
    #[error("{}", .0.message())]
    Resource(ApiError),
    /// Another worker has the job: whatever this one would change is not its to change.
    #[error("another worker has taken the job over")]
    LeaseLost,
    /// It was asked to end before its work was done.
    #[error(transparent)]
    Interrupted(#[from] Interruption),
    /// The server's own fault.
    #[error("internal error: {0}")]
    Internal(String),
}

impl From<ApiError> for StepError {
    fn from(error: ApiError) -> Self {
        Self::Resource(error)
    }
}

impl StepError {
    /// Whether the disk is full: the job may succeed once there is room.
    pub fn is_storage_full(&self) -> bool {
        match self {
            Self::Store(error) => matches!(error, StoreError::Full(_)),
            Self::Storage(error) => error.is_storage_full(),
            Self::Map(error) => error.is_storage_full(),
            Self::Resource(error) => error.kind() == ErrorKind::InsufficientStorage,
            Self::Input(_)
            | Self::Engine(_)
            | Self::Run(_)
            | Self::Compute(_)
            | Self::LeaseLost
            | Self::Interrupted(_)
            | Self::Internal(_) => false,
        }
    }

    /// Whether the same job may succeed when it is run again, with nothing changed by a person.
    pub fn may_pass(&self) -> bool {
        if self.is_storage_full() {
            return false;
        }
        match self {
            Self::Store(StoreError::Driver(_)) | Self::Storage(StorageError::Io(_)) | Self::Compute(_) => {
                true
            }
            Self::Map(error) => error.may_pass(),
            Self::Resource(error) => error.kind() == ErrorKind::InternalServer,
            Self::Input(_)
            | Self::Run(_)
            | Self::Store(_)
            | Self::Storage(_)
            | Self::Engine(_)
            | Self::LeaseLost
            | Self::Interrupted(_)
            | Self::Internal(_) => false,
        }
    }

    /// Why the job failed, and what to do about a full disk.
    pub fn reason(&self) -> String {
        if self.is_storage_full() {
            format!("no space left on the server; make room and submit again ({self})")
        } else {
            self.to_string()
        }
    }
}

/// The batch that a job was given.
fn parse_batch<T: DeserializeOwned>(batch: &Value) -> StepResult<T> {
    serde_json::from_value(batch.clone()).map_err(|error| StepError::Internal(format!("batch: {error}")))
}

/// A batch to store with its job.
fn to_batch<T: serde::Serialize>(batch: &T) -> StepResult<Value> {
    serde_json::to_value(batch).map_err(|error| StepError::Internal(format!("batch: {error}")))
}
