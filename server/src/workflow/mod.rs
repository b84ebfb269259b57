//! Workflows: what is done to an experiment, in which order, and how far it got.
//!
//! A client submits a [`description::WorkflowDescription`]: stages of [`steps`] with arguments. It
//! becomes a tree of [`task`]s in the database: workflow, stages, steps, phases, jobs. A step has
//! three phases: *init*, one job that splits the work into batches; *run*, a job per batch;
//! *collect*, one job that puts the results together (if the step needs it). The [`walk`] goes
//! through the tree; an executor from [`executors`] runs each [`job`]. The [`scheduler`] begins walks, and ends
//! them early.

pub mod arguments;
pub mod description;
pub mod executors;
pub mod job;
mod job_filter;
pub mod lease;
mod log;
mod resubmission;
mod running;
mod scheduler;
pub mod steps;
pub mod stop;
pub mod task;
mod types;
mod walk;

pub use job_filter::JobFilter;
pub use resubmission::Part;
pub use scheduler::{SubmitError, Workflows};
pub use types::{StageType, WorkflowType};
