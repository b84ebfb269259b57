//! Whole workflows over HTTP: files go in, maps come out, and what is wrong is said.

#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

mod backing_up;
mod bad_input;
mod checking;
mod comparer;
mod correction;
mod crash;
mod cv8000;
mod defects;
mod deletes;
mod descriptions;
mod events;
mod everything;
mod exported_objects;
mod failing;
mod geometry;
mod keeping;
mod killing;
mod killing_anywhere;
mod leases;
mod linked;
mod logs;
mod multiplexing;
mod naive;
mod open_data;
mod open_format;
mod pipelines;
mod planted;
mod real_cells;
mod rerun;
mod restart;
mod resubmitting;
mod scopes;
mod served_labels;
mod sweeping;
mod traces;
mod tree;
